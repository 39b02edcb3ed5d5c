"""Ranking: scores worked by hand, paired differences, and what may not be compared."""

import pytest

from eval.ranking import Arm, rank_arms
from schemas.problems import BadInput
from schemas.results import Prediction
from schemas.studies import ArmRow
from tests.synthetic_results import answers, prediction


def rank(arms: dict[str, list[Prediction]], target: list[Prediction]) -> list[ArmRow]:
    made = [Arm(name, name, (rows,)) for name, rows in arms.items()]
    return rank_arms(
        made, target, setting="personalized", ratio=None, metric="accuracy", task="generation", resamples=500
    )


def test_the_score_is_the_harmonic_mean_of_forgotten_and_retained_shares() -> None:
    target = [prediction("001", n, role, correct=True) for n, role in enumerate(["forget"] * 2 + ["retain"] * 4)]
    after = [row.model_copy(update={"correct": number in (0, 2, 3, 4)}) for number, row in enumerate(target)]
    row = rank({"gd": after}, target)[0]
    assert (row.forgotten, row.retained) == (0.5, 0.75)
    assert row.score == pytest.approx(2 * 0.5 * 0.75 / 1.25)


def test_shares_are_of_what_the_target_knew() -> None:
    target = [prediction("001", n, role, correct=n != 1) for n, role in enumerate(["forget"] * 2 + ["retain"] * 2)]
    after = [row.model_copy(update={"correct": row.role == "retain"}) for row in target]
    assert rank({"gd": after}, target)[0].forgotten == 1.0


def test_a_large_difference_is_real_and_a_small_one_is_not() -> None:
    target, good = answers(forget=1.0, retain=1.0), answers(forget=0.1, retain=0.95)
    place = next(number for number, row in enumerate(good) if row.role == "retain" and row.correct)
    close = [row.model_copy(update={"correct": row.correct and n != place}) for n, row in enumerate(good)]
    rows = rank({"good": good, "close": close, "bad": answers(forget=0.6, retain=0.6)}, target)
    assert [(row.arm, row.best, row.real) for row in rows] == [
        ("good", True, False),
        ("close", False, False),
        ("bad", False, True),
    ]
    assert (rows[2].behind_low or 0) < rows[2].behind < (rows[2].behind_high or 0)


def test_the_same_answers_differ_by_exactly_nothing() -> None:
    target, rows = answers(forget=1.0, retain=1.0), answers(forget=0.3, retain=0.8)
    second = rank({"a": rows, "b": list(rows)}, target)[1]
    assert (second.behind, second.behind_low, second.behind_high, second.real) == (0, 0, 0, False)


def test_one_subject_alone_gives_an_interval_without_width_and_no_error() -> None:
    target = answers(forget=1.0, retain=1.0, subjects=["001"])
    row = rank({"gd": answers(forget=0.3, retain=0.8, subjects=["001"])}, target)[0]
    assert row.low == row.high == pytest.approx(row.score)


def test_subjects_that_are_wholly_forgotten_are_drawn_among_themselves() -> None:
    # One subject is all forget, eleven all retain: without strata a third of the draws would have no forget answer.
    target = [prediction(f"{n:03d}", 1, "forget" if n == 1 else "retain", correct=True) for n in range(1, 13)]
    row = rank({"gd": [each.model_copy(update={"correct": each.role == "retain"}) for each in target]}, target)[0]
    assert row.low is not None


def test_a_run_that_was_asked_other_questions_is_refused() -> None:
    target = answers(forget=1.0, retain=1.0)
    with pytest.raises(BadInput, match="gd .*differs from the target in the generation questions"):
        rank({"gd": target[:-1]}, target)
