"""What goes through linear layers on a set of samples: uncentred covariances of inputs by token, outputs by sample."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.methods.activations import before_answer
from unlearn.models.encoding import Batch, Encoder

log = logging.getLogger(__name__)

BATCH = 16


Rows = Callable[[Tensor, Batch], Tensor]
"""What of a layer's values [batch, length, size] counts, as rows [rows, size]."""


def input_covariances(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], layers: Mapping[str, nn.Module]
) -> dict[str, Tensor]:
    """Mean over all tokens but padding of x x^T, [in, in] fp64 on the CPU, by name of layer."""
    found, count = grams(network, encoder, samples, layers, side="input", rows=all_tokens)
    return {name: total / count for name, total in found.items()}


def output_covariances(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Mapping[str, nn.Module],
    *,
    most: int,
    seed: int,
) -> dict[str, Tensor]:
    """Mean over at most so many samples of h h^T, h the mean output over answer tokens, [out, out] fp64 on the CPU."""

    def pooled(values: Tensor, batch: Batch) -> Tensor:
        kept = (batch.labels != -100).to(values.dtype)  # [batch, length]
        return torch.einsum("btd,bt->bd", values, kept) / kept.sum(1, keepdim=True)

    chosen = some_of(samples, most=most, seed=seed)
    found, count = grams(network, encoder, chosen, layers, side="output", rows=pooled)
    return {name: total / count for name, total in found.items()}


def some_of(samples: Mapping[str, TrainingSample], *, most: int, seed: int) -> dict[str, TrainingSample]:
    """At most so many of the samples, drawn by the seed, in the order of their keys."""
    keys = sorted(samples)
    if len(keys) > most:
        keys = sorted(random.Random(f"{seed}:covariances").sample(keys, most))
    return {key: samples[key] for key in keys}


def grams(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Mapping[str, nn.Module],
    *,
    side: Literal["input", "output"],
    rows: Rows,
) -> tuple[dict[str, Tensor], int]:
    """Sum of x x^T over the rows of one side of each layer, fp64 on the CPU, by name, and how many rows there were."""
    total: dict[str, Tensor] = {}
    count = 0
    if side == "input":
        sizes = [layer.in_features for layer in layers.values() if isinstance(layer, nn.Linear)]
        held = 8 * sum(size * size for size in sizes) / 2**30
        log.info("statistics: one pass over %d samples, %.2f GiB on the CPU at once", len(samples), held)
    for batch, values in layer_values(network, encoder, samples, layers, side=side):
        seen = 0
        for name, each in values.items():
            chosen = rows(each, batch).double()
            outer = (chosen.T @ chosen).cpu()
            total[name] = total[name] + outer if name in total else outer
            seen = len(chosen)
        count += seen
    return total, count


def layer_values(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Mapping[str, nn.Module],
    *,
    side: Literal["input", "output"],
) -> Iterator[tuple[Batch, dict[str, Tensor]]]:
    """One pass without gradient, batch by batch in the order of keys: one side of each layer, [batch, length, size].

    Each sample stands in a row of its own, padded on the right. Nothing of a batch is kept when the next one comes.
    """
    device = next(network.parameters()).device
    caught: dict[str, Tensor] = {}

    def catch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor | tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
            given = inputs if side == "input" else output
            caught[name] = (given if isinstance(given, Tensor) else given[0]).detach()

        return hook

    training = network.training
    network.eval()
    hooks = [layer.register_forward_hook(catch(name)) for name, layer in layers.items()]
    keys = sorted(samples)
    try:
        for shard in counted("layers", [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]):
            batch = encoder.batch([samples[key] for key in shard]).to(device)
            caught.clear()
            with torch.no_grad():
                network(batch.inputs, batch.labels)  # without pictures: each sample in a row of its own
            yield batch, dict(caught)
    finally:
        for each in hooks:
            each.remove()
        network.train(training)


def all_tokens(values: Tensor, batch: Batch) -> Tensor:
    """[tokens, size]: every token but padding."""
    return values[batch.inputs["attention_mask"].bool()]


def prompt_ends(batch: Batch) -> Tensor:
    """[batch]: index of the last prompt token of each sample."""
    return (batch.labels != -100).int().argmax(1) - 1


def at_prompt_end(values: Tensor, batch: Batch) -> Tensor:
    """[batch, size]: at the last prompt token."""
    ends = prompt_ends(batch)
    return values[torch.arange(len(ends), device=ends.device), ends]


def over_prompt(values: Tensor, batch: Batch) -> Tensor:
    """[batch, size]: mean over the prompt's tokens."""
    places = torch.arange(values.shape[1], device=values.device)
    kept = (places <= prompt_ends(batch)[:, None]) & batch.inputs["attention_mask"].bool()
    weight = kept.to(values.dtype)
    return torch.einsum("btd,bt->bd", values, weight) / weight.sum(1, keepdim=True)


def to_answers(values: Tensor, batch: Batch) -> Tensor:
    """[positions, size]: where the next token is part of the answer, the prompt's last token among them."""
    return values[before_answer(batch.labels)]
