"""Runs of the methods that change gradients, states, starts and optimisers: to their end, resumed, and in pieces."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue
from safetensors.torch import load_file

from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.methods.rows.geometry_rows import GEOMETRY_ROWS
from unlearn.methods.rows.hidden_rows import HIDDEN_ROWS
from unlearn.methods.rows.weight_rows import WEIGHT_ROWS
from unlearn.presets import numbers_for
from unlearn.runs.before_first_step import check_whole_weights
from unlearn.runs.record import RunRecord, open_run

SMALL: dict[str, JsonValue] = {
    "batch": 4, "retain_batch": 6, "probe_every": 2, "probe_samples": 8, "rank": 2, "lr": 1e-3, "zeroth_block": 1,
    "overlap_rank": 4, "null_share": 0.2,
}  # fmt: skip
STEPS, CUT = 4, 3
ROWS = [method.name for rows in (GEOMETRY_ROWS, HIDDEN_ROWS, WEIGHT_ROWS) for method in rows]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"), people=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def run(
    world: Path,
    base: Path,
    out: Path,
    method: str,
    *,
    numbers: dict[str, JsonValue] | None = None,
    setting: str = "personalized",
    resume: bool = False,
    boundary: bool = False,
    seed: int = 0,
    stop_after: int | None = None,
) -> RunRecord:
    request = UnlearnRequest(
        dataset=world, method=method, setting=setting, model=str(base), seed=seed,  # type: ignore[arg-type]
        ratio=5 if setting == "complete" else None, overrides={**SMALL, **(numbers or {})}, boundary=boundary,
        steps=STEPS,
    )  # fmt: skip
    return run_unlearning(request, out, resume=resume, stop_after=stop_after)


def left(out: Path) -> dict[str, torch.Tensor]:
    """The weights of the last checkpoint, which are those of the last step."""
    last = sorted((out / "checkpoints").glob("step_*"))[-1]
    found = load_file(last / "tensors.safetensors")
    return {name: tensor for name, tensor in found.items() if name.startswith("weight/")}


@pytest.mark.parametrize("method", ROWS)
def test_a_row_runs_resumes_to_the_same_bits_and_is_the_same_in_pieces(
    world: Path, base: Path, tmp_path: Path, method: str
) -> None:
    whole = run(world, base, tmp_path / "whole", method)
    assert (whole.status, whole.steps) == ("finished", STEPS)
    run(world, base, tmp_path / "cut", method, stop_after=CUT)
    run(world, base, tmp_path / "cut", method, resume=True)
    expected, resumed = left(tmp_path / "whole"), left(tmp_path / "cut")
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    assert (tmp_path / "whole" / "log.jsonl").read_text() == (tmp_path / "cut" / "log.jsonl").read_text()
    run(world, base, tmp_path / "pieces", method, numbers={"accumulate": 2})
    logs = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "pieces")
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-3, abs=1e-4)


def test_a_combiner_takes_any_two_phases(world: Path, base: Path, tmp_path: Path) -> None:
    run(world, base, tmp_path, "npo-retain", numbers={"combine": "gu"})
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert -1 <= first["cosine"] <= 1
    assert min(first["norm.forget"], first["norm.retain"]) > 0


@pytest.mark.parametrize(
    ("method", "numbers", "found"),
    [
        ("ga", {"combine": "gu"}, "combine = gu with ga: there is one gradient and none to combine it with"),
        ("npo", {"combine": "blur"}, "combine = blur with npo: there is one gradient"),
        ("mmunlearner", {"combine": "gu"}, "the method's mask combines its gradients already"),
        ("gu", {"optimiser": "zeroth"}, "combine = gu needs gradients, and this has losses alone"),
        ("mmunlearner", {"optimiser": "adam-zeroth"}, "a saliency mask needs gradients"),
        ("gd", {"adapter_start": "fila", "trained": "full"}, "adapter_start with trained = full: there is no adapter"),
        ("opt-out", {"trained": "full"}, "transport_weight with trained = full: there is no adapter"),
        ("gd", {"overlap_weight": 1.0}, "overlap_weight: needs the directions that a start finds"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_written(
    world: Path, base: Path, tmp_path: Path, method: str, numbers: dict[str, JsonValue], found: str
) -> None:
    with pytest.raises(BadInput, match=found):
        run(world, base, tmp_path / "run", method, numbers=numbers)
    assert not (tmp_path / "run").exists()


def test_a_zeroth_order_run_is_not_resumed_with_another_seed(world: Path, base: Path, tmp_path: Path) -> None:
    run(world, base, tmp_path, "gd", numbers={"optimiser": "zeroth"}, stop_after=2)
    with pytest.raises(BadInput, match="was started with seed 0, not 1"):
        run(world, base, tmp_path, "gd", numbers={"optimiser": "zeroth"}, resume=True, seed=1)


def test_a_boundary_where_no_subject_has_both_kinds_of_samples_is_refused(
    world: Path, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="--boundary: no subject of the complete setting has forget and retain samples"):
        run(world, base, tmp_path / "run", "gd", setting="complete", boundary=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["gu", "rmu", "opt-out"])
def test_the_boundary_is_added_to_a_row_and_is_measured(world: Path, base: Path, tmp_path: Path, method: str) -> None:
    record = run(world, base, tmp_path, method, boundary=True)
    assert record.terms[-1] == "boundary"
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert any(line.get("term.boundary", 0.0) > 0 for line in lines)


@pytest.mark.parametrize("method", ["null-space", "npo"])
def test_a_boundary_on_a_method_without_retain_batches_is_refused(
    world: Path, base: Path, tmp_path: Path, method: str
) -> None:
    with pytest.raises(BadInput, match="the method has no forget and retain batches"):
        run(world, base, tmp_path / "run", method, boundary=True)


def test_a_layer_that_is_not_there_is_refused_before_a_step(world: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="layer 7: the language model has 2, from 0"):
        run(world, base, tmp_path, "rmu", numbers={"layer": 7})
    assert not (tmp_path / "log.jsonl").exists()


def test_an_adapter_that_started_elsewhere_opens_on_the_base_alone(world: Path, base: Path, tmp_path: Path) -> None:
    record = run(world, base, tmp_path, "fila-gd", numbers={"lr": 1e-2})
    assert record.outcome == "adapter"
    opened = open_run(tmp_path, str(base))
    assert any("lora_A" in name for name, _ in opened.model.named_parameters())
    joined = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {tensor.shape[0] for name, tensor in joined.items() if "lora_A" in name} == {
        4
    }  # rank 2 and what it takes off


@pytest.mark.parametrize("numbers", [{"optimiser": "zeroth"}, {"transport_weight": 0.1}])
def test_what_needs_whole_weights_is_refused_where_fsdp_cuts_them(
    numbers: dict[str, JsonValue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    found, _ = numbers_for("gd", preset="default", parameters=1, family="", overrides=numbers)
    with pytest.raises(BadInput, match="needs whole weights, and FSDP cuts them up"):
        check_whole_weights(found)
