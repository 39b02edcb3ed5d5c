"""Curves: where they cross a degree of forgetting, intervals, and refusing what does not compare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.curves import check_comparable, harmonic, kept_score, matched_rows, retained_at
from eval.report_data import Condition
from eval.verdicts import verdict
from schemas.problems import BadInput
from schemas.studies import ArmRow, Curve, MatchedRow
from tests.synthetic_results import curve


def at(points: list[tuple[float, float]], left: float) -> float | None:
    forget, retain = np.array(points).T
    return retained_at(forget, retain, left=left)


def only(runs: list[Curve]) -> MatchedRow:
    (row,) = matched_rows({"gd": runs}, left=0.5)
    return row


def counted(method: str, rights: list[tuple[list[int], list[int]]], *, seed: int = 0) -> Curve:
    """A curve whose probes count right answers of each subject, of 10 forget and 10 retain samples."""
    subjects = [f"{number:03d}" for number in range(len(rights[0][0]))]
    asked = tuple(10 for _ in subjects)
    total = 10 * len(subjects)
    plain = curve(method, [(sum(forget) / total, sum(retain) / total) for forget, retain in rights], seed=seed)
    points = tuple(
        point.model_copy(update={"forget_right": tuple(forget), "retain_right": tuple(retain)})
        for point, (forget, retain) in zip(plain.points, rights, strict=True)
    )
    update = {"subjects": tuple(subjects), "forget_asked": asked, "retain_asked": asked, "points": points}
    return plain.model_copy(update=update)


def test_retain_is_read_on_the_straight_line_between_two_probes() -> None:
    # forget falls from 0.8 to 0.4: 0.5 lies three quarters of the way, so retain is 0.9 - 0.75 * 0.2 = 0.75
    assert at([(1.0, 1.0), (0.8, 0.9), (0.4, 0.7)], 0.5) == pytest.approx(0.75)


def test_both_shares_are_of_the_start() -> None:
    # forget starts at 0.8, so half of it is 0.4, which the second point meets: retain 0.45 of 0.9
    assert at([(0.8, 0.9), (0.4, 0.45)], 0.5) == pytest.approx(0.5)


def test_the_first_crossing_counts() -> None:
    assert at([(1.0, 1.0), (0.5, 0.9), (0.9, 0.8), (0.3, 0.2)], 0.5) == pytest.approx(0.9)


def test_a_run_that_never_forgets_that_much_has_no_value() -> None:
    assert at([(1.0, 1.0), (0.6, 0.9)], 0.5) is None


def test_a_model_that_knew_nothing_has_no_value() -> None:
    assert at([(0.0, 1.0), (0.0, 0.9)], 0.5) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(0.05, 0.95),
)
def test_the_value_lies_between_the_points_of_the_curve(points: list[tuple[float, float]], left: float) -> None:
    found = at([(1.0, 1.0), *points], left)
    heights = [1.0, *(retain for _, retain in points)]
    assert found is None or min(heights) - 1e-9 <= found <= max(heights) + 1e-9


def test_the_interval_holds_the_value_and_narrows_with_more_probed_samples() -> None:
    points = [(1.0, 1.0), (0.7, 0.95), (0.3, 0.8), (0.1, 0.7)]
    few = only([curve("gd", points, probed=40)])
    many = only([curve("gd", points, probed=4000)])
    for row in (few, many):
        assert row.low is not None
        assert row.value is not None
        assert row.high is not None
        assert row.low < row.value < row.high
    assert (few.high or 0) - (few.low or 0) > 3 * ((many.high or 0) - (many.low or 0))


def test_seeds_are_averaged_and_those_that_did_not_get_there_are_counted() -> None:
    reached = [curve("gd", [(1, 1), (0.5, 0.9)], seed=0), curve("gd", [(1, 1), (0.5, 0.7)], seed=1)]
    row = only([*reached, curve("gd", [(1, 1), (0.9, 1.0)], seed=2)])
    assert row.value == pytest.approx(0.8)
    assert (row.reached, row.runs) == (2, 3)


def test_no_value_is_given_if_most_seeds_did_not_get_there() -> None:
    runs = [curve("gd", [(1, 1), (0.4, 0.9)]), *(curve("gd", [(1, 1), (0.9, 1)], seed=n) for n in (1, 2))]
    assert only(runs).value is None


def test_the_same_curves_give_the_same_interval() -> None:
    runs = [curve("gd", [(1, 1), (0.4, 0.9)])]
    assert only(runs) == only(runs)


def test_the_kept_score_is_that_of_the_kept_point() -> None:
    points = [(1.0, 1.0), (0.5, 0.8), (0.0, 0.1)]
    assert kept_score(curve("gd", points, kept=10)) == pytest.approx(2 * 0.5 * 0.8 / 1.3)
    assert kept_score(curve("gd", points)) == pytest.approx(2 * 1 * 0.1 / 1.1)
    assert harmonic(0, 0) == 0


def test_runs_on_different_data_are_refused_by_name_of_the_key() -> None:
    with pytest.raises(BadInput, match="runs gd and npo .*differ in data: one and two"):
        check_comparable([curve("gd", [(1, 1)], data="one"), curve("npo", [(1, 1)], data="two")])


START = ([10, 10, 10, 10], [10, 10, 10, 10])


def test_subjects_that_all_keep_the_same_leave_no_doubt() -> None:
    # Half of every subject's forget answers are left at the second point, and 8 of 10 retain answers: drawing subjects
    # anew cannot change that, though drawing single answers would.
    row = only([counted("gd", [START, ([5] * 4, [8] * 4)])])
    assert row.by_subject
    assert (row.value, row.low, row.high) == (pytest.approx(0.8), pytest.approx(0.8), pytest.approx(0.8))


def test_subjects_that_differ_widen_the_interval() -> None:
    row = only([counted("gd", [START, ([5] * 4, [10, 10, 6, 6])])])
    assert row.value == pytest.approx(0.8)
    assert row.low == pytest.approx(0.6)
    assert row.high == pytest.approx(1.0)


def test_arms_are_compared_on_the_same_subjects() -> None:
    # Subjects differ much, but b keeps 1 of 10 fewer than a with each of them: the lead is sure.
    a = counted("a", [START, ([5] * 4, [10, 9, 5, 4])])
    b = counted("b", [START, ([5] * 4, [9, 8, 4, 3])])
    first, second = matched_rows({"a": [a], "b": [b]}, left=0.5)
    assert (first.behind, second.behind) == (0.0, pytest.approx(0.1))
    assert second.real
    assert (second.behind_low, second.behind_high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_lead_that_one_subject_makes_is_not_real() -> None:
    a = counted("a", [START, ([5] * 4, [10, 8, 8, 8])])
    b = counted("b", [START, ([5] * 4, [2, 8, 8, 8])])
    assert not matched_rows({"a": [a], "b": [b]}, left=0.5)[1].real


def test_runs_that_did_not_count_by_subject_are_not_compared() -> None:
    counting, plain = counted("a", [START, ([5] * 4, [8] * 4)]), curve("b", [(1, 1), (0.5, 0.7)])
    rows = matched_rows({"a": [counting], "b": [plain]}, left=0.5)
    assert [row.by_subject for row in rows] == [False, False]
    assert [row.behind for row in rows] == [None, None]


def test_the_verdict_says_what_the_lead_at_matched_forgetting_is_worth() -> None:
    a = counted("a", [START, ([5] * 4, [10, 9, 5, 4])])
    b = counted("b", [START, ([5] * 4, [9, 8, 4, 3])])
    arm = ArmRow(
        arm="a", method="a", setting="personalized", ratio=None, seeds=1, forgotten=0.5, retained=0.7, score=0.6,
        low=None, high=None, behind=0.0, behind_low=None, behind_high=None, real=False, best=True,
    )  # fmt: skip
    condition = Condition(
        setting="personalized", ratio=None, labels=("a", "b"), ranking=(arm,), curves=(), evaluated=(), attacked=(),
        matched=tuple(matched_rows({"a": [a], "b": [b]}, left=0.5)),
    )  # fmt: skip
    (said,) = verdict(condition).details
    assert said.startswith("Where 50 % of the forget set is left, the runs keep: a 70 %")
    assert said.endswith("There a leads b by 10.0 points [10.0, 10.0], which is real (95 %, over subjects).")
