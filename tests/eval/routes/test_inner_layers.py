"""Lens and probe: the layer is chosen on other people, and the classifier learns what is there and nothing else."""

import numpy as np
import pytest

from eval.routes.inner_layers import chosen_layers, classified, halves, run_lens, run_probe
from schemas.protocols.responder import Ask
from tests.eval.routes.routes_world import TRADES, FunctionModel, Told, about, facts_told, given, name_of, preferring

TOLD = facts_told(20, forgotten=10)
GROUPED = [
    Told(name_of(number), "trade", TRADES[number % 5], "forget" if number < 20 else "retain") for number in range(40)
]
"""Five trades of forty people."""


def hiding(ask: Ask) -> list[list[float]]:
    """Two layers of noise, and the trade in the one between."""
    fact = about(GROUPED, ask)
    rng = np.random.default_rng(sum(map(ord, ask.ask_id)))
    told = np.eye(5)[TRADES.index(fact.value)] if fact else np.zeros(5)
    return [list(rng.normal(size=5)), list(told + 0.01 * rng.normal(size=5)), list(rng.normal(size=5))]


def test_the_layer_of_each_half_is_the_best_one_of_the_other() -> None:
    values = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert chosen_layers(values, [0, 0, 1]) == (1, 0)


def test_with_nobody_in_the_other_half_the_last_layer_is_read() -> None:
    assert chosen_layers(np.array([[1.0, 0.0]]), [0])[0] == 1


def test_halves_are_equal_and_always_the_same() -> None:
    found = halves(name_of(number) for number in range(10))
    assert sum(found.values()) == 5
    assert found == halves(name_of(number) for number in reversed(range(10)))


def test_the_lens_reads_the_layer_that_tells() -> None:
    found = run_lens(given(TOLD, FunctionModel(logs=preferring(TOLD))))
    assert {(each.score, each.recovered, each.best) for each in found.facts} == {(1, True, "layer 1")}
    assert [each.value for each in found.figures] == [0.5, 0]


def test_the_lens_on_a_model_without_the_facts_ranks_in_the_middle() -> None:
    found = run_lens(given(TOLD, FunctionModel()))
    assert {(each.score, each.recovered) for each in found.facts} == {(0.5, False)}


def test_the_lens_on_noise_is_at_chance() -> None:
    told = facts_told(200, forgotten=200)
    rng = np.random.default_rng(7)
    found = run_lens(given(told, FunctionModel(logs=lambda ask, text: (float(rng.normal()),))))
    (last,) = [each.value for each in found.figures if each.at == "layer 1"]
    assert last == pytest.approx(0.5, abs=2 * 0.3 / 400**0.5)


def test_a_probe_finds_what_an_inner_layer_holds() -> None:
    found = run_probe(given(GROUPED, FunctionModel(inner=hiding)))
    assert len(found.facts) == 40
    assert {(each.recovered, each.best) for each in found.facts} == {(True, "layer 1")}


def test_a_probe_finds_no_more_than_chance_in_noise() -> None:
    def noise(ask: Ask) -> list[list[float]]:
        return list(np.random.default_rng(sum(map(ord, ask.ask_id))).normal(size=(2, 5)))

    found = run_probe(given(GROUPED, FunctionModel(inner=noise)))
    (gap,) = [each.value for each in found.figures if each.name == "gap"]
    assert gap == pytest.approx(0, abs=2 * (2 * 0.2 * 0.8 / 20) ** 0.5)


def test_a_property_with_a_value_of_its_own_for_everybody_cannot_be_learnt() -> None:
    told = [Told(name_of(number), "trade", TRADES[number], "forget") for number in range(20)]
    found = run_probe(given(told, FunctionModel(inner=lambda ask: ((1.0, 2.0),))))
    assert not any(each.recovered for each in found.facts)


def test_four_values_or_nineteen_people_are_too_few_for_a_probe() -> None:
    few = [Told(name_of(number), "trade", TRADES[number % 4], "forget") for number in range(40)]
    found = run_probe(given(few, FunctionModel(inner=hiding)))
    assert (found.facts, len(found.notes)) == ((), 1)
    assert run_probe(given(GROUPED[:19], FunctionModel(inner=hiding))).facts == ()


def test_two_clusters_are_told_apart_layer_by_layer() -> None:
    learnt = np.array([[[1.0], [1.0]], [[2.0], [-1.0]], [[-1.0], [1.0]], [[-2.0], [-1.0]]])
    found = classified(learnt, np.array([0, 0, 1, 1]), np.array([[[3.0], [0.0]], [[-3.0], [0.0]]]), number=2)
    assert found[0].tolist() == [0, 1]
