"""When a run ends: after its plan, or once its loss is low by a rule; and how long that will take."""

import math
from dataclasses import dataclass, replace

from unlearn.training.checkpoints import RunState


@dataclass(frozen=True)
class DecayRule:
    """Constant rate until the running loss is under `threshold`, then down to zero in `decay_steps`, then stop."""

    threshold: float
    decay_steps: int
    smoothing: float = 0.9
    """Share of the running loss that stays at each step."""


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
