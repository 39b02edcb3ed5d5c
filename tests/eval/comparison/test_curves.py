"""Curves: where they cross a degree of forgetting, intervals, and refusing what does not compare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.comparison.curves import check_comparable, choosing_score, harmonic, kept_score, matched_rows, retained_at
from eval.report.conclusions import verdict
from eval.report.findings import Condition
from schemas.errors import BadInput
from schemas.records.study import ArmRow, Curve, MatchedRow
from tests.worlds.synthetic_results import curve


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


def test_a_first_crossing_above_later_ones_counts() -> None:
    assert at([(1.0, 1.0), (0.5, 0.9), (0.9, 0.8), (0.3, 0.2)], 0.5) == pytest.approx(0.9)


def test_a_dip_that_the_run_recovers_from_does_not_count_against_it() -> None:
    # the demo's npo-retain: the first crossing of a quarter lies in the dip, between .70 and .76; it ends at .96
    dip = [(1.0, 1.0), (0.33, 0.70), (0.21, 0.76), (0.10, 0.82), (0.06, 0.94), (0.04, 0.96)]
    assert at(dip, 0.25) == pytest.approx(0.96)


def test_a_crossing_on_the_way_back_up_counts_too() -> None:
    # from (0.2, 0.5) to (0.8, 0.9) the half lies half-way: 0.7, above what is retained at any probe below a half
    assert at([(1.0, 0.6), (0.2, 0.5), (0.8, 0.9)], 0.5) == pytest.approx(0.7 / 0.6)


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


def test_where_facts_are_kept_for_choosing_numbers_are_chosen_by_them_and_compared_on_the_others() -> None:
    plain = curve("gd", [(1.0, 1.0), (0.5, 0.8)], kept=10)
    points = tuple(
        point.model_copy(update={"choosing": share}) for point, share in zip(plain.points, (0.8, 0.2), strict=True)
    )
    held = plain.model_copy(update={"points": points})
    assert choosing_score(held, left=0.5) == pytest.approx(0.25)
    assert choosing_score(held, left=0.25) == 0
    assert choosing_score(plain, left=0.5) == kept_score(plain)
    assert only([held]) == only([plain])


def test_runs_on_different_data_are_refused_by_name_of_the_key() -> None:
    with pytest.raises(BadInput, match="runs gd and npo .*differ in data: one and two"):
        check_comparable([curve("gd", [(1, 1)], data="one"), curve("npo", [(1, 1)], data="two")])


PEOPLE = 12
START = ([10] * PEOPLE, [10] * PEOPLE)
HALF = [5] * PEOPLE


def test_subjects_that_all_keep_the_same_leave_no_doubt() -> None:
    # Half of every subject's forget answers are left at the second point, and 8 of 10 retain answers: drawing subjects
    # anew cannot change that, though drawing single answers would.
    row = only([counted("gd", [START, (HALF, [8] * PEOPLE)])])
    assert row.by_subject
    assert (row.value, row.low, row.high) == (pytest.approx(0.8), pytest.approx(0.8), pytest.approx(0.8))


def test_subjects_that_differ_widen_the_interval() -> None:
    row = only([counted("gd", [START, (HALF, [10, 6] * 6)])])
    assert row.value == pytest.approx(0.8)
    assert row.low == pytest.approx(0.7, abs=0.02)
    assert row.high == pytest.approx(0.9, abs=0.02)


def test_arms_are_compared_on_the_same_subjects() -> None:
    # Subjects differ much, but b keeps 1 of 10 fewer than a with each of them: the lead is sure.
    a = counted("a", [START, (HALF, [10, 9, 5, 4] * 3)])
    b = counted("b", [START, (HALF, [9, 8, 4, 3] * 3)])
    first, second = matched_rows({"a": [a], "b": [b]}, left=0.5)
    assert (first.behind, second.behind) == (0.0, pytest.approx(0.1))
    assert second.real
    assert (second.behind_low, second.behind_high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_lead_that_one_subject_makes_is_not_real() -> None:
    a = counted("a", [START, (HALF, [10, *[8] * 11])])
    b = counted("b", [START, (HALF, [2, *[8] * 11])])
    assert not matched_rows({"a": [a], "b": [b]}, left=0.5)[1].real


def test_a_lead_over_nine_subjects_has_no_interval_and_is_not_real() -> None:
    start, half = ([10] * 9, [10] * 9), [5] * 9
    a, b = counted("a", [start, (half, [9] * 9)]), counted("b", [start, (half, [4] * 9)])
    row = matched_rows({"a": [a], "b": [b]}, left=0.5)[1]
    assert row.by_subject
    assert (row.behind, row.low, row.behind_low, row.real) == (pytest.approx(0.5), None, None, False)


def test_only_chosen_arms_are_compared_and_the_others_have_their_value() -> None:
    a = counted("a", [START, (HALF, [9] * PEOPLE)])
    b = counted("b", [START, (HALF, [4] * PEOPLE)])
    other = counted("c", [START, (HALF, [10] * PEOPLE)])
    rows = matched_rows({"a": [a], "b": [b], "c": [other]}, left=0.5, chosen={"a", "b"})
    assert [row.behind for row in rows] == [0.0, pytest.approx(0.5), None]
    assert (rows[2].value, rows[2].chosen) == (pytest.approx(1.0), False)


def test_runs_that_did_not_count_by_subject_are_not_compared() -> None:
    counting, plain = counted("a", [START, (HALF, [8] * PEOPLE)]), curve("b", [(1, 1), (0.5, 0.7)])
    rows = matched_rows({"a": [counting], "b": [plain]}, left=0.5)
    assert [row.by_subject for row in rows] == [False, False]
    assert [row.behind for row in rows] == [None, None]


def arm(name: str, *, score: float, best: bool = False) -> ArmRow:
    return ArmRow(
        arm=name, method=name, setting="personalized", ratio=None, seeds=1, forgotten=0.5, retained=0.7, score=score,
        low=None, high=None, behind=0.0 if best else 0.1, behind_low=None, behind_high=None, real=False, best=best,
    )  # fmt: skip


def test_the_verdict_names_every_arm_that_is_really_behind_at_matched_forgetting() -> None:
    kept = {"a": [10, 9, 5, 4], "b": [9, 8, 4, 3], "c": [8, 7, 3, 2], "d": [10, 9, 5, 4]}
    arms = {name: [counted(name, [START, (HALF, rights * 3)])] for name, rights in kept.items()}
    condition = Condition(
        setting="personalized", ratio=None, labels=tuple(kept), ranking=(arm("a", score=0.6, best=True),), curves=(),
        evaluated=(), attacked=(), matched=tuple(matched_rows(arms, left=0.5)),
    )  # fmt: skip
    (said,) = verdict(condition).details
    assert said.startswith("Where at most 50 % of the forget set is left, the runs keep at best: a 70 %")
    assert said.endswith(
        "Really behind a there: b by 10.0 points [10.0, 10.0] and c by 20.0 points [20.0, 20.0] "
        "(95 %, over subjects, with one seed). d cannot be told apart from a there."
    )


def test_the_verdict_says_when_the_order_at_matched_forgetting_is_not_the_scores() -> None:
    arms = {name: [counted(name, [START, (HALF, [kept] * PEOPLE)])] for name, kept in (("a", 9), ("b", 4))}
    rows = tuple(matched_rows(arms, left=0.5))

    def last(*ranking: ArmRow) -> str:
        condition = Condition(setting="personalized", ratio=None, labels=("a", "b"), ranking=ranking, curves=(),
                              evaluated=(), attacked=(), matched=rows)  # fmt: skip
        return verdict(condition).details[-1]

    assert last(arm("b", score=0.8, best=True), arm("a", score=0.6)) == (
        "The order at matched forgetting is not that of the score, which is b, a."
    )
    assert "Really behind a" in last(arm("a", score=0.8, best=True), arm("b", score=0.6))
