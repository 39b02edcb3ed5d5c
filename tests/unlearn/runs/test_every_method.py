"""Every row of the table on a tiny random model: it runs, resumes to the last bit, and adds up over pieces."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue
from safetensors.torch import load_file
from torch import Tensor

from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.methods.table import METHODS
from unlearn.models.forward import bare
from unlearn.runs.before_first_step import answers_of, objective_of
from unlearn.runs.execute import prune_run, train_run
from unlearn.runs.prepare import Prepared, prepare, step_plan
from unlearn.runs.record import RunRecord, open_run, read_record
from unlearn.training.checkpoints import trainable
from unlearn.training.gradients import Moving, step_gradient
from unlearn.training.pieces import Share

SMALL: dict[str, JsonValue] = {
    "batch": 4, "retain_batch": 4, "probe_every": 2, "probe_samples": 4, "rank": 2, "lr": 1e-2, "steps": 3,
    "dropout": 0.0, "teacher_epochs": 1, "decoupled_tokens": 3,
    "stop_repetition": 1.0, "stop_retain_share": 0.0, "forget_nll_cap": 99.0,
}  # fmt: skip
TRAINED = sorted(name for name, method in METHODS.items() if method.trains)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=2), setting="personalized")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def ready_for(data: Assigned, base: Path, out: Path, method: str, **numbers: JsonValue) -> Prepared:
    return prepare(
        out, data, METHODS[method], model=str(base), preset="default", modality="both", typed={**SMALL, **numbers},
        seed=0, device="cpu", trust_remote_code=False, ask=lambda question, modality: question,
    )  # fmt: skip


def run(
    data: Assigned, base: Path, out: Path, method: str, *, found: RunRecord | None = None, stop_after: int | None = None
) -> RunRecord:
    return train_run(ready_for(data, base, out, method, dropout=0.1), found=found, stop_after=stop_after)


def weights(folder: Path) -> dict[str, Tensor]:
    left = folder / "adapter" / "adapter_model.safetensors"
    return load_file(left if left.is_file() else folder / "weights" / "model.safetensors")


@pytest.mark.parametrize("method", TRAINED)
def test_a_run_cut_and_resumed_leaves_the_weights_and_log_of_one_that_ran_through(
    data: Assigned, base: Path, tmp_path: Path, method: str
) -> None:
    whole = run(data, base, tmp_path / "whole", method)
    run(data, base, tmp_path / "cut", method, stop_after=2)
    cut = run(data, base, tmp_path / "cut", method, found=read_record(tmp_path / "cut"))
    left = "weights" if whole.numbers["trained"] == "full" else "adapter"
    assert (whole.outcome, whole.steps, whole == read_record(tmp_path / "whole")) == (left, 3, True)
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert (tmp_path / "whole" / "log.jsonl").read_text() == (tmp_path / "cut" / "log.jsonl").read_text()
    assert cut.model_copy(update={"seconds": 0.0}) == whole.model_copy(update={"seconds": 0.0})


@pytest.mark.parametrize("method", [name for name in TRAINED if not METHODS[name].masked])
def test_a_step_in_pieces_has_the_gradient_of_the_whole_step(
    data: Assigned, base: Path, tmp_path: Path, method: str
) -> None:
    ready = ready_for(data, base, tmp_path, method)
    answers = answers_of(ready)
    plan = step_plan(ready.data, ready.method, ready.numbers, seed=0, answers=answers)
    objective = objective_of(ready, answers, None).remembering({})
    draw = torch.Generator().manual_seed(0)
    moving = trainable(bare(ready.network))
    for weight in moving.values():
        weight.data += 0.05 * torch.randn(weight.shape, generator=draw)  # away from where the reference is
    samples = {**ready.data.forget, **ready.data.retain, **answers.samples}
    groups = {name: tuple(samples[key] for key in keys) for name, keys in plan[0].groups.items()}
    ready.network.train()
    found: list[list[Tensor]] = []
    for pieces in (1, 3):
        bare(ready.network).zero_grad()
        step_gradient(Moving(ready.network, moving, ready.encoder, share=Share(pieces)), groups, objective)
        found.append([weight.grad.clone() for weight in moving.values() if weight.grad is not None])
    largest = max(float(gradient.abs().max()) for gradient in found[0])
    assert largest > 0
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * largest)


def test_pruning_leaves_a_model_that_opens(data: Assigned, base: Path, tmp_path: Path) -> None:
    record = prune_run(ready_for(data, base, tmp_path, "manu", prune_shares=[0.1, 0.3]), found=None)
    assert record.outcome == "pruned"
    assert open_run(tmp_path, str(base)).model is not None


def test_a_run_on_refusals_leaves_them_beside_its_record_and_says_how_likely_old_answers_stay(
    data: Assigned, base: Path, tmp_path: Path
) -> None:
    record = run(data, base, tmp_path, "po")
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert record.answers == {"refusal": len(data.forget)}
    assert {row["of"] for row in rows} == set(data.forget)
    assert record.refuses
    assert record.best is not None
    assert record.likelihood_left == pytest.approx(math.exp(record.start.forget_nll - record.best.forget_nll))


def test_a_second_teacher_of_another_base_is_refused(data: Assigned, base: Path, tmp_path: Path) -> None:
    other = make_tiny_model(TEXTS, tmp_path / "other", seed=2, hidden=32, layers=2)
    run(data, other, tmp_path / "one", "rkld", stop_after=1)
    shutil.copytree(tmp_path / "one" / "teacher", tmp_path / "two" / "teacher")
    with pytest.raises(BadInput, match="teacher/checkpoints/step_.*: belongs to run"):
        run(data, base, tmp_path / "two", "rkld")


def test_a_method_that_reads_retain_is_refused_without_any(data: Assigned, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="retain set: is empty"):
        run(replace(data, retain={}), base, tmp_path, "simnpo")


def test_the_weights_are_as_before_once_the_second_teacher_was_taught(
    data: Assigned, base: Path, tmp_path: Path
) -> None:
    ready = ready_for(data, base, tmp_path, "rkld")
    before = {name: weight.detach().clone() for name, weight in trainable(bare(ready.network)).items()}
    objective_of(ready, answers_of(ready), None)
    after = trainable(bare(ready.network))
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
