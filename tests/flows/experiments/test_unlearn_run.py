"""Whole unlearning runs on a tiny random model: what they leave behind, how they resume, what they refuse."""

import json
import os
import random
import re
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue
from safetensors.torch import load_file

from flows.cli import main
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.servers.forked import Forked
from tests.servers.ports import own_port
from tests.servers.waiting import wait_while_running
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.methods.table import METHODS
from unlearn.runs.record import RunRecord, open_run, read_record
from unlearn.training.callbacks import frontier_score
from unlearn.training.checkpoints import run_lock
from unlearn.training.probes import Probe

SMALL: dict[str, JsonValue] = {
    "batch": 4,
    "retain_batch": 8,
    "probe_every": 3,
    "probe_samples": 12,
    "rank": 4,
    "lr": 1e-3,
}


FITTING: dict[str, dict[str, JsonValue]] = {
    "manu": {"prune_shares": [0.1, 0.3]}, "manu-contrast": {"prune_shares": [0.1]},
    "ssd": {"tried": [1.1, 1.3]}, "task-vector": {"tried": [0.5, 1.0]}, "msa": {"tried": [1.0]},
    "asru-redirect": {"tried": [3.0]}, "alphaedit": {"tried": [1.0], "value_steps": 3, "null_share": 0.3},
    "zerounlearn": {"tried": [0.5], "value_steps": 3},
    "curate": {"tried": [0.2]}, "curate-text": {"tried": [0.2]},
    "null-space": {"null_share": 0.3},
    "reglu-ga": {"overlap_rank": 4},
}  # fmt: skip
"""Numbers without which a method does not fit so small a model."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"), people=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def run(
    world: Path,
    base: Path,
    out: Path,
    method: str = "gd",
    *,
    overrides: dict[str, JsonValue] | None = None,
    resume: bool = False,
    steps: int | None = 6,
    seed: int = 0,
    boundary: bool = False,
    stop_after: int | None = None,
    published: bool = False,
) -> RunRecord:
    request = UnlearnRequest(
        dataset=world,
        method=method,
        setting="personalized",
        model=str(base),
        overrides={**SMALL, **(overrides or {})},
        steps=steps,
        seed=seed,
        boundary=boundary,
        preset="published" if published else "default",
    )
    return run_unlearning(request, out, resume=resume, stop_after=stop_after)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("method", "published"),
    [("gd", False), ("manu", False), ("manu-contrast", False)]
    + [(name, False) for name, method in METHODS.items() if method.makes]
    + [(name, True) for name in ("ga", "kl", "npo", "bao-gd", "bao-mmunlearner", "manu", "po")],
)
def test_a_method_runs_to_its_end_and_leaves_a_model_that_opens(
    world: Path, base: Path, tmp_path: Path, method: str, published: bool
) -> None:
    record = run(world, base, tmp_path, method, steps=3, published=published, overrides=FITTING.get(method))
    assert record == read_record(tmp_path)
    assert record.outcome in ("adapter", "pruned", "weights", "interventions")
    assert record.best is not None
    opened = open_run(tmp_path, str(base))
    before = load_file(base / "model.safetensors")
    moved = [name for name, weight in opened.model.named_parameters() if "lora" not in name and name in before]
    acts_on_prompts = METHODS[method].kind in ("steering", "guard")
    assert acts_on_prompts == (opened.live is not None)
    assert (
        acts_on_prompts
        or record.outcome == "adapter"
        or any(not torch.equal(before[name], opened.model.get_parameter(name)) for name in moved)
    )


def test_the_record_says_every_number_and_where_it_comes_from(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, "bao-gd")
    assert record.numbers["margin"] == 1.0
    assert record.numbers["batch"] == 4
    assert record.sections[0] == "default.all"
    assert record.sections[-1] == "command line"
    assert (record.terms, record.planned_steps, record.steps) == (("ascent", "descent", "boundary"), 6, 6)
    assert (record.forget_samples, record.retain_samples, record.matched_subjects) == (18, 30, 4)
    assert str(world) not in (tmp_path / "run.json").read_text()
    assert str(base) not in (tmp_path / "run.json").read_text()


def test_the_record_is_there_from_the_first_step_on(world: Path, base: Path, tmp_path: Path) -> None:
    run(world, base, tmp_path, stop_after=2)
    record = read_record(tmp_path)
    assert record is not None
    assert (record.status, record.outcome, record.numbers["batch"]) == ("running", "", 4)
    with pytest.raises(BadInput, match="has not finished"):
        open_run(tmp_path, str(base))


@pytest.mark.parametrize("method", ["bao-gd"])
def test_a_run_resumed_gives_the_weights_and_log_of_one_that_was_not_interrupted(
    world: Path, base: Path, tmp_path: Path, method: str
) -> None:
    overrides: dict[str, JsonValue] = {"dropout": 0.1, "lr": 0.01}
    whole = run(world, base, tmp_path / "whole", method, overrides=overrides, steps=8)
    run(world, base, tmp_path / "cut", method, overrides=overrides, steps=8, stop_after=5)
    cut = run(world, base, tmp_path / "cut", method, overrides=overrides, steps=8, resume=True)
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (tmp_path / "whole" / "log.jsonl").read_text() == (tmp_path / "cut" / "log.jsonl").read_text()
    assert cut.model_copy(update={"seconds": 0.0}) == whole.model_copy(update={"seconds": 0.0})


def test_a_finished_run_is_not_done_again(world: Path, base: Path, tmp_path: Path) -> None:
    first = run(world, base, tmp_path)
    changed = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    assert run(world, base, tmp_path, resume=True) == first
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == changed


def test_a_second_run_into_a_folder_is_refused(world: Path, base: Path, tmp_path: Path) -> None:
    run(world, base, tmp_path, stop_after=1)
    with pytest.raises(BadInput, match="holds a run of gd; resume it"):
        run(world, base, tmp_path, "npo")


def test_two_runs_at_once_into_a_folder_are_refused(world: Path, base: Path, tmp_path: Path) -> None:
    with run_lock(tmp_path / ".running"), pytest.raises(BadInput, match="another run is writing here"):
        run(world, base, tmp_path)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"overrides": {"lr": 0.5}}, "was started with lr 0.001, not 0.5"),
        ({"seed": 3}, "was started with seed 0, not 3"),
        ({"method": "npo-retain"}, "was started with method gd, not npo-retain"),
    ],
)
def test_resuming_with_something_else_names_what_differs(
    world: Path, base: Path, tmp_path: Path, change: dict[str, object], found: str
) -> None:
    run(world, base, tmp_path, stop_after=1)
    with pytest.raises(BadInput, match=found):
        run(world, base, tmp_path, resume=True, **change)  # type: ignore[arg-type]


def test_resuming_on_other_data_is_refused(base: Path, tmp_path: Path) -> None:
    run(write_world(tmp_path / "one", people=3), base, tmp_path / "run", stop_after=1)
    with pytest.raises(BadInput, match="was started with data"):
        run(write_world(tmp_path / "two", people=4), base, tmp_path / "run", resume=True)


def test_a_run_is_refused_on_another_base(world: Path, base: Path, tmp_path: Path) -> None:
    other = make_tiny_model(TEXTS, tmp_path / "other", seed=2, hidden=32, layers=2)
    run(world, base, tmp_path / "gd")
    run(world, base, tmp_path / "manu", "manu", overrides={"prune_shares": [0.2]})
    for name in ("gd", "manu"):
        with pytest.raises(BadInput, match="belongs to weights"):
            open_run(tmp_path / name, str(other))


def test_manu_goes_once_through_each_set_whatever_the_number_of_shares(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, "manu", overrides={"prune_shares": [0.1, 0.2, 0.3, 0.4]})
    assert record.samples_seen == {"forget": record.forget_samples, "retain": record.retain_samples}
    assert sorted(record.sweep) == ["0.1", "0.2", "0.3", "0.4"]
    best = max(record.sweep.values(), key=lambda probe: frontier_score(probe, record.start))
    assert record.best_score == frontier_score(best, record.start)


def test_a_loss_that_is_not_a_number_ends_the_run_with_that_reason(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, overrides={"lr": 1e30, "stop_repetition": 1.0, "stop_retain_share": 0.0})
    assert (record.status, record.reason) == ("stopped", "nan")
    assert record.steps < record.planned_steps
    assert all(weight.isfinite().all() for weight in weights(tmp_path).values()) or record.best_step is None


def test_a_loss_that_is_not_a_number_ends_the_command_with_exit_status_1(
    world: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "unlearn", str(world), "--method", "ga", "--setting", "personalized", "--model", str(base),
        "--out", str(tmp_path / "run"), "--steps", "4", "--lr", "1e30",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 1
    assert re.search(r"stopped after \d of 4 steps: the loss is not finite; the weights of", capsys.readouterr().err)


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    world: Path, base: Path, tmp_path: Path, device: str
) -> None:
    out = tmp_path / "run"
    with pytest.raises(BadInput, match=f"device '{device}': is not on this machine; name one that is: cpu"):
        run_unlearning(
            UnlearnRequest(dataset=world, method="gd", setting="selective", model=str(base), device=device), out
        )
    with pytest.raises(BadInput, match="is not on this machine"):
        run_evaluation(EvaluateRequest(dataset=world, model=str(base), setting="selective", device=device), out)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_which_no_step_was_done_may_be_started_with_something_else(
    world: Path, base: Path, tmp_path: Path
) -> None:
    run(world, base, tmp_path, "mmunlearner", stop_after=0)
    assert (tmp_path / "run.json").is_file()
    record = run(world, base, tmp_path, "mmunlearner", seed=3, steps=2)
    assert (record.status, record.seed) == ("finished", 3)


def test_a_finished_run_is_said_once_to_have_finished(world: Path, base: Path, tmp_path: Path) -> None:
    assert run(world, base, tmp_path / "gd", steps=2).ending == "finished after 2 of 2 steps"
    pruned = run(world, base, tmp_path / "manu", "manu", overrides={"prune_shares": [0.2]})
    assert pruned.ending == "finished: 20 % of the neurons are pruned"


def test_the_boundary_adds_matched_samples_to_a_method_that_has_none(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, "npo-retain", boundary=True)
    assert record.terms == ("npo", "descent", "boundary")
    assert record.numbers["matched"] == 1
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert any("term.boundary" in line for line in lines)


def test_all_parameters_can_be_trained(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, "kl", overrides={"trained": "full", "lr": 1e-4}, steps=3)
    assert record.outcome == "weights"
    assert record.trained_parameters == record.parameters
    open_run(tmp_path, str(base))


def test_wrong_use_leaves_no_folder_behind(world: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        run(world, base, tmp_path / "run", overrides={"lr": -1.0})
    assert not (tmp_path / "run").exists()


def test_the_frontier_score_wants_both_forgetting_and_keeping() -> None:
    def at(forget: float, retain: float) -> Probe:
        return Probe(forget_exact=forget, forget_nll=0, retain_exact=retain, retain_nll=0, repetition=0)

    start = at(1.0, 0.8)
    assert frontier_score(at(1.0, 0.8), start) == 0
    assert frontier_score(at(0.0, 0.0), start) == 0
    assert frontier_score(at(0.2, 0.8), start) == pytest.approx(2 * 0.8 / 1.8)
    assert frontier_score(at(0.0, 0.8), start) == 1


def test_a_checkpoint_that_forgot_less_than_two_thirds_is_scored_down_in_proportion() -> None:
    def at(forget: float, retain: float) -> Probe:
        return Probe(forget_exact=forget, forget_nll=0, retain_exact=retain, retain_nll=0, repetition=0)

    # half forgotten is three quarters of two thirds
    assert frontier_score(at(0.5, 1.0), at(1.0, 1.0)) == pytest.approx(0.75 * 2 * 0.5 / 1.5)


def go_on(world: Path, base: Path, out: Path) -> None:
    """In a process of its own: thirty steps, from where one was cut off."""
    overrides: dict[str, JsonValue] = {"lr": 0.01, "dropout": 0.1}
    run(world, base, out, "bao-gd", steps=30, resume=True, overrides=overrides)


@pytest.mark.slow
def test_a_run_killed_at_random_steps_and_resumed_gives_the_same_weights(
    world: Path, base: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    run(world, base, whole, "bao-gd", steps=30, overrides={"lr": 0.01, "dropout": 0.1})
    cut, log_file = tmp_path / "cut", tmp_path / "cut" / "log.jsonl"
    for step in sorted(random.Random(3).sample(range(2, 28), 5)):
        process = Forked(go_on, world, base, cut)
        wait_while_running(process, lambda step=step: log_file.is_file() and log_file.read_text().count("\n") > step)
        process.kill()
        process.wait()
    process = Forked(go_on, world, base, cut)
    assert process.wait() == 0, process.communicate()
    expected, found = weights(whole), weights(cut)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def run_as_one_of_two(world: Path, base: Path, out: Path, method: str, published: bool) -> None:
    """In one of two processes: three steps, and what became of them on stdout."""
    torch.set_num_threads(1)
    try:
        print(run(world, base, out, method, steps=3, published=published).outcome)
    except BadInput as problem:
        print(problem)


def by_two_processes(world: Path, base: Path, out: Path, method: str, *, published: bool = False) -> list[str]:
    """What both processes of a run under FSDP print, as `accelerate launch` would start them on a CPU."""
    with own_port() as port:
        shared = {
            "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
            "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        given = (world, base, out, method, published)
        workers = [
            Forked(run_as_one_of_two, *given, env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank})
            for rank in ("0", "1")
        ]
        said = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    return [out.strip() for out, _ in said]


@pytest.mark.slow
def test_two_processes_under_fsdp_leave_the_run_of_one(world: Path, base: Path, tmp_path: Path) -> None:
    alone = run(world, base, tmp_path / "one", "bao-mmunlearner", steps=3)
    assert by_two_processes(world, base, tmp_path / "two", "bao-mmunlearner") == ["adapter", "adapter"]
    together = read_record(tmp_path / "two")
    assert together is not None
    assert (together.identity, together.steps, together.best_step) == (alone.identity, 3, alone.best_step)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-4


@pytest.mark.parametrize(
    ("method", "published", "said"), [("manu", False, "runs in one"), ("kl", True, "kl_positions = all.*under FSDP")]
)
@pytest.mark.slow
def test_what_cannot_run_under_fsdp_says_so(
    world: Path, base: Path, tmp_path: Path, method: str, published: bool, said: str
) -> None:
    for line in by_two_processes(world, base, tmp_path, method, published=published):
        assert re.search(said, line)
        assert "\n" not in line
