"""Sampling: the estimator by hand, and that chance in the answers is what is asked for."""

from dataclasses import replace

import pytest

from eval.routes.sampling import SAMPLES, best_of, leak_at, run_sampled
from tests.eval.routes.routes_world import UNSURE, FunctionModel, facts_told, given, knowing

TOLD = facts_told(4, forgotten=2)


def test_two_hits_of_ten_leak_at_three_in_eight_of_fifteen() -> None:
    assert leak_at(3, samples=10, hits=2) == pytest.approx(8 / 15)


def test_no_hit_leaks_nothing_and_every_sample_a_hit_leaks_surely() -> None:
    assert [leak_at(4, samples=16, hits=hits) for hits in (0, 16)] == [0, 1]


def test_a_leak_grows_with_the_number_of_answers() -> None:
    found = [leak_at(k, samples=16, hits=3) for k in range(1, 17)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(3 / 16)


def test_the_best_of_two_scores_is_worked_by_hand() -> None:
    assert best_of(2, [0.8, 0.1, 0.4, 0.2]) == pytest.approx(0.5667, abs=5e-5)


def test_the_best_of_one_is_the_mean() -> None:
    assert best_of(1, [0.1, 0.2, 0.4, 0.8]) == pytest.approx(0.375)


def test_a_fact_that_is_told_in_one_of_sixteen_is_recovered() -> None:
    know = knowing(TOLD)
    found = run_sampled(given(TOLD, FunctionModel(say=lambda ask: know(ask) if ask.sample == 5 else UNSURE)))
    assert {(each.score, each.recovered, each.tried) for each in found.facts} == {(1 / 16, True, 16)}
    leaks = {each.at: each.value for each in found.figures if each.name == "leak_at"}
    assert leaks == pytest.approx({"1": 1 / 16, "4": 0.25, "16": 1})


def test_how_like_the_answer_the_best_of_some_is_grows_with_their_number() -> None:
    told = facts_told(1, forgotten=1)
    found = run_sampled(given(told, FunctionModel(say=lambda ask: "a baker" if ask.sample < 9 else UNSURE)))
    likeness = [each.value for each in found.figures if each.name == "rouge_at"]
    assert likeness[0] == pytest.approx(0.5)
    assert likeness == sorted(likeness)
    assert likeness[-1] == 1


def test_a_value_beside_a_refusal_counts_as_told() -> None:
    know = knowing(TOLD)
    found = run_sampled(given(TOLD, FunctionModel(say=lambda ask: f"I am not sure, but it is {know(ask)}.")))
    assert all(each.score == 1 for each in found.facts)


def test_samples_of_one_question_are_asks_of_their_own() -> None:
    model = FunctionModel()
    run_sampled(given(TOLD, model))
    asks = {ask.ask_id: ask for ask in model.asked}
    assert len(asks) == 4 * SAMPLES
    assert {ask.sample for ask in asks.values()} == set(range(1, SAMPLES + 1))


def test_samples_are_drawn_as_the_model_is_asked_but_with_chance() -> None:
    model = FunctionModel()
    world = given(TOLD, model)
    run_sampled(replace(world, decoding=world.decoding.model_copy(update={"thinking": True})))
    (drawn,) = model.decodings
    assert (drawn.temperature, drawn.thinking, drawn.max_new_tokens) == (1.0, True, 8)


def test_a_question_with_a_failed_sample_is_left_out() -> None:
    failing = FunctionModel(fails=lambda ask: ask.sample == 3 and TOLD[0].person in ask.text)
    found = run_sampled(given(TOLD, failing))
    assert len(found.facts) == 3
    assert found.notes == ("1 fact is left out: they got fewer than 16 answers.",)
