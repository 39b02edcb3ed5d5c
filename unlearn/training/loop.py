"""The one loop: a plan of steps, an objective, AdamW. It logs, keeps checkpoints and resumes bit for bit."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.models.fsdp import clip_gradients, fsdp_wanted, is_cut, parameter_groups, sharded_layers
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
from unlearn.training.gradients import Gradient, Objective, Share, check_mask, step_gradient
from unlearn.training.lanes import Groups, Lanes, lanes_of
from unlearn.training.log import Numbers, StepCount, log_file, write_line

if TYPE_CHECKING:
    from accelerate import Accelerator


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """One optimiser step: which samples stand in which group. A group that has no part in the step is absent."""

    groups: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Optimisation:
    """The numbers of AdamW and its schedule. `accumulate` cuts each step into so many pieces, with the same result."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    schedule: Literal["linear", "constant"] = "linear"
    warmup_steps: int = 0
    clip_norm: float = 1.0
    accumulate: int = 1
    lanes: int = 1
    """Threads of the CPU over which a step is spread, for a model without dropout and an objective without a mask."""
    seed: int = 0


@dataclass(frozen=True)
class DecayRule:
    """Constant rate until the running loss is under `threshold`, then down to zero in `decay_steps`, then stop."""

    threshold: float
    decay_steps: int
    smoothing: float = 0.9
    """Share of the running loss that stays at each step."""


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
    whole = _set_up(network, objective, optimisation)
    with whole as parts, _kept_in(folder, parts) as kept_in, torch.random.fork_rng():
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
                groups = {name: tuple(samples[key] for key in keys) for name, keys in plan[step].groups.items()}
                rate = learning_rate(step, len(plan), optimisation, decay_from=state.decay_from, rule=stop_rule)
                gradient, norm = _gradient(parts, encoder, groups, objective, step, clip_norm=optimisation.clip_norm)
                if not (math.isfinite(gradient.loss) and math.isfinite(norm)):
                    write_line(lines, step, gradient, {"lr": rate, "grad_norm": norm})
                    log.warning("step %d: the loss is not finite; stopped before the update", step)
                    return _outcome(state, "nan")
                _update(parts, rate)
                moment = Moment(step, gradient.loss, gradient.terms, gradient.measured, network)
                numbers, reason = _call(callbacks, moment)
                write_line(lines, step, gradient, {"lr": rate, "grad_norm": norm, **numbers})
                state = _advance(state, gradient.loss, stop_rule)
                state = replace(state, memory=objective.remembered(gradient.measured))
                reason = reason or _ended(state, len(plan), stop_rule)
                if folder is not None:  # in every process, for one that writes may not hold all weights
                    state = _keep_best(kept_in, parts, state, numbers, best_by)
                    if reason or (checkpoint_every and state.step % checkpoint_every == 0):
                        save_checkpoint(kept_in, parts.model, parts.adamw, mark_finished(state, reason), keep=keep)
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
    network: AnswerModel
    weights: Mapping[str, nn.Parameter]
    adamw: torch.optim.AdamW
    accelerator: "Accelerator"
    share: Share
    lanes: Lanes | None


@contextmanager
def _set_up(network: AnswerModel, objective: Objective, optimisation: Optimisation) -> Iterator[_Parts]:
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
        adamw = torch.optim.AdamW(
            parameter_groups(weights),
            lr=optimisation.lr,
            betas=optimisation.betas,
            weight_decay=optimisation.weight_decay,
            fused=True,
        )
        yield _Parts(model, network, weights, adamw, accelerator, share, lanes)


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
    if checkpoint is None:
        return RunState(identity=identity)
    state = restore(checkpoint, parts.model, parts.adamw, identity=identity, device=parts.accelerator.device)
    log.info("resuming after step %d", state.step)
    return state


def _gradient(
    parts: _Parts, encoder: Encoder, groups: Groups, objective: Objective, step: int, *, clip_norm: float
) -> tuple[Gradient, float]:
    """The step's gradient, clipped, and its norm before that."""
    parts.network.train()
    parts.adamw.zero_grad()
    with _memory_advice(step), parts.accelerator.autocast():
        gradient = step_gradient(
            parts.network,
            parts.weights,
            encoder,
            groups,
            objective,
            share=parts.share,
            device=parts.accelerator.device,
            backward=parts.accelerator.backward,
            lanes=parts.lanes,
        )
        if any(is_cut(weight) for weight in parts.weights.values()):
            norm = clip_gradients(parts.weights, clip_norm)
        else:
            norm = parts.accelerator.clip_grad_norm_(list(parts.weights.values()), clip_norm)
    return gradient, float(norm)


def _update(parts: _Parts, rate: float) -> None:
    for group in parts.adamw.param_groups:
        group["lr"] = rate
    parts.adamw.step()
    parts.adamw.zero_grad()


def _outcome(state: RunState, reason: str) -> Outcome:
    return Outcome(state.step, reason, state.best_step, state.best_score)


def learning_rate(
    step: int, total: int, optimisation: Optimisation, *, decay_from: int | None = None, rule: DecayRule | None = None
) -> float:
    """The rate of a step: linear warm-up, then constant or linear to zero at `total`; a stop rule's decay overrides."""
    if step < optimisation.warmup_steps:
        return optimisation.lr * (step + 1) / optimisation.warmup_steps
    if rule is not None and decay_from is not None:
        return optimisation.lr * max(0.0, 1 - (step - decay_from + 1) / (rule.decay_steps + 1))
    if optimisation.schedule == "constant":
        return optimisation.lr
    return optimisation.lr * (total - step) / max(1, total - optimisation.warmup_steps)


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


def _advance(state: RunState, loss: float, rule: DecayRule | None) -> RunState:
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


def _ended(state: RunState, total: int, rule: DecayRule | None) -> str:
    if rule is not None and state.decay_from is not None and state.step >= state.decay_from + rule.decay_steps:
        return "converged"
    return "finished" if state.step >= total else ""


def _keep_best(folder: Path | None, parts: _Parts, state: RunState, numbers: Numbers, best_by: str | None) -> RunState:
    score = numbers.get(best_by) if best_by is not None else None
    if not isinstance(score, float) or (state.best_score is not None and score <= state.best_score):
        return state
    state = replace(state, best_step=state.step, best_score=score)
    save_best(folder, parts.model, state)
    return state


@contextmanager
def _memory_advice(step: int) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # On a CPU torch says so by a RuntimeError in words of its own.
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise
        reason = (str(error).splitlines() or [""])[0][:120]
        advice = "accumulate over more pieces, take smaller batches or images, or a lower LoRA rank"
        raise BadInput(f"step {step}", f"memory ran out ({reason})", advice) from error
