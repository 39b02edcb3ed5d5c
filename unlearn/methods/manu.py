"""MANU: find the neurons that the forget set uses more than the retain set."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from schemas.errors import BadInput
from schemas.vocabulary import Modality
from unlearn.interventions.neurons import Block, Tower
from unlearn.methods.activations import Activity, Layer

RATIO_FLOOR = 1e-5
"""Added to the retain side of every ratio, as published."""
CONTRAST_FLOOR = 1e-6
"""Added to the denominators of the printed contrast score."""
IMPORTANCE = {"magnitude": 2.0, "deviation": 2.0, "root_mean_square": 2.0}
"""Weights of the four published statistics; that of the activation frequency is 0, so it is not taken."""


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
