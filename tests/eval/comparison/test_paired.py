"""Paired differences: over seeds, without failed questions, and never real from few subjects."""

import pytest

from eval.comparison.paired import differences
from schemas.records.evaluation import DifferenceRow, Prediction
from tests.worlds.synthetic_results import answers, failing

NAMES = ("a", "b")


def accuracy(left: list[list[Prediction]], right: list[list[Prediction]], role: str = "forget") -> DifferenceRow:
    rows = differences(left, right, names=NAMES)
    return next(row for row in rows if (row.metric, row.role, row.modality) == ("accuracy", role, ""))


def test_a_difference_between_runs_of_nine_subjects_is_never_real() -> None:
    def apart(people: int) -> DifferenceRow:
        subjects = [f"{number:03d}" for number in range(people)]
        before, after = (answers(forget=forget, retain=1.0, subjects=subjects) for forget in (1.0, 0.0))
        return accuracy([before], [after])

    assert (apart(9).value, apart(9).low, apart(9).real) == (-1.0, None, False)
    assert (apart(10).low, apart(10).real) == (-1.0, True)


def test_a_question_that_failed_in_one_run_is_left_out_of_both() -> None:
    before = answers(forget=1.0, retain=1.0)
    row = accuracy([before], [failing(before, 8)])
    assert (row.left, row.right, row.value, row.n) == (1.0, 1.0, 0.0, 88)


def test_that_questions_failed_shows_in_the_outcomes() -> None:
    before = answers(forget=1.0, retain=1.0)
    rows = differences([before], [failing(before, 8)], names=NAMES)
    row = next(r for r in rows if (r.metric, r.role, r.modality) == ("outcome_failed", "forget", ""))
    assert row.value == pytest.approx(8 / 96)


def test_an_arm_of_several_seeds_is_their_mean_and_seeds_widen_the_interval() -> None:
    known, gone = answers(forget=1.0, retain=1.0), answers(forget=0.0, retain=1.0)
    row = accuracy([known], [known, gone])
    assert (row.left, row.right, row.value) == (1.0, 0.5, -0.5)
    assert (row.low, row.high, row.real) == (-1.0, 0.0, False)


def test_the_boundary_within_subjects_is_compared_subject_by_subject() -> None:
    known, gone = answers(forget=1.0, retain=1.0), answers(forget=0.0, retain=1.0)
    rows = differences([known], [gone], names=NAMES)
    row = next(row for row in rows if (row.metric, row.modality) == ("boundary_accuracy", ""))
    assert (row.left, row.right, row.value, row.n, row.real) == (0.5, 1.0, 0.5, 12, True)
