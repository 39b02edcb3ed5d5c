"""Every row of the table on a tiny random model: it runs, resumes to the last bit, and adds up over pieces."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from unlearn.presets import Numbers
from unlearn.runs import before_first_step
from unlearn.runs.before_first_step import answers_of, known_digest, objective_of
from unlearn.runs.execute import probed, prune_run, train_run
from unlearn.runs.prepare import Prepared, prepare, step_plan
from unlearn.runs.record import RunRecord, open_run, read_record
from unlearn.training.checkpoints import trainable
from unlearn.training.gradients import Moving, step_gradient, step_loss
from unlearn.training.loop import train
from unlearn.training.optimisers import Optimisation
from unlearn.training.pieces import Share
from unlearn.weights.penalties import penalties_of
from unlearn.weights.starts import apply_start, take_start

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


@pytest.mark.parametrize("start", ["fila", "reglu"])
def test_the_distance_of_weights_counts_from_the_old_ones_wherever_the_adapter_starts(
    data: Assigned, base: Path, tmp_path: Path, start: str
) -> None:
    ready = ready_for(data, base, tmp_path, "opt-out", adapter_start=start)
    found = take_start(ready.network, ready.encoder, ready.data, ready.numbers, seed=0)
    apply_start(bare(ready.network), found)
    transport = penalties_of(bare(ready.network), ready.numbers, basis={}, seed=0)["transport"]
    assert transport(0).item() == pytest.approx(0, abs=1e-9)
    next(iter(trainable(bare(ready.network)).values())).data += 0.1
    assert transport(0).item() > 1e-6


def test_a_penalty_is_taken_in_full_precision_also_under_autocast(data: Assigned, base: Path, tmp_path: Path) -> None:
    ready = ready_for(data, base, tmp_path, "opt-out")
    moving = trainable(bare(ready.network))
    for weight in moving.values():
        weight.data += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    objective = objective_of(ready, answers_of(ready), None)
    groups = {
        name: tuple(part.values())[:2] for name, part in (("forget", ready.data.forget), ("retain", ready.data.retain))
    }
    found = []
    for coarse in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=coarse):
            found.append(step_loss(Moving(ready.network, moving, ready.encoder), groups, objective, step=0).terms)
    assert found[0]["npo"] != found[1]["npo"]
    assert found[0]["transport"] == found[1]["transport"]


@pytest.mark.parametrize("method", ["gd", "rkld"])
def test_a_run_of_an_earlier_version_with_fewer_numbers_is_gone_on_with(
    data: Assigned, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    whole = run(data, base, tmp_path / "whole", method)
    dump = Numbers.model_dump
    with monkeypatch.context() as earlier:
        earlier.setattr(Numbers, "model_dump", lambda self, **how: {
            name: value for name, value in dump(self, **how).items() if name not in {"optimiser", "retain_held"}
        })  # fmt: skip
        begun = run(data, base, tmp_path / "cut", method, stop_after=2)
    assert begun.identity != whole.identity
    ended = run(data, base, tmp_path / "cut", method, found=read_record(tmp_path / "cut"))
    assert (ended.identity, ended.steps) == (begun.identity, 3)
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_number_of_a_later_version_is_named_where_it_differs(data: Assigned, base: Path, tmp_path: Path) -> None:
    run(data, base, tmp_path, "gd", stop_after=1)
    found = read_record(tmp_path)
    assert found is not None
    later = found.model_copy(update={"numbers": {**found.numbers, "of_a_later_version": 3}, "identity": "0" * 32})
    with pytest.raises(BadInput, match="was started with of_a_later_version 3, not None"):
        run(data, base, tmp_path, "gd", found=later)


def test_what_a_run_without_a_step_left_makes_way_with_it(data: Assigned, base: Path, tmp_path: Path) -> None:
    run(data, base, tmp_path, "rkld", stop_after=1)
    (tmp_path / "log.jsonl").unlink()
    shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)
    assert (tmp_path / "teacher").is_dir()
    run(data, base, tmp_path, "gd", found=read_record(tmp_path))
    assert not (tmp_path / "teacher").exists()


@pytest.mark.parametrize("number", ["group_weight", "group_drop"])
@pytest.mark.parametrize("beside", [{"adapter_start": "fila"}, {"trained": "full"}], ids=["start", "full"])
def test_groups_of_an_adapter_that_is_not_all_that_changes_a_block_are_refused(
    data: Assigned, base: Path, tmp_path: Path, number: str, beside: dict[str, JsonValue]
) -> None:
    with pytest.raises(BadInput, match=f"{number}: looks at what an adapter adds to a block"):
        ready_for(data, base, tmp_path, "gd", **{number: 0.5}, **beside)


@pytest.mark.parametrize("method", ["mmunlearner", "bao-mmunlearner"])
def test_a_mask_on_an_adapter_that_starts_elsewhere_is_refused(
    data: Assigned, base: Path, tmp_path: Path, method: str
) -> None:
    with pytest.raises(BadInput, match=f"adapter_start = fila: the mask of {method} is taken of weights"):
        ready_for(data, base, tmp_path, method, adapter_start="fila")


def test_values_that_spare_words_are_part_of_a_run(data: Assigned, base: Path, tmp_path: Path) -> None:
    ready = ready_for(data, base, tmp_path, "obliviate-masked")
    other = {key: sample.model_copy(update={"value": "elsewhere"}) for key, sample in ready.data.retain.items()}
    digests = {
        known_digest(each, answers_of(each)) for each in (ready, replace(ready, data=replace(ready.data, retain=other)))
    }
    assert len(digests) == 2


def test_a_second_teacher_is_taught_within_the_memory_that_was_given(
    data: Assigned, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = replace(ready_for(data, base, tmp_path, "rkld"), memory=3 * 10**9)
    given: list[int | None] = []

    def watched(*arguments: Any, optimisation: Optimisation, **others: Any) -> object:
        given.append(optimisation.memory)
        return train(*arguments, optimisation=optimisation, **others)

    monkeypatch.setattr(before_first_step, "train", watched)
    objective_of(ready, answers_of(ready), None)
    assert given == [3 * 10**9]


def test_facts_kept_from_training_are_in_no_step_and_are_what_probes_ask(
    data: Assigned, base: Path, tmp_path: Path
) -> None:
    ready = ready_for(data, base, tmp_path, "gd", retain_held=0.5, probe_samples=1000)
    plan = step_plan(ready.data, ready.method, ready.numbers, seed=0)
    trained = {key for step in plan for key in step.groups.get("retain", ())}
    asked = probed(ready)
    compared, choosing = ({sample.sample_id for sample in each} for each in (asked.retain, asked.choosing))
    assert trained <= set(ready.data.retain)
    assert compared
    assert choosing
    assert not compared & choosing
    assert compared | choosing | set(ready.data.retain) == set(data.retain)
    facts = [{key.rpartition("|")[0] for key in keys} for keys in (set(ready.data.retain), compared, choosing)]
    assert sum(map(len, facts)) == len(set.union(*facts))


def test_what_is_chosen_by_is_probed_and_logged_only_where_facts_were_kept(
    data: Assigned, base: Path, tmp_path: Path
) -> None:
    run(data, base, tmp_path / "plain", "gd")
    record = train_run(ready_for(data, base, tmp_path / "held", "gd", retain_held=0.5), found=None, stop_after=None)
    logs = {name: (tmp_path / name / "log.jsonl").read_text() for name in ("plain", "held")}
    assert ["choosing_exact" in log for log in logs.values()] == [False, True]
    assert record.start.choosing_exact is not None


def test_a_share_that_keeps_everything_from_training_is_refused(data: Assigned, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="retain_held 0.99: keeps .* retain facts from training"):
        ready_for(data, base, tmp_path, "gd", retain_held=0.99)
