"""Neurons switched off: which MLPs a model has, a list of their neurons, and zeroing them in place, reversibly."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record
from unlearn.models.families import Family

Tower = Literal["language", "vision"]
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("gate_proj", "up_proj"), "down_proj"),
    (("linear_fc1",), "linear_fc2"),
    (("fc1",), "fc2"),
)
"""Names of an MLP's first linears and of its last one, over the families."""


@dataclass(frozen=True)
class Block:
    """One MLP of a tower, by full module path."""

    path: str
    first: tuple[str, ...]
    last: str
    tower: Tower


class Pruned(Record):
    """Which neurons are switched off. With unit `hidden` a layer is an MLP, with `output` one of its linears."""

    unit: Literal["hidden", "output"]
    share: float
    """Of the neurons of each tower."""
    base: str
    """Digest of the base weights."""
    data: str
    """Digest of the samples that the scores come from."""
    layers: dict[str, tuple[int, ...]]


def blocks(model: nn.Module, family: Family, *, layers: Literal["all", "last3"]) -> list[Block]:
    """The MLPs of the language model and of the vision tower, in order; raises BadInput if a tower has none."""
    found: list[Block] = []
    for path, module in model.named_modules():
        if not re.search(r"\.\d+\.mlp$", path):  # of a numbered layer; poolers and projectors are no blocks
            continue
        tower: Tower = "language" if path.startswith(family.language + ".") else "vision"
        children = {name for name, child in module.named_children() if isinstance(child, nn.Linear)}
        for first, last in _SHAPES:
            if children >= {*first, last}:
                found.append(Block(path, tuple(f"{path}.{name}" for name in first), f"{path}.{last}", tower))
    chosen: list[Block] = []
    for tower in ("vision", "language"):
        of_tower = [block for block in found if block.tower == tower]
        if not of_tower:
            raise BadInput(
                f"the {tower} tower",
                "holds no MLP that MANU knows",
                "add its names to unlearn/interventions/neurons.py",
            )
        chosen += of_tower[-3:] if layers == "last3" else of_tower
    return chosen


@dataclass(frozen=True)
class Removed:
    """What pruning took out of one parameter, to put it back."""

    parameter: Tensor
    index: Tensor
    dimension: int
    values: Tensor


def prune(model: nn.Module, pruned: Pruned, family: Family) -> list[Removed]:
    """Zero the chosen neurons in place; the result puts them back (`restore`).

    A hidden neuron loses its rows of the first linears, their biases and its column of the last one. Raises BadInput
    if the model lacks a layer or a neuron that is named.
    """
    towers = {block.path: block for block in blocks(model, family, layers="all")}
    removed: list[Removed] = []
    with torch.no_grad():
        for name, neurons in sorted(pruned.layers.items()):
            if pruned.unit == "hidden" and name not in towers:
                raise BadInput(f"pruned layer {name}", "is not in this model", "apply it to the base it belongs to")
            rows = towers[name].first if pruned.unit == "hidden" else (name,)
            for path in rows:
                linear = _linear(model, path, neurons, 0)
                removed.append(_zero(linear.weight, neurons, 0))
                if linear.bias is not None:
                    removed.append(_zero(linear.bias, neurons, 0))
            if pruned.unit == "hidden":
                removed.append(_zero(_linear(model, towers[name].last, neurons, 1).weight, neurons, 1))
    return removed


def restore(removed: Sequence[Removed]) -> None:
    """Put back what `prune` took out."""
    with torch.no_grad():
        for part in reversed(removed):
            part.parameter.index_copy_(part.dimension, part.index, part.values)


def _linear(model: nn.Module, path: str, neurons: Sequence[int], dimension: int) -> nn.Linear:
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        layer = None
    if not isinstance(layer, nn.Linear) or max(neurons) >= layer.weight.shape[dimension]:
        raise BadInput(f"pruned layer {path}", "is not in this model, or smaller", "apply it to the base it belongs to")
    return layer


def _zero(parameter: Tensor, neurons: Sequence[int], dimension: int) -> Removed:
    index = torch.tensor(neurons, device=parameter.device)
    values = parameter.index_select(dimension, index).clone()
    parameter.index_fill_(dimension, index, 0)
    return Removed(parameter, index, dimension, values)


def write_pruned(path: Path, pruned: Pruned) -> None:
    """Write `pruned.json`, atomically."""
    write_json(path, pruned.model_dump(mode="json"))


def read_pruned(path: Path, *, base: str) -> Pruned:
    """Read `pruned.json`; raises BadInput if it is none or belongs to another base."""
    try:
        found = Pruned.model_validate(json.loads(path.read_text()))
    except (OSError, json.JSONDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(str(path), f"is not a list of pruned neurons ({reason})", "run manu again") from error
    if found.base != base:
        raise BadInput(str(path), f"was made for weights {found.base}, not {base}", "name the base it belongs to")
    return found
