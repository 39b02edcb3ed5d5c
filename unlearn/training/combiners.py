"""Gradient combiners: one gradient of the forget phase's and the retain phase's, by projecting one off the other.

A phase is a named group of a step's terms whose gradient is taken apart from the rest. Gradients are those of the
losses to be minimised, over all trained weights together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn.presets import Combination
from unlearn.training.fsdp import whole

Weighted = Mapping[str, Tensor]
"""Tensors by name of trained weight."""
FORGET, RETAIN = "forget", "retain"
PHASES = (FORGET, RETAIN)
SMALLEST = 1e-12
"""Least squared length that is divided by."""


Rule = Callable[[Weighted, Weighted, Weighted, float, float], dict[str, Tensor]]
"""Of the forget and the retain gradient, the optimiser's scale, and a weight of either, the gradient of the step."""


@dataclass(frozen=True)
class Combiner:
    """What a step makes of its phases. `phase_of` names the phase of each term."""

    rule: Combination
    phase_of: Mapping[str, str]
    forget_weight: float = 1.0
    retain_weight: float = 1.0

    @property
    def uses_scale(self) -> bool:
        """It measures angles in the optimiser's metric."""
        return self.rule == "gu"

    def __call__(self, phases: Mapping[str, Weighted], scale: Weighted) -> dict[str, Tensor]:
        """The gradient of the step; of a step with one phase that phase's, as it is.

        `scale` is by what the optimiser divides each weight's step; a weight that it lacks counts as 1.
        """
        if len(phases) == 1:
            return dict(next(iter(phases.values())))
        rule = RULES[self.rule]
        return rule(phases[FORGET], phases[RETAIN], scale, self.forget_weight, self.retain_weight)


def inner(left: Weighted, right: Weighted, scale: Weighted) -> Tensor:
    """Sum over all weights of left x right / scale, a scalar in fp64; of weights that are cut over processes, too."""
    parts = [
        whole((left[name] * right[name] / scale[name] if name in scale else left[name] * right[name]).sum())
        for name in left
    ]
    return torch.stack(parts).double().sum()


def norm(gradient: Weighted) -> float:
    """Euclidean length over all weights."""
    return float(inner(gradient, gradient, {}).sqrt())


def cosine(left: Weighted, right: Weighted, scale: Weighted | None = None) -> float | None:
    """Of the angle between two gradients; None where one of them is zero."""
    metric = scale or {}
    lengths = float((inner(left, left, metric) * inner(right, right, metric)).sqrt())
    return None if lengths == 0 else float(inner(left, right, metric)) / lengths


def gu(forget: Weighted, retain: Weighted, scale: Weighted, gamma: float, alpha: float) -> dict[str, Tensor]:
    """gamma (f - c r) + alpha r with c = <f, r> / <r, r>, products over `scale` (GU, arXiv 2511.17100).

    A step along f - c r, divided by the scale as the optimiser does, leaves the retain loss as it is to first order.
    """
    share = float(inner(forget, retain, scale) / inner(retain, retain, scale).clamp(min=SMALLEST))
    return {name: gamma * (forget[name] - share * own) + alpha * own for name, own in retain.items()}


def blur(forget: Weighted, retain: Weighted, scale: Weighted, gamma: float, alpha: float) -> dict[str, Tensor]:
    """gamma f + alpha (r - f <f, r> / <f, f>): forgetting has priority (BLUR, arXiv 2506.08164); `scale` is not read.

    A forget gradient that is zero is left out of the division, for the authors' code then divides by zero.
    """
    share = float(inner(forget, retain, {}) / inner(forget, forget, {}).clamp(min=SMALLEST))
    return {name: gamma * own + alpha * (retain[name] - share * own) for name, own in forget.items()}


def surgery(forget: Weighted, retain: Weighted, scale: Weighted, gamma: float, alpha: float) -> dict[str, Tensor]:
    """f - r <f, r> / <r, r>, without the retain gradient itself (gradient surgery); neither scale nor weights enter."""
    return gu(forget, retain, {}, 1.0, 0.0)


RULES: Mapping[Combination, Rule] = {"gu": gu, "blur": blur, "surgery": surgery}
