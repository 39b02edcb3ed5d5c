"""eval.intervals: means and their bootstrap over subjects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.intervals import bootstrap, bootstrap_columns
from schemas.problems import BadInput


def test_the_value_is_the_mean_over_answers_not_over_subjects() -> None:
    assert bootstrap([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"]).value == 0.75


def test_two_subjects_that_differ_give_the_whole_range() -> None:
    # drawn with return, each of the two stands alone in a quarter of the resamples
    found = bootstrap([1.0, 0.0], ["a", "b"])
    assert (found.low, found.high) == (0.0, 1.0)


def test_equal_values_give_an_interval_of_no_width() -> None:
    found = bootstrap([0.5] * 6, list("aabbcc"))
    assert (found.low, found.high) == (0.5, 0.5)


def test_one_subject_has_no_interval() -> None:
    found = bootstrap([1.0, 0.0], ["a", "a"])
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_answers_of_one_subject_are_drawn_together() -> None:
    values = [1.0] * 50 + [0.0] * 50
    apart = bootstrap(values, [str(number) for number in range(100)])
    together = bootstrap(values, ["a"] * 50 + ["b"] * 50)
    assert apart.low is not None
    assert apart.low > 0.35
    assert together.low == 0.0


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    found = bootstrap(list(values), [str(number) for number in range(400)])
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_same_values_give_the_same_interval() -> None:
    assert bootstrap([0.1, 0.4, 0.9], list("abc")) == bootstrap([0.1, 0.4, 0.9], list("abc"))


def test_what_was_not_measured_is_left_out_of_value_and_number() -> None:
    found = bootstrap_columns(np.array([[1.0, np.nan], [0.0, 0.5]]), ["a", "b"])
    assert [(one.value, one.n) for one in found] == [(0.5, 2), (0.5, 1)]
    assert found[1].low is None


def test_no_values_are_refused() -> None:
    with pytest.raises(BadInput, match="0 values"):
        bootstrap([], [])


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcde")), min_size=1, max_size=30))
def test_the_interval_lies_within_the_values(rows: list[tuple[float, str]]) -> None:
    values = [value for value, _ in rows]
    found = bootstrap(values, [subject for _, subject in rows])
    if found.low is not None and found.high is not None:
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
