"""Edits of weights: scaled, low-rank and dense changes of linear layers, and the bits that they change, to put back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from schemas.errors import BadInput

Tensors = Mapping[str, Tensor]
PARTS = {"scaled": ("index", "factor"), "low_rank": ("left", "right"), "dense": ("delta",)}
"""Tensors of each form, by the last part of their names."""
ADVICE = "lay it over the model it was made of, or make it anew"


@dataclass(frozen=True)
class Changed:
    """Entries of a weight as they were: all of them, or those of a flat index."""

    weight: Tensor
    before: Tensor
    index: Tensor | None = None

    def undo(self) -> None:
        """Put the bits back."""
        with torch.no_grad():
            if self.index is None:
                self.weight.copy_(self.before)
            else:
                self.weight.view(-1)[self.index] = self.before


def lay_edit(model: nn.Module, form: str, tensors: Tensors) -> list[Changed]:
    """Change weights in place; `undo` of what is returned, last first, gives the same bits again.

    Raises BadInput, before anything is changed, for a layer that the model lacks, another shape, or numbers that are
    not finite. A change is computed in fp32 and rounded once.
    """
    if form not in PARTS:
        raise BadInput(f"edit {form}", "is not known", f"known are {', '.join(PARTS)}")
    work: list[tuple[nn.Linear, dict[str, Tensor]]] = []
    for path in sorted({name.rpartition(".")[0] for name in tensors}):
        parts = {part: tensors[f"{path}.{part}"] for part in PARTS[form] if f"{path}.{part}" in tensors}
        work.append((_linear(model, path), parts))
        _check(path, work[-1][0].weight, parts, form)
    return [_APPLY[form](linear.weight, parts) for linear, parts in work]


def _linear(model: nn.Module, path: str) -> nn.Linear:
    found = dict(model.named_modules()).get(path)
    if not isinstance(found, nn.Linear):
        raise BadInput(f"edit of {path}", "the model has no such linear layer", ADVICE)
    return found


def _check(path: str, weight: Tensor, parts: Tensors, form: str) -> None:
    where = f"edit of {path}"
    if missing := [part for part in PARTS[form] if part not in parts]:
        raise BadInput(where, f"lacks its {missing[0]}", ADVICE)
    if any(not bool(each.isfinite().all()) for each in parts.values()):
        raise BadInput(where, "holds numbers that are not finite", "make it anew with a smaller strength")
    rows, columns = weight.shape
    if form == "scaled":
        index, factor = parts["index"], parts["factor"]
        fits = index.dim() == 1 and index.shape == factor.shape
        fits = fits and (not len(index) or (int(index.min()) >= 0 and int(index.max()) < weight.numel()))
    elif form == "low_rank":
        left, right = parts["left"], parts["right"]
        fits = left.dim() == right.dim() == 2 and (left.shape[0], right.shape[1]) == (rows, columns)
        fits = fits and left.shape[1] == right.shape[0]
    else:
        fits = parts["delta"].shape == weight.shape
    if not fits:
        shapes = ", ".join(f"{part} {list(each.shape)}" for part, each in parts.items())
        raise BadInput(where, f"does not fit a weight of shape {[rows, columns]} ({shapes})", ADVICE)


@torch.no_grad()
def _scale(weight: Tensor, parts: Tensors) -> Changed:
    index = parts["index"].to(weight.device, torch.long)
    flat = weight.view(-1)
    before = flat[index].clone()
    flat[index] = (before.float() * parts["factor"].to(weight.device).float()).to(weight.dtype)
    return Changed(weight, before, index)


@torch.no_grad()
def _add(weight: Tensor, change: Tensor) -> Changed:
    before = weight.detach().clone()
    if bool(change.any()):  # a change of zero keeps every bit, that of -0.0 too
        weight.copy_((before.float() + change.to(weight.device).float()).to(weight.dtype))
    return Changed(weight, before)


def _low_rank(weight: Tensor, parts: Tensors) -> Changed:
    return _add(weight, parts["left"].to(weight.device).float() @ parts["right"].to(weight.device).float())


def _dense(weight: Tensor, parts: Tensors) -> Changed:
    return _add(weight, parts["delta"])


_APPLY: Mapping[str, Callable[[Tensor, Tensors], Changed]] = {"scaled": _scale, "low_rank": _low_rank, "dense": _dense}
