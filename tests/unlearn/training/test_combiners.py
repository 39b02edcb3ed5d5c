"""Combiners of two gradients: numbers by hand, and what each leaves at a right angle to what."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unlearn.training.combiners import Combiner, cosine, inner

FORGET, RETAIN = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 1.0])
PHASES = {"ascent": "forget", "descent": "retain"}


def combined(rule: str, *, scale: Tensor | None = None, forget: float = 1.0, retain: float = 1.0) -> list[float]:
    """Over two weights of one number each, so that products reach over weights."""
    gradients = {phase: {"a": value[:1], "b": value[1:]} for phase, value in (("forget", FORGET), ("retain", RETAIN))}
    scales = {} if scale is None else {"a": scale[:1], "b": scale[1:]}
    found = Combiner(rule, PHASES, forget, retain)(gradients, scales)  # type: ignore[arg-type]
    return [found["a"].item(), found["b"].item()]


def test_gu_takes_off_the_forget_gradient_what_lies_along_retain_in_the_optimisers_metric() -> None:
    # <f, r> = 3 + 4/4 = 4, <r, r> = 1.25, c = 3.2: (3, 4) - 3.2 (1, 1)
    assert combined("gu", scale=torch.tensor([1.0, 4.0]), retain=0.0) == pytest.approx([-0.2, 0.8])


def test_gu_without_a_scale_is_euclidean_and_adds_the_weighted_retain_gradient() -> None:
    # c = 7 / 2: 2 x (-0.5, 0.5) + 3 x (1, 1)
    assert combined("gu", forget=2.0, retain=3.0) == pytest.approx([2.0, 4.0])


def test_blur_projects_the_retain_gradient_off_the_forget_gradient() -> None:
    # <f, r> / <f, f> = 0.28: (1, 1) - 0.28 (3, 4) = (0.16, -0.12), added to (3, 4)
    assert combined("blur") == pytest.approx([3.16, 3.88])


def test_surgery_leaves_the_retain_gradient_itself_out() -> None:
    assert combined("surgery", forget=5.0, retain=5.0) == pytest.approx([-0.5, 0.5])


def test_gu_leaves_the_forget_gradient_alone_where_retain_is_flat() -> None:
    gradients = {"forget": {"a": FORGET}, "retain": {"a": torch.zeros(2)}}
    assert Combiner("gu", PHASES)(gradients, {})["a"].tolist() == [3.0, 4.0]


def test_a_step_with_one_phase_is_taken_as_it_is() -> None:
    assert Combiner("gu", PHASES, 2.0, 2.0)({"retain": {"a": RETAIN}}, {})["a"].tolist() == [1.0, 1.0]


def test_the_cosine_is_that_of_the_angle_over_all_weights() -> None:
    assert cosine({"a": FORGET}, {"a": RETAIN}) == pytest.approx(7 / (5 * 2**0.5))
    assert cosine({"a": FORGET}, {"a": torch.zeros(2)}) is None


NUMBERS = st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4).map(torch.tensor)


@settings(max_examples=50, deadline=None)
@given(forget=NUMBERS, retain=NUMBERS, scale=st.lists(st.floats(0.125, 10, width=32), min_size=4, max_size=4))
def test_what_gu_executes_is_orthogonal_to_retain_in_the_metric(
    forget: Tensor, retain: Tensor, scale: list[float]
) -> None:
    metric = {"a": torch.tensor(scale).double()}
    gradients = {"forget": {"a": forget.double()}, "retain": {"a": retain.double()}}
    if float(inner(gradients["retain"], gradients["retain"], metric)) > 1e-6:
        found = Combiner("gu", PHASES, 1.0, 0.0)(gradients, metric)
        assert abs(float(inner(found, gradients["retain"], metric))) < 1e-6
