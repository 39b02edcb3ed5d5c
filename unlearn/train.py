"""The one loop: a plan of steps, an objective, AdamW; it logs, checkpoints, resumes bit for bit and stops with a reason."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import torch
from torch import nn
from tqdm import tqdm

from schemas.problems import BadInput
from schemas.training import TrainingSample
from unlearn.batches import Encoder
from unlearn.checkpoints import (
    RunState,
    latest_checkpoint,
    mark_finished,
    restore,
    run_lock,
    save_best,
    save_checkpoint,
    trainable,
)
from unlearn.gradients import Gradient, Objective, Share, check_mask, step_gradient
from unlearn.models import AnswerModel, bare

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)

LOG_FILE = "log.jsonl"


@dataclass(frozen=True)
class Step:
    """One optimiser step: which samples stand in which group. A group that has no part in the step is absent."""

    groups: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Optimisation:
    """The numbers of AdamW and its schedule. `accumulate` cuts each step into that many pieces, with the same result."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    schedule: Literal["linear", "constant"] = "linear"
    warmup_steps: int = 0
    clip_norm: float = 1.0
    accumulate: int = 1
    seed: int = 0


@dataclass(frozen=True)
class DecayRule:
    """Constant learning rate until the running loss is under `threshold`, then `decay_steps` down to zero, then stop."""

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


Callback = Callable[[Moment], Mapping[str, float] | str | None]
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
    accelerator = _accelerator(network)
    weights = trainable(bare(network))
    check_mask(objective, weights)
    optimiser = torch.optim.AdamW(
        list(weights.values()), lr=optimisation.lr, betas=optimisation.betas, weight_decay=optimisation.weight_decay,
        fused=True,
    )  # fmt: skip
    prepared, stepper = accelerator.prepare(network, optimiser)
    share = Share(optimisation.accumulate, accelerator.process_index, accelerator.num_processes)
    main = accelerator.is_main_process
    with run_lock(folder) if folder and main else nullcontext(), torch.random.fork_rng():
        torch.manual_seed(optimisation.seed)
        state = RunState(identity=identity)
        checkpoint = latest_checkpoint(folder) if folder and resume else None
        if checkpoint is not None:
            state = restore(checkpoint, bare(network), optimiser, identity=identity, device=accelerator.device)
            log.info("resuming at step %d of %d", state.step, len(plan))
        if state.finished:
            return Outcome(state.step, state.finished, state.best_step, state.best_score)
        started = state.step
        with _log_file(folder if main else None, state.step) as lines, _bar(len(plan), state.step, main) as bar:
            for step in range(state.step, len(plan)):
                if stop_after is not None and step - started >= stop_after:
                    return Outcome(step, "paused", state.best_step, state.best_score)
                rate = learning_rate(step, len(plan), optimisation, decay_from=state.decay_from, rule=stop_rule)
                groups = {name: tuple(samples[key] for key in keys) for name, keys in plan[step].groups.items()}
                prepared.train()
                with _memory_advice(step):
                    gradient = step_gradient(
                        prepared, weights, encoder, groups, objective,
                        share=share, device=accelerator.device, backward=accelerator.backward,
                    )  # fmt: skip
                    norm = float(accelerator.clip_grad_norm_(list(weights.values()), optimisation.clip_norm))
                if not (math.isfinite(gradient.loss) and math.isfinite(norm)):
                    stepper.zero_grad()
                    _write_line(lines, step, gradient, {"lr": rate, "grad_norm": norm})
                    log.warning("step %d: the loss is not finite; stopped before the update", step)
                    return Outcome(step, "nan", state.best_step, state.best_score)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                stepper.step()
                stepper.zero_grad()
                moment = Moment(step, gradient.loss, gradient.terms, gradient.measured, network)
                numbers, reason = _call(callbacks, moment)
                _write_line(lines, step, gradient, {"lr": rate, "grad_norm": norm, **numbers})
                state = _advance(state, gradient.loss, stop_rule)
                reason = reason or _ended(state, len(plan), stop_rule)
                if folder and main:
                    state = _keep_best(folder, network, state, numbers, best_by)
                    if reason or (checkpoint_every and state.step % checkpoint_every == 0):
                        save_checkpoint(folder, bare(network), optimiser, mark_finished(state, reason), keep=keep)
                bar.set_postfix(loss=f"{gradient.loss:.3f}", refresh=False)
                bar.update()
                if reason:
                    return Outcome(state.step, reason, state.best_step, state.best_score)
    return Outcome(state.step, "finished", state.best_step, state.best_score)


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
                raise BadInput(f"step {number} of the plan", f"names sample {key}, which the data lacks", "check both")


def _accelerator(network: nn.Module) -> "Accelerator":
    from accelerate import Accelerator

    device = next(network.parameters()).device
    bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if bf16 else "no")


def _call(callbacks: Sequence[Callback], moment: Moment) -> tuple[dict[str, float], str]:
    """Numbers and the first reason to stop. Callbacks cannot disturb the loop's random state."""
    numbers: dict[str, float] = {}
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
    return replace(
        state, step=step, running_loss=running, decay_from=step if starts_decay else state.decay_from
    )


def _ended(state: RunState, total: int, rule: DecayRule | None) -> str:
    if rule is not None and state.decay_from is not None and state.step >= state.decay_from + rule.decay_steps:
        return "converged"
    return "finished" if state.step >= total else ""


def _keep_best(
    folder: Path, network: nn.Module, state: RunState, numbers: Mapping[str, float], best_by: str | None
) -> RunState:
    if best_by is None or best_by not in numbers:
        return state
    if state.best_score is not None and numbers[best_by] <= state.best_score:
        return state
    state = replace(state, best_step=state.step, best_score=numbers[best_by])
    save_best(folder, bare(network), state)
    return state


@contextmanager
def _log_file(folder: Path | None, step: int) -> Iterator[IO[str] | None]:
    """The run's log, open for appending; lines from `step` on, of a run that went further before it died, are cut."""
    if folder is None:
        yield None
        return
    path = folder / LOG_FILE
    kept = []
    if path.is_file() and step > 0:
        whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line in whole if json.loads(line)["step"] < step]
    path.write_text("".join(kept))
    with path.open("a") as handle:
        yield handle


def _write_line(lines: IO[str] | None, step: int, gradient: Gradient, numbers: Mapping[str, float]) -> None:
    if lines is None:
        return
    row = {"step": step, "loss": gradient.loss, **numbers}
    row.update({f"term.{name}": value for name, value in gradient.terms.items()})
    row.update({f"mean.{name}": value for name, value in gradient.measured.items()})
    if gradient.cosine is not None:
        row["cosine"] = gradient.cosine
    lines.write(json.dumps(row) + "\n")
    lines.flush()


def _bar(total: int, start: int, main: bool) -> "tqdm[None]":
    """A progress bar on stderr, silent where that is not a terminal."""
    return tqdm(total=total, initial=start, disable=None if main else True, desc="training", unit="step", leave=False)


@contextmanager
def _memory_advice(step: int) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        advice = "accumulate over more pieces, take smaller batches or images, or a lower LoRA rank"
        raise BadInput(f"step {step}", f"memory ran out ({str(error).splitlines()[0][:120]})", advice) from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise BadInput(f"step {step}", "memory ran out", "accumulate over more pieces or take smaller batches") from error
