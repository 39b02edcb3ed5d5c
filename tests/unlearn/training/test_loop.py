"""unlearn.training.loop, gradients and checkpoints: exact accumulation, resuming bit for bit, and stopping with a
reason.
"""

import errno
import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput, Unfinished
from schemas.progress import reporting
from tests.servers.forked import Forked
from tests.servers.ports import own_port
from tests.servers.waiting import wait_while_running
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Batch, Encoded, Encoder, join
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import Combination
from unlearn.training.checkpoints import RunState, latest_checkpoint, load_weights, read_state, run_lock
from unlearn.training.combiners import Combiner
from unlearn.training.cutting import cut
from unlearn.training.gradients import Objective
from unlearn.training.lanes import PICTURE_COST, in_pieces, lanes_of
from unlearn.training.loop import Moment, Outcome, Step, train
from unlearn.training.optimisers import DecayRule, Optimisation, expected_end, learning_rate

SAMPLES = {
    f"s{number:02d}": TrainingSample(
        sample_id=f"s{number:02d}",
        subject_id=f"{number % 3:03d}",
        modality="qa" if number % 2 else "vqa",
        prompt=f"Where was person {number} born?",
        answer=f"London {number}" if number % 3 else "in Vienna, with his brother Anton",
        image=None if number % 2 else picture(number),
    )
    for number in range(12)
}
KEYS = list(SAMPLES)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("models") / "qwen")


def measure(network: nn.Module, batches: Mapping[str, Batch]) -> dict[str, Tensor]:
    """One forward pass for all groups, as FSDP needs it: every process makes as many."""
    whole = join(list(batches.values()))
    logits, labels = network(whole.inputs, whole.labels, whole.pictures)
    losses = cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    nll = (losses.sum(1) / labels[:, 1:].ne(-100).sum(1)).split([len(batch) for batch in batches.values()])
    return {f"{group}.nll": part for group, part in zip(batches, nll, strict=True)}


def terms(measured: Mapping[str, Tensor], groups: Mapping[str, Sequence[TrainingSample]]) -> dict[str, Tensor]:
    """Ascend on forget, descend on retain, and a hinge over all pairs, which couples the samples of a step."""
    forget, retain = measured["forget.nll"], measured["retain.nll"]
    hinge = torch.relu(1 - (forget.unsqueeze(1) - retain.unsqueeze(0))).mean()
    return {"forget": -forget.mean(), "retain": retain.mean(), "boundary": hinge}


def descend(measured: Mapping[str, Tensor], groups: Mapping[str, Sequence[TrainingSample]]) -> dict[str, Tensor]:
    return {"retain": measured["retain.nll"].mean()}


def plan(steps: int) -> list[Step]:
    return [
        Step(
            {
                "forget": tuple(KEYS[(step + each) % 12] for each in range(3)),
                "retain": tuple(KEYS[(step + each + 5) % 12] for each in range(4)),
            }
        )
        for step in range(steps)
    ]


Weights = dict[str, Tensor]


def network_of(base: Path, *, dropout: float = 0.0) -> tuple[LoadedModel, AnswerModel]:
    loaded = load_model(base)
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=dropout, seed=1)
    return loaded, AnswerModel(adapted, loaded.family)


def run(base: Path, *, steps: int = 6, dropout: float = 0.0, accumulate: int = 1, lr: float = 1e-2,
        masked: bool = False, folder: Path | None = None, **options: object) -> tuple[Outcome, Weights]:  # fmt: skip
    loaded, network = network_of(base, dropout=dropout)
    mask = None
    if masked:
        draw = torch.Generator().manual_seed(0)
        mask = {
            name: torch.rand(weight.shape, generator=draw) > 0.5
            for name, weight in network.model.named_parameters()
            if weight.requires_grad
        }
    outcome = train(
        network,
        Encoder(loaded.processor, loaded.family),
        SAMPLES,
        plan(steps),
        Objective(measure, terms, mask, frozenset({"forget", "boundary"})),
        optimisation=Optimisation(lr=lr, accumulate=accumulate, seed=3),
        folder=folder,
        identity="one run",
        **options,  # type: ignore[arg-type]
    )
    return outcome, {
        name: weight.detach().clone() for name, weight in network.model.named_parameters() if weight.requires_grad
    }


def distance(left: Weights, right: Weights) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


@pytest.mark.parametrize("masked", [False, True])
def test_accumulation_over_pieces_equals_the_large_batch(base: Path, masked: bool) -> None:
    _, whole = run(base, masked=masked)
    _, pieces = run(base, masked=masked, accumulate=3)
    assert distance(whole, pieces) < 1e-4
    _, start = run(base, masked=masked, lr=0.0)
    assert distance(whole, start) > 1e-2


def lane_run(base: Path, lanes: int, *, steps: int = 6) -> Weights:
    loaded, network = network_of(base)
    train(
        network,
        Encoder(loaded.processor, loaded.family),
        SAMPLES,
        plan(steps),
        Objective(measure, terms),
        optimisation=Optimisation(lr=1e-2, lanes=lanes, seed=3),
        folder=None,
        identity="one run",
    )
    return {name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("lanes", [2, 3])
def test_a_step_over_lanes_equals_the_step_on_one_thread(base: Path, lanes: int) -> None:
    assert distance(lane_run(base, lanes), lane_run(base, 1)) < 1e-5


def test_a_run_over_lanes_has_the_same_bits_each_time(base: Path) -> None:
    one, other = lane_run(base, 2), lane_run(base, 2)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_over_lanes_has_the_same_bits_on_one_core(base: Path) -> None:
    everywhere, cores = lane_run(base, 2, steps=2), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        alone = lane_run(base, 2, steps=2)
    finally:
        os.sched_setaffinity(0, cores)
    assert all(torch.equal(everywhere[name], alone[name]) for name in everywhere)


def test_an_error_in_a_lane_reaches_the_caller() -> None:
    with lanes_of(2) as lanes:
        assert lanes is not None
        with pytest.raises(ZeroDivisionError):
            lanes.each(lambda number: 1 // number, [1, 0, 1])


def test_pieces_hold_every_sample_of_a_step_once() -> None:
    groups = {"forget": tuple(SAMPLES.values())[:5], "retain": tuple(SAMPLES.values())[5:]}
    pieces = in_pieces(groups, Lengths(), pieces=3)
    for name, samples in groups.items():
        found = [sample.sample_id for piece in pieces for sample in piece.get(name, ())]
        assert sorted(found) == sorted(sample.sample_id for sample in samples)


def test_pieces_are_of_about_the_same_cost() -> None:
    lengths = Lengths()
    pieces = in_pieces({"taught": tuple(SAMPLES.values())}, lengths, pieces=2)
    costs = [
        sum(len(lengths.encode(each).labels) + (PICTURE_COST if each.image else 0) for each in piece["taught"])
        for piece in pieces
    ]
    assert abs(costs[0] - costs[1]) <= max(len(lengths.encode(each).labels) for each in SAMPLES.values()) + PICTURE_COST


def test_one_sample_over_two_lanes_is_one_piece() -> None:
    assert len(in_pieces({"taught": (SAMPLES["s01"],)}, Lengths(), pieces=2)) == 1


class Lengths:
    """Samples as long as their words are."""

    def encode(self, sample: TrainingSample) -> Encoded:
        return Encoded({}, torch.zeros(len(sample.prompt + sample.answer)))


def test_a_mask_changes_the_run(base: Path) -> None:
    assert distance(run(base, masked=True)[1], run(base)[1]) > 1e-3


def test_a_masked_out_weight_moves_by_the_other_terms_alone(base: Path) -> None:
    loaded, network = network_of(base)
    mask = {name: torch.zeros_like(weight) for name, weight in network.model.named_parameters() if weight.requires_grad}
    options = {"optimisation": Optimisation(lr=1e-2), "folder": None, "identity": "x"}
    encoder = Encoder(loaded.processor, loaded.family)
    masked = Objective(measure, terms, mask, frozenset({"forget", "boundary"}))
    train(network, encoder, SAMPLES, plan(2), masked, **options)  # type: ignore[arg-type]
    _, other = network_of(base)
    train(other, encoder, SAMPLES, plan(2), Objective(measure, descend), **options)  # type: ignore[arg-type]
    ours, theirs = dict(network.model.named_parameters()), dict(other.model.named_parameters())
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in mask)


def test_a_mask_that_lacks_a_weight_is_refused(base: Path) -> None:
    loaded, network = network_of(base)
    with pytest.raises(BadInput, match="gradient mask"):
        train(
            network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(1), Objective(measure, terms, {}),
            optimisation=Optimisation(lr=1e-2), folder=None, identity="x",
        )  # fmt: skip


@pytest.mark.parametrize("stopped_at", [1, 3, 5])
def test_a_resumed_run_has_the_same_bits(base: Path, tmp_path: Path, stopped_at: int) -> None:
    _, whole = run(base, dropout=0.1, folder=tmp_path / "whole", checkpoint_every=2)
    outcome, _ = run(base, dropout=0.1, folder=tmp_path / "cut", checkpoint_every=2, stop_after=stopped_at)
    assert outcome.reason == "paused"
    outcome, resumed = run(base, dropout=0.1, folder=tmp_path / "cut", checkpoint_every=2, resume=True)
    assert outcome == Outcome(steps=6, reason="finished")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert (tmp_path / "cut/log.jsonl").read_text() == (tmp_path / "whole/log.jsonl").read_text()


def run_slowly(base: Path, folder: Path) -> None:
    """In a process of its own: a run of forty steps that says each step, and goes on where one was cut off."""
    torch.set_num_threads(1)

    def say(moment: Moment) -> None:
        (folder / "reached").write_text(str(moment.step))

    run(base, steps=40, dropout=0.1, folder=folder, checkpoint_every=3, callbacks=[say], resume=True)


@pytest.mark.slow
def test_a_killed_run_resumes_with_the_same_bits(base: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    _, whole = run(base, steps=40, dropout=0.1)
    torch.set_num_threads(before)
    reached = tmp_path / "reached"
    reached.write_text("0")
    for last in (4, 11, 17, 26, 33):
        process = Forked(run_slowly, base, tmp_path)
        wait_while_running(process, lambda last=last: int(reached.read_text() or 0) >= last)
        process.kill()
        process.wait()
    last = Forked(run_slowly, base, tmp_path)
    assert last.wait() == 0, last.communicate()
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    _, network = network_of(base)
    load_weights(checkpoint, network.model)
    assert read_state(checkpoint).step == 40
    assert all(torch.equal(whole[name], weight) for name, weight in network.model.named_parameters() if name in whole)


def test_resuming_a_finished_run_does_nothing(base: Path, tmp_path: Path) -> None:
    first, _ = run(base, folder=tmp_path)
    text = (tmp_path / "log.jsonl").read_text()
    again, _ = run(base, folder=tmp_path, resume=True)
    assert again == first
    assert (tmp_path / "log.jsonl").read_text() == text


def test_a_checkpoint_of_another_run_is_refused(base: Path, tmp_path: Path) -> None:
    run(base, steps=2, folder=tmp_path)
    loaded, network = network_of(base)
    with pytest.raises(BadInput, match="belongs to run one run, not another"):
        train(
            network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(2), Objective(measure, terms),
            optimisation=Optimisation(lr=1e-2), folder=tmp_path, identity="another", resume=True,
        )  # fmt: skip


def test_only_the_newest_checkpoints_are_kept(base: Path, tmp_path: Path) -> None:
    run(base, folder=tmp_path, checkpoint_every=1, keep=2)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["step_000005", "step_000006"]


def test_a_full_disk_leaves_the_earlier_checkpoint_whole(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(base, folder=tmp_path, checkpoint_every=2, stop_after=3)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unfinished, match="No space left"):
        run(base, folder=tmp_path, checkpoint_every=2, resume=True)
    monkeypatch.undo()
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.name == "step_000002"
    assert run(base, folder=tmp_path, checkpoint_every=2, resume=True)[0].reason == "finished"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB, which is room for some six checkpoints."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (only root can, outside of most containers)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full_leaves_the_earlier_checkpoints_whole(base: Path, small_disk: Path) -> None:
    with pytest.raises(Unfinished, match="cannot be written .*No space left on device.*make room, earlier ones stand"):
        run(base, steps=12, folder=small_disk, checkpoint_every=1, keep=None)
    checkpoint = latest_checkpoint(small_disk)
    assert checkpoint is not None
    assert not list(small_disk.rglob("*.part"))
    _, network = network_of(base)
    load_weights(checkpoint, network.model)
    for old in (small_disk / "checkpoints").iterdir():
        if old != checkpoint:
            shutil.rmtree(old)
    outcome, weights = run(base, steps=12, folder=small_disk, checkpoint_every=1, resume=True)
    assert outcome.reason == "finished"
    assert distance(weights, run(base, steps=12)[1]) == 0


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError("no room"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_where_memory_runs_out_the_error_says_what_to_lower(base: Path, error: Exception) -> None:
    loaded, network = network_of(base)

    def breaks(network: nn.Module, batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        raise error

    with pytest.raises(BadInput, match=r"step 0: memory ran out.*smaller batches.*rank"):
        train(
            network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(1), Objective(breaks, descend),
            optimisation=Optimisation(lr=1e-2), folder=None, identity="x",
        )  # fmt: skip


def test_two_runs_into_one_folder_are_refused(base: Path, tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(BadInput, match="another run"):
        run(base, steps=1, folder=tmp_path)


def test_a_loss_that_is_not_finite_stops_before_the_update(base: Path, tmp_path: Path) -> None:
    loaded, network = network_of(base)
    calls = iter(range(100))

    def breaks(measured: Mapping[str, Tensor], groups: Mapping[str, Sequence[TrainingSample]]) -> dict[str, Tensor]:
        factor = math.nan if next(calls) == 3 else 1.0
        return {"retain": measured["retain.nll"].mean() * factor}

    outcome = train(
        network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(6), Objective(measure, breaks),
        optimisation=Optimisation(lr=1e-2), folder=tmp_path, identity="x", checkpoint_every=1,
    )  # fmt: skip
    assert outcome == Outcome(steps=3, reason="nan")
    assert all(bool(weight.isfinite().all()) for weight in network.parameters())
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert read_state(checkpoint).step == 3


def test_a_sentence_of_a_callback_stops_the_run_with_that_reason(base: Path) -> None:
    def guard(moment: Moment) -> str | None:
        return "forget loss above the cap" if moment.step == 2 else None

    assert run(base, callbacks=[guard])[0] == Outcome(steps=3, reason="forget loss above the cap")


def test_numbers_of_a_callback_reach_the_log(base: Path, tmp_path: Path) -> None:
    run(base, steps=2, folder=tmp_path, callbacks=[lambda moment: {"probe": moment.step + 0.5}])
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["probe"] for row in rows] == [0.5, 1.5]
    assert all(
        math.isclose(row["loss"], row["term.forget"] + row["term.retain"] + row["term.boundary"]) for row in rows
    )


def test_a_callback_that_draws_does_not_change_the_run(base: Path) -> None:
    def draws(moment: Moment) -> None:
        torch.rand(5)

    _, quiet = run(base, dropout=0.1)
    _, noisy = run(base, dropout=0.1, callbacks=[draws])
    assert distance(quiet, noisy) == 0


def test_the_best_weights_are_kept(base: Path, tmp_path: Path) -> None:
    scores = [0.1, 0.9, 0.3, 0.9]
    outcome, _ = run(
        base, steps=4, folder=tmp_path, best_by="score", callbacks=[lambda moment: {"score": scores[moment.step]}]
    )
    assert (outcome.best_step, outcome.best_score) == (2, 0.9)
    assert read_state(tmp_path / "best").step == 2
    _, two_steps = run(base, steps=4, stop_after=2)
    _, network = network_of(base)
    load_weights(tmp_path / "best", network.model)
    ours = dict(network.model.named_parameters())
    assert all(torch.equal(ours[name], weight) for name, weight in two_steps.items())


def test_the_stop_rule_decays_and_ends(base: Path) -> None:
    rule = DecayRule(threshold=1e9, decay_steps=3)
    assert run(base, stop_rule=rule)[0] == Outcome(steps=4, reason="converged")


def test_a_step_that_names_an_unknown_sample_is_refused(base: Path) -> None:
    loaded, network = network_of(base)
    with pytest.raises(BadInput, match="nobody"):
        train(
            network, Encoder(loaded.processor, loaded.family), SAMPLES, [Step({"retain": ("nobody",)})],
            Objective(measure, descend), optimisation=Optimisation(lr=1e-2), folder=None, identity="x",
        )  # fmt: skip


def test_linear_schedule_warms_up_and_falls_to_zero() -> None:
    numbers = Optimisation(lr=1.0, warmup_steps=2)
    rates = [learning_rate(step, 6, numbers) for step in range(6)]
    assert rates == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]


def test_decay_falls_evenly_over_its_steps() -> None:
    numbers = Optimisation(lr=1.0, schedule="constant")
    rule = DecayRule(threshold=0.1, decay_steps=3)
    rates = [learning_rate(step, 100, numbers, decay_from=10, rule=rule) for step in range(10, 13)]
    assert rates == [0.75, 0.5, 0.25]


def test_the_expected_end_follows_the_falling_loss() -> None:
    first, now = RunState("run", step=1, running_loss=8.0), RunState("run", step=101, running_loss=2.0)
    assert expected_end(first, now, 1000, DecayRule(threshold=0.5, decay_steps=50)) == 251


def test_the_expected_end_is_known_once_the_rate_falls() -> None:
    now = RunState("run", step=120, running_loss=0.4, decay_from=110)
    assert expected_end(now, now, 1000, DecayRule(threshold=0.5, decay_steps=50)) == 160


def test_without_a_stop_rule_the_plan_is_the_end() -> None:
    assert expected_end(RunState("run", step=1), RunState("run", step=2), 40, None) == 40


def test_how_far_a_run_is_follows_where_it_will_end(base: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with reporting(lambda what, done, total: told.append((done, total))):
        run(base, steps=3, folder=tmp_path / "run")
    assert told[:4] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_pieces_hold_every_row_once_and_in_order() -> None:
    groups = {"forget": tuple(SAMPLES.values())[:5], "retain": tuple(SAMPLES.values())[5:7]}
    pieces = cut(groups, 3)
    joined = {name: tuple(row for piece in pieces for row in piece.get(name, ())) for name in groups}
    assert joined == groups
    assert [len(piece.get("forget", ())) for piece in pieces] == [1, 2, 2]


def test_more_pieces_than_samples_are_refused() -> None:
    with pytest.raises(BadInput, match="for 3 pieces"):
        cut({"forget": tuple(SAMPLES.values())[:2]}, 3)


def run_as_one_of_several(base: Path, folder: Path, out: Path, masked: bool, fsdp: bool) -> None:
    """In one of two processes: three steps, stopped after two and resumed; the first one leaves the weights."""
    from accelerate import PartialState

    from unlearn.training.fsdp import is_cut

    torch.set_num_threads(1)
    cut_up = []

    def look(moment: Moment) -> dict[str, float]:
        cut_up.append(any(is_cut(weight) for weight in moment.network.parameters()))
        return {"score": float(moment.step)}

    def go(**options: object) -> Weights:
        usual = {"accumulate": 2, "masked": masked, "callbacks": [look], "checkpoint_every": 1, "best_by": "score"}
        return run(base, steps=3, folder=folder, **usual, **options)[1]  # type: ignore[arg-type]

    go(stop_after=2)
    weights = go(resume=True)
    assert set(cut_up) == {fsdp}, cut_up
    assert not any(is_cut(weight) for weight in weights.values())
    if PartialState().is_main_process:
        torch.save(weights, out)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("fsdp", [False, True])
def test_two_processes_equal_one(base: Path, tmp_path: Path, masked: bool, fsdp: bool) -> None:
    """By DDP and by FSDP, stopped after two steps and resumed from its checkpoint."""
    _, alone = run(base, steps=3, masked=masked)
    out = tmp_path / "weights.pt"
    with own_port() as port:
        shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}
        shared |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"} if fsdp else {}
        given = (base, tmp_path / "run", out, masked, fsdp)
        workers = [
            Forked(run_as_one_of_several, *given, env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank})
            for rank in ("0", "1")
        ]
        said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert distance(alone, torch.load(out, weights_only=True)) < 1e-4


@pytest.mark.parametrize("rule", ["gu", "blur", "surgery"])
@pytest.mark.parametrize("broken", ["forget", "retain"])
def test_a_gradient_of_one_phase_that_is_not_finite_stops_the_run_and_is_named(
    base: Path, rule: Combination, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    loaded, network = network_of(base)

    def halves(measured: Mapping[str, Tensor], groups: Mapping[str, Sequence[TrainingSample]]) -> dict[str, Tensor]:
        # The root of zero is zero, and its gradient is not a number times zero.
        found = {name: measured[f"{name}.nll"].mean() for name in ("forget", "retain")}
        return found | {broken: found[broken] + (found[broken] * 0).sqrt() * 0}

    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    outcome = train(
        network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(2),
        Objective(measure, halves, combiner=Combiner(rule, {"forget": "forget", "retain": "retain"})),
        optimisation=Optimisation(lr=1e-2), folder=None, identity="x",
    )  # fmt: skip
    assert (outcome.reason, outcome.steps) == ("nan", 0)
    assert f"the gradient of {broken} is not finite" in caplog.text
    assert all(torch.equal(before[name], weight) for name, weight in network.named_parameters())


def test_a_combined_gradient_in_pieces_equals_that_of_the_whole_step(base: Path) -> None:
    found = []
    for accumulate in (1, 3):
        loaded, network = network_of(base)
        train(
            network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(3),
            Objective(measure, terms, combiner=Combiner("gu", PHASES)),
            optimisation=Optimisation(lr=1e-3, accumulate=accumulate, seed=3), folder=None, identity="x",
        )  # fmt: skip
        found.append({name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad})
    assert distance(*found) < 1e-4


PHASES = {"forget": "forget", "boundary": "forget", "retain": "retain"}


def test_an_estimated_step_is_the_same_in_pieces_and_a_checkpoint_of_another_seed_is_refused(
    base: Path, tmp_path: Path
) -> None:
    found = []
    for accumulate in (1, 3):
        loaded, network = network_of(base)
        options = {"lr": 1e-4, "optimiser": "zeroth", "zeroth_radius": 1e-2, "accumulate": accumulate}
        arguments = (network, Encoder(loaded.processor, loaded.family), SAMPLES, plan(3), Objective(measure, terms))
        folder = tmp_path / str(accumulate)
        train(
            *arguments, optimisation=Optimisation(**options, seed=3), folder=folder, identity="x",  # type: ignore[arg-type]
            checkpoint_every=1, stop_after=2,
        )  # fmt: skip
        found.append({name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad})
    assert distance(*found) < 1e-4
    with pytest.raises(BadInput, match="was drawn with seed 3, not 4"):
        train(
            *arguments, optimisation=Optimisation(**options, seed=4), folder=folder, identity="x", resume=True,  # type: ignore[arg-type]
        )  # fmt: skip
