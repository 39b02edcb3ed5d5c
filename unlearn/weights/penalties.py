"""Penalties on weights: no sample enters, so they are taken once a step, whatever pieces it is cut into."""

import hashlib
import re
from collections.abc import Mapping
from functools import partial

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

from unlearn.presets import GroupNorm, Numbers
from unlearn.training.gradients import Penalty
from unlearn.weights.starts import adapted_linears, base_weight, matrices


def penalties_of(model: nn.Module, numbers: Numbers, *, basis: Mapping[str, Tensor], seed: int) -> dict[str, Penalty]:
    """The penalties that the numbers ask for, weighted; `basis` are directions of retain outputs by adapted linear."""
    layers = adapted_linears(model)
    found: dict[str, Penalty] = {}
    if numbers.overlap_weight and basis:
        fixed = {name: each.to(matrices(layers[name])[1]) for name, each in sorted(basis.items())}
        found["overlap"] = partial(_overlaps, layers, fixed, numbers.overlap_weight)
    if numbers.transport_weight:
        found["transport"] = partial(
            _transports, layers, numbers.transport_weight, numbers.transport_directions, seed
        )  # fmt: skip
    if numbers.group_weight:
        found["groups"] = partial(_groups, layers, numbers.group_weight, numbers.group_norm)
    return found


def group_squares(layers: Mapping[str, LoraLinear], *, norm: GroupNorm) -> dict[str, Tensor]:
    """How much the adapter holds in each block, squared, by the block's path (GS-LoRA, arXiv 2403.11530).

    "factors" is the sum of squares of all its A and B, as published, which A's random start keeps from 0; "product"
    that of B A, which the model sees.
    """
    squares: dict[str, list[Tensor]] = {}
    for name, layer in layers.items():
        first, second = matrices(layer)
        if norm == "factors":
            square = first.square().sum() + second.square().sum()
        else:  # tr(A^T B^T B A) = sum((B^T B) * (A A^T)), [rank, rank] each
            square = ((second.T @ second) * (first @ first.T)).sum() * layer.scaling["default"] ** 2
        squares.setdefault(block_of(name), []).append(square)
    return {block: torch.stack(each).sum().clamp(min=0) for block, each in sorted(squares.items())}


def block_of(path: str) -> str:
    """The numbered layer that a linear lies in, by its path; the path itself where it lies in none."""
    found = re.match(r"(.*?\.\d+)\.", path)
    return found.group(1) if found else path


def _groups(layers: Mapping[str, LoraLinear], weight: float, norm: GroupNorm, step: int) -> Tensor:
    """Sum of the groups' norms; smoothed at 0, where a root has no gradient."""
    return weight * (torch.stack(list(group_squares(layers, norm=norm).values())) + 1e-12).sqrt().sum()


def drop_small_groups(model: nn.Module, share: float) -> int:
    """Take the adapter off the blocks whose norm is below `share` of the largest; returns how many blocks."""
    layers = adapted_linears(model)
    norms = {block: float(square.detach()) ** 0.5 for block, square in group_squares(layers, norm="product").items()}
    largest = max(norms.values(), default=0.0)
    small = {block for block, norm in norms.items() if norm < share * largest}
    with torch.no_grad():
        for name, layer in layers.items():
            if block_of(name) in small:
                matrices(layer)[1].zero_()
    return len(small)


def overlap(second: Tensor, basis: Tensor) -> Tensor:
    """||B^T Q||^2: how far B [out, rank] lies in the directions Q [out, directions] (ReGLU's ROL)."""
    return (second.T @ basis).square().sum()


def _overlaps(layers: Mapping[str, LoraLinear], basis: Mapping[str, Tensor], weight: float, step: int) -> Tensor:
    each = [overlap(matrices(layers[name])[1], fixed) for name, fixed in basis.items()]
    return weight * torch.stack(each).sum()


def transport(old: Tensor, new: Tensor) -> Tensor:
    """Sliced Wasserstein distance of the rows of two matrices, from their projections [rows, directions] each.

    Sum over rows of the squared difference of sorted values, mean over directions: p = 2, no root (Opt-Out, arXiv
    2406.12329). The order of the rows does not matter.
    """
    return (old.sort(dim=0).values - new.sort(dim=0).values).square().sum(0).mean()


def _transports(layers: Mapping[str, LoraLinear], weight: float, directions: int, seed: int, step: int) -> Tensor:
    """Of every adapted weight from what it was; W P = W0 P + s B (A P), so W itself is never made.

    Where the adapter did not start at zero, a second one takes off what it began with, and counts likewise.
    """
    each = []
    for name, layer in layers.items():
        drawn = _directions(base_weight(layer).shape[1], directions, f"{seed}:{step}:{name}").to(matrices(layer)[0])
        with torch.no_grad():
            old = base_weight(layer).to(drawn.dtype) @ drawn  # [out, directions]
        added = []
        for adapter in layer.lora_A:
            first, second = matrices(layer, adapter)
            added.append(layer.scaling[adapter] * (second @ (first @ drawn)))
        each.append(transport(old, old + torch.stack(added).sum(0)))
    return weight * torch.stack(each).sum()


def _directions(size: int, count: int, draws: str) -> Tensor:
    """[size, count] of length 1 each; the same name, the same directions."""
    draw = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(draws.encode()).digest()[:7]))
    found = torch.randn(size, count, generator=draw)
    return found / found.square().sum(0).sqrt()
