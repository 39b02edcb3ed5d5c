"""Starts of the adapter: where LoRA's two matrices begin, chosen from the weights and from what they do on the data.

A start that is not zero leaves the model's function as it is: a second adapter, frozen, takes off what the first adds.
The papers rewrite the base weight instead, which is the same function; so the model with its adapters off stays the old
one, nothing is rounded away where the base is in bf16, and what is saved is one adapter of the base itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraModel
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.data import Assigned
from unlearn.methods.fisher import only_moving, sample_fisher
from unlearn.models.encoding import Encoder
from unlearn.models.forward import bare
from unlearn.presets import Numbers
from unlearn.training.checkpoints import read_tensors, write_tensors
from unlearn.weights.covariances import input_covariances, output_covariances

ORIGIN = "origin"
"""Name of the frozen adapter that takes off what the trained one begins with."""
RATIO_FLOOR = 1e-5
"""Added to the retain side of importances, and to row weights, as published."""
SPREAD = 0.05
"""Deviation of VILA's two random matrices."""
RIDGE = 1e-4
"""Added to the diagonal of ReGLU's covariances, as its code has it."""


@dataclass(frozen=True)
class Start:
    """Both matrices of every adapted linear, by module path of the adapted model."""

    first: Mapping[str, Tensor]
    """A, [rank, in]."""
    second: Mapping[str, Tensor]
    """B, [out, rank]."""
    basis: Mapping[str, Tensor]
    """[out, directions] of retain outputs, for a penalty on B; empty where none was asked for."""


def adapted_linears(model: nn.Module) -> dict[str, LoraLinear]:
    """The linears that carry an adapter, by module path."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


def matrices(layer: LoraLinear, adapter: str = "default") -> tuple[Tensor, Tensor]:
    """A [rank, in] and B [out, rank] of one adapter on a linear: the weights themselves."""
    return cast(nn.Linear, layer.lora_A[adapter]).weight, cast(nn.Linear, layer.lora_B[adapter]).weight


def base_weight(layer: LoraLinear) -> Tensor:
    """[out, in]: the weight under the adapter."""
    return cast(nn.Linear, layer.base_layer).weight


def take_start(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, *, seed: int) -> Start:
    """The start that the numbers name; raises BadInput where the rank does not fit the weights or the null space."""
    starts: Mapping[str, Callable[..., Start]] = {
        "fila": _fila, "vila": _vila, "reglu": _reglu, "null-space": _null_space
    }  # fmt: skip
    for name, layer in adapted_linears(bare(network)).items():
        most = min(base_weight(layer).shape)
        if numbers.rank > most:
            raise BadInput(f"rank {numbers.rank}", f"is more than the {most} that {name} has", "take a lower rank")
    return starts[numbers.adapter_start](network, encoder, data, numbers, seed)


def apply_start(model: nn.Module, start: Start) -> None:
    """Put the matrices into the adapter, and let a frozen one take off what they add; raises BadInput if none fits."""
    layers = adapted_linears(model)
    if set(layers) != set(start.first):
        odd = sorted(set(layers) ^ set(start.first))[0]
        raise BadInput("the adapter's start", f"and the adapted weights differ in {odd}", "delete it, start anew")
    moving = {name: weight.requires_grad for name, weight in model.named_parameters()}
    if any(bool(each.any()) for each in start.second.values()):
        adapted = cast(PeftModel, model)
        adapted.add_adapter(ORIGIN, adapted.peft_config["default"])
        cast(LoraModel, adapted.base_model).set_adapter(["default", ORIGIN])
    with torch.no_grad():
        for name, layer in layers.items():
            for adapter, sign in (("default", 1), (ORIGIN, -1)):
                if adapter in layer.lora_A:
                    first, second = matrices(layer, adapter)
                    first.copy_(start.first[name])
                    second.copy_(sign * start.second[name])
    for name, weight in model.named_parameters():
        weight.requires_grad_(moving.get(name, False))


def fila_matrices(weight: Tensor, rows: Tensor, *, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """A and B of the best approximation of `weight` with rows weighted: diag(1 / w) svd_rank(diag(w) W) = scale B A.

    `weight` is [out, in], `rows` [out] (FILA, arXiv 2408.06621).
    """
    left, values, right = torch.linalg.svd(rows[:, None] * weight, full_matrices=False)
    roots = (values[:rank] / scale).sqrt()
    return roots[:, None] * right[:rank], left[:, :rank] * roots / (rows + RATIO_FLOOR)[:, None]


def row_weights(forget: Tensor, retain: Tensor) -> Tensor:
    """[out]: root of the row sums of importance, forget Fisher over retain Fisher, both [out, in]."""
    return (forget / (RATIO_FLOOR + retain)).sum(1).sqrt()


def _fila(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, seed: int) -> Start:
    layers = adapted_linears(bare(network))
    weights = [base_weight(layer) for layer in layers.values()]
    forget, retain = _fishers(network, encoder, data, numbers, weights, centred=False)
    rows = {name: row_weights(*(f[f"{name}.base_layer.weight"] for f in (forget, retain))) for name in layers}
    return _from_rows(layers, rows)


def _vila(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, seed: int) -> Start:
    """As FILA, with importances of the two factors, both random at first, in place of those of the weight."""
    layers = adapted_linears(bare(network))
    factors = {name: matrices(layer) for name, layer in layers.items()}
    draw = torch.Generator().manual_seed(seed)
    before = {name: tuple(each.detach().clone() for each in pair) for name, pair in factors.items()}
    with torch.no_grad():
        for pair in factors.values():
            for each in pair:
                each.copy_(torch.randn(each.shape, generator=draw) * SPREAD)
    both = _fishers(network, encoder, data, numbers, [each for pair in factors.values() for each in pair], centred=True)
    with torch.no_grad():
        for name, pair in factors.items():
            for each, old in zip(pair, before[name], strict=True):
                each.copy_(old)
    rows = {
        name: row_weights(
            *(found[f"{name}.lora_B.default.weight"] @ found[f"{name}.lora_A.default.weight"] for found in both)
        )
        for name in layers
    }
    return _from_rows(layers, rows)


def _from_rows(layers: Mapping[str, LoraLinear], rows: Mapping[str, Tensor]) -> Start:
    first, second = {}, {}
    for name, layer in layers.items():
        weight = base_weight(layer).detach().float()
        scale, rank = layer.scaling["default"], layer.r["default"]
        first[name], second[name] = fila_matrices(weight, rows[name].float(), rank=rank, scale=scale)
    return Start(first, second, {})


def _fishers(
    network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, moved: list[Tensor], *, centred: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Fisher of some weights, sample by sample, on the forget and on the retain set; what is trained stays so."""
    with only_moving(bare(network), moved):
        forget, retain = (
            sample_fisher(network, encoder, samples, batch=numbers.fisher_batch, centred=centred)
            for samples in (data.forget, data.retain)
        )
    return forget, retain


def reglu_basis(forget: Tensor, retain: Tensor, *, balance: float, rank: int) -> Tensor:
    """[out, rank]: leading eigenvectors of (1 - balance) C_forget - balance C_retain, both [out, out]."""
    vectors: Tensor = torch.linalg.eigh((1 - balance) * forget - balance * retain).eigenvectors
    return vectors.flip(1)[:, :rank]


def _reglu(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, seed: int) -> Start:
    layers = adapted_linears(bare(network))
    forget, retain = (
        output_covariances(network, encoder, samples, layers, most=numbers.start_samples, seed=seed)
        for samples in (data.forget, data.retain)
    )
    first, second, basis = {}, {}, {}
    for name, layer in layers.items():
        ridge = RIDGE * torch.eye(len(base_weight(layer)), dtype=torch.float64)
        of_retain = retain[name] + ridge
        chosen = reglu_basis(
            forget[name] + ridge, of_retain, balance=numbers.start_balance, rank=layer.r["default"]
        ).float()
        weight = base_weight(layer).detach().float().cpu()
        first[name], second[name] = chosen.T @ weight, chosen
        if numbers.overlap_weight:
            if numbers.overlap_rank >= len(weight):
                found = f"leaves none of the {len(weight)} outputs of {name} free"
                raise BadInput(f"overlap_rank {numbers.overlap_rank}", found, "take a lower one")
            basis[name] = torch.linalg.eigh(of_retain).eigenvectors.flip(1)[:, : numbers.overlap_rank].float()
    return Start(first, second, basis)


def null_projection(covariance: Tensor, *, share: float) -> tuple[Tensor, int]:
    """P = U U^T [in, in] over the smallest directions that together hold less than `share` of the trace, and how many.

    `covariance` is [in, in], uncentred.
    """
    values, vectors = torch.linalg.eigh(covariance)  # ascending
    held = values.clamp(min=0).cumsum(0) / values.clamp(min=0).sum()
    count = int((held < share).sum())
    free = vectors[:, :count]
    return free @ free.T, count


def _null_space(network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, seed: int) -> Start:
    layers = adapted_linears(bare(network))
    inputs = input_covariances(network, encoder, data.retain, layers)
    first, second = {}, {}
    for name, layer in layers.items():
        projection, count = null_projection(inputs[name], share=numbers.null_share)
        if count < layer.r["default"]:
            found = f"is more than the {count} directions that retain inputs of {name} leave free"
            raise BadInput(f"rank {layer.r['default']}", found, "take a lower rank, or a larger null_share")
        drawn = matrices(layer)[0].detach().double().cpu()
        first[name] = (drawn @ projection).float()
        second[name] = torch.zeros_like(matrices(layer)[1])
    return Start(first, second, {})


def save_start(path: Path, start: Start, *, base: str, data: str) -> None:
    """Write a start as safetensors, atomically."""
    parts = {"first": start.first, "second": start.second, "basis": start.basis}
    tensors = {f"{part}/{name}": each for part, held in parts.items() for name, each in held.items()}
    write_tensors(path, tensors, {"base": base, "data": data})


def load_start(path: Path, *, base: str, data: str) -> Start:
    """Read a start; raises BadInput if it cannot be read or was taken for another base or other samples."""
    _, tensors = read_tensors(path, "start of an adapter", base=base, data=data)
    parts: dict[str, dict[str, Tensor]] = {"first": {}, "second": {}, "basis": {}}
    for name, tensor in tensors.items():
        part, _, layer = name.partition("/")
        parts[part][layer] = tensor
    return Start(**parts)
