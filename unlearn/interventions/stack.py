"""The stack of interventions: laid over a model in order, lifted to the same bits, written and read back."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from schemas.errors import BadInput, first_line
from schemas.records.interventions import INTERVENTIONS, Intervention
from schemas.storage.artifacts import write_json
from unlearn.interventions.edits import lay_edit
from unlearn.interventions.steering import LiveStack, check_steering
from unlearn.models.forward import core_model
from unlearn.training.checkpoints import write_tensors

if TYPE_CHECKING:
    from unlearn.models.loading import LoadedModel

Layer = tuple[Intervention, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Laid:
    """A model with a stack on it. Steering and guards are its `live` and `guards`; whoever runs it heeds them."""

    model: "LoadedModel"
    undo: tuple[Callable[[], None], ...]
    """Of edits; called last first."""


def lay(loaded: "LoadedModel", stack: Sequence[Layer]) -> Laid:
    """Lay the interventions over the model in order. Raises BadInput for one that does not fit, and then lays none."""
    undo: list[Callable[[], None]] = []
    core = core_model(loaded.model)
    steering: list[Layer] = []
    guards: list[Layer] = []
    try:
        for record, tensors in stack:
            if record.kind == "edit":
                undo += [changed.undo for changed in lay_edit(core, record.form, tensors)]
            elif record.kind == "steering":
                check_steering(core, record, tensors)
                steering.append((record, tensors))
            elif record.kind == "guard":
                check_guard(record, [guard for guard, _ in guards])
                guards.append((record, tensors))
            else:
                raise BadInput(f"{record.kind} {record.form}", "is opened with its run", "name the run's folder")
    except BadInput:
        _undo(undo)
        raise
    live = LiveStack(core, tuple(steering), tuple(guards)) if steering or guards else None
    return Laid(replace(loaded, live=live, guards=tuple(record for record, _ in guards)), tuple(undo))


def check_guard(record: Intervention, below: Sequence[Intervention]) -> None:
    """Raise BadInput for a guard that is not known, says nothing, or contradicts one below it."""
    where = f"guard {record.form}"
    if record.form not in ("refuse", "prompt"):
        raise BadInput(where, "is not known", "known are refuse and prompt")
    if not any(text.strip() for text in record.texts):
        raise BadInput(where, "has no text", "give it what it says")
    always = [each for each in below if each.form == "refuse" and (each.gate is None or each.gate.source == "always")]
    if always:
        raise BadInput(where, "lies over one that refuses everything", "leave out one of the two")


def lift(laid: Laid) -> None:
    """Take the stack off: the model has the bits that it had."""
    _undo(laid.undo)


def _undo(steps: Sequence[Callable[[], None]]) -> None:
    for step in reversed(steps):
        step()


def beneath_of(base: str, stack: Sequence[Layer]) -> str:
    """Digest of a base and of all that lies over it; the base's own where nothing does."""
    found = base
    for record, _ in stack:
        found = hashlib.sha256(f"{found}:{record.model_dump_json()}".encode()).hexdigest()[:32]
    return found


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Of names, shapes, kinds and bytes; "" without any."""
    if not tensors:
        return ""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole = tensor.detach().cpu().contiguous()
        total.update(f"{name}:{tuple(whole.shape)}:{whole.dtype}".encode())
        total.update(whole.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:32]


def save_stack(folder: Path, stack: Sequence[Layer]) -> None:
    """Write tensors first and `interventions.json` last, atomically each."""
    for number, (_, tensors) in enumerate(stack):
        if tensors:
            write_tensors(folder / f"{number}.safetensors", tensors, {})
    write_json(folder / INTERVENTIONS, [record.model_dump(mode="json") for record, _ in stack])


def read_stack(folder: Path, *, beneath: str) -> list[Layer]:
    """The stack of a folder over a base of that digest.

    Raises BadInput where it cannot be read, was made of another base, or one of its middle is missing.
    """
    path = folder / INTERVENTIONS
    try:
        records = [Intervention.model_validate(each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, ValidationError) as error:
        found_there = f"is no stack of interventions ({first_line(error)})"
        raise BadInput(str(path), found_there, "run the method again") from error
    found: list[Layer] = []
    for number, record in enumerate(records):
        below = beneath_of(beneath, found)
        if record.beneath != below:
            said = f"number {number} was made of {record.beneath}, and beneath it is {below}"
            raise BadInput(str(path), said, "name its base, and leave what lies below it in its place")
        tensors = _tensors(folder / f"{number}.safetensors")
        if tensors_digest(tensors) != record.tensors:
            said = "is missing" if not tensors else "holds other tensors than those that were made"
            raise BadInput(str(folder / f"{number}.safetensors"), said, "run the method again")
        found.append((record, tensors))
    return found


def _tensors(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise BadInput(str(path), f"cannot be read ({first_line(error)})", "run the method again") from error
