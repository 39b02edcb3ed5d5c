"""Figures over seeds: means worked by hand, and intervals that draw subjects and seeds."""

import pytest

from eval.comparison.arm_metrics import BY_LIKELIHOOD, Wanted, arm_answers, arm_figure, why_not_able
from eval.metrics.bootstrap import bootstrap
from eval.metrics.over_seeds import Sample, over_seeds
from schemas.errors import BadInput
from tests.worlds.synthetic_results import answers, choices, failing

SUBJECTS = [f"{number:03d}" for number in range(12)]
FORGET = Wanted("accuracy", "generation", ("forget",), ("qa", "vqa"))


def test_one_seed_is_the_bootstrap_over_subjects() -> None:
    values = [float(number % 3 == 0) for number in range(12)]
    assert over_seeds([Sample(values, SUBJECTS)]) == bootstrap(values, SUBJECTS)


def test_seeds_count_alike_however_many_answers_they_have() -> None:
    found = over_seeds([Sample([1.0] * 12, SUBJECTS), Sample([0.0] * 24, SUBJECTS * 2)])
    assert (found.value, found.n) == (0.5, 36)


def test_seeds_that_differ_widen_the_interval_where_subjects_do_not() -> None:
    # each of two seeds is drawn twice in a quarter of the draws
    found = over_seeds([Sample([0.2] * 12, SUBJECTS), Sample([0.6] * 12, SUBJECTS)])
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.6))


def test_subjects_that_differ_widen_the_interval_where_seeds_do_not() -> None:
    values = [0.0, 1.0] * 6
    found = over_seeds([Sample(values, SUBJECTS), Sample(values, SUBJECTS)])
    assert found.low is not None
    assert 0.1 < found.low < 0.4


def test_many_seeds_do_not_make_up_for_few_subjects() -> None:
    found = over_seeds([Sample([1.0, 0.0], ["a", "b"])] * 20)
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_a_share_of_nothing_in_all_seeds_has_the_bound_over_subjects() -> None:
    found = over_seeds([Sample([0.0] * 12, SUBJECTS)] * 3)
    assert (found.low, found.high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 12)))


def test_a_run_without_values_is_refused() -> None:
    with pytest.raises(BadInput, match="has no values"):
        over_seeds([Sample([1.0], ["a"]), Sample([], [])])


def test_questions_that_failed_are_in_no_share() -> None:
    rows = failing(answers(forget=1.0, retain=1.0), 8)
    found = arm_figure(arm_answers("gd", [rows]), FORGET)
    assert found is not None
    assert (found.value, found.n) == (1.0, 88)


def test_a_figure_that_was_not_measured_is_none() -> None:
    assert arm_figure(arm_answers("gd", [answers(forget=1.0, retain=1.0)]), BY_LIKELIHOOD) is None


def test_a_task_at_chance_cannot_be_done_and_one_above_it_can() -> None:
    rows = answers(forget=1.0, retain=1.0)
    target = arm_answers("target", [[*rows, *choices(rows, likely=0.9, letters=0.2)]])
    assert why_not_able(target, FORGET) is None
    assert why_not_able(target, BY_LIKELIHOOD) is None
    letters = Wanted("accuracy", "classification", ("forget",), ("qa", "vqa"))
    assert "chance 25 %" in (why_not_able(target, letters) or "")
    assert why_not_able(None, letters) is None
