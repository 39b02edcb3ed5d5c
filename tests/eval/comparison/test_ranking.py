"""Ranking: scores worked by hand, paired differences, and what may not be compared."""

import pytest

from eval.comparison.ranking import Arm, rank_arms
from schemas.errors import BadInput
from schemas.records.evaluation import Prediction
from schemas.records.study import ArmRow
from tests.worlds.synthetic_results import answers, prediction


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


def test_one_subject_alone_gives_no_interval_and_no_error() -> None:
    target = answers(forget=1.0, retain=1.0, subjects=["001"])
    row = rank({"gd": answers(forget=0.3, retain=0.8, subjects=["001"])}, target)[0]
    assert (row.low, row.high) == (None, None)


def test_a_difference_between_arms_of_nine_subjects_is_never_real() -> None:
    def ranked(people: int) -> ArmRow:
        subjects = [f"{number:03d}" for number in range(people)]
        good, bad = (answers(forget=f, retain=r, subjects=subjects) for f, r in ((0.0, 1.0), (0.7, 0.5)))
        return rank({"good": good, "bad": bad}, answers(forget=1.0, retain=1.0, subjects=subjects))[1]

    nine, ten = ranked(9), ranked(10)
    assert (nine.real, nine.low, nine.behind_low, nine.subjects) == (False, None, None, 9)
    assert ten.real


def test_one_forgotten_subject_beside_many_kept_ones_makes_nothing_real() -> None:
    # Drawn among itself alone it would not vary, so that an arm that forgot it would be really better.
    target = [prediction(f"{n:03d}", 1, "forget" if n == 1 else "retain", correct=True) for n in range(1, 31)]
    good = [each.model_copy(update={"correct": each.role == "retain"}) for each in target]
    row = rank({"good": good, "bad": target}, target)[1]
    assert (row.behind, row.behind_low, row.real) == (1.0, None, False)


def test_subjects_that_are_wholly_forgotten_are_drawn_among_themselves() -> None:
    # Two subjects are all forget, ten all retain: without strata a sixth of the draws would have no forget answer.
    target = [prediction(f"{n:03d}", 1, "forget" if n < 3 else "retain", correct=True) for n in range(1, 13)]
    row = rank({"gd": [each.model_copy(update={"correct": each.role == "retain"}) for each in target]}, target)[0]
    assert row.low is not None


def failing(rows: list[Prediction], *keys: str) -> list[Prediction]:
    update = {"outcome": "failed", "error": "timeout", "correct": False}
    return [row.model_copy(update=update) if row.key in keys else row for row in rows]


def test_a_question_that_failed_is_neither_forgotten_nor_lost() -> None:
    target = [prediction("001", n, role, correct=True) for n, role in enumerate(["forget"] * 4 + ["retain"] * 4)]
    after = [row.model_copy(update={"correct": n not in (0, 4)}) for n, row in enumerate(target)]
    row = rank({"gd": failing(after, target[3].key, target[7].key)}, target)[0]
    # of the three that came to an answer one is wrong in each role
    assert (row.forgotten, row.retained, row.failed) == (pytest.approx(1 / 3), pytest.approx(2 / 3), 2)


def test_a_question_that_failed_for_the_target_is_left_out_of_the_run_as_well() -> None:
    target = [prediction("001", n, role, correct=True) for n, role in enumerate(["forget"] * 4 + ["retain"] * 4)]
    after = [row.model_copy(update={"correct": n not in (0, 3)}) for n, row in enumerate(target)]
    row = rank({"gd": after}, failing(target, target[3].key))[0]
    assert row.forgotten == pytest.approx(1 / 3)


def test_a_run_that_was_asked_other_questions_is_refused() -> None:
    target = answers(forget=1.0, retain=1.0)
    with pytest.raises(BadInput, match="gd .*differs from the target in the generation questions"):
        rank({"gd": target[:-1]}, target)
