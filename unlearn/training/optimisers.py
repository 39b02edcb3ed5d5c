"""Optimisers: AdamW, the sign of a gradient, estimates without a gradient; each step's learning rate, and the end.

Coarser optimisers are said to make forgetting outlast quantisation and relearning (Downgrade to Upgrade, arXiv
2510.00761): one bit of each coordinate, or the loss at two points along a random direction.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from unlearn.presets import Optimiser
from unlearn.training.checkpoints import RunState
from unlearn.training.fsdp import parameter_groups


@dataclass(frozen=True)
class Optimisation:
    """The optimiser's numbers and its schedule. `accumulate` cuts each step into so many pieces, with the same result.

    Gradients are clipped for AdamW alone: of the sign nothing is left to clip, and an estimate is what it is.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    schedule: Literal["linear", "constant"] = "linear"
    warmup_steps: int = 0
    clip_norm: float = 1.0
    accumulate: int = 1
    lanes: int = 1
    """Threads of the CPU over which a step is spread, for a model without dropout and an objective without a mask."""
    memory: int | None = None
    """Bytes that all of the run may take: steps are cut into as many pieces as that needs, with the same result."""
    says_memory: bool = False
    """Say before the first step how much memory the steps will take."""
    seed: int = 0
    optimiser: Optimiser = "adamw"
    zeroth_radius: float = 1e-3
    """How far the loss is looked at to either side, in each coordinate."""
    zeroth_directions: int = 1
    """Random directions over which an estimate is averaged."""
    zeroth_block: int = 20
    """With adam-zeroth, steps of either kind in a row; the run ends with estimates."""
    zeroth_lr: float | None = None
    """Rate of the steps on estimates; None is `lr`."""


@dataclass(frozen=True)
class DecayRule:
    """Constant rate until the running loss is under `threshold`, then down to zero in `decay_steps`, then stop."""

    threshold: float
    decay_steps: int
    smoothing: float = 0.9
    """Share of the running loss that stays at each step."""


def learning_rate(
    step: int, total: int, optimisation: Optimisation, *, decay_from: int | None = None, rule: DecayRule | None = None
) -> float:
    """The rate of a step: linear warm-up, then constant or linear to zero at `total`; a stop rule's decay overrides."""
    lr = optimisation.lr
    if optimisation.zeroth_lr is not None and is_estimated(step, total, optimisation):
        lr = optimisation.zeroth_lr
    if step < optimisation.warmup_steps:
        return lr * (step + 1) / optimisation.warmup_steps
    if rule is not None and decay_from is not None:
        return lr * max(0.0, 1 - (step - decay_from + 1) / (rule.decay_steps + 1))
    if optimisation.schedule == "constant":
        return lr
    return lr * (total - step) / max(1, total - optimisation.warmup_steps)


def is_estimated(step: int, total: int, optimisation: Optimisation) -> bool:
    """Whether a step's gradient is an estimate from losses alone; blocks are counted back from the last step."""
    if optimisation.optimiser == "adam-zeroth":
        return (total - 1 - step) // optimisation.zeroth_block % 2 == 0
    return optimisation.optimiser == "zeroth"


class SignOptimiser(torch.optim.Optimizer):
    """weight -= lr sign(m), m the gradient (momentum 0) or its running mean as Adam keeps it, with decoupled decay.

    The sign of Adam's direction is that of its running mean, for what it is divided by is positive.
    """

    def __init__(self, groups: object, *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                mean = weight.grad
                if group["momentum"]:
                    held = self.state[weight].setdefault("exp_avg", torch.zeros_like(weight))
                    mean = held.lerp_(weight.grad, 1 - group["momentum"])
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(mean.sign(), alpha=-group["lr"])


def optimiser_of(weights: Mapping[str, nn.Parameter], optimisation: Optimisation) -> torch.optim.Optimizer:
    """The optimiser of a run, its state empty."""
    groups, lr, decay = parameter_groups(weights), optimisation.lr, optimisation.weight_decay
    if optimisation.optimiser in ("adamw", "adam-zeroth"):
        return torch.optim.AdamW(groups, lr=lr, betas=optimisation.betas, weight_decay=decay, fused=True)
    if optimisation.optimiser == "zeroth":
        return torch.optim.SGD(groups, lr=lr)
    momentum = optimisation.betas[0] if optimisation.optimiser == "sign-adam" else 0.0
    return SignOptimiser(groups, lr=lr, momentum=momentum, weight_decay=decay)


def step_scale(optimiser: torch.optim.Optimizer, weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """By what AdamW divides each weight's step, as its state stands: sqrt(v / (1 - beta2^t)) + eps.

    A weight without state, as before the first step, and one of another optimiser is absent: it counts as 1.
    """
    found: dict[str, Tensor] = {}
    betas = {id(each): group for group in optimiser.param_groups for each in group["params"] if "betas" in group}
    for name, weight in weights.items():
        held = optimiser.state.get(weight, {})
        if "exp_avg_sq" in held:
            group = betas[id(weight)]
            corrected = held["exp_avg_sq"] / (1 - group["betas"][1] ** float(held["step"]))
            found[name] = corrected.sqrt() + group["eps"]
    return found


def estimate(
    weights: Mapping[str, nn.Parameter], loss: Callable[[], float], *, radius: float, directions: int, draws: str
) -> float:
    """Put a zeroth-order estimate into `.grad` of the weights; returns the mean of the losses it looked at.

    The mean over directions v of (f(w + radius v) - f(w - radius v)) / (2 radius) v; v is uniform on the sphere of
    radius sqrt(number of weights), so that the estimate of a linear function is right on average. `draws` names the
    random numbers: the same name, the same directions. The weights are put back bit for bit.
    """
    start = {name: weight.detach().clone() for name, weight in weights.items()}
    total = {name: torch.zeros_like(weight) for name, weight in start.items()}
    seen: list[float] = []
    with torch.no_grad():
        for number in range(directions):
            direction = _direction(weights, f"{draws}:{number}")
            sides: list[float] = []
            for sign in (1, -1):
                for name, weight in weights.items():
                    weight.copy_(start[name] + sign * radius * direction[name])
                sides.append(loss())
            slope = (sides[0] - sides[1]) / (2 * radius)
            for name in total:
                total[name] += slope / directions * direction[name]
            seen += sides
        for name, weight in weights.items():
            weight.copy_(start[name])
            weight.grad = total[name]
    return sum(seen) / len(seen)


def _direction(weights: Mapping[str, nn.Parameter], draws: str) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(draws.encode()).digest()[:7]))
    drawn = {name: torch.randn(weight.shape, generator=draw) for name, weight in weights.items()}
    count = sum(part.numel() for part in drawn.values())
    length = torch.stack([part.double().square().sum() for part in drawn.values()]).sum().sqrt()
    return {
        name: (part * float(count**0.5 / length)).to(weights[name].device, weights[name].dtype)
        for name, part in drawn.items()
    }


def move(
    optimiser: torch.optim.Optimizer,
    weights: Mapping[str, nn.Parameter],
    *,
    rate: float,
    estimated: bool,
    decay: float,
) -> None:
    """Apply the gradients: by the optimiser, or an estimate as plain descent, which leaves the optimiser's state."""
    if estimated:
        with torch.no_grad():
            for weight in weights.values():
                if weight.grad is not None:
                    weight.mul_(1 - rate * decay).add_(weight.grad, alpha=-rate)
    else:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
    optimiser.zero_grad()


def advance(state: RunState, loss: float, rule: DecayRule | None) -> RunState:
    """The state after a step."""
    step = state.step + 1
    if rule is None:
        return replace(state, step=step)
    before = loss if state.running_loss is None else state.running_loss
    running = rule.smoothing * before + (1 - rule.smoothing) * loss
    starts_decay = state.decay_from is None and running < rule.threshold
    return replace(state, step=step, running_loss=running, decay_from=step if starts_decay else state.decay_from)


def expected_end(first: RunState, now: RunState, total: int, rule: DecayRule | None) -> int:
    """How many steps there will be: with a stop rule as many as if the loss went on falling as since `first`."""
    if rule is None:
        return total
    if now.decay_from is not None:
        return min(total, now.decay_from + rule.decay_steps)
    before, running = first.running_loss, now.running_loss
    if before is None or running is None or running >= before or rule.threshold <= 0:
        return total
    shares = math.log(running / rule.threshold) / math.log(before / running)
    return min(total, now.step + round((now.step - first.step) * shares) + rule.decay_steps)


def ended(state: RunState, total: int, rule: DecayRule | None) -> str:
    """Why a run is over: "converged" or "finished"; "" while it is not."""
    if rule is not None and state.decay_from is not None and state.step >= state.decay_from + rule.decay_steps:
        return "converged"
    return "finished" if state.step >= total else ""
