"""MMUnlearner's mask: the weights that matter more to the forget set than to what must stay, by diagonal Fisher ratio.

Two defects of the published masks are absent here (methods.md H1, H2). With LoRA the second matrix is zero at the
start, so the first has no gradient and any ratio of it is 0/0: the first matrix is therefore frozen, a fixed random
projection, and the mask is taken of the second, which alone is trained. And the mask belongs to one adapter
initialisation, which is stored with it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.data import Assigned
from unlearn.methods.fisher import batch_fisher, erase_set, preserve_set, sample_fisher, trained_linears
from unlearn.models.encoding import Encoder
from unlearn.models.forward import bare
from unlearn.presets import Numbers
from unlearn.training.checkpoints import read_tensors, trainable, write_tensors

TINY = 1e-15
"""Added to both Fishers, as published, so that their ratio exists where both are zero."""
NAMED = ("proj", "fc", "linear", "mlp", "qkv")
"""Parts of names of the weights that the published mask is taken of."""


@dataclass(frozen=True)
class Mask:
    """Which weights the masked terms may move, by parameter name, and the trained weights it was taken at."""

    keep: Mapping[str, Tensor]
    """bool, in the shape of the parameter."""
    initial: Mapping[str, Tensor]
    """The adapter as it was, by parameter name; empty for full-parameter training."""
    base: str
    """Digest of the base weights."""
    data: str
    """Digest of the samples."""

    def shares(self) -> dict[str, float]:
        """Share of weights kept, by parameter."""
        return {name: float(kept.float().mean()) for name, kept in sorted(self.keep.items())}

    def kept_share(self) -> float:
        """Share of all masked weights that is kept."""
        return sum(int(kept.sum()) for kept in self.keep.values()) / sum(kept.numel() for kept in self.keep.values())

    def for_weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Factors for every trained weight: those that the mask does not know (norms, biases) move freely."""
        return {
            name: self.keep.get(name, torch.ones_like(weight, dtype=torch.bool)).to(weight.device)
            for name, weight in trainable(model).items()
        }


def freeze_first_matrices(model: nn.Module) -> int:
    """Freeze every LoRA A, so that only B moves; returns how many were frozen."""
    frozen = 0
    for name, parameter in model.named_parameters():
        if ".lora_A." in name and parameter.requires_grad:
            parameter.requires_grad_(False)
            frozen += 1
    return frozen


def take_mask(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, *, base: str, seed: int) -> Mask:
    """The mask of a run, at the adapter's initialisation.

    A weight of the vision tower is protected by the retain vqa samples alone, one of the language model by the whole
    preserve set, as in the original. With `mask_new_adapter` (published) the mask is taken of a differently drawn
    adapter, and the trained one put back.
    """
    model: nn.Module = bare(network)
    initial = {name: weight.detach().clone() for name, weight in adapter_weights(model).items()}
    if numbers.mask_new_adapter:
        redraw_first_matrices(model, rank=numbers.rank, seed=seed + 1)
    erase = erase_set(data.forget, preserve=numbers.preserve)
    keep_text = preserve_set(data.forget, data.retain, preserve=numbers.preserve)
    if numbers.fisher == "batch":
        size = numbers.fisher_batch
        forget = batch_fisher(network, encoder, erase, batch=size, seed=seed)
        preserve = batch_fisher(network, encoder, keep_text, batch=size, seed=seed)
    else:
        forget = sample_fisher(network, encoder, erase, batch=numbers.fisher_batch)
        preserve = sample_fisher(network, encoder, keep_text, batch=numbers.fisher_batch)
    seen = {key: sample for key, sample in data.retain.items() if sample.modality == "vqa"}
    vision = {name for name in preserve if ".visual." in name or ".vision_" in name}
    if vision and seen and (numbers.fisher == "sample" or numbers.preserve == "both"):
        if numbers.fisher == "batch":
            by_sight = batch_fisher(network, encoder, seen, batch=numbers.fisher_batch, seed=seed)
        else:
            by_sight = sample_fisher(network, encoder, seen, batch=1)
        preserve |= {name: by_sight[name] for name in vision}
    with torch.no_grad():
        for name, weight in adapter_weights(model).items():
            weight.copy_(initial[name])
    masked = forget if numbers.trained == "lora" else {name: each for name, each in forget.items() if is_named(name)}
    keep = keep_salient(masked, preserve, threshold=numbers.mask_threshold)
    return Mask(keep=keep, initial=initial, base=base, data=data.digest)


def is_named(weight: str) -> bool:
    """Whether a weight is one that the published masks speak of, by its name; norms, embeddings and the output layer,
    which they do not, move freely.
    """
    return any(part in weight for part in NAMED)


def adapter_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights of the LoRA matrices, frozen ones too."""
    return {name: weight for name, weight in model.named_parameters() if ".lora_A." in name or ".lora_B." in name}


def redraw_first_matrices(model: nn.Module, *, rank: int, seed: int) -> None:
    """Draw every LoRA A anew, normal with deviation 1 / rank (PEFT's "gaussian")."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in adapter_weights(model).items():
            if ".lora_A." in name:
                weight.copy_(torch.randn(weight.shape, generator=draw) / rank)


def keep_salient(
    forget: Mapping[str, Tensor], preserve: Mapping[str, Tensor], *, threshold: float
) -> dict[str, Tensor]:
    """Weights whose Fisher ratio forget : preserve reaches the threshold (methods.md 2.5)."""
    return {name: (found + TINY) / (preserve[name] + TINY) >= threshold for name, found in sorted(forget.items())}


def check_mask(mask: Mask, model: nn.Module, *, allow_full: bool) -> None:
    """Refuse a mask that does not fit the weights to be trained, or that decides nothing in some layer.

    `allow_full` lets layers through that are kept whole, as the published masks keep every LoRA A.
    """
    moving = trainable(model)
    linears = {f"{name}.weight" for name in trained_linears(model)}
    wrong = sorted(mask.keep.keys() - moving.keys() | {name for name in linears - mask.keep.keys() if is_named(name)})
    if wrong:
        raise BadInput("the saliency mask", f"and the trained weights differ in {wrong[0]}", "take the mask anew")
    for name, share in mask.shares().items():
        if mask.keep[name].shape != moving[name].shape:
            found = f"{name} has shape {tuple(mask.keep[name].shape)}, not {tuple(moving[name].shape)}"
            raise BadInput("the saliency mask", found, "take the mask anew for this model")
        if name in linears and (share == 0 or (share == 1 and not allow_full)):
            found = f"{name} keeps {'nothing' if share == 0 else 'everything'}"
            raise BadInput("the saliency mask", found, "change mask_threshold, or give more forget and retain samples")


def save_mask(path: Path, mask: Mask) -> None:
    """Write a mask as bit-packed safetensors, atomically, with the adapter's initial weights."""
    tensors = {f"keep/{name}": _pack(kept) for name, kept in mask.keep.items()}
    tensors |= {f"initial/{name}": weight.detach().cpu().contiguous().clone() for name, weight in mask.initial.items()}
    shapes = {name: list(kept.shape) for name, kept in sorted(mask.keep.items())}
    metadata = {"shapes": json.dumps(shapes), "base": mask.base, "data": mask.data}
    write_tensors(path, tensors, metadata | {"shares": json.dumps(mask.shares())})


def load_mask(path: Path, *, base: str, data: str) -> Mask:
    """Read a mask; raises BadInput if it cannot be read or was taken for another base or other samples."""
    metadata, tensors = read_tensors(path, "mask", base=base, data=data)
    try:
        shapes = json.loads(metadata["shapes"])
    except (KeyError, json.JSONDecodeError) as error:
        raise BadInput(str(path), f"is no mask ({error})", "delete it and begin anew") from error
    keep = {name: _unpack(tensors[f"keep/{name}"], shape) for name, shape in shapes.items()}
    prefix = "initial/"
    initial = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return Mask(keep=keep, initial=initial, base=base, data=data)


def _pack(kept: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(kept.cpu().numpy().reshape(-1)))


def _unpack(bits: Tensor, shape: Sequence[int]) -> Tensor:
    count = int(np.prod(shape))
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=count).astype(bool)).reshape(tuple(shape))
