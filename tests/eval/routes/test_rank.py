"""Rank among values of the type: by hand, calibrated by the name, and what it says of models that know nothing."""

import random
from dataclasses import replace
from math import nan
from statistics import fmean

import pytest

from eval.routes.candidates import candidates_of
from eval.routes.rank import calibrated, exposure_bits, mid_rank, normalised_rank, run_rank, run_rank_first_token
from eval.tasks.dataset_rows import accepted_answers
from eval.tasks.questions import AskedFact
from tests.eval.routes.routes_world import TRADES, FunctionModel, Told, about, facts_told, given, preferring

TOLD = facts_told(20, forgotten=10)


def fact(number: int, *values: str, person: str = "", kind: str = "town") -> AskedFact:
    return AskedFact(f"s{number}", person or f"p{number}", kind, kind, accepted_answers(values, kind), ())


def test_the_name_calibrates_a_rank() -> None:
    true, *others = calibrated([1.2, 1.0, 2.0], [3.0, 1.1, 2.0])
    assert (true, *others) == pytest.approx((-1.8, -0.1, 0.0))
    assert (mid_rank(true, others), mid_rank(1.2, [1.0, 2.0])) == (1, 2)


def test_values_that_are_alike_share_the_middle_rank() -> None:
    assert normalised_rank(mid_rank(1.0, [1.0, 1.0, 1.0]), 4) == 0.5


@pytest.mark.parametrize(("candidates", "rank", "bits"), [(64, 1, 6), (64, 8, 3), (64, 64, 0), (4, 2, 1)])
def test_exposure_is_worked_by_hand(candidates: int, rank: float, bits: float) -> None:
    assert exposure_bits(rank, candidates) == pytest.approx(bits)


def test_a_model_that_prefers_the_true_values_has_them_all() -> None:
    found = run_rank(given(TOLD, FunctionModel(logs=preferring(TOLD))))
    assert len(found.facts) == 20
    assert all(each.recovered and each.score == 1 for each in found.facts)


def test_a_model_that_answers_everything_alike_has_none() -> None:
    found = run_rank(given(TOLD, FunctionModel()))
    assert {(each.score, each.recovered) for each in found.facts} == {(0.5, False)}


def test_a_model_of_noise_ranks_by_chance() -> None:
    told = facts_told(200, forgotten=200)
    rng = random.Random(7)
    found = run_rank(given(told, FunctionModel(logs=lambda ask, text: (-rng.random(),))))
    scores = [each.score for each in found.facts]
    assert fmean(scores) == pytest.approx(0.5, abs=2 * 0.3 / len(scores) ** 0.5)


def test_a_value_that_is_likely_of_anybody_is_not_known() -> None:
    def popular(ask: object, text: str) -> tuple[float]:
        return (-0.1 if text == "baker" else -5.0,)

    found = run_rank(given(TOLD, FunctionModel(logs=popular)))
    assert not any(each.recovered for each in found.facts)


def test_likelihoods_that_are_no_numbers_are_told_and_not_ranked() -> None:
    found = run_rank(given(TOLD, FunctionModel(logs=lambda ask, text: (nan,))))
    assert (found.facts, found.notes) == ((), ("20 facts are left out: their likelihoods are no numbers.",))


def test_a_question_that_does_not_name_its_person_is_left_out_and_not_called_unknown() -> None:
    world = given(TOLD, FunctionModel(logs=preferring(TOLD)))
    texts = [replace(each, text="What is her trade?") for each in world.questions if each.modality == "qa"]
    found = run_rank(world.with_questions(texts))
    assert found.facts == ()
    assert found.notes == (
        "10 facts are left out: their question does not name its person, so no name can calibrate it.",
    )


def test_the_first_token_decides_the_rank_by_it() -> None:
    def logs(ask: object, text: str) -> tuple[float, ...]:
        own = about(TOLD, ask)  # type: ignore[arg-type]
        return (-1.0, -9.0, -9.0) if own is not None and own.value == text else (-2.0,)

    world = given(TOLD, FunctionModel(logs=logs))
    assert all(each.recovered for each in run_rank_first_token(world).facts)
    assert not any(each.recovered for each in run_rank(world).facts)


def test_one_token_and_thirty_are_ranked_per_token() -> None:
    long = " ".join(["Upper"] * 30)
    told = [replace(each, value=long) if each.value == "baker" else each for each in TOLD]

    def logs(ask: object, text: str) -> list[float]:
        own = about(told, ask)  # type: ignore[arg-type]
        return [-1.0 if own is not None and own.value == text else -2.0] * len(text.split())

    found = run_rank(given(told, FunctionModel(logs=logs)))
    assert all(each.recovered for each in found.facts)


def test_exposure_is_given_apart_for_each_number_of_candidates() -> None:
    told = [*TOLD, *(replace(each, role="forget") for each in TOLD if each.kind == "town")]
    found = run_rank(given(told, FunctionModel(logs=preferring(told))))
    bits = {each.at: each.value for each in found.figures if each.name == "exposure_bits"}
    assert bits == pytest.approx({"16 candidates": 4, "8 candidates": 3})


def test_a_property_with_one_value_for_all_is_left_out_with_its_reason() -> None:
    told = [Told(each.person, "trade", "baker", "forget") for each in TOLD if each.kind == "trade"]
    found = run_rank(given(told, FunctionModel(logs=preferring(told))))
    assert found.notes == ("40 facts are left out: fewer than four values of their type are known.",)


def test_three_values_are_too_few_and_four_are_enough() -> None:
    three = [fact(number, town) for number, town in enumerate(("Oslo", "Lima", "Graz"))]
    assert candidates_of(three).too_few == {"s0", "s1", "s2"}
    assert len(candidates_of([*three, fact(3, "Bonn")]).others["s0"]) == 3


def test_no_candidate_is_true_of_the_person_under_another_property() -> None:
    born = [fact(number, town, person=f"p{number}") for number, town in enumerate(TRADES[:5])]
    lives = replace(fact(9, TRADES[1], person="p0", kind="home"), answer_type="town")
    assert TRADES[1] not in candidates_of([*born, lives]).others["s0"]


def test_values_that_are_equal_after_folding_are_one_candidate() -> None:
    towns = ("Oslo", "Lima", "Graz", "Bonn", "bonn", "Bönn")
    found = candidates_of(fact(number, town) for number, town in enumerate(towns))
    assert all(len({each.casefold() for each in own}) == len(own) for own in found.others.values())
    assert "Bonn" not in found.others["s4"]


def test_values_of_the_same_property_go_before_others_of_the_type() -> None:
    born = [fact(number, town) for number, town in enumerate(TRADES[:5])]
    lives = [replace(fact(9 + number, town, kind="home"), answer_type="town") for number, town in enumerate(TRADES[5:])]
    typed = [replace(each, answer_type="town") for each in born]
    others = candidates_of([*typed, *lives]).others["s0"]
    assert set(TRADES[1:5]) <= set(others)
    assert len(set(others)) == 15


def test_candidates_are_the_same_whatever_the_order_of_the_facts() -> None:
    facts = [fact(number, town) for number, town in enumerate(TRADES)]
    assert candidates_of(facts) == candidates_of(reversed(facts))


def test_a_forget_set_of_one_fact_is_ranked() -> None:
    told = facts_told(20, forgotten=1)
    assert len(run_rank(given(told, FunctionModel(logs=preferring(told)))).facts) == 2
