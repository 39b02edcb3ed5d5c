"""unlearn.training.cutting and step_memory: steps are cut by the memory that they take, with the same result."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.memory.step_memory import StepMemory
from unlearn.methods.objective import objective_for
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare, core_model
from unlearn.models.loading import load_model
from unlearn.presets import Numbers
from unlearn.training.cutting import Cutting
from unlearn.training.gradients import Moving, step_gradient
from unlearn.training.lanes import Groups
from unlearn.training.loop import Step, train
from unlearn.training.optimisers import Optimisation

NUMBERS = Numbers(lr=1e-3, epochs=1, batch=6, retain_batch=6, dropout=0.0)
Cramped = Callable[[int], tuple[AnswerModel, Encoder, list[int]]]
OBJECTIVE = objective_for(METHODS["bao-gd"], NUMBERS, reference=None, keep=None)


def sample(number: int, *, side: int = 64) -> TrainingSample:
    return TrainingSample(
        sample_id=f"{number:02d}",
        subject_id=f"{number % 3}",
        modality="qa" if number % 2 else "vqa",
        prompt="Look at the picture and answer the question. " * 3 + f"Where was person {number} born?",
        answer=f"London {number}",
        image=None if number % 2 else picture(number % 3, side=side),
    )


SAMPLES = {f"{number:02d}": sample(number) for number in range(12)}
KEYS = list(SAMPLES)
PLAN = [Step({"forget": tuple(KEYS[:6]), "matched": tuple(KEYS[6:])})] * 3
GROUPS: Groups = {"forget": tuple(SAMPLES[key] for key in KEYS[:6]), "matched": tuple(SAMPLES[key] for key in KEYS[6:])}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("models") / "qwen")


def network_of(base: Path) -> tuple[AnswerModel, Encoder]:
    loaded = load_model(base)
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    return AnswerModel(model, loaded.family), Encoder(loaded.processor, loaded.family)


def weights_of(network: AnswerModel) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in network.model.named_parameters() if each.requires_grad}


def run(
    network: AnswerModel, encoder: Encoder, *, memory: int | None = None, folder: Path | None = None,
    stop_after: int | None = None, resume: bool = False,
) -> dict[str, Tensor]:  # fmt: skip
    train(
        network, encoder, SAMPLES, PLAN, OBJECTIVE, optimisation=Optimisation(lr=1e-3, memory=memory), folder=folder,
        identity="one", checkpoint_every=1, stop_after=stop_after, resume=resume,
    )  # fmt: skip
    return weights_of(network)


def tokens_of(args: tuple[object, ...], named: dict[str, object]) -> int:
    embedded = named["inputs_embeds"]
    assert isinstance(embedded, Tensor)
    return embedded.shape[0] * embedded.shape[1]


@pytest.fixture
def cramped(base: Path) -> Cramped:
    """A network whose language model runs out of memory over so many tokens a pass, and the tokens of its passes."""

    def make(most: int) -> tuple[AnswerModel, Encoder, list[int]]:
        network, encoder = network_of(base)
        passed: list[int] = []

        def allocate(module: nn.Module, args: tuple[object, ...], named: dict[str, object]) -> None:
            tokens = tokens_of(args, named)
            passed.append(tokens)
            if tokens > most:
                raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate for {tokens} tokens")

        core = core_model(bare(network))
        core.get_submodule(network.family.language).register_forward_pre_hook(allocate, with_kwargs=True)
        return network, encoder, passed

    return make


def close(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all((one[name] - other[name]).abs().max() < 1e-5 for name in one)


def test_where_memory_runs_out_steps_go_on_in_smaller_pieces_with_the_same_result(
    base: Path, cramped: Cramped, caplog: pytest.LogCaptureFixture
) -> None:
    whole = run(*network_of(base))
    network, encoder, passed = cramped(10**9)
    run(network, encoder)
    network, encoder, passed = cramped(max(passed) * 2 // 3)
    with caplog.at_level(logging.WARNING):
        pieces = run(network, encoder)
    assert close(whole, pieces)
    assert len([line for line in caplog.messages if "memory ran out" in line]) == 1
    assert passed.count(max(passed)) == 1  # the size that failed is not tried again


def test_a_run_that_was_cut_smaller_resumes_bit_for_bit(tmp_path: Path, cramped: Cramped) -> None:
    network, encoder, passed = cramped(10**9)
    run(network, encoder)
    most = max(passed) * 2 // 3
    network, encoder, _ = cramped(most)
    through = run(network, encoder)
    network, encoder, _ = cramped(most)
    run(network, encoder, folder=tmp_path / "run", stop_after=2)
    network, encoder, passed = cramped(most)
    run(network, encoder, folder=tmp_path / "run", resume=True)
    assert all(torch.equal(through[name], weight) for name, weight in weights_of(network).items())
    assert max(passed) <= most


def test_memory_that_is_short_for_one_sample_ends_the_run_in_one_line(
    cramped: Cramped,
) -> None:
    network, encoder, _ = cramped(10)
    with pytest.raises(BadInput, match="step 0: memory ran out.*smaller batches"):
        run(network, encoder)


def test_a_budget_chooses_the_pieces_and_changes_no_result(base: Path) -> None:
    network, encoder = network_of(base)
    memory = StepMemory(network, encoder, SAMPLES.values())
    budget = memory.weights + memory.training + memory.costs.of(memory.extent(GROUPS)) // 2
    pieces = Cutting(encoder, budget=budget, memory=memory).pieces(GROUPS)
    assert 2 <= len(pieces) < len(SAMPLES)
    assert all(memory.fits(piece, budget) for piece in pieces)
    whole = run(*network_of(base))
    assert close(whole, run(*network_of(base), memory=budget))


def test_a_budget_smaller_than_one_sample_is_refused_before_the_first_step(base: Path) -> None:
    network, encoder = network_of(base)
    before = weights_of(network)
    with pytest.raises(BadInput, match="--memory: .* GB: are too few for sample .* give more"):
        run(network, encoder, memory=1000)
    assert all(torch.equal(before[name], weight) for name, weight in weights_of(network).items())


@pytest.mark.parametrize("words", [0, 20_000])
def test_the_estimate_is_within_a_quarter_of_what_a_step_takes(base: Path, tmp_path: Path, words: int) -> None:
    """By torch's own record of what is allocated, weights and AdamW's moments left out of both."""
    network, encoder = network_of(base)
    if words:
        core_model(bare(network)).resize_token_embeddings(words, mean_resizing=False)
    weights = {name: each for name, each in bare(network).named_parameters() if each.requires_grad}
    memory = StepMemory(network, encoder, SAMPLES.values())

    def step() -> None:
        network.zero_grad(set_to_none=True)
        step_gradient(Moving(network, weights, encoder), GROUPS, OBJECTIVE)

    step()  # what is made once
    network.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    seen.export_chrome_trace(str(tmp_path / "trace.json"))
    held = peak = 0
    for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]:
        if event.get("name") == "[memory]":
            held += event["args"]["Bytes"]
            peak = max(peak, held)
    estimated = memory.estimate([GROUPS], together=False).activations + memory.training // 3
    assert 0.75 * peak <= estimated <= 1.25 * peak
