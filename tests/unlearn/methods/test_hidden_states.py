"""Hidden states steered and held: RMU, RNA and ReVa by hand, and the states of packed rows against a plain pass."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.losses.terms import TERMS
from unlearn.methods.hidden_states import (
    OldStates,
    freeze_beyond,
    layer_of,
    noise,
    old_states,
    random_direction,
    take_old_states,
    unanswerable,
    with_states,
)
from unlearn.methods.objective import objective_for
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.forward import _WATCHED, AnswerModel, bare, watching
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import Numbers, numbers_for
from unlearn.training.gradients import Objective

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2)
Setup = tuple[LoadedModel, AnswerModel, Encoder]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=3), setting="personalized")


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    loaded = load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "m", seed=1, hidden=32, layers=3))
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    return loaded, AnswerModel(adapted, loaded.family), Encoder(loaded.processor, loaded.family)


def told(states: Tensor, groups: Mapping[str, Batch], old: OldStates) -> Mapping[str, Tensor]:
    """What is measured of given states [rows, hidden], one answer token a sample."""

    def through(network: nn.Module, batches: Mapping[str, Batch]) -> Mapping[str, Tensor]:
        watched = _WATCHED.get()
        assert watched is not None
        watched.states.append(torch.stack([torch.zeros_like(states), states], dim=1))
        return {}

    return with_states(Objective(through, lambda found, samples: {}), old).measure(nn.Identity(), groups)


def rows(*keys: str) -> Batch:
    labels = torch.tensor([[-100, 1]] * len(keys))
    return Batch({}, labels, sample_ids=keys, subject_ids=keys, pictures=(None,) * len(keys))


def test_rmu_is_the_mean_square_over_dimensions_of_state_minus_target() -> None:
    # h = e1, c u = 2 (.5, .5, .5, .5): (0, -1, -1, -1), squares 3 over 4 dimensions
    old = OldStates(layer=0, target=2 * torch.full((4,), 0.5), before={})
    found = told(torch.eye(4)[:1], {"forget": rows("f")}, old)
    assert found["forget.to_target"].tolist() == [0.75]
    assert found["forget.state"].tolist() == [1.0]


def test_retain_states_are_held_at_those_of_before_and_the_terms_weigh_both() -> None:
    old = OldStates(layer=0, target=torch.zeros(2), before={"r1": torch.tensor([[1.0, 3.0]]), "r2": torch.zeros(1, 2)})
    states = torch.tensor([[1.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    found = told(states, {"forget": rows("f"), "retain": rows("r1", "r2")}, old)
    assert found["retain.moved"].tolist() == [2.0, 2.0]  # (0 + 4) / 2 and (4 + 0) / 2
    numbers = PLAIN.model_copy(update={"hold_weight": 3.0, "forget_weight": 0.5})
    assert TERMS["steer"].value(found, {}, numbers).item() == 0.5
    assert TERMS["hold"].value(found, {}, numbers).item() == 6.0


def test_states_of_groups_that_nothing_is_said_of_take_their_rows_all_the_same() -> None:
    old = OldStates(layer=0, target=torch.zeros(2), before={"r": torch.zeros(1, 2)})
    states = torch.tensor([[1.0, 1.0], [9.0, 9.0], [9.0, 9.0], [2.0, 0.0]])
    found = told(states, {"retain": rows("r"), "refusal": rows("a", "b"), "forget": rows("f")}, old)
    assert (found["forget.to_target"].tolist(), found["retain.moved"].tolist()) == ([1.0], [2.0])


def test_reva_costs_nothing_where_every_state_is_the_refusal_vector() -> None:
    vector = torch.tensor([0.3, -0.7])
    found = told(torch.stack([vector, vector]), {"forget": rows("a", "b")}, OldStates(0, vector, {}))
    assert found["forget.to_target"].tolist() == [0.0, 0.0]


def test_noise_adds_its_variance_to_the_loss_on_average() -> None:
    drawn = noise((100, 100), 0.25, "0:1:key")
    assert drawn.square().mean().item() == pytest.approx(0.25, rel=0.05)
    assert torch.equal(drawn, noise((100, 100), 0.25, "0:1:key"))
    assert not torch.equal(drawn, noise((100, 100), 0.25, "0:2:key"))


def test_without_noise_rna_is_rmu_bit_for_bit() -> None:
    quiet = OldStates(0, torch.zeros(2), {"r": torch.tensor([[0.1, 0.2]])})
    states = torch.tensor([[0.7, -0.3]])
    plain, noisy = (told(states, {"retain": rows("r")}, each) for each in (quiet, replace(quiet, noise=0.5)))
    assert told(states, {"retain": rows("r")}, replace(quiet, noise=0.0, seed=9))["retain.moved"].equal(
        plain["retain.moved"]
    )
    assert not noisy["retain.moved"].equal(plain["retain.moved"])
    assert METHODS["rna"].terms == METHODS["rmu"].terms


def test_the_random_direction_is_uniform_in_the_positive_orthant_and_of_length_1() -> None:
    found = random_direction(64, seed=3)
    assert found.norm().item() == pytest.approx(1.0)
    assert (found >= 0).all()
    assert torch.equal(found, random_direction(64, seed=3))


def test_states_of_packed_rows_are_those_of_each_sample_alone(setup: Setup, data: Assigned) -> None:
    _, network, encoder = setup
    network.eval()
    samples = [data.forget[key] for key in sorted(data.forget)[:5]]
    batch = encoder.batch(samples)
    with torch.no_grad(), watching(1) as packed:
        _, labels = network(batch.inputs, batch.labels, batch.pictures)
    for row, sample in enumerate(samples):
        alone = encoder.batch([sample])
        with torch.no_grad():
            full = bare(network)(**alone.inputs, output_hidden_states=True).hidden_states[2]  # [1, length, hidden]
        expected = full[0][alone.labels[0] != -100]
        torch.testing.assert_close(packed.states[0][row][labels[row] != -100], expected, rtol=1e-4, atol=1e-5)


def test_a_fresh_adapter_has_moved_nothing(setup: Setup, data: Assigned) -> None:
    _, network, encoder = setup
    numbers = numbers_for("rmu", preset="default", parameters=10**9, family="")[0]
    kept = {key: data.retain[key] for key in sorted(data.retain)[:4]}
    old = take_old_states(network, encoder, data.forget, kept, numbers, layer=1, seed=0)
    objective = with_states(objective_for(METHODS["rmu"], numbers, reference=None, keep=None), old)
    with torch.no_grad():
        network.eval()
        found = objective.measure(network, {"retain": encoder.batch(list(kept.values()))})
    torch.testing.assert_close(found["retain.moved"], torch.zeros(4), rtol=0.0, atol=1e-10)
    assert found["retain.state"].min() > 0


def test_the_refusal_vector_is_the_mean_state_at_the_end_of_the_prompts(setup: Setup, data: Assigned) -> None:
    _, network, encoder = setup
    numbers = numbers_for("reva", preset="default", parameters=10**9, family="")[0]
    old = take_old_states(network, encoder, data.forget, data.retain, numbers, layer=1, seed=0)
    ends = []
    for sample in unanswerable().values():
        alone = encoder.batch([sample])
        place = int((alone.labels[0] != -100).nonzero()[0]) - 1  # the token before the answer
        with torch.no_grad():
            states = bare(network)(**alone.inputs, output_hidden_states=True).hidden_states[2]
        ends.append(states[0, place])
    torch.testing.assert_close(old.target, torch.stack(ends).mean(0), rtol=1e-4, atol=1e-5)


def test_layers_that_no_state_loss_reaches_are_frozen(tmp_path: Path, setup: Setup) -> None:
    loaded = load_model(setup[0].path)
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    assert layer_of(PLAIN, adapted, loaded.family) == 1
    assert freeze_beyond(adapted, loaded.family, 1) == 2 * 7  # both matrices of the seven linears of the last layer
    moving = {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert moving
    assert not any(".layers.2." in name for name in moving)


def test_old_states_are_those_of_the_answer_tokens(setup: Setup, data: Assigned) -> None:
    _, network, encoder = setup
    key = sorted(data.retain)[0]
    answers, _ = old_states(network, encoder, {key: data.retain[key]}, 0)
    assert answers[key].shape == (int((encoder.batch([data.retain[key]]).labels != -100).sum()), 32)
