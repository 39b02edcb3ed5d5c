"""The one loop: a plan of steps, an objective, an optimiser. It logs, keeps checkpoints and resumes bit for bit."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.training.checkpoints import (
    RunState,
    latest_checkpoint,
    mark_finished,
    restore,
    run_lock,
    save_best,
    save_checkpoint,
    trainable,
)
from unlearn.training.combiners import norm
from unlearn.training.cutting import Cutting, planned, within_memory
from unlearn.training.fsdp import clip_gradients, fsdp_wanted, is_cut, sharded_layers
from unlearn.training.gradients import Gradient, Moving, Objective, check_mask, step_gradient, step_loss
from unlearn.training.lanes import Groups, lanes_of
from unlearn.training.log import Numbers, StepCount, log_file, write_line
from unlearn.training.optimisers import (
    DecayRule,
    Optimisation,
    advance,
    ended,
    estimate,
    expected_end,
    is_estimated,
    learning_rate,
    move,
    optimiser_of,
    step_scale,
)
from unlearn.training.pieces import Share, random_state, set_random_state

if TYPE_CHECKING:
    from accelerate import Accelerator


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """One optimiser step: which samples stand in which group. A group that has no part in the step is absent."""

    groups: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Moment:
    """What callbacks see after a step's update. `step` counts from 0."""

    step: int
    loss: float
    terms: Mapping[str, float]
    measured: Mapping[str, float]
    network: nn.Module


Callback = Callable[[Moment], Numbers | str | None]
"""Numbers that it returns go into the log; a sentence stops the run with that reason."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `reason` is "finished", "converged", "nan", "paused" or what a callback said."""

    steps: int
    reason: str
    best_step: int | None = None
    best_score: float | None = None


def train(
    network: AnswerModel,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    plan: Sequence[Step],
    objective: Objective,
    *,
    optimisation: Optimisation,
    folder: Path | None,
    identity: str,
    callbacks: Sequence[Callback] = (),
    checkpoint_every: int = 0,
    keep: int | None = 2,
    best_by: str | None = None,
    resume: bool = False,
    stop_rule: DecayRule | None = None,
    stop_after: int | None = None,
) -> Outcome:
    """Train the weights that require a gradient, in place, along the plan.

    `identity` is a digest of method, data, numbers and base: a checkpoint of another identity is refused on resuming.
    `best_by` names a number that callbacks return: whenever it rises, the weights are kept in `<folder>/best`.
    `stop_after` ends the call after so many steps, as if the process had been killed there. On a loss or gradient that
    is not finite the update is not applied and the run ends. Raises BadInput for a plan that names unknown samples,
    a mask that does not fit, a checkpoint of another run, a folder in use, and where memory runs out.
    """
    _check_plan(plan, samples)
    steps = [_groups(step, samples) for step in plan]
    whole = _set_up(network, encoder, steps, objective, optimisation)
    forked = torch.random.fork_rng()
    with whole as parts, network.keeping_pictures(), _kept_in(folder, parts) as kept_in, forked:
        torch.manual_seed(optimisation.seed)
        state = _starting_state(folder if resume else None, parts, identity)
        if state.finished:
            return _outcome(state, state.finished)
        end = len(plan) if stop_after is None else min(len(plan), state.step + stop_after)
        first: RunState | None = None
        with log_file(kept_in, state.step) as lines, StepCount(len(plan), state.step, shown=bool(kept_in)) as bar:
            while state.step < end:
                step = state.step
                objective = objective.remembering(state.memory)
                groups = steps[step]
                rate = learning_rate(step, len(plan), optimisation, decay_from=state.decay_from, rule=stop_rule)
                estimated = is_estimated(step, len(plan), optimisation)
                gradient, length = (_estimate if estimated else _gradient)(parts, groups, objective, step)
                if not all(map(math.isfinite, (gradient.loss, length, *gradient.norms.values()))):
                    write_line(lines, step, gradient, {"lr": rate, "grad_norm": length})
                    log.warning("step %d: %s is not finite; stopped before the update", step, _broken(gradient))
                    return _outcome(state, "nan")
                decay = optimisation.weight_decay
                move(parts.optimiser, parts.weights, rate=rate, estimated=estimated, decay=decay)
                moment = Moment(step, gradient.loss, gradient.terms, gradient.measured, network)
                numbers, reason = _call(callbacks, moment)
                write_line(lines, step, gradient, {"lr": rate, "grad_norm": length, **numbers})
                state = advance(state, gradient.loss, stop_rule)
                pieces = parts.cutting.least if parts.cutting else 1
                state = replace(state, pieces=pieces, memory=objective.remembered(gradient.measured))
                reason = reason or ended(state, len(plan), stop_rule)
                if folder is not None:  # in every process, for one that writes may not hold all weights
                    state = _keep_best(kept_in, parts, state, numbers, best_by)
                    if reason or (checkpoint_every and state.step % checkpoint_every == 0):
                        save_checkpoint(kept_in, parts.model, parts.optimiser, mark_finished(state, reason), keep=keep)
                first = first or state
                bar.update(expected_end(first, state, len(plan), stop_rule))
                if reason:
                    return _outcome(state, reason)
    return _outcome(state, "paused")


@dataclass(frozen=True)
class _Parts:
    """What a run moves and moves with. Gradients are summed over processes.

    Every process holds the whole model, or with FSDP its cut of the language model's layers.
    """

    model: nn.Module
    """The Hugging Face or Peft model."""
    moving: Moving
    optimiser: torch.optim.Optimizer
    optimisation: Optimisation
    accelerator: "Accelerator"
    cutting: Cutting | None
    """None where several processes, or a fixed number of pieces, say how a step is cut."""

    @property
    def weights(self) -> Mapping[str, nn.Parameter]:
        """Those that move, by their names in the model."""
        return self.moving.weights


@contextmanager
def _set_up(
    network: AnswerModel, encoder: Encoder, steps: Sequence[Groups], objective: Objective, optimisation: Optimisation
) -> Iterator[_Parts]:
    """The parts of a run. With FSDP the model is cut up while they are in use."""
    from accelerate import Accelerator

    device = next(network.parameters()).device
    bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if bf16 else "no")
    network.to(accelerator.device)
    model = bare(network)
    share = Share(optimisation.accumulate, accelerator.process_index, accelerator.num_processes)
    wanted = fsdp_wanted(accelerator.num_processes)
    cut = sharded_layers(model, network.family, wanted=wanted, device=accelerator.device)
    with cut, lanes_of(optimisation.lanes) as lanes:
        weights = trainable(model)
        check_mask(objective, weights)
        optimiser = optimiser_of(weights, optimisation)
        cutting = None
        if share.pieces == 1:
            with accelerator.autocast():
                cutting = planned(
                    network, encoder, steps, budget=optimisation.memory, lanes=optimisation.lanes > 1,
                    looks=optimisation.says_memory,
                )  # fmt: skip
        moving = Moving(network, weights, encoder, accelerator.device, share, lanes, accelerator.backward)
        yield _Parts(model, moving, optimiser, optimisation, accelerator, cutting)


@contextmanager
def _kept_in(folder: Path | None, parts: _Parts) -> Iterator[Path | None]:
    """The folder, held alone, in the one process that writes; None in others."""
    if folder is None or not parts.accelerator.is_main_process:
        yield None
        return
    with run_lock(folder):
        yield folder


def _starting_state(folder: Path | None, parts: _Parts, identity: str) -> RunState:
    """Where the run goes on: at the newest checkpoint of the folder, or at the beginning."""
    checkpoint = latest_checkpoint(folder) if folder else None
    seed = parts.optimisation.seed
    if checkpoint is None:
        return RunState(identity=identity, seed=seed)
    state = restore(checkpoint, parts.model, parts.optimiser, identity=identity, device=parts.accelerator.device)
    if state.seed not in (None, seed):
        raise BadInput(str(checkpoint), f"was drawn with seed {state.seed}, not {seed}", "resume with the same seed")
    log.info("resuming after step %d", state.step)
    if parts.cutting is not None:
        parts.cutting.least = max(parts.cutting.least, state.pieces)
    return state


def _gradient(parts: _Parts, groups: Groups, objective: Objective, step: int) -> tuple[Gradient, float]:
    """The step's gradient, clipped for AdamW, and its norm before that."""
    parts.moving.network.train()
    scaled = objective.combiner is not None and objective.combiner.uses_scale

    def work(pieces: Sequence[Groups] | None) -> Gradient:
        scale = step_scale(parts.optimiser, parts.weights) if scaled else None
        return step_gradient(parts.moving, groups, objective, pieces=pieces, step=step, scale=scale)

    begin = _beginning(parts)
    begin()
    with parts.accelerator.autocast():
        gradient = within_memory(parts.cutting, groups, work, step=step, again=begin)
        clips = isinstance(parts.optimiser, torch.optim.AdamW)
        limit = parts.optimisation.clip_norm if clips else math.inf
        if any(is_cut(weight) for weight in parts.weights.values()):
            length = clip_gradients(parts.weights, limit)
        else:
            length = parts.accelerator.clip_grad_norm_(list(parts.weights.values()), limit)
    return gradient, float(length)


def _beginning(parts: _Parts) -> Callable[[], None]:
    """What puts gradients and random numbers back to where they are now, without gradients."""
    state = random_state(parts.accelerator.device)

    def begin() -> None:
        parts.optimiser.zero_grad()
        set_random_state(state, parts.accelerator.device)

    return begin


def _estimate(parts: _Parts, groups: Groups, objective: Objective, step: int) -> tuple[Gradient, float]:
    """The step's gradient estimated from losses alone, and its norm; every loss has the same random numbers."""
    parts.moving.network.train()
    seen: list[Gradient] = []
    begin = _beginning(parts)

    def work(pieces: Sequence[Groups] | None) -> Gradient:
        return step_loss(parts.moving, groups, objective, step=step, pieces=pieces)

    def loss() -> float:
        begin()
        with parts.accelerator.autocast():
            seen.append(within_memory(parts.cutting, groups, work, step=step, again=begin))
        return seen[-1].loss

    numbers = parts.optimisation
    estimate(
        parts.weights,
        loss,
        radius=numbers.zeroth_radius,
        directions=numbers.zeroth_directions,
        draws=f"{numbers.seed}:{step}",
    )
    terms, measured = ({name: sum(getattr(each, part)[name] for each in seen) / len(seen) for name in
                        getattr(seen[0], part)} for part in ("terms", "measured"))  # fmt: skip
    gradients = {name: weight.grad for name, weight in parts.weights.items() if weight.grad is not None}
    return Gradient(terms, measured), norm(gradients)


def _broken(gradient: Gradient) -> str:
    """What of a step is not finite."""
    phases = [name for name, length in gradient.norms.items() if not math.isfinite(length)]
    return f"the gradient of {' and '.join(phases)}" if phases else "the loss"


def _outcome(state: RunState, reason: str) -> Outcome:
    return Outcome(state.step, reason, state.best_step, state.best_score)


def _check_plan(plan: Sequence[Step], samples: Mapping[str, TrainingSample]) -> None:
    if not plan:
        raise BadInput("the plan", "has no steps", "give the run forget or retain samples")
    for number, step in enumerate(plan):
        if not step.groups or not all(step.groups.values()):
            raise BadInput(f"step {number} of the plan", "has an empty group", "leave the group out")
        for key in (key for keys in step.groups.values() for key in keys):
            if key not in samples:
                found = f"names sample {key}, which the data lacks"
                raise BadInput(f"step {number} of the plan", found, "plan with the ids of the samples that are given")


def _groups(step: Step, samples: Mapping[str, TrainingSample]) -> Groups:
    return {name: tuple(samples[key] for key in keys) for name, keys in step.groups.items()}


def _call(callbacks: Sequence[Callback], moment: Moment) -> tuple[Numbers, str]:
    """Numbers and the first reason to stop. Callbacks cannot disturb the loop's random state."""
    numbers: dict[str, float | tuple[int, ...]] = {}
    reason = ""
    for callback in callbacks:
        with torch.random.fork_rng():
            said = callback(moment)
        if isinstance(said, str):
            reason = reason or said
        elif said is not None:
            numbers.update(said)
    return numbers, reason


def _keep_best(folder: Path | None, parts: _Parts, state: RunState, numbers: Numbers, best_by: str | None) -> RunState:
    score = numbers.get(best_by) if best_by is not None else None
    if not isinstance(score, float) or (state.best_score is not None and score <= state.best_score):
        return state
    state = replace(state, best_step=state.step, best_score=score)
    save_best(folder, parts.model, state)
    return state
