"""Steps on packed rows: losses, references, probes, pieces, lanes and whole runs are those of samples apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.losses.likelihood import align
from unlearn.methods.objective import objective_for
from unlearn.methods.reference_model import measure_reference
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare, core_model
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import numbers_for
from unlearn.training.callbacks import Probed, probe
from unlearn.training.cutting import cut
from unlearn.training.gradients import Gradient, Moving, step_gradient
from unlearn.training.lanes import lanes_of
from unlearn.training.loop import Moment, Step, train
from unlearn.training.optimisers import Optimisation

ROWS = [
    TrainingSample(
        sample_id=f"{number:02d}",
        subject_id=f"{number % 4}",
        modality="qa" if number % 3 == 2 else "vqa",
        prompt=f"Look at the picture and answer.\nWhere was person {number} born?" + " And when?" * (number % 2),
        answer=("London", "in Vienna, with his brother", "Oslo")[number % 3],
        image=None if number % 3 == 2 else picture(number % 4),
    )
    for number in range(16)
]
GROUPS = {"forget": tuple(ROWS[:4]), "matched": tuple(ROWS[4:8]), "retain": tuple(ROWS[8:])}
METHODS_TRIED = ("bao-gd", "kl", "npo-retain", "npo-boundary")
Found = tuple[Gradient, dict[str, Tensor]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("model") / "qwen")


def networks(base: Path) -> tuple[LoadedModel, dict[str, AnswerModel], Encoder]:
    """One model that has moved from its reference, as samples apart and as packed rows see it."""
    loaded = load_model(base)
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.2)
    alone = loaded.family.model_copy(update={"pattern": None})
    both = {"apart": AnswerModel(model, alone).train(), "packed": AnswerModel(model, loaded.family).train()}
    return loaded, both, Encoder(loaded.processor, loaded.family)


@pytest.fixture(scope="module")
def step(base: Path) -> Callable[[str, str], Found]:
    """A step's gradient by method and way."""
    _, both, encoder = networks(base)
    known = {row.sample_id: row for row in ROWS}

    def found(method: str, how: str) -> Found:
        network = both["apart" if how == "apart" else "packed"]
        numbers, _ = numbers_for(method, preset="default", parameters=1, family="", overrides={"dropout": 0.0})
        reference = measure_reference(network, encoder, known, keep_hidden=True)
        objective = objective_for(METHODS[method], numbers, reference=reference, keep=None)
        weights = {name: each for name, each in bare(network).named_parameters() if each.requires_grad}
        network.zero_grad(set_to_none=True)
        pieces = cut(GROUPS, 3) if how == "pieces" else None
        with lanes_of(2 if how == "lanes" else 1) as lanes:
            gradient = step_gradient(Moving(network, weights, encoder, lanes=lanes), GROUPS, objective, pieces=pieces)
        return gradient, {name: each.grad.clone() for name, each in weights.items() if each.grad is not None}

    return found


@pytest.mark.parametrize("method", METHODS_TRIED)
@pytest.mark.parametrize("how", ["packed", "pieces", "lanes"])
def test_terms_and_gradients_are_those_of_samples_apart(
    step: Callable[[str, str], Found], method: str, how: str
) -> None:
    apart, wanted = step(method, "apart")
    found, gradients = step(method, how)
    assert found.terms == pytest.approx(apart.terms, rel=1e-5, abs=1e-6)
    assert found.measured == pytest.approx(apart.measured, rel=1e-5, abs=1e-5)
    assert gradients.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert (gradients[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-6, name


def test_what_the_reference_says_is_the_same(base: Path) -> None:
    _, both, encoder = networks(base)
    known = {row.sample_id: row for row in ROWS}
    apart, packed = (measure_reference(each, encoder, known, keep_hidden=True) for each in both.values())
    assert packed.nll_sum == pytest.approx(apart.nll_sum, rel=1e-5)
    assert all(torch.allclose(packed.hidden[key], hidden, atol=1e-5) for key, hidden in apart.hidden.items())


def test_a_probe_finds_the_same(base: Path) -> None:
    _, both, encoder = networks(base)
    apart, packed = (probe(each, encoder, Probed(ROWS[:6], ROWS[6:])) for each in both.values())
    assert packed.forget_right == apart.forget_right
    assert (packed.forget_nll, packed.retain_nll) == pytest.approx((apart.forget_nll, apart.retain_nll), rel=1e-5)


def passes_of(network: AnswerModel) -> list[int]:
    """The tokens of each pass through the language model from now on."""
    seen: list[int] = []
    core = core_model(bare(network))

    def count(module: nn.Module, args: tuple[object, ...], named: dict[str, object]) -> None:
        embedded = named["inputs_embeds"]
        assert isinstance(embedded, Tensor)
        seen.append(embedded.shape[0] * embedded.shape[1])

    core.get_submodule(network.family.language).register_forward_pre_hook(count, with_kwargs=True)
    return seen


def run_of(base: Path, how: str, *, steps: int) -> tuple[dict[str, Tensor], list[float], list[int]]:
    """Weights, losses and tokens of each pass of a run."""
    loaded, _, encoder = networks(base)
    family = loaded.family.model_copy(update={"pattern": None} if how == "apart" else {})
    network = AnswerModel(load_model(base).model, family)
    network = AnswerModel(add_lora(network.model, family, rank=2, alpha=4, dropout=0.0, seed=1), family)
    numbers, _ = numbers_for("bao-gd", preset="default", parameters=1, family="")
    losses: list[float] = []

    def note(moment: Moment) -> None:
        losses.append(moment.loss)

    seen = passes_of(network)
    plan = [Step({name: tuple(row.sample_id for row in rows) for name, rows in GROUPS.items()})] * steps
    train(
        network, encoder, {row.sample_id: row for row in ROWS}, plan,
        objective_for(METHODS["bao-gd"], numbers, reference=None, keep=None),
        optimisation=Optimisation(lr=1e-3), folder=None, identity="x", callbacks=(note,),
    )  # fmt: skip
    return {name: each.detach() for name, each in network.named_parameters() if each.requires_grad}, losses, seen


def test_forty_steps_end_where_they_end_apart_on_fewer_tokens(base: Path) -> None:
    (apart, before, many), (packed, after, few) = (run_of(base, how, steps=40) for how in ("apart", "packed"))
    assert after[-1] == pytest.approx(before[-1], abs=1e-4)
    assert max(float((packed[name] - weight).abs().max()) for name, weight in apart.items()) < 1e-4
    assert sum(few) < 0.7 * sum(many)


def tower_of(network: AnswerModel) -> tuple[nn.Module, list[int]]:
    tower = core_model(bare(network)).get_submodule(network.family.vision[0])
    runs: list[int] = []
    tower.register_forward_pre_hook(lambda *_: runs.append(1))
    return tower, runs


def test_a_frozen_tower_runs_once_for_each_picture_of_a_run(base: Path) -> None:
    _, both, encoder = networks(base)
    network = both["packed"]
    _, runs = tower_of(network)
    batch = encoder.batch(ROWS)
    with torch.no_grad(), network.keeping_pictures():
        kept = [align(*network(batch.inputs, batch.labels, batch.pictures)).nll() for _ in range(3)]
        assert len(runs) == len({row.image for row in ROWS if row.image is not None})
        wanted = align(*both["apart"](batch.inputs, batch.labels)).nll()
    for found in kept:
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_tower_that_is_trained_runs_each_time(base: Path) -> None:
    _, both, encoder = networks(base)
    network = both["packed"]
    tower, runs = tower_of(network)
    tower.requires_grad_(True)
    batch = encoder.batch(ROWS)
    with network.keeping_pictures():
        for _ in range(2):
            logits, _ = network(batch.inputs, batch.labels, batch.pictures)
    assert len(runs) == 2
    logits.sum().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in tower.parameters())


def test_pictures_beyond_the_bound_are_given_up(base: Path) -> None:
    _, both, encoder = networks(base)
    network = both["packed"]
    _, runs = tower_of(network)
    batch = encoder.batch(ROWS)
    with torch.no_grad(), network.keeping_pictures(capacity=1):
        for _ in range(2):
            found = align(*network(batch.inputs, batch.labels, batch.pictures)).nll()
        wanted = align(*both["apart"](batch.inputs, batch.labels)).nll()
    assert len(runs) == 2 * len({row.image for row in ROWS if row.image is not None}) + 1
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
