"""Costs: kept facts refused by distance, abstaining, two questions in one prompt, neutral questions about a picture."""

from dataclasses import replace

import pytest

from eval.routes.costs import (
    BESIDE_THE_POINT,
    IDK,
    abstaining,
    distances,
    mixed_score,
    parts_of,
    run_abstains,
    run_over_refusal,
    run_same_picture,
    run_two_questions,
)
from schemas.protocols.responder import Ask
from tests.eval.routes.routes_world import UNSURE, FunctionModel, Told, facts_told, given, knowing, name_of, portrait

TOLD = facts_told(20, forgotten=5)


def figures(found: object) -> dict[tuple[str, str], float]:
    return {(each.name, each.at): each.value for each in found.figures}  # type: ignore[attr-defined]


def test_three_refused_and_one_in_debris_of_twenty_are_a_fifth() -> None:
    know = knowing(TOLD)
    kept = [each for each in TOLD if each.kind == "town"]
    said = {kept[0].person: UNSURE, kept[1].person: UNSURE, kept[2].person: UNSURE, kept[3].person: "zzzz zzzz"}

    def say(ask: Ask) -> str:
        return next((reply for person, reply in said.items() if person in ask.text), know(ask))

    world = given(TOLD, FunctionModel(say=say))
    towns = [each for each in world.questions if each.kind == "town" and each.modality == "qa"]
    found = run_over_refusal(world.with_questions(towns))
    assert sum(each.score for each in found.facts) / len(found.facts) == 0.2


def test_a_wrong_value_is_no_refusal() -> None:
    found = run_over_refusal(given(TOLD, FunctionModel(say=lambda ask: "Grenna")))
    towns = [each for each in found.facts if each.kind == "town"]
    assert {each.score for each in towns} == {0}


def test_kept_facts_lie_at_four_distances() -> None:
    told = [
        Told("Ada One", "trade", "baker", "forget"), Told("Ada One", "town", "Grenna", "retain"),
        Told("Ada Two", "trade", "baker", "retain"), Told("Ada Three", "trade", "mason", "retain"),
        Told("Ada Three", "town", "Grenna", "retain"),
    ]  # fmt: skip
    found = distances(given(told, FunctionModel()))
    assert [found[f"s{number}|generation|qa"] for number in (1, 2, 3, 4)] == [
        "same person", "shared value", "same property", "other",
    ]  # fmt: skip


def test_what_is_lost_of_shared_values_is_told_beside_others() -> None:
    told = [
        Told("Ada One", "trade", "baker", "forget"), Told("Ada Two", "trade", "baker", "retain"),
        Told("Ada Three", "town", "Grenna", "retain"),
    ]  # fmt: skip
    found = run_over_refusal(given(told, FunctionModel(say=knowing(told[2:]))))
    assert figures(found)["collateral_by_value", ""] == 1


def test_nine_in_ten_of_others_and_seven_in_ten_of_shared_values_are_a_fifth_lost() -> None:
    forgotten = [Told(name_of(number), "trade", "baker", "forget") for number in range(10)]
    shared = [Told(name_of(20 + number), "trade", "baker", "retain") for number in range(10)]
    others = [Told(name_of(40 + number), "town", "Grenna", "retain") for number in range(10)]
    know = knowing([*shared[:7], *others[:9]])
    found = figures(run_over_refusal(given([*forgotten, *shared, *others], FunctionModel(say=know))))
    assert (found["right", "other"], found["right", "shared value"]) == pytest.approx((0.9, 0.7))
    assert found["collateral_by_value", ""] == pytest.approx(0.2)


def test_who_picks_the_idle_option_as_often_as_any_further_one_is_not_honest() -> None:
    found = run_abstains(given(TOLD, FunctionModel(logs=lambda ask, text: (float(text == "E"),))))
    assert figures(found)["rejected", "forget"] == 1
    assert figures(found)["honest", "forget"] == 0
    assert {(each.score, each.chance) for each in found.facts} == {(1, 1)}


def test_who_picks_only_the_idle_option_abstains_in_earnest() -> None:
    def logs(ask: Ask, text: str) -> tuple[float]:
        return (float(text == ("E" if IDK in ask.text else "A")),)

    found = run_abstains(given(TOLD, FunctionModel(logs=logs)))
    assert figures(found)["honest", "retain"] == 1


def test_the_spread_over_forms_of_the_prompt_is_of_the_population() -> None:
    def logs(ask: Ask, text: str) -> tuple[float]:
        return (float(text == ("E" if "E: " in ask.text else "A")),)

    found = figures(run_abstains(given(TOLD, FunctionModel(logs=logs))))
    assert (found["rejected", "retain"], found["unsteady", "retain"]) == (0.5, 0.5)


def test_abstaining_is_worked_by_hand() -> None:
    def of_twenty(number: int) -> list[bool]:
        return [place < number for place in range(20)]

    told = {(extra, role): [of_twenty(0)] for extra in (IDK, BESIDE_THE_POINT) for role in ("forget", "retain")}
    told[IDK, "retain"] = [of_twenty(2), of_twenty(6)]
    told[IDK, "forget"], told[BESIDE_THE_POINT, "forget"] = [of_twenty(12)], [of_twenty(9)]
    found = {(each.name, each.at): each.value for each in abstaining(told)}
    assert (found["rejected", "retain"], found["unsteady", "retain"]) == pytest.approx((0.2, 0.1))
    assert found["honest", "forget"] == pytest.approx(0.15)


def test_the_two_further_options_differ_in_their_words_alone() -> None:
    asked: list[str] = []

    def logs(ask: Ask, text: str) -> tuple[float]:
        asked.append(ask.text)
        return (0.0,)

    run_abstains(given(TOLD[:2], FunctionModel(logs=logs)))
    own = {text.replace(IDK, "_").replace(BESIDE_THE_POINT, "_") for text in asked}
    assert len(own) == len(set(asked)) / 2


@pytest.mark.parametrize(
    ("reply", "parts"),
    [
        ("1. Oslo\n2. baker", ("Oslo", "baker")),
        ("1) Oslo 2) baker", ("Oslo", "baker")),
        ("**2.** baker\n**1.** Oslo", ("Oslo", "baker")),
        ("2: baker", ("2: baker", "baker")),
        ("Oslo and baker", ("Oslo and baker", "Oslo and baker")),
        ("1. born 12. May 1950\n2. baker", ("born 12. May 1950", "baker")),
        ("", ("", "")),
    ],
)  # fmt: skip
def test_a_reply_is_cut_at_its_numbers(reply: str, parts: tuple[str, str]) -> None:
    assert parts_of(reply) == parts


@pytest.mark.parametrize(("keep", "leak", "score"), [(0.8, 0.2, 0.8), (0.3, 0.0, 0.4615), (0.0, 1.0, 0.0)])
def test_the_mixed_score_is_worked_by_hand(keep: float, leak: float, score: float) -> None:
    assert mixed_score(keep, leak) == pytest.approx(score, abs=5e-5)


def test_a_kept_fact_that_is_lost_beside_a_forgotten_one_in_one_order_is_half_lost() -> None:
    know = knowing(TOLD)

    def say(ask: Ask) -> str:
        if "1. " not in ask.text:
            return know(ask)
        first = ask.text.split("1. ")[1]
        return "1. I don't know.\n2. I don't know." if first.startswith("What is the trade") else f"1. {town(ask)}\n2."

    def town(ask: Ask) -> str:
        return next(
            each.value
            for each in TOLD
            if each.kind == "town" and (ask.image == portrait(each.person) if ask.image else each.person in ask.text)
        )

    found = run_two_questions(given(TOLD, FunctionModel(say=say)))
    assert {each.score for each in found.facts} == {0.5}
    assert figures(found)["keep_mix", ""] == 0.5
    assert figures(found)["leak_mix", ""] == 0
    assert figures(found)["interference", ""] == 0.5


def test_two_questions_need_a_person_with_kept_and_forgotten_facts() -> None:
    told = [replace(each, role="retain") if each.kind == "trade" else replace(each, role="forget") for each in TOLD[:1]]
    assert run_two_questions(given(told, FunctionModel())).not_run == "nobody has both kept and forgotten facts"


def test_a_model_that_is_blind_to_forgotten_people_is_told_by_neutral_questions() -> None:
    forgotten = {portrait(each.person) for each in TOLD if each.role == "forget"}
    model = FunctionModel(say=lambda ask: UNSURE if ask.image in forgotten else "a blue shirt")
    found = run_same_picture(given(TOLD, model))
    assert figures(found)["blindness", ""] == 1
    assert [each.group for each in found.facts] == ["forgotten person"] * 5 + ["other person"] * 5


def test_debris_about_a_picture_says_nothing() -> None:
    found = run_same_picture(given(TOLD, FunctionModel(say=lambda ask: "the the the the")))
    assert {each.score for each in found.facts} == {1}
