"""MANU: find the neurons that the forget set uses more than the retain set, and switch them off, reversibly."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record
from schemas.vocabulary import Modality
from unlearn.methods.activations import Activity, Layer
from unlearn.models.families import Family

RATIO_FLOOR = 1e-5
"""Added to the retain side of every ratio, as published."""
CONTRAST_FLOOR = 1e-6
"""Added to the denominators of the printed contrast score."""
IMPORTANCE = {"magnitude": 2.0, "deviation": 2.0, "root_mean_square": 2.0}
"""Weights of the four published statistics; that of the activation frequency is 0, so it is not taken."""

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
                f"the {tower} tower", "holds no MLP that MANU knows", "add its names to unlearn/methods/manu.py"
            )
        chosen += of_tower[-3:] if layers == "last3" else of_tower
    return chosen


def layers_of(towers: Sequence[Block], *, unit: Literal["hidden", "output"]) -> list[Layer]:
    """What to watch: the input of each MLP's last linear (its hidden neurons), or the output of each linear."""
    if unit == "hidden":
        return [Layer(block.path, block.last, "input", block.tower == "language") for block in towers]
    return [
        Layer(linear, linear, "output", block.tower == "language")
        for block in towers
        for linear in (*block.first, block.last)
    ]


def importance(forget: Activity, retain: Activity) -> Tensor:
    """[neurons]: sum over statistics of weight x (forget / (retain + 1e-5) - 1) (methods.md 2.6)."""
    total = torch.zeros_like(forget.mean)
    for name, weight in IMPORTANCE.items():
        total += weight * (getattr(forget, name) / (getattr(retain, name) + RATIO_FLOOR) - 1)
    return total


def contrast(multi: Activity, text: Activity | None) -> Tensor:
    """[neurons]: by how much multimodal and text inputs of one set differ, MANU's paper's four measures added up.

    |Zm - Zt| / (Zm + Zt + e) + |Nm - Nt| / (Nm + Nt + e) + sqrt(Vm + Vt) + sqrt(|Em - Et| / (Em + Et + e)): Z mean
    absolute activation, N tokens active, V mean squared deviation of the activation from Z, as printed, E sum of
    squares. A layer that text does not reach has zeros for text.
    """
    zeros = torch.zeros_like(multi.mean)
    nothing = Activity(1, zeros, zeros, zeros, zeros)
    parts = [
        (each.magnitude, each.active, each.squares / each.count + (each.mean - each.magnitude).square(),
         each.squares + each.count * each.mean.square())
        for each in (multi, text or nothing)
    ]  # fmt: skip
    (size, active, spread, energy), (size_t, active_t, spread_t, energy_t) = parts
    return (
        (size - size_t).abs() / (size + size_t + CONTRAST_FLOOR)
        + (active - active_t).abs() / (active + active_t + CONTRAST_FLOOR)
        + (spread + spread_t).sqrt()
        + ((energy - energy_t).abs() / (energy + energy_t + CONTRAST_FLOOR)).sqrt()
    )


def contrast_scores(
    forget: Mapping[Modality, Mapping[str, Activity]], retain: Mapping[Modality, Mapping[str, Activity]]
) -> dict[str, Tensor]:
    """Score of each neuron by layer: the contrast on the forget set over that on the retain set.

    Raises BadInput for data of one modality, which has nothing to be contrasted.
    """
    for name, found in (("forget", forget), ("retain", retain)):
        if set(found) != {"qa", "vqa"}:
            has = " and ".join(sorted(found)) or "nothing"
            raise BadInput(f"the {name} set", f"holds {has}, and the contrast is of qa and vqa", "take --modality both")
    scores: dict[str, Tensor] = {}
    for layer in sorted(set(forget["vqa"]) & set(retain["vqa"])):
        above, below = (contrast(each["vqa"][layer], each["qa"].get(layer)) for each in (forget, retain))
        scores[layer] = above / (below + CONTRAST_FLOOR)
    return scores


def combined_scores(
    forget: Mapping[Modality, Mapping[str, Activity]],
    retain: Mapping[Modality, Mapping[str, Activity]],
    *,
    published_streams: Sequence[str] | None,
    normalize: bool,
) -> dict[str, Tensor]:
    """Score of each neuron by layer, summed over the modalities in which the layer is active.

    `normalize` brings each layer of each stream to mean 0 and deviation 1, so that no layer is favoured by its scale.
    `published_streams` names the language layers, which then count by qa alone (all others by vqa alone).
    """
    scores: dict[str, Tensor] = {}
    for modality in sorted(set(forget) & set(retain)):
        for layer in sorted(set(forget[modality]) & set(retain[modality])):
            if published_streams is not None and (layer in published_streams) != (modality == "qa"):
                continue
            found = importance(forget[modality][layer], retain[modality][layer])
            if normalize:
                found = (found - found.mean()) / found.std().clamp(min=1e-12)
            scores[layer] = scores[layer] + found if layer in scores else found
    return scores


def choose(
    scores: Mapping[str, Tensor],
    towers: Sequence[Block],
    *,
    share: float,
    unit: Literal["hidden", "output"],
    ranking: Literal["each", "together"],
) -> dict[str, tuple[int, ...]]:
    """Indices by layer of the highest-scored `share` of the neurons; ties by layer and index.

    `ranking` is of each tower by itself (published), or of both together, so that a tower which tells forget and
    retain samples apart no better than chance is left alone. Raises BadInput if a ranking would lose no neuron.
    """
    chosen: dict[str, tuple[int, ...]] = {}
    ranked: tuple[tuple[Tower, ...], ...] = (("language",), ("vision",))
    for tower in ranked if ranking == "each" else (("language", "vision"),):
        names = [layer.name for layer in layers_of([b for b in towers if b.tower in tower], unit=unit)]
        names = [name for name in names if name in scores]
        if not names:
            continue
        flat = torch.cat([scores[name] for name in names])
        count = int(share * len(flat))
        if count == 0:
            found = f"is less than one of the {len(flat)} neurons of the {' and '.join(tower)} tower"
            raise BadInput(f"the share {share}", found, "prune a larger share")
        top = torch.zeros(len(flat), dtype=torch.bool)
        top[flat.argsort(descending=True, stable=True)[:count]] = True
        for name, kept in zip(names, torch.split(top, [len(scores[name]) for name in names]), strict=True):
            if kept.any():
                chosen[name] = tuple(kept.nonzero().squeeze(1).tolist())
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
