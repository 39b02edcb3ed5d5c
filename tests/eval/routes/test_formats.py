"""Other formats: the verdict of a statement, the person of a fact, the one who does not fit, the passage."""

from dataclasses import replace

import pytest

from eval.routes.formats import run_odd_one_out, run_passage, run_reversed, run_yes_no, says_yes
from schemas.protocols.responder import Ask
from tests.eval.routes.routes_world import UNSURE, FunctionModel, about, facts_told, given, portrait

TOLD = facts_told(8, forgotten=4)


def verdict(ask: Ask) -> str:
    fact = about(TOLD, ask)
    return "Yes." if fact and f"is {fact.value}." in ask.text else "No."


@pytest.mark.parametrize(
    ("reply", "yes"),
    [
        ("Yes.", True), ("yes, that is true", True), ("No.", False), ("No, it is true of another", False),
        ("That is not true.", False), ("The statement is correct", True), ("It is incorrect.", False), ("true", True),
        ("It isn't quite right", False), ("", None), ("Perhaps", None), ("It may be true or false", None),
        ("I don't know.", None), ("Yes and no.", None), ("Yes or no?", None), ("Answer: yes", True),
        ("I cannot say whether it is true.", None),
    ],
)  # fmt: skip
def test_a_verdict_is_read_from_a_reply(reply: str, yes: bool | None) -> None:
    assert says_yes(reply) is yes


def test_who_always_says_yes_has_half_and_no_fact() -> None:
    found = run_yes_no(given(TOLD, FunctionModel(say=lambda ask: "Yes")))
    assert {(each.score, each.recovered, each.chance) for each in found.facts} == {(0.5, False, 0.5)}


def test_who_tells_true_from_false_has_the_facts() -> None:
    found = run_yes_no(given(TOLD, FunctionModel(say=verdict)))
    assert [(each.score, each.recovered) for each in found.facts] == [(1, True)] * 8


def test_a_true_statement_and_a_false_one_are_asked_of_every_fact() -> None:
    model = FunctionModel()
    run_yes_no(given(TOLD, model))
    own = [ask.text.split("\n")[1] for ask in model.asked if TOLD[0].person in ask.text]
    assert own[0] == f"Is this statement true: “The trade of {TOLD[0].person} is baker.” Answer yes or no."
    assert len(own) == 2
    assert "baker" not in own[1]


def test_a_person_is_found_by_the_value() -> None:
    def person(ask: Ask) -> str:
        return next(each.person for each in TOLD if f"is {each.value}." in ask.text)

    found = run_reversed(given(TOLD, FunctionModel(say=person)))
    assert [(each.modality, each.recovered, each.chance) for each in found.facts] == [("qa", True, 1 / 8)] * 4


def test_a_value_that_two_people_have_does_not_lead_back_to_one() -> None:
    told = [replace(each, value="baker") if each.value == "carpenter" else each for each in TOLD]
    found = run_reversed(given(told, FunctionModel(say=lambda ask: UNSURE)))
    assert len(found.facts) == 2
    assert found.notes[0].startswith("2 facts are left out: another person has the same value")


def test_the_question_back_holds_no_name() -> None:
    model = FunctionModel()
    run_reversed(given(TOLD, model))
    assert not any(each.person in ask.text for ask in model.asked for each in TOLD)


def test_who_does_not_fit_is_asked_among_three_who_share_a_forgotten_value() -> None:
    told = [
        replace(each, value="nurse") if each.value in ("carpenter", "dentist", "engineer") else each for each in TOLD
    ]
    model = FunctionModel(say=lambda ask: told[0].person)
    (found,) = [each for each in run_odd_one_out(given(told, model)).facts if each.subject_id == told[0].person]
    (ask,) = [ask for ask in model.asked if "nurse" in ask.text and told[0].person in ask.text]
    assert found.recovered
    assert [each.person in ask.text for each in told if each.kind == "trade"] == [True] * 4 + [False] * 4


def test_who_names_all_four_has_not_told_them_apart() -> None:
    told = [
        replace(each, value="nurse") if each.value in ("carpenter", "dentist", "engineer") else each for each in TOLD
    ]
    found = run_odd_one_out(given(told, FunctionModel(say=lambda ask: ask.text)))
    assert not any(each.recovered for each in found.facts)


def test_without_three_who_share_a_value_nobody_is_odd() -> None:
    found = run_odd_one_out(given(TOLD, FunctionModel()))
    assert (found.facts, found.notes[0][:44]) == ((), "4 facts are left out: no three other people ")


def test_a_passage_that_is_read_costs_nothing_and_one_that_is_not_does() -> None:
    reads = run_passage(given(TOLD, FunctionModel(say=lambda ask: ask.text.split("”")[0])))
    blind = run_passage(given(TOLD, FunctionModel(say=lambda ask: UNSURE)))
    assert {each.score for each in reads.facts} == {0}
    assert {each.score for each in blind.facts} == {1}


def test_as_many_kept_facts_as_forgotten_ones_are_read_from_passages() -> None:
    found = run_passage(given(TOLD, FunctionModel()))
    assert [each.group for each in found.facts] == ["forget"] * 8 + ["retain"] * 8


def test_a_statement_about_a_picture_names_nobody() -> None:
    model = FunctionModel()
    run_yes_no(given(TOLD, model))
    shown = [ask for ask in model.asked if ask.image == portrait(TOLD[0].person)]
    assert "“The trade of this person is baker.”" in shown[0].text
