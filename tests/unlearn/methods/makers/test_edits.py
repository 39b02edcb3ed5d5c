"""Makers of edits on a tiny random model: what their statistics are, and what an edit does to keys and values."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue

from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.answers.refusals import refusal_for, safe_refusals
from unlearn.data import Assigned, read_samples
from unlearn.losses.likelihood import align
from unlearn.methods.fisher import only_moving, sample_fisher
from unlearn.methods.makers.dampening import groups
from unlearn.methods.makers.editing import edited_linears, keys_and_states, last_layer, optimised_values
from unlearn.methods.makers.maker import Given
from unlearn.methods.makers.states import end_states
from unlearn.methods.makers.table import MAKERS
from unlearn.methods.makers.task_vectors import Vector, combined
from unlearn.methods.table import METHODS
from unlearn.models.anatomy import language_linears
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import numbers_for
from unlearn.weights.covariances import some_of

SMALL: dict[str, JsonValue] = {"batch": 4, "rank": 2, "lr": 1e-2, "steps": 2, "dropout": 0.0, "value_steps": 3}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    found = load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("model") / "base", seed=1, hidden=32, layers=2))
    found.model.requires_grad_(False)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    whole = read_samples(write_world(tmp_path_factory.mktemp("world"), people=2), setting="personalized")
    return replace(whole, forget=dict(sorted(whole.forget.items())[:4]), retain=dict(sorted(whole.retain.items())[:6]))


def given(loaded: LoadedModel, data: Assigned, method: str, out: Path, **numbers: JsonValue) -> Given:
    found, _ = numbers_for(method, preset="default", parameters=0, family="", overrides={**SMALL, **numbers})
    network = AnswerModel(loaded.model, loaded.family)
    return Given(network, Encoder(loaded.processor, loaded.family), data, found, "base", 0, out)


def test_every_row_that_is_made_has_a_maker_and_the_other_way_round() -> None:
    made = {"ssd", "task-vector", "msa", "asru-redirect", "alphaedit", "zerounlearn", "guard-it", "mllmeraser", "eco"}
    guards = {"curate", "curate-text", "icul", "prompt-soft", "prompt-told", "oracle-fact", "oracle-false"}
    assert made | guards <= {method.makes for method in METHODS.values()}
    assert {method.makes for method in METHODS.values()} - {""} == set(MAKERS)


@pytest.mark.parametrize("method", ["ssd", "asru-redirect", "alphaedit", "zerounlearn", "task-vector", "msa"])
def test_a_maker_leaves_a_candidate_for_each_value_and_the_weights_as_they_were(
    loaded: LoadedModel, data: Assigned, tmp_path: Path, method: str
) -> None:
    before = {name: weight.detach().clone() for name, weight in loaded.model.named_parameters()}
    work = given(loaded, data, method, tmp_path, tried=[1.1, 1.2], null_share=0.3)
    found = MAKERS[method](work)
    assert found.values == (1.1, 1.2)
    for value in found.values:
        record, tensors = found.make(value)
        assert record.kind == "edit"
        assert tensors
        assert all(bool(each.isfinite().all()) for each in tensors.values())
        paths = {name.rpartition(".")[0] for name in tensors}
        assert paths <= set(language_linears(loaded.model, loaded.family))
    after = dict(loaded.model.named_parameters())
    assert set(after) == set(before)
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert not any(weight.requires_grad for weight in after.values())


def test_ssd_block_by_block_finds_what_one_pass_over_all_blocks_finds(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    whole, cut = (
        given(loaded, data, "ssd", tmp_path, statistics_gb=gigabytes, tried=[1.2]) for gigabytes in (1.0, 1e-5)
    )
    assert len(groups(whole, room=2**30)) == 1
    assert len(groups(cut, room=10_000)) > 3
    first, second = (MAKERS["ssd"](each).make(1.2)[1] for each in (whole, cut))
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-4)


def test_ssd_weighs_the_two_fishers_by_how_much_data_there_is(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    work = given(loaded, data, "ssd", tmp_path, tried=[1.2], dampen_constant=1.0)
    path = language_linears(loaded.model, loaded.family)[-1]
    weight = loaded.model.get_submodule(path).weight
    with only_moving(loaded.model, [weight]):
        forget = sample_fisher(work.network, work.encoder, data.forget, batch=4)[f"{path}.weight"]
        kept = some_of(data.retain, most=len(data.forget), seed=0)
        retain = sample_fisher(work.network, work.encoder, kept, batch=4)[f"{path}.weight"]
    expected = torch.ones_like(weight)
    whole = 0.4 * forget + 0.6 * retain  # four forget and six retain samples
    chosen = forget > 1.2 * whole
    expected[chosen] = (whole / forget)[chosen].clamp(max=1)
    _, tensors = MAKERS["ssd"](work).make(1.2)
    found = torch.ones_like(weight).flatten()
    found[tensors[f"{path}.index"].long()] = tensors[f"{path}.factor"].float()
    torch.testing.assert_close(found.view_as(weight), expected, rtol=1e-3, atol=1e-3)


def test_a_ratio_that_no_weight_can_have_is_refused(loaded: LoadedModel, data: Assigned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tried 5: no ratio of Fishers is above it; none can be above 2\.5"):
        MAKERS["ssd"](given(loaded, data, "ssd", tmp_path, tried=[5.0, 9.0]))


def test_a_vector_is_taken_off_by_its_second_matrix_alone() -> None:
    vector = Vector(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]))
    tensors = combined({"w": vector}, {}, alpha=1.5, beta=0.0)
    change = tensors["w.left"] @ tensors["w.right"]
    torch.testing.assert_close(change, -1.5 * vector.second @ vector.first)


def test_state_arithmetic_of_one_weight_is_worked_by_hand() -> None:
    # 2 - 1.5 (1.4 - 1) + 1 (1.1 - 1) = 1.5
    forget = {"w": Vector(torch.tensor([[1.0]]), torch.tensor([[0.4]]))}
    retain = {"w": Vector(torch.tensor([[1.0]]), torch.tensor([[0.1]]))}
    tensors = combined(forget, retain, alpha=1.5, beta=1.0)
    assert (2 + tensors["w.left"] @ tensors["w.right"]).item() == pytest.approx(1.5)


def test_forget_ends_move_along_the_direction_and_retain_ends_hardly(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    work = given(loaded, data, "asru-redirect", tmp_path, layer=1, ridge=1e-6)
    _, tensors = MAKERS["asru-redirect"](work).make(1.0)
    path, linear = work.last_linear(1)
    direction = tensors[f"{path}.left"].squeeze(1)
    before = {role: end_states(work, getattr(data, role), [1])[1] for role in ("forget", "retain")}
    kept = linear.weight.detach().clone()
    with torch.no_grad():
        linear.weight += tensors[f"{path}.left"] @ tensors[f"{path}.right"]
    after = {role: end_states(work, getattr(data, role), [1])[1] for role in ("forget", "retain")}
    with torch.no_grad():
        linear.weight.copy_(kept)
    moved = {role: ((after[role] - before[role]) @ direction.double()).mean() / direction.double().square().sum()
             for role in after}  # fmt: skip
    assert moved["forget"] > moved["retain"]
    assert moved["forget"] > 0.3


def test_an_optimised_value_makes_the_answer_likelier_and_does_not_depend_on_the_batch(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    work = given(loaded, data, "alphaedit", tmp_path, value_steps=10)
    layer = work.layers[1]
    keys = sorted(data.forget)
    values = optimised_values(work, data.forget, layer)
    alone = optimised_values(work, {keys[0]: data.forget[keys[0]]}, layer)
    torch.testing.assert_close(values[:1], alone, rtol=1e-3, atol=1e-4)
    before = end_states(work, data.forget, [1])[1]
    assert ((values - before).norm(dim=1) <= 0.75 * before.norm(dim=1) + 1e-4).all()

    def nll(put: torch.Tensor | None) -> float:
        batch = work.encoder.batch([data.forget[keys[0]]])
        place = int((batch.labels[0] != -100).int().argmax()) - 1

        def hook(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
            moved = output.clone()
            moved[0, place] = moved[0, place] if put is None else put.to(output.dtype)
            return moved

        handle = layer.register_forward_hook(hook)
        with torch.no_grad():
            found = float(align(*work.network(batch.inputs, batch.labels)).nll().mean())
        handle.remove()
        return found

    assert nll(values[0]) < nll(None)


def test_alphaedit_brings_the_last_edited_layer_to_its_values(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    work = given(loaded, data, "alphaedit", tmp_path, ridge=1e-4, null_share=0.9, edit_first=0.5, edit_last=0.5)
    (each,) = edited_linears(work)
    last = work.layers[last_layer(work)]
    _, tensors = MAKERS["alphaedit"](work).make(1.0)
    keys, before = keys_and_states(work, each, last)
    texts = safe_refusals((), data.forget)
    refused = {
        key: sample.model_copy(update={"answer": refusal_for(key, texts, seed=0)})
        for key, sample in data.forget.items()
    }
    wanted = optimised_values(work, refused, last) - before
    change = (tensors[f"{each.path}.left"] @ tensors[f"{each.path}.right"]).double()
    assert (keys @ change.T - wanted).norm() < 0.7 * wanted.norm()


def test_a_null_space_without_directions_is_refused(loaded: LoadedModel, data: Assigned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="leaves no direction of .* free of retain inputs"):
        MAKERS["alphaedit"](given(loaded, data, "alphaedit", tmp_path, null_share=1e-300))


def test_layers_to_be_edited_are_the_published_ones_at_their_depth(
    loaded: LoadedModel, data: Assigned, tmp_path: Path
) -> None:
    work = given(loaded, data, "alphaedit", tmp_path)
    found = [int(each.path.split(".layers.")[1].split(".")[0]) for each in edited_linears(work)]
    assert found == [0]  # of two
    assert [round(32 * share) for share in (0.125, 0.25, 0.59, 0.66)] == [4, 8, 19, 21]
