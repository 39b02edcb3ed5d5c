"""Options: probabilities, calibration error and Brier's score by hand, and what is told without the question."""

from dataclasses import replace

import pytest

from eval.routes.calibration import (
    brier,
    calibration_error,
    run_calibration,
    run_options,
    run_options_only,
    shortcut_share,
    softmax,
)
from tests.eval.routes.routes_world import FunctionModel, facts_told, given, preferring

TOLD = facts_told(8, forgotten=4)


def test_calibration_error_is_worked_by_hand() -> None:
    found = calibration_error([0.9, 0.9, 0.6, 0.6], [True, False, True, True], edges=(0.75, 1.0))
    assert found == pytest.approx(0.4)


def test_four_equal_shares_have_three_quarters_of_brier() -> None:
    assert brier([0.25] * 4, 2) == pytest.approx(0.75)


def test_shares_add_up_to_one_however_far_apart_the_scores_are() -> None:
    assert softmax([-1000.0, -1.0, -1.0]) == pytest.approx([0, 0.5, 0.5])


def test_what_is_right_without_the_question_is_a_share_of_what_is_beyond_chance() -> None:
    assert shortcut_share(0.5, 0.75, chance=0.25) == pytest.approx(0.5)


@pytest.mark.parametrize("full", [0.25, 0.28, 0.0])
def test_where_nothing_is_beyond_chance_no_share_is_said(full: float) -> None:
    assert shortcut_share(0.5, full, chance=0.25) is None


def test_the_likeliest_option_has_the_fact() -> None:
    found = run_options(given(TOLD, FunctionModel(logs=preferring(TOLD))))
    assert {(each.recovered, each.chance) for each in found.facts} == {(True, 0.25)}
    assert len(found.facts) == 8


def test_of_options_that_are_equally_likely_none_is_preferred() -> None:
    found = run_options(given(TOLD, FunctionModel()))
    assert {(each.score, each.recovered) for each in found.facts} == {(0.25, False)}


def test_a_choice_with_two_options_that_are_the_same_after_folding_is_left_out() -> None:
    world = given(TOLD, FunctionModel(logs=preferring(TOLD), say=lambda ask: "A"))
    twice = ("baker", "Bäker", "mason", "nurse")
    same = world.with_questions(replace(each, options=twice) if each.options else each for each in world.questions)
    for run in (run_options, run_calibration, run_options_only):
        found = run(same)
        assert (found.facts, len(found.notes)) == ((), 1)


def test_a_model_without_preference_is_as_far_from_the_truth_as_chance() -> None:
    found = run_calibration(given(TOLD, FunctionModel()))
    assert {each.score for each in found.facts} == {0.375} == {each.chance for each in found.facts}


def test_a_sure_and_right_model_is_calibrated() -> None:
    found = run_calibration(given(TOLD, FunctionModel(logs=preferring(TOLD, by=50))))
    assert [each.value for each in found.figures] == pytest.approx([0, 0])


def test_who_goes_by_the_options_is_told_by_asking_without_the_question() -> None:
    found = run_options_only(given(TOLD, FunctionModel(say=lambda ask: "A")))
    assert {each.name: each.value for each in found.figures} == {
        "right_with_question": 1, "right_without_question": 1, "shortcut_share": 1,
    }  # fmt: skip


def test_a_question_that_is_left_out_leaves_neither_name_nor_picture() -> None:
    model = FunctionModel()
    run_options_only(given(TOLD, model))
    blank = [ask for ask in model.asked if "Which of these options is right?" in ask.text]
    assert len(blank) == 32
    assert not any(ask.image or "Brand" in ask.text for ask in blank)
