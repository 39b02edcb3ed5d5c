"""Checkpoints of a run: folders that appear whole or not at all, and hold all that the next step depends on."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import BadInput, Unfinished

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FORMAT = 1
TENSORS, STATE, BEST = "tensors.safetensors", "state.json", "best"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class RunState:
    """What a run knows besides tensors. `step` counts finished steps."""

    identity: str
    step: int = 0
    running_loss: float | None = None
    decay_from: int | None = None
    """Step from which the learning rate falls to zero, once the stop rule has spoken."""
    best_step: int | None = None
    best_score: float | None = None
    pieces: int = 1
    """Into how many a step is cut at least, since memory ran out."""
    finished: str = ""
    """Why the run ended; "" while it has not."""
    seed: int | None = None
    """Of the run's random numbers; None in checkpoints that do not say."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """What the objective carries from step to step."""


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run folder alone; raises BadInput if another process is training into it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(str(folder), "another run is writing here", "wait for it or name another folder") from None
        yield


def trainable(model: "nn.Module") -> "dict[str, nn.Parameter]":
    """The weights that move, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save_checkpoint(
    folder: Path | None, model: "nn.Module", optimiser: "torch.optim.Optimizer", state: RunState, *, keep: int | None
) -> None:
    """Write `<folder>/checkpoints/step_<n>` and delete all but the `keep` newest (None keeps all).

    Moving weights, the optimiser's moments and random state. On a full disk the earlier checkpoints stay whole. Of
    several processes one gives the folder, and all call this, because weights may be cut over them.
    """
    import torch

    from unlearn.training.fsdp import whole

    tensors: dict[str, Tensor] = {"rng/cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["rng/cuda"] = torch.cuda.get_rng_state()
    for name, weight in trainable(model).items():
        tensors[f"weight/{name}"] = whole(weight.detach())
        held = optimiser.state.get(weight, {})
        tensors.update({f"{moment}/{name}": whole(held[moment]) for moment in _MOMENTS if moment in held})
    if folder is None:
        return
    home = folder / "checkpoints"
    _write(home / f"step_{state.step:06d}", tensors, state)
    for old in _finished_folders(home)[:-keep] if keep else []:
        shutil.rmtree(old)


def save_best(folder: Path | None, model: "nn.Module", state: RunState) -> None:
    """Write the moving weights alone to `<folder>/best`, in place of what was there; see save_checkpoint."""
    from unlearn.training.fsdp import whole

    tensors = {f"weight/{name}": whole(weight.detach()) for name, weight in trainable(model).items()}
    if folder is not None:
        _write(folder / BEST, tensors, state)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run folder, or None."""
    found = _finished_folders(folder / "checkpoints")
    return found[-1] if found else None


def restore(
    checkpoint: Path, model: "nn.Module", optimiser: "torch.optim.Optimizer", *, identity: str, device: "torch.device"
) -> RunState:
    """Put weights, moments and random state back where they were when the checkpoint was written.

    Raises BadInput if the checkpoint is of another run (method, data, numbers or base) or of other weights.
    """
    import torch

    from unlearn.training.fsdp import cut_like

    state = read_state(checkpoint)
    if state.identity != identity:
        advice = "resume with the same method, data, numbers and model, or name another folder"
        raise BadInput(str(checkpoint), f"belongs to run {state.identity}, not {identity}", advice)
    tensors = load_weights(checkpoint, model)
    for name, weight in trainable(model).items():
        moments = {moment: tensors[f"{moment}/{name}"] for moment in _MOMENTS if f"{moment}/{name}" in tensors}
        if moments:
            optimiser.state[weight] = {
                moment: value.to(device) if moment == "step" else cut_like(value.to(device), weight)
                for moment, value in moments.items()
            }
    torch.set_rng_state(tensors["rng/cpu"])
    if "rng/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng/cuda"])
    return state


def load_weights(checkpoint: Path, model: "nn.Module") -> "dict[str, Tensor]":
    """Put a checkpoint's weights into the model; returns all of its tensors. Works on `best` too.

    Raises BadInput if the weights that move in the model are not those of the checkpoint.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from unlearn.training.fsdp import cut_like

    try:
        tensors = load_file(checkpoint / TENSORS)
    except (OSError, SafetensorError) as error:
        raise BadInput(str(checkpoint), f"cannot be read ({error})", "delete it and resume") from error
    weights = trainable(model)
    stored = {name.removeprefix("weight/") for name in tensors if name.startswith("weight/")}
    if stored != set(weights):
        odd = sorted(stored ^ set(weights))[0]
        raise BadInput(str(checkpoint), f"does not have the weights that move here ({odd})", "use the run's own model")
    with torch.no_grad():
        for name, weight in weights.items():
            if tensors[f"weight/{name}"].shape != weight.shape:
                raise BadInput(str(checkpoint), f"has another shape at {name}", "use the run's own model")
            weight.copy_(cut_like(tensors[f"weight/{name}"].to(weight.dtype), weight))
    return tensors


def read_state(checkpoint: Path) -> RunState:
    """The state of a checkpoint folder; raises BadInput if it cannot be read."""
    try:
        found = json.loads((checkpoint / STATE).read_text())
        if found.pop("format") != FORMAT:
            raise BadInput(str(checkpoint), "was written by another version", "start the run again")
        return RunState(**found)
    except (OSError, json.JSONDecodeError, TypeError, KeyError) as error:
        raise BadInput(str(checkpoint), f"is not a checkpoint ({error})", "delete it and resume again") from error


def mark_finished(state: RunState, reason: str) -> RunState:
    """The state of a run that has ended."""
    return replace(state, finished=reason)


def _write(target: Path, tensors: "Mapping[str, Tensor]", state: RunState) -> None:
    from safetensors.torch import save_file

    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with disk_advice(target, leftover=part):
        part.mkdir(parents=True)
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, part / TENSORS)
        (part / STATE).write_text(json.dumps({"format": FORMAT, **vars(state)}, sort_keys=True, indent=1) + "\n")
        for file in part.iterdir():
            _flush(file)
    if target.exists():
        shutil.rmtree(target)
    part.rename(target)


@contextmanager
def disk_advice(target: Path, *, leftover: Path) -> Iterator[None]:
    """Where something cannot be written, a full disk for one: take away what was begun, and raise Unfinished."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps what the disk said in an error of its own
        shutil.rmtree(leftover, ignore_errors=True)
        leftover.unlink(missing_ok=True)
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Unfinished(f"{target}: cannot be written ({reason}); make room, earlier ones stand") from error


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, atomically. Raises Unfinished where it cannot be written."""
    from safetensors.torch import save_file

    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_advice(path, leftover=part):
        save_file({name: each.cpu().contiguous() for name, each in tensors.items()}, part, metadata=dict(metadata))
    part.replace(path)


def read_tensors(path: Path, kind: str, **taken_with: str) -> "tuple[dict[str, str], dict[str, Tensor]]":
    """Metadata and tensors of a file that write_tensors wrote.

    Raises BadInput if it cannot be read as one of its `kind`, or was taken with something else than `taken_with`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        found = {name: metadata[name] for name in taken_with}
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise BadInput(str(path), f"is no {kind} ({error})", "delete it and begin anew") from error
    for what, wanted in taken_with.items():
        if found[what] != wanted:
            raise BadInput(str(path), f"was taken with {what} {found[what]}, not {wanted}", "delete it and begin anew")
    return metadata, tensors


def _flush(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _finished_folders(home: Path) -> list[Path]:
    return sorted(folder for folder in home.glob("step_*") if (folder / STATE).is_file())
