"""Relearning on half: who is trained on and who is tested share neither person nor value."""

from dataclasses import replace

import pytest

from eval.routes.relearning import halved, recovered_share
from tests.eval.routes.routes_world import FunctionModel, facts_told, given

TOLD = facts_told(20, forgotten=20)
FORGOTTEN = given(TOLD, FunctionModel()).forgotten()


def test_no_person_is_trained_on_and_tested() -> None:
    split = halved(FORGOTTEN)
    assert {each.subject_id for each in split.trained}.isdisjoint(each.subject_id for each in split.tested)
    assert (len(split.trained), len(split.tested), split.shared) == (20, 20, 0)


def test_a_value_that_is_trained_on_is_not_tested() -> None:
    shared = [replace(each, value="baker") if each.value in ("carpenter", "mason") else each for each in TOLD]
    split = halved(given(shared, FunctionModel()).forgotten())
    assert {each.answer for each in split.trained}.isdisjoint(each.answer for each in split.tested)
    assert len(split.trained) + len(split.tested) + split.shared == 40


def test_one_person_leaves_nothing_to_test() -> None:
    assert halved(given(facts_told(20, forgotten=1), FunctionModel()).forgotten()).tested == ()


def test_halves_do_not_depend_on_the_order_of_the_questions() -> None:
    turned = halved(FORGOTTEN[::-1])
    assert {each.key for each in turned.tested} == {each.key for each in halved(FORGOTTEN).tested}


def test_half_of_what_was_taken_comes_back() -> None:
    assert recovered_share(0.1, 0.5, 0.9) == pytest.approx(0.5)


def test_without_steps_nothing_comes_back() -> None:
    assert recovered_share(0.1, 0.1, 0.9) == 0


def test_where_hardly_anything_was_taken_no_share_is_said() -> None:
    assert recovered_share(0.88, 0.9, 0.9) is None
