"""Edits of weights: zeroed, scaled, low-rank, dense and seeded; what they touch is kept, to the last bit."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.interventions.neurons import Pruned, prune, restore
from unlearn.interventions.parts import Part, by_module, number_of, strength_of, wanted
from unlearn.models.forward import core_model
from unlearn.models.loading import LoadedModel


def zero(loaded: LoadedModel, part: Part, kept: "Kept") -> None:
    """Switch neurons off, as MANU does."""
    record = part.intervention
    if strength_of(record) not in (0.0, 1.0):
        raise BadInput(part.name, f"its strength is {strength_of(record):g}", "give 1, or 0 to leave the base")
    found = by_module(part)
    layers = {
        path: tuple(int(each) for each in wanted(part, path, tensors, "index")[0].tolist())
        for path, tensors in found.items()
    }
    if not strength_of(record):
        layers = {}
    told = record.numbers.get("unit")
    if told not in ("hidden", "output"):
        raise BadInput(part.name, f"its unit is {told!r}", "give hidden or output")
    unit: Literal["hidden", "output"] = "hidden" if told == "hidden" else "output"
    share = number_of(record, "share", most=1.0)
    pruned = Pruned(unit=unit, share=share, base="", data="", layers=layers)
    removed = prune(core_model(loaded.model), pruned, loaded.family)
    kept.calls(lambda: restore(removed))


def zeroed_tensors(pruned: Pruned) -> dict[str, Tensor]:
    """The tensors of pruned neurons, by name."""
    return {f"{path}.index": torch.tensor(index, dtype=torch.int64) for path, index in pruned.layers.items()}


def scale(loaded: LoadedModel, part: Part, kept: "Kept") -> None:
    """Multiply single weights."""
    strength = strength_of(part.intervention)
    for path, tensors in by_module(part).items():
        index, factor = wanted(part, path, tensors, "index", "factor")
        weight = weight_at(loaded, part, path)
        _fits(part, f"{path}.factor", factor, index.shape)
        change = (1 + strength * (factor.double() - 1)).to(weight.device)
        flat, at = _entries(part, path, weight, index)
        kept.entries(part, path, flat, at, flat[at].double() * change)


def add_product(loaded: LoadedModel, part: Part, kept: "Kept") -> None:
    """Add a product of two thin matrices to each weight."""
    strength = strength_of(part.intervention)
    for path, tensors in by_module(part).items():
        left, right = wanted(part, path, tensors, "left", "right")
        weight = weight_at(loaded, part, path)
        _fits(part, f"{path}.left", left, (weight.shape[0], left.shape[-1]))
        _fits(part, f"{path}.right", right, (left.shape[-1], weight.shape[1]))
        delta = strength * (left.to(weight.device).float() @ right.to(weight.device).float())
        kept.whole(part, path, weight, delta)


def add_matrix(loaded: LoadedModel, part: Part, kept: "Kept") -> None:
    """Add a matrix to each weight."""
    strength = strength_of(part.intervention)
    for path, tensors in by_module(part).items():
        (delta,) = wanted(part, path, tensors, "delta")
        weight = weight_at(loaded, part, path)
        _fits(part, f"{path}.delta", delta, weight.shape)
        kept.whole(part, path, weight, strength * delta.to(weight.device).float())


def add_noise(loaded: LoadedModel, part: Part, kept: "Kept") -> None:
    """Add normal noise to single weights, drawn from the seed and the module's path; the same seed, the same bits."""
    record = part.intervention
    strength, sigma, seed = strength_of(record), number_of(record, "sigma"), int(number_of(record, "seed"))
    for path, tensors in by_module(part).items():
        (index,) = wanted(part, path, tensors, "index")
        weight = weight_at(loaded, part, path)
        scale = strength * sigma * float(weight.detach().float().std())
        noise = (scale * normal_numbers(index.numel(), f"{seed}:{path}")).to(weight.device)
        flat, at = _entries(part, path, weight, index)
        kept.entries(part, path, flat, at, flat[at].double() + noise)


def normal_numbers(count: int, name: str) -> Tensor:
    """[count] normal numbers in float64, the same for the same name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weight_at(loaded: LoadedModel, part: Part, path: str) -> Tensor:
    """The weight of a module, under an adapter too; raises BadInput where the model has none of that path."""
    try:
        module = core_model(loaded.model).get_submodule(path)
    except AttributeError:
        module = None
    module = getattr(module, "base_layer", module)
    weight = getattr(module, "weight", None)
    if not isinstance(weight, nn.Parameter) or weight.dim() != 2:
        raise BadInput(
            part.name, f"{path} is no module with a matrix in this model", "lay it on the base it belongs to"
        )
    return weight


def _fits(part: Part, name: str, tensor: Tensor, shape: tuple[int, ...] | torch.Size) -> None:
    if tuple(tensor.shape) != tuple(shape):
        found = f"{name} has the shape {list(tensor.shape)}, not {list(shape)}"
        raise BadInput(part.name, found, "lay it on the base it belongs to")


class Kept:
    """A live resource: what weights were before, put back last first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def calls(self, undo: Callable[[], None]) -> None:
        """Something to be called when all is undone."""
        self._undo.append(undo)

    def entries(self, part: Part, path: str, flat: Tensor, at: Tensor, new: Tensor) -> None:
        """Set single entries of a flat weight."""
        old = flat[at].clone()
        flat[at] = _finite(part, path, new.to(flat.dtype))
        self.calls(partial(_put_entries, flat, at, old))

    def whole(self, part: Part, path: str, weight: Tensor, delta: Tensor) -> None:
        """Add to all entries; what adds nothing leaves the very bits. The old weight is kept on the CPU."""
        old, values = weight.data.cpu().clone(), weight.data
        added = _finite(part, path, (values.float() + delta).to(weight.dtype))
        values.copy_(torch.where(delta == 0, values, added))
        self.calls(partial(_put_whole, values, old))

    def restore(self) -> None:
        """Put back what was kept."""
        while self._undo:
            self._undo.pop()()


def _entries(part: Part, path: str, weight: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The flat weight and the places in it; raises BadInput for one outside."""
    at = index.long().to(weight.device)
    if at.numel() and not (int(at.min()) >= 0 and int(at.max()) < weight.numel()):
        found = f"{path}.index points outside of the {weight.numel()} weights"
        raise BadInput(part.name, found, "lay it on the base it belongs to")
    return weight.data.view(-1), at


def _put_entries(flat: Tensor, at: Tensor, old: Tensor) -> None:
    flat[at] = old


def _put_whole(values: Tensor, old: Tensor) -> None:
    values.copy_(old)


def _finite(part: Part, path: str, values: Tensor) -> Tensor:
    if not torch.isfinite(values).all():
        raise BadInput(part.name, f"makes {path} overflow in {values.dtype}", "lower its strength")
    return values
