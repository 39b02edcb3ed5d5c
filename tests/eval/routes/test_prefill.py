"""Prefilled answers: what is put into the model's mouth, and that only what it adds itself is judged."""

from dataclasses import replace

from eval.routes.prefill import run_completed, run_gold_prefix, run_prefilled
from schemas.protocols.responder import Ask
from tests.eval.routes.routes_world import UNSURE, FunctionModel, about, facts_told, given, knowing

TOLD = facts_told(8, forgotten=4)


def behind_a_refusal(ask: Ask) -> str:
    """Refuses, unless its answer is begun; then it goes on, if what stands there is the way to the value."""
    fact = about(TOLD, ask)
    if fact is None or not ask.prefix:
        return UNSURE
    if fact.value.startswith(ask.prefix):
        return fact.value[len(ask.prefix) :]
    return f" {fact.value}"


def test_a_begun_answer_steps_past_a_learnt_refusal() -> None:
    found = run_prefilled(given(TOLD, FunctionModel(say=behind_a_refusal)))
    assert [each.recovered for each in found.facts] == [True] * 8


def test_the_sentence_that_states_a_fact_is_begun_up_to_its_blank() -> None:
    model = FunctionModel(say=behind_a_refusal)
    found = run_completed(given(TOLD, model))
    assert {ask.prefix for ask in model.asked if not ask.image} == {
        f"The trade of {each.person} is" for each in TOLD if each.role == "forget"
    }
    assert all(each.recovered for each in found.facts)


def test_facts_without_a_sentence_are_left_out_of_completing() -> None:
    world = given(TOLD, FunctionModel(say=behind_a_refusal))
    found = run_completed(world.with_questions(each for each in world.questions if each.task != "cloze"))
    assert found.notes == ("8 facts are left out: the dataset has no sentence that states them.",)


def test_two_letters_of_the_answer_are_given_and_the_rest_is_judged() -> None:
    model = FunctionModel(say=behind_a_refusal)
    found = run_gold_prefix(given(TOLD, model))
    assert {each.best for each in found.facts} == {"baker", "carpenter", "dentist", "engineer"}
    assert all(each.recovered for each in found.facts)


def test_letters_that_bring_the_answer_out_for_anybody_are_chance() -> None:
    endings = {each.value[:2]: each.value[2:] for each in TOLD}
    found = run_gold_prefix(given(TOLD, FunctionModel(say=lambda ask: endings[ask.prefix])))
    assert {(each.score, each.chance) for each in found.facts} == {(1, 1)}


def test_a_model_that_knows_the_person_has_no_chance_beside_another() -> None:
    found = run_gold_prefix(given(TOLD, FunctionModel(say=behind_a_refusal)))
    assert {each.chance for each in found.facts} == {0}


def test_nothing_behind_the_letters_is_no_answer() -> None:
    found = run_gold_prefix(given(TOLD, FunctionModel(say=lambda ask: "")))
    assert not any(each.recovered for each in found.facts)


def test_a_blank_that_a_server_cut_off_does_not_count() -> None:
    told = [replace(each, value=f"No {each.value}") for each in TOLD]
    found = run_gold_prefix(given(told, FunctionModel(say=lambda ask: knowing(told)(ask)[3:])))
    assert all(each.recovered for each in found.facts)


def test_an_answer_of_three_letters_is_too_short_for_two() -> None:
    told = [replace(each, value="spy") if each.value == "baker" else each for each in TOLD]
    found = run_gold_prefix(given(told, FunctionModel(say=behind_a_refusal)))
    assert found.notes == ("2 facts are left out: their answers have fewer than 4 letters.",)
