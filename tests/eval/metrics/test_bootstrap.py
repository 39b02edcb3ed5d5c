"""eval.metrics.bootstrap: means and their bootstrap over subjects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics.bootstrap import bootstrap, bootstrap_columns, draw_subjects, generator, share_interval
from schemas.errors import BadInput

TEN = tuple("abcdefghij")


def test_the_value_is_the_mean_over_answers_not_over_subjects() -> None:
    assert bootstrap([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"]).value == 0.75


def test_subjects_of_which_half_differ_give_an_interval_about_a_half() -> None:
    found = bootstrap([1.0, 0.0] * 5, TEN)
    assert (found.value, found.low, found.high) == (0.5, pytest.approx(0.2), pytest.approx(0.8))


def test_equal_values_give_an_interval_of_no_width() -> None:
    found = bootstrap([0.5] * 20, list(TEN) * 2)
    assert (found.low, found.high) == (0.5, 0.5)


def test_one_subject_has_no_interval() -> None:
    found = bootstrap([1.0, 0.0], ["a", "a"])
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_fewer_subjects_than_ten_have_no_interval_however_many_answers() -> None:
    values = [float(number % 3 == 0) for number in range(900)]
    nine = bootstrap(values, [str(number % 9) for number in range(900)])
    ten = bootstrap(values, [str(number % 10) for number in range(900)])
    assert (nine.low, nine.high) == (None, None)
    assert ten.low is not None


def test_a_share_of_nothing_has_the_bound_of_the_rule_of_three_over_subjects() -> None:
    # 0.95 = 1 - (1 - p) ** 20 where p = 1 - 0.05 ** (1 / 20) = 13.9 %, though there are 60 answers
    none = bootstrap([0.0] * 60, [str(number % 20) for number in range(60)])
    every = bootstrap([1.0] * 60, [str(number % 20) for number in range(60)])
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20)))
    assert (every.low, every.high) == (pytest.approx(0.05 ** (1 / 20)), 1.0)


def test_a_mean_of_one_that_is_no_share_keeps_its_own_interval() -> None:
    found = bootstrap([0.0, 2.0] * 10, [str(number) for number in range(20)])
    assert found.value == 1.0
    assert found.high is not None
    assert found.high > 1.0


def test_answers_of_one_subject_are_drawn_together() -> None:
    values = [1.0] * 50 + [0.0] * 50
    apart = bootstrap(values, [str(number) for number in range(100)])
    together = bootstrap(values, [str(number // 10) for number in range(100)])
    assert apart.low is not None
    assert apart.low > 0.35
    assert together.low == pytest.approx(0.2)


def test_a_subject_that_is_alone_with_its_roles_is_drawn_with_those_that_have_both() -> None:
    forget, retain = np.array([3.0] * 12), np.array([0.0] + [5.0] * 11)
    drawn = draw_subjects(forget, retain, generator("x"), resamples=200)
    assert drawn is not None
    assert (drawn.sum(1) == 12).all()
    assert len(set(drawn[:, 0])) > 1


def test_a_stratum_of_one_among_others_without_both_roles_is_not_drawn_from() -> None:
    forget, retain = np.array([3.0] + [0.0] * 11), np.array([0.0] + [5.0] * 11)
    assert draw_subjects(forget, retain, generator("x"), resamples=5) is None


def test_each_draw_has_as_many_subjects_of_each_kind_as_there_are() -> None:
    forget, retain = np.array([1.0] * 4 + [0.0] * 8), np.array([0.0] * 4 + [1.0] * 8)
    drawn = draw_subjects(forget, retain, generator("x"), resamples=50)
    assert drawn is not None
    assert (drawn[:, :4].sum(1) == 4).all()


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    found = bootstrap(list(values), [str(number) for number in range(400)])
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_same_values_give_the_same_interval() -> None:
    assert bootstrap([0.1, 0.4, 0.9], list("abc")) == bootstrap([0.1, 0.4, 0.9], list("abc"))


def test_what_was_not_measured_is_left_out_of_value_and_number() -> None:
    found = bootstrap_columns(np.array([[1.0, np.nan], *[[0.0, 0.5]] * 9]), TEN)
    assert [(one.value, one.n) for one in found] == [(0.1, 10), (0.5, 9)]
    assert found[0].low is not None
    assert found[1].low is None


def test_no_values_are_refused() -> None:
    with pytest.raises(BadInput, match="0 values"):
        bootstrap([], [])


@given(st.lists(st.floats(0, 1), min_size=10, max_size=30))
def test_the_interval_lies_within_the_values(values: list[float]) -> None:
    found = bootstrap(values, [str(number % 12) for number in range(len(values))])
    assert found.low is not None
    assert found.high is not None
    if set(values) != {0.0} and set(values) != {1.0}:
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_the_interval_of_a_share_is_wilsons() -> None:
    # z = 1.959964, z^2 = 3.841459; 8 of 10: centre (0.8 + z^2/20) / (1 + z^2/10) = 0.992073 / 1.384146 = 0.716743,
    # half width z * sqrt(0.8 * 0.2 / 10 + z^2 / 400) / 1.384146 = 1.959964 * 0.160010 / 1.384146 = 0.226574
    assert share_interval(8, 10) == (0.4902, 0.9433)


@pytest.mark.parametrize(("right", "low", "high"), [(150, 0.975, 1.0), (0, 0.0, 0.025)])
def test_the_interval_of_all_or_none_ends_there_and_has_a_width(right: int, low: float, high: float) -> None:
    assert share_interval(right, 150) == (low, high)  # the other end is 1 / (1 + z^2 / 150) = 0.97503 from it


@pytest.mark.parametrize(("right", "of"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_nothing_is_refused(right: int, of: int) -> None:
    with pytest.raises(BadInput, match="a share"):
        share_interval(right, of)
