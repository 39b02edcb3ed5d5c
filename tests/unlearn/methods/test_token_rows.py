"""Rows on the tokens of forget answers: their terms by hand from measured numbers."""

import math

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from unlearn.losses.answer_values import ANSWER_VALUES, AnswerTokens
from unlearn.losses.term import Samples
from unlearn.methods.objective import loss_terms
from unlearn.methods.table import METHODS
from unlearn.presets import Numbers

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2)
ONE = TrainingSample(sample_id="f1", subject_id="a", modality="qa", prompt="?", answer="!")
SAMPLES: Samples = {"forget": (ONE, ONE), "retain": (ONE,)}
FOUND = {
    "forget.nll_sum": torch.tensor([4.0, 6.0]), "forget.nll": torch.tensor([2.0, 2.0]),
    "forget.tokens": torch.tensor([2.0, 3.0]),
    "retain.nll_sum": torch.tensor([6.0]), "retain.nll": torch.tensor([1.5]), "retain.tokens": torch.tensor([4.0]),
}  # fmt: skip


def terms(method: str, found: dict[str, torch.Tensor] | None = None, **numbers: float) -> dict[str, float]:
    given = loss_terms(METHODS[method], PLAIN.model_copy(update=numbers), {**FOUND, **(found or {})}, SAMPLES)
    return {name: value.item() for name, value in given.items()}


def tokens(shares: list[float], **numbers: float) -> AnswerTokens:
    return AnswerTokens(
        logits=torch.zeros(len(shares), 2),
        targets=torch.zeros(len(shares), dtype=torch.long),
        nll=-torch.tensor(shares).log().requires_grad_(),
        kept=torch.ones(len(shares), dtype=torch.bool),
        first=torch.tensor([True] + [False] * (len(shares) - 1)),
        numbers=PLAIN.model_copy(update=numbers),
    )


@pytest.mark.parametrize(("gamma", "expected"), [(0.0, 0.038870), (0.2, 0.063112)])
def test_simnpo_of_hand_worked_numbers(gamma: float, expected: float) -> None:
    found = {"forget.nll": torch.tensor([1.2, 1.2])}
    assert terms("simnpo", found, beta=2.5, gamma=gamma)["simnpo"] == pytest.approx(expected, abs=1e-6)


def test_the_pull_of_simnpo_is_twice_the_sigmoid_over_the_batch() -> None:
    nll = torch.tensor([1.2], requires_grad=True)
    numbers = PLAIN.model_copy(update={"beta": 2.5})
    loss_terms(METHODS["simnpo"], numbers, {"forget.nll": nll}, {"forget": (ONE,)})["simnpo"].backward()
    assert nll.grad is not None
    assert nll.grad.item() == pytest.approx(-0.094852, abs=1e-6)


def test_simnpo_of_a_certain_answer_is_two_log_two_over_beta() -> None:
    found = {"forget.nll": torch.zeros(2)}
    assert terms("simnpo", found, beta=2.5)["simnpo"] == pytest.approx(2 / 2.5 * math.log(2))


def test_smoothed_ascent_of_hand_worked_numbers() -> None:
    found = terms("sga", smooth_rate=-0.4, smooth_count=2)
    assert sum(found.values()) == pytest.approx(-(1.2 * 2 - 0.2 * 3))


def test_without_smoothing_sga_is_gradient_ascent_to_the_last_bit() -> None:
    found = terms("sga", smooth_rate=0.0, forget_nll_cap=8.0)
    assert found["smoothed-ascent"] == terms("ga", forget_nll_cap=8.0)["ascent"]
    assert found["smoothed-descent"] == 0


@pytest.mark.parametrize(
    ("method", "term", "value", "expected"),
    [("ihl", "hinge", [3.0, 1.5], 0.9), ("me-gd", "entropy", [1.0, 0.5], 0.3), ("wga", "confident", [2.0, 3.0], -1.0),
     ("satimp", "saturated", [0.5, 0.5], -0.2), ("ce-u", "others", [1.0, 2.0], 1.0)],
)  # fmt: skip
def test_token_values_are_means_over_all_answer_tokens(
    method: str, term: str, value: list[float], expected: float
) -> None:
    found = {f"forget.{term}": torch.tensor(value)}
    assert terms(method, found)[term] == pytest.approx(expected)


def test_the_weight_of_wga_is_the_fixed_probability() -> None:
    one = tokens([0.5])
    value = ANSWER_VALUES["confident"](one)
    assert value.item() == pytest.approx(0.346574, abs=1e-6)
    assert torch.autograd.grad(value.sum(), one.nll)[0].item() == pytest.approx(0.5)


def test_a_token_that_is_gone_no_longer_pulls_in_wga() -> None:
    one = tokens([1e-8])
    assert torch.autograd.grad(ANSWER_VALUES["confident"](one).sum(), one.nll)[0].item() < 1e-7


def test_the_weight_of_satimp_has_both_powers() -> None:
    one = tokens([0.5], power=5.0, rest_power=1.0)
    value = ANSWER_VALUES["saturated"](one)
    assert value.item() == pytest.approx(0.0108304, abs=1e-7)
    assert torch.autograd.grad(value.sum(), one.nll)[0].item() == pytest.approx(0.5**6)


def test_ce_u_skips_the_first_token_of_an_answer() -> None:
    assert ANSWER_VALUES["others"](tokens([0.5, 0.5]))[0].item() == 0


def test_a_retain_term_stands_beside_the_forget_term() -> None:
    assert terms("ihl", {"forget.hinge": torch.ones(2)})["descent"] == pytest.approx(1.5)
