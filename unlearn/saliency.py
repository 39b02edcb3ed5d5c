"""MMUnlearner's mask: the weights that matter more to the forget set than to what must stay, by diagonal Fisher ratio.

Two defects of the published masks are absent here (methods.md H1, H2). With LoRA the second matrix is zero at the
start, so the first has no gradient and any ratio of it is 0/0: the first matrix is therefore frozen, a fixed random
projection, and the mask is taken of the second, which alone is trained. And the mask belongs to one adapter
initialisation, which is stored with it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from schemas.problems import BadInput
from schemas.training import TrainingSample
from unlearn.answers import align
from unlearn.batches import Encoder
from unlearn.methods import token_mean
from unlearn.models import bare

TINY = 1e-15
"""Added to both Fishers, as published, so that their ratio exists where both are zero."""


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


def freeze_first_matrices(model: nn.Module) -> int:
    """Freeze every LoRA A, so that only B moves; returns how many were frozen."""
    frozen = 0
    for name, parameter in model.named_parameters():
        if ".lora_A." in name and parameter.requires_grad:
            parameter.requires_grad_(False)
            frozen += 1
    return frozen


def preserve_set(
    forget: Mapping[str, TrainingSample], retain: Mapping[str, TrainingSample], *, preserve: Literal["both", "retain"]
) -> dict[str, TrainingSample]:
    """What the mask protects. `both`: retain vqa and the text qa of all subjects, forgotten ones too (the original).

    Without vqa samples, and with `retain`, it is the retain set.
    """
    if preserve == "retain" or all(sample.modality == "qa" for sample in forget.values()):
        return dict(retain)
    text = {key: sample for key, sample in {**forget, **retain}.items() if sample.modality == "qa"}
    return text | {key: sample for key, sample in retain.items() if sample.modality == "vqa"}


def erase_set(
    forget: Mapping[str, TrainingSample], *, preserve: Literal["both", "retain"]
) -> dict[str, TrainingSample]:
    """What the mask is taken for: with `both` the forget vqa samples if there are any, else the forget set."""
    seen = {key: sample for key, sample in forget.items() if sample.modality == "vqa"}
    return seen if seen and preserve == "both" else dict(forget)


def sample_fisher(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], *, batch: int
) -> dict[str, Tensor]:
    """Mean over samples of the squared gradient of each sample's mean NLL, by name of trained linear weight, fp32.

    One backward pass serves a whole batch: a linear layer's gradient for one sample is the product of that sample's
    inputs and output gradients. Where the vision tower is trained too, its rows mix samples, so one is taken at a time.
    """
    model = bare(network)
    linears = trained_linears(model)
    fisher = {f"{name}.weight": torch.zeros_like(layer.weight, dtype=torch.float32) for name, layer in linears.items()}
    inputs: dict[str, Tensor] = {}
    of_outputs: dict[str, Tensor] = {}
    hooks = []
    for name, layer in linears.items():
        hooks.append(layer.register_forward_hook(_remember(inputs, name)))
        hooks.append(layer.register_full_backward_hook(_remember_gradient(of_outputs, name)))
    size = batch if all("vision" not in name and "visual" not in name for name in linears) else 1
    training = network.training
    network.eval()
    try:
        for keys in _shards(sorted(samples), size):
            inputs.clear()
            of_outputs.clear()
            losses = _sample_losses(network, encoder, [samples[key] for key in keys])
            torch.autograd.backward([losses.sum()])
            for name in of_outputs:
                fisher[f"{name}.weight"] += _squared_gradients(of_outputs[name], inputs[name], rows=len(keys))
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)
        model.zero_grad(set_to_none=True)
    return {name: total / len(samples) for name, total in fisher.items()}


def _remember(store: dict[str, Tensor], name: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        store[name] = inputs[0].detach()

    return hook


def _remember_gradient(store: dict[str, Tensor], name: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    def hook(layer: nn.Module, of_inputs: object, of_outputs: tuple[Tensor, ...]) -> None:
        store[name] = of_outputs[0].detach()

    return hook


def _squared_gradients(of_output: Tensor, inputs: Tensor, *, rows: int) -> Tensor:
    """Sum over samples of the squared weight gradient, [out, in]."""
    of_output = of_output.reshape(rows, -1, of_output.shape[-1]).float()  # [samples, tokens, out]
    inputs = inputs.reshape(rows, -1, inputs.shape[-1]).float()  # [samples, tokens, in]
    total = torch.zeros(of_output.shape[-1], inputs.shape[-1], device=inputs.device)
    for row in range(rows):
        total += (of_output[row].T @ inputs[row]).square_()
    return total


def _sample_losses(network: nn.Module, encoder: Encoder, samples: Sequence[TrainingSample]) -> Tensor:
    """[samples], mean NLL over each answer."""
    batch = encoder.batch(samples).to(next(network.parameters()).device)
    logits, labels = network(batch.inputs, batch.labels)
    answers = align(logits, labels)
    return answers.by_sample(answers.nll())[1]


def trained_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """Linear layers whose weight is trained, by module name."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.weight.requires_grad
    }


def batch_fisher(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], *, batch: int, seed: int
) -> dict[str, Tensor]:
    """Mean over batches of the squared gradient of the batch-mean loss, dropout on, of every trained weight.

    This is the published Fisher; it depends on how the samples fall into batches.
    """
    model = bare(network)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    fisher = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in trained.items()}
    shards = list(_shards(sorted(samples), batch))
    training = network.training
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for keys in shards:
            loaded = encoder.batch([samples[key] for key in keys]).to(next(network.parameters()).device)
            answers = align(*network(loaded.inputs, loaded.labels))
            sums, _ = answers.by_sample(answers.nll())
            loss = token_mean({"all.nll_sum": sums, "all.tokens": answers.token_counts()}, "all")
            torch.autograd.backward([loss])
            for name, parameter in trained.items():
                if parameter.grad is not None:
                    fisher[name] += parameter.grad.float().square() / len(shards)
            model.zero_grad(set_to_none=True)
    network.train(training)
    return fisher


def _shards(keys: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def keep_salient(
    forget: Mapping[str, Tensor], preserve: Mapping[str, Tensor], *, threshold: float
) -> dict[str, Tensor]:
    """Weights whose Fisher ratio forget : preserve reaches the threshold (methods.md 2.5)."""
    return {name: (found + TINY) / (preserve[name] + TINY) >= threshold for name, found in sorted(forget.items())}


def check_mask(mask: Mask, model: nn.Module, *, allow_full: bool) -> None:
    """Refuse a mask that does not fit the weights to be trained, or that decides nothing in some layer.

    `allow_full` lets layers through that are kept whole, as the published masks keep every LoRA A.
    """
    trained = {f"{name}.weight": layer.weight for name, layer in trained_linears(model).items()}
    wrong = sorted(trained.keys() ^ mask.keep.keys())
    if wrong:
        raise BadInput("the saliency mask", f"and the trained weights differ in {wrong[0]}", "take the mask anew")
    for name, share in mask.shares().items():
        if mask.keep[name].shape != trained[name].shape:
            found = f"{name} has shape {tuple(mask.keep[name].shape)}, not {tuple(trained[name].shape)}"
            raise BadInput("the saliency mask", found, "take the mask anew for this model")
        if share == 0 or (share == 1 and not allow_full):
            found = f"{name} keeps {'nothing' if share == 0 else 'everything'}"
            raise BadInput("the saliency mask", found, "change mask_threshold, or give more forget and retain samples")


def save_mask(path: Path, mask: Mask) -> None:
    """Write a mask as bit-packed safetensors, atomically, with the adapter's initial weights."""
    tensors = {f"keep/{name}": _pack(kept) for name, kept in mask.keep.items()}
    tensors |= {f"initial/{name}": weight.detach().cpu().contiguous().clone() for name, weight in mask.initial.items()}
    shapes = {name: list(kept.shape) for name, kept in sorted(mask.keep.items())}
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"shapes": json.dumps(shapes), "base": mask.base, "data": mask.data}
    save_file(tensors, part, metadata=metadata | {"shares": json.dumps(mask.shares())})
    part.replace(path)


def load_mask(path: Path, *, base: str, data: str) -> Mask:
    """Read a mask; raises BadInput if it cannot be read or was taken for another base or other samples."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        shapes = json.loads(metadata["shapes"])
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise BadInput(str(path), f"is not a mask ({error})", "delete it and take the mask anew") from error
    for what, wanted in (("base", base), ("data", data)):
        if metadata[what] != wanted:
            found = f"was taken with {what} {metadata[what]}, not {wanted}"
            raise BadInput(str(path), found, "delete it and take the mask anew")
    keep = {name: _unpack(tensors[f"keep/{name}"], shape) for name, shape in shapes.items()}
    prefix = "initial/"
    initial = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return Mask(keep=keep, initial=initial, base=base, data=data)


def _pack(kept: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(kept.cpu().numpy().reshape(-1)))


def _unpack(bits: Tensor, shape: Sequence[int]) -> Tensor:
    count = int(np.prod(shape))
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=count).astype(bool)).reshape(tuple(shape))
