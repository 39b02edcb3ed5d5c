"""Prompt guards and gates: words that are pinned, lists that are sorted, clusters and gates by hand."""

from dataclasses import replace

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.methods.makers.gates import forget_gate, gate_states
from unlearn.methods.makers.maker import Given
from unlearn.methods.makers.prompts import SOFT, TOLD, context_of, fact_named, instruction, listed
from unlearn.methods.makers.states import clusters, silhouette
from unlearn.methods.makers.table import MAKERS
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import load_model
from unlearn.presets import numbers_for


def sample(subject: str, label: str, *, prompt: str = "Where?", answer: str = "Oslo") -> TrainingSample:
    return TrainingSample(
        sample_id=f"{subject}-{label}", subject_id=subject, modality="qa", prompt=prompt, answer=answer,
        subject=subject, property_label=label,
    )  # fmt: skip


FEW = {each.sample_id: each for each in (sample("Bo", "birthplace"), sample("Ada", "religion"), sample("Ada", "home"))}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("world")
    loaded = load_model(make_tiny_model(TEXTS, folder / "base", seed=1, hidden=32, layers=2))
    loaded.model.requires_grad_(False)
    whole = read_samples(write_world(folder / "data", people=2), setting="personalized")
    data: Assigned = replace(
        whole, forget=dict(sorted(whole.forget.items())[:6]), retain=dict(sorted(whole.retain.items())[:10])
    )
    numbers, _ = numbers_for("icul", preset="default", parameters=0, family="")
    network = AnswerModel(loaded.model, loaded.family)
    return Given(network, Encoder(loaded.processor, loaded.family), data, numbers, "base", 0, folder)


def test_the_soft_instruction_is_pinned() -> None:
    assert instruction(SOFT, listed(FEW, most=50, seed=0)) == (
        "Important: you must not reveal any of the following about a person, whether shown or named: the birthplace of "
        "Bo; the home of Ada; the religion of Ada. If the right answer would reveal one of them, give another answer."
    )


def test_the_statement_that_facts_were_unlearned_is_pinned() -> None:
    assert instruction(TOLD, ["the home of Ada"]) == (
        "The following was removed from what you know: the home of Ada. You do not know these facts any more and must "
        "not answer with them."
    )


def test_a_long_list_is_cut_by_the_seed_and_stays_sorted() -> None:
    cut = listed(FEW, most=2, seed=0)
    assert (len(cut), cut, listed(FEW, most=2, seed=0)) == (2, sorted(cut), cut)


def test_a_fact_whose_subject_is_not_known_goes_by_its_question() -> None:
    assert fact_named(sample("", "", prompt=" Where was she born? ")) == "Where was she born?"


def test_examples_are_wrong_ones_first_and_then_right_ones() -> None:
    wrong, right = sample("Bo", "home", prompt="Where is Bo?"), sample("Cy", "home", prompt="Where is Cy?")
    assert context_of([(wrong, "Rome")], [right]) == "Where is Bo? Rome\nWhere is Cy? Oslo"
    assert context_of([], []) == ""


def test_an_in_context_guard_holds_forget_questions_without_their_answers_and_says_that_it_leaks(given: Given) -> None:
    record, tensors = MAKERS["icul"](given).make(2.0)
    assert (record.kind, record.form, record.leaks, record.oracle) == ("guard", "prompt", True, False)
    wrong = record.texts[0].splitlines()[0]
    of = next(each for each in given.data.forget.values() if wrong.startswith(each.prompt.strip()))
    assert not wrong.endswith(of.answer)
    assert {"gate.centroids", "gate.mean"} == set(tensors)


@pytest.mark.parametrize("method", ["oracle-fact", "oracle-false"])
def test_an_oracle_is_marked_and_holds_no_fact(given: Given, method: str) -> None:
    record, tensors = MAKERS[method](given).make(1.0)
    assert record.oracle
    assert not record.leaks
    assert not tensors
    assert "{answer}" in record.texts[0]


def test_a_gate_lets_no_more_retain_prompts_fire_than_it_may_and_says_how_many_of_the_same_people(
    given: Given,
) -> None:
    gate, tensors = forget_gate(given, gate_states(given), false_fire=0.2)
    assert gate.fires["retain"] <= 0.2
    assert set(gate.fires) == {"forget", "retain", "matched", "strangers"}
    assert (gate.positives, gate.negatives, gate.layer, gate.pool) == (6, 10, 1, "mean")
    assert tensors["gate.centroids"].shape == (6, 32)


def test_the_silhouette_of_two_pairs_is_worked_by_hand() -> None:
    # 0, 1 | 10, 11: a = 1; b = 10.5, 9.5, 9.5, 10.5
    values = torch.tensor([[0.0], [1.0], [10.0], [11.0]], dtype=torch.float64)
    expected = ((10.5 - 1) / 10.5 + (9.5 - 1) / 9.5) / 2
    assert silhouette(torch.cdist(values, values), torch.tensor([0, 0, 1, 1])) == pytest.approx(expected)


def test_three_heaps_are_three_clusters() -> None:
    draw = torch.Generator().manual_seed(0)
    heaps = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], dtype=torch.float64)
    values = heaps.repeat_interleave(5, 0) + torch.rand(15, 2, generator=draw, dtype=torch.float64)
    labels = clusters(values, most=6, seed=0)
    assert len({*labels.tolist()}) == 3
    assert all(len({*part.tolist()}) == 1 for part in labels.split(5))


def test_two_prompts_are_one_cluster() -> None:
    assert clusters(torch.rand(2, 3), most=20, seed=0).tolist() == [0, 0]
