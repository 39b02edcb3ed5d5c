"""How strongly neurons fire on a set of samples: one pass, running statistics, padding left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from schemas.vocabulary import MODALITIES, Modality
from unlearn.models.encoding import Encoder
from unlearn.models.forward import bare

LIMIT = 1e3
"""Activations are clamped to this, as published, so that one outlier does not decide."""


@dataclass(frozen=True)
class Layer:
    """Something to watch: one side of a linear, under the name that its neurons go by."""

    name: str
    linear: str
    side: Literal["input", "output"]
    text: bool
    """Its rows are [batch, time] of the language model, so padding can be told; a vision tower has none."""


@dataclass(frozen=True)
class Activity:
    """Running statistics of a layer's neurons over tokens, fp64 (Welford, merged batch by batch after Chan)."""

    count: int
    mean: Tensor
    """[neurons]"""
    squares: Tensor
    """[neurons], sum of squared deviations from the mean."""
    magnitude: Tensor
    """[neurons], mean absolute activation."""
    active: Tensor
    """[neurons], number of tokens whose absolute activation is above a threshold."""

    @property
    def deviation(self) -> Tensor:
        """[neurons], standard deviation over tokens."""
        return (self.squares / self.count).sqrt()

    @property
    def root_mean_square(self) -> Tensor:
        """[neurons]."""
        return (self.squares / self.count + self.mean.square()).sqrt()


def activity_of(values: Tensor, *, above: float = 0.1) -> Activity:
    """Statistics of one batch of activations [tokens, neurons]; a neuron is active `above` that absolute value."""
    values = values.detach().clamp(-LIMIT, LIMIT).double()
    mean, sizes = values.mean(0), values.abs()
    return Activity(
        values.shape[0], mean, (values - mean).square().sum(0), sizes.mean(0), (sizes > above).sum(0).double()
    )


def merge(left: Activity, right: Activity) -> Activity:
    """Statistics of both sets of tokens together."""
    count = left.count + right.count
    change = right.mean - left.mean
    return Activity(
        count=count,
        mean=left.mean + change * (right.count / count),
        squares=left.squares + right.squares + change.square() * (left.count * right.count / count),
        magnitude=left.magnitude + (right.magnitude - left.magnitude) * (right.count / count),
        active=left.active + right.active,
    )


def record_activity(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Sequence[Layer],
    *,
    tokens: Literal["all", "answer"],
    batch: int,
    above: float = 0.1,
) -> tuple[dict[Modality, dict[str, Activity]], int]:
    """Statistics by modality and layer, and the number of samples that went through the model: each one once.

    `tokens` of the language model: all but padding, or those that predict the answer. The vision tower's are all.
    """
    found: dict[Modality, dict[str, Activity]] = {}
    seen = 0
    model: nn.Module = bare(network)
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    for modality in MODALITIES:
        keys = sorted(key for key, sample in samples.items() if sample.modality == modality)
        for shard in counted("activity", [keys[start : start + batch] for start in range(0, len(keys), batch)]):
            loaded = encoder.batch([samples[key] for key in shard]).to(device)
            kept = before_answer(loaded.labels) if tokens == "answer" else loaded.inputs["attention_mask"].bool()
            caught: dict[str, Activity] = {}
            hooks = list(_watch(model, layers, kept, caught, above))
            try:
                with torch.no_grad():
                    network(loaded.inputs, loaded.labels)
            finally:
                for hook in hooks:
                    hook.remove()
            seen += len(shard)
            totals = found.setdefault(modality, {})
            for name, part in caught.items():
                totals[name] = merge(totals[name], part) if name in totals else part
    network.train(training)
    return found, seen


def before_answer(labels: Tensor) -> Tensor:
    """[batch, time], bool: the positions whose next token is part of the answer."""
    kept = torch.zeros_like(labels, dtype=torch.bool)
    kept[:, :-1] = labels[:, 1:] != -100
    return kept


def _watch(
    model: nn.Module, layers: Iterable[Layer], kept: Tensor, caught: dict[str, Activity], above: float
) -> Iterable[RemovableHandle]:
    for layer in layers:
        linear = model.get_submodule(layer.linear)

        def catch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, layer: Layer = layer) -> None:
            values = inputs[0] if layer.side == "input" else output
            rows = values[kept] if layer.text else values.reshape(-1, values.shape[-1])
            part = activity_of(rows, above=above)
            caught[layer.name] = merge(caught[layer.name], part) if layer.name in caught else part

        yield linear.register_forward_hook(catch)
