"""Weight-only rounding to 4 bits on any device: int4 in groups, nf4 and fp4 in blocks; and whose codes change.

int4: groups of 64 along the input axis, scale max|w| / 7, codes -8 to 7. nf4 and fp4: blocks of 64 of the flattened
weight, scaled by their largest value to [-1, 1], the nearest of 16 levels (those of bitsandbytes).
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Rounding = Literal["int4", "nf4", "fp4"]
ROUNDINGS: tuple[Rounding, ...] = ("int4", "nf4", "fp4")
GROUP = 64
NF4 = (
    -1.0, -0.6962, -0.5251, -0.3949, -0.2844, -0.1848, -0.0911, 0.0,
    0.0796, 0.1609, 0.2461, 0.3379, 0.4407, 0.5626, 0.7230, 1.0,
)  # fmt: skip
_FP4_SIZES = (0.0, 0.005208333, 0.16666667, 0.25, 0.33333333, 0.5, 0.66666667, 1.0)
FP4 = tuple(sorted({sign * size for size in _FP4_SIZES for sign in (-1.0, 1.0)}))
"""Two codes of fp4 are zero, so there are 15 levels."""


def rounded(weight: "Tensor", how: Rounding) -> "Tensor":
    """The weight [rows, inputs] as a 4-bit model computes with it, in its own precision and place."""
    codes, scales = _codes(weight, how)
    values = codes if how == "int4" else _levels(how, weight)[codes.long()]
    return _back(values * scales, weight, how)


def codes_of(weight: "Tensor", how: Rounding) -> "Tensor":
    """The code of each weight, in the weight's own shape; equal codes are told apart by their scale alone."""
    codes, _ = _codes(weight, how)
    return _back(codes, weight, how)


def codes_kept(before: "Tensor", after: "Tensor", how: Rounding) -> tuple[int, int]:
    """(changed weights whose code is that of before, changed weights): all of them, and rounding undoes the change."""
    changed = before != after
    same = codes_of(before, how) == codes_of(after, how)
    return int((same & changed).sum()), int(changed.sum())


def _codes(weight: "Tensor", how: Rounding) -> "tuple[Tensor, Tensor]":
    """Codes [groups, GROUP] and scales [groups, 1] in fp32; a group of zeros has scale 1, or it would divide by 0."""
    import torch

    grouped = _grouped(weight.detach().float(), how)
    largest = grouped.abs().amax(-1, keepdim=True)
    scales = torch.where(largest > 0, largest / (7 if how == "int4" else 1), torch.ones_like(largest))
    scaled = grouped / scales
    if how == "int4":
        return scaled.round().clamp(-8, 7), scales
    levels = _levels(how, weight)
    middles = (levels[1:] + levels[:-1]) / 2
    return torch.bucketize(scaled, middles), scales


def _levels(how: Rounding, like: "Tensor") -> "Tensor":
    import torch

    return torch.tensor(NF4 if how == "nf4" else FP4, device=like.device)


def _grouped(weight: "Tensor", how: Rounding) -> "Tensor":
    """[groups, GROUP]: along each row's inputs for int4, of all weights in a line else; filled up with zeros."""
    import torch

    rows = weight if how == "int4" else weight.reshape(1, -1)
    filled = torch.nn.functional.pad(rows, (0, -rows.shape[1] % GROUP))
    return filled.reshape(-1, GROUP)


def _back(values: "Tensor", weight: "Tensor", how: Rounding) -> "Tensor":
    """The reverse of `_grouped`."""
    rows = weight.shape[0] if how == "int4" else 1
    width = weight.shape[1] if how == "int4" else weight.numel()
    return values.reshape(rows, -1)[:, :width].reshape(weight.shape).to(weight.dtype)
