"""Steering from statistics: MLLMEraser's map of the prompt's end, GUARD-IT's gated rotation, ECO's corruption."""

import logging
from typing import cast

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.methods.hidden_states import unanswerable
from unlearn.methods.makers.closed_forms import away_from, erasing_map
from unlearn.methods.makers.gates import forget_gate, gate_states
from unlearn.methods.makers.maker import Candidates, Given, Made, steering
from unlearn.methods.makers.states import clusters, end_states, prompt_means
from unlearn.models.forward import core_model

log = logging.getLogger(__name__)

HELD_OUT = 10
"""Every so many-th retain prompt is kept from the null space, to say how much is added to what it has not seen."""


def erased(given: Given) -> Candidates:
    """MLLMEraser: a map in each middle layer adds a declining direction to forget prompts and little to others.

    The sweep is over the strength.
    """
    numbers = given.numbers
    layers = list(range(given.depth(1 / 3), given.depth(2 / 3) + 1))
    declined = end_states(given, unanswerable(), layers)
    forget, retain = (end_states(given, samples, layers) for samples in (given.data.forget, given.data.retain))
    tensors: dict[str, Tensor] = {}
    for layer in layers:
        held = torch.arange(len(retain[layer])) % HELD_OUT == HELD_OUT - 1
        direction = declined[layer].mean(0) - retain[layer].mean(0)
        left, right = erasing_map(
            retain[layer][~held], forget[layer], direction, free=numbers.erase_free, ridge=numbers.ridge
        )
        added = {name: float((states @ left).abs().mean()) for name, states in
                 (("forget", forget[layer]), ("held-out retain", retain[layer][held])) if len(states)}  # fmt: skip
        log.info("layer %d: of the direction goes to %s", layer, ", ".join(f"{n} {v:.3g}" for n, v in added.items()))
        path = given.layer_path(layer)
        tensors |= {f"{path}.left": left.float(), f"{path}.right": right.float()}

    def make(strength: float) -> Made:
        return steering("linear", {"strength": strength}, tensors)

    return Candidates("strength of what is added", numbers.tried, make, _seen(given))


def rotated(given: Given) -> Candidates:
    """GUARD-IT: states of prompts that a gate knows are turned away from their cluster, at their length.

    Clusters are of forget prompts at the gate's layer; a cluster's vector is what its mean state has and the retain
    mean lacks. The gate knows single prompts, each with its cluster's vector. The sweep is over how far.
    """
    numbers = given.numbers
    layer = given.depth(0.25)
    forget, retain = (prompt_means(given, each, [layer])[layer] for each in (given.data.forget, given.data.retain))
    states = gate_states(given)
    labels = clusters(states[0], most=numbers.clusters, seed=given.seed)
    mean = retain.mean(0)
    vectors = []
    for number in range(int(labels.max()) + 1):
        own = forget[labels == number]
        length = float(own.norm(dim=1).mean() + retain.norm(dim=1).mean()) / 2
        vectors.append(away_from(own.mean(0), mean, length=length, by=numbers.away))
    gate = forget_gate(given, states)
    tensors = {f"{given.layer_path(layer)}.vectors": torch.stack(vectors)[labels].float()}

    def make(strength: float) -> Made:
        return steering("rotate", {"strength": strength}, tensors, gate=gate)

    return Candidates("how far states are turned", numbers.tried, make, _seen(given))


def corrupted(given: Given) -> Candidates:
    """ECO: the embeddings of prompts that a gate knows are corrupted, picture tokens too; the sweep is over the noise.

    In place of a search by differences the frontier rule chooses; deviations are in multiples of the embeddings' own.
    """
    numbers = given.numbers
    core = core_model(given.network.model)
    embeddings = cast(nn.Embedding, core.get_input_embeddings()).weight.detach().float()
    if numbers.corrupt_dims > embeddings.shape[1]:
        found = f"is more than the {embeddings.shape[1]} numbers of an embedding"
        raise BadInput(f"corrupt_dims {numbers.corrupt_dims}", found, "corrupt fewer")
    deviation = float(embeddings.std())
    gate = forget_gate(given, gate_states(given))

    def make(times: float) -> Made:
        told: dict[str, JsonValue] = {
            "method": numbers.corrupt, "dims": numbers.corrupt_dims, "sigma": times * deviation,
        }  # fmt: skip
        return steering("corrupt", told, {}, gate=gate)

    return Candidates("noise, in deviations of the embeddings", numbers.tried, make, _seen(given))


def _seen(given: Given) -> dict[str, int]:
    return {"forget": len(given.data.forget), "retain": len(given.data.retain)}
