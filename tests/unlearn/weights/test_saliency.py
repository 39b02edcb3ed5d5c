"""Ranked saliency masks: scores and shares by hand, masked weights that do not move, what is refused."""

import pytest
import torch

from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.losses.likelihood import align
from unlearn.methods.fisher import summed_gradients, trained_linears
from unlearn.methods.mmunlearner import Mask, is_named, take_mask
from unlearn.methods.phases import check_phases
from unlearn.methods.table import METHODS
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import Numbers, numbers_for
from unlearn.training.gradients import Objective
from unlearn.training.loop import Step, train
from unlearn.training.optimisers import Optimisation
from unlearn.weights.saliency import attribution, check_saliency, top_share

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("model") / "base", seed=1, hidden=32, layers=2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=2), setting="personalized")


def test_the_largest_half_of_summed_gradients_is_kept() -> None:
    assert METHODS["salun"].masked == {"refuse", "descent"}
    assert top_share({"w": torch.tensor([-3.0, 1.0, 2.0, 0.0]).abs()}, 0.5)["w"].tolist() == [True, False, True, False]


def test_the_share_is_of_all_layers_together_and_equals_are_kept() -> None:
    kept = top_share({"a": torch.tensor([5.0, 4.0]), "b": torch.tensor([1.0, 4.0])}, 0.5)
    assert {name: each.tolist() for name, each in kept.items()} == {"a": [True, True], "b": [False, True]}


def test_the_attribution_of_two_weights_is_worked_by_hand() -> None:
    assert METHODS["wagle"].terms == ("npo", "descent")
    weight, forget, retain = torch.tensor([1.0, 2.0]), torch.tensor([0.5, -0.1]), torch.tensor([0.2, 0.4])
    found = attribution(weight, forget, retain, hessian=1.0)
    torch.testing.assert_close(found, torch.tensor([0.40, 0.16]))
    assert top_share({"w": found}, 0.5)["w"].tolist() == [True, False]


def test_summed_gradients_are_those_of_autograd_whatever_the_batch(loaded: LoadedModel, data: Assigned) -> None:
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    few = dict(sorted(data.forget.items())[:3])
    found = summed_gradients(network, encoder, few, batch=2)
    name = next(each for each in sorted(found) if "down_proj" in each)
    network.eval()
    for sample in few.values():
        batch = encoder.batch([sample])
        align(*network(batch.inputs, batch.labels)).nll().mean().backward()
    expected = loaded.model.get_parameter(name).grad
    assert expected is not None
    torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-7)
    loaded.model.zero_grad()


def test_weights_outside_of_the_mask_keep_their_bits_in_training(loaded: LoadedModel, data: Assigned) -> None:
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    chosen = next(name for name, _ in loaded.model.named_parameters() if name.endswith("1.mlp.down_proj.weight"))
    loaded.model.requires_grad_(False)
    weight = loaded.model.get_parameter(chosen).requires_grad_(True)
    keep = torch.arange(weight.numel()).reshape(weight.shape) % 2 == 0
    before = weight.detach().clone()
    numbers, _ = numbers_for("salun", preset="default", parameters=0, family="")
    objective = Objective(
        measure=lambda network, groups: {
            "forget.nll": align(*network(groups["forget"].inputs, groups["forget"].labels)).nll()
        },
        terms=lambda measured, groups: {"refuse": measured["forget.nll"].mean()},
        mask={chosen: keep},
        masked_terms=frozenset({"refuse"}),
    )
    plan = [Step({"forget": tuple(sorted(data.forget)[:2])})] * 3
    optimisation = Optimisation(lr=1e-2, weight_decay=numbers.weight_decay)
    train(network, encoder, data.forget, plan, objective, optimisation=optimisation, folder=None, identity="x")
    moved = weight.detach() != before
    assert not moved[~keep].any()
    assert moved[keep].any()
    with torch.no_grad():
        weight.copy_(before)


def test_a_whole_mask_with_decay_on_all_weights_is_refused() -> None:
    numbers = PLAIN.model_copy(update={"trained": "full", "weight_decay": 0.1})
    with pytest.raises(BadInput, match="weight_decay with wagle, trained = full: would move"):
        check_phases(METHODS["wagle"], numbers)


def test_a_ranked_mask_that_keeps_everything_is_refused(loaded: LoadedModel) -> None:
    loaded.model.requires_grad_(True)
    keep = {f"{name}.weight": layer.weight > -9 for name, layer in trained_linears(loaded.model).items()}
    with pytest.raises(BadInput, match="keeps everything"):
        check_saliency(Mask(keep, {}, "b", "d"), loaded.model, PLAIN.model_copy(update={"mask_by": "gradient"}))


def test_the_original_mask_is_of_named_weights_and_sees_vision_by_pictures(loaded: LoadedModel, data: Assigned) -> None:
    assert METHODS["mmunlearner-original"].masked == {"ascent"}
    numbers, _ = numbers_for("mmunlearner-original", preset="default", parameters=0, family="")
    loaded.model.requires_grad_(True)
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    mask = take_mask(network, encoder, data, numbers, base="b", seed=0)
    assert all(is_named(name) for name in mask.keep)
    assert not any("norm" in name or "embed_tokens" in name for name in mask.keep)
    assert any("visual" in name for name in mask.keep)
    check_saliency(mask, loaded.model, numbers)
