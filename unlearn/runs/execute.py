"""Carrying out a prepared run: training along the plan, or pruning, then keeping the best and completing the record."""

import logging
import time
from collections.abc import Mapping, Sequence

import torch

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.storage.tables import Record
from unlearn.answers.groups import write_answers
from unlearn.interventions.neurons import Pruned, blocks, prune, restore, write_pruned
from unlearn.methods.activations import record_activity
from unlearn.methods.manu import choose, combined_scores, contrast_scores, layers_of
from unlearn.methods.mmunlearner import Mask, load_mask, save_mask
from unlearn.models.adapters import save_adapter
from unlearn.models.forward import bare, core_model
from unlearn.runs.before_first_step import answers_of, known_digest, objective_of
from unlearn.runs.prepare import Prepared, check_same_run, start_record, step_plan
from unlearn.runs.record import ADAPTER, MASK, PRUNED, START, WEIGHTS, RunRecord, write_record
from unlearn.training.callbacks import (
    FRONTIER,
    CollapseGuard,
    Probed,
    Watch,
    asked_of,
    frontier_score,
    probe,
    probe_keys,
)
from unlearn.training.checkpoints import BEST, disk_advice, load_weights
from unlearn.training.gradients import Moving, Objective
from unlearn.training.loop import Outcome, Step, train
from unlearn.training.optimisers import Optimisation
from unlearn.training.probes import Probe
from unlearn.training.processes import wait_for_all, writes
from unlearn.weights.penalties import drop_small_groups
from unlearn.weights.saliency import check_saliency, saliency_mask
from unlearn.weights.starts import Start, apply_start, load_start, save_start, take_start

log = logging.getLogger(__name__)

REHEARSED = 2
"""Samples of each group that a user's own terms are tried on before the first step."""


def train_run(ready: Prepared, *, found: RunRecord | None, stop_after: int | None) -> RunRecord:
    """Train along the plan; `found` is the record of the run to be resumed.

    The model is probed, and asked as the reference, before a checkpoint is restored: it still is the one to unlearn.
    """
    began = time.monotonic()
    numbers = ready.numbers
    answers = answers_of(ready)
    plan = step_plan(ready.data, ready.method, numbers, seed=ready.seed, answers=answers)
    asked = probed(ready)
    start = probe(ready.network, ready.encoder, asked)
    record = start_record(
        ready, start, asked_of(asked), planned=len(plan),
        answers=answers.counts, known=known_digest(ready, answers), found=found,
    )  # fmt: skip
    check_same_run(ready.out, found, record)
    if found is not None and found.outcome:
        return found
    mask = _mask(ready) if ready.method.masked else None
    if mask is not None:
        record = record.model_copy(update={"mask_kept": mask.kept_share()})
    if writes():
        write_record(ready.out, record)
        write_answers(ready.out, answers)
    watch = Watch(ready.encoder, asked, start=start, every=numbers.probe_every, steps=len(plan))
    guard = CollapseGuard(
        watch,
        forget_nll=numbers.stop_forget_nll,
        retain_share=numbers.stop_retain_share,
        repetition=numbers.stop_repetition,
    )
    start_of_adapter = _start(ready) if numbers.adapter_start != "zero" else None
    objective = objective_of(ready, answers, mask, start_of_adapter)
    samples = {**ready.data.forget, **ready.data.retain, **answers.samples}
    if ready.method.own:
        _rehearse(ready, samples, plan, objective)
    outcome = train(
        ready.network,
        ready.encoder,
        samples,
        plan,
        objective,
        optimisation=_optimisation(ready),
        folder=ready.out,
        identity=record.identity,
        callbacks=(watch, guard),
        checkpoint_every=numbers.probe_every,
        best_by=FRONTIER,
        resume=found is not None,
        stop_after=stop_after,
    )
    if outcome.reason == "paused":
        return record.model_copy(update={"steps": outcome.steps})
    return _finish(ready, record, outcome, seconds=time.monotonic() - began)


def probed(ready: Prepared) -> Probed:
    """The samples that this run's probes look at: retain samples kept from training, if any are."""
    data = ready.data

    def drawn(samples: Mapping[str, TrainingSample]) -> list[TrainingSample]:
        return [samples[key] for key in probe_keys(samples, limit=ready.numbers.probe_samples, seed=ready.seed)]

    return Probed(drawn(data.forget), drawn(data.held or data.retain), drawn(data.choosing))


def _rehearse(
    ready: Prepared, samples: Mapping[str, TrainingSample], plan: Sequence[Step], objective: Objective
) -> None:
    """Ask the terms once of a few samples for each kind of step, so that a fault in a user's file costs no run."""
    objective = objective.remembering({})
    moving = Moving(ready.network, {}, ready.encoder, next(ready.network.parameters()).device)
    for step in {frozenset(step.groups): step for step in plan}.values():
        groups = {name: tuple(samples[key] for key in keys[:REHEARSED]) for name, keys in step.groups.items()}
        with torch.no_grad():
            measured = moving.measured(objective, groups)
        leaves = {name: value.detach().requires_grad_() for name, value in measured.items()}
        for name, value in objective.terms(leaves, groups).items():
            if name in ready.method.own and not value.requires_grad:
                where = f"{ready.method.where or ready.method.name}, term {name!r}"
                raise BadInput(where, "has no gradient: nothing in it follows from what is measured", "mend the file")


def _optimisation(ready: Prepared) -> Optimisation:
    numbers = ready.numbers
    return Optimisation(
        lr=numbers.lr,
        weight_decay=numbers.weight_decay,
        schedule=numbers.lr_schedule,
        warmup_steps=numbers.warmup_steps,
        clip_norm=numbers.clip_norm,
        accumulate=numbers.accumulate,
        memory=ready.memory,
        says_memory=True,
        seed=ready.seed,
        optimiser=numbers.optimiser,
        zeroth_radius=numbers.zeroth_radius,
        zeroth_directions=numbers.zeroth_directions,
        zeroth_block=numbers.zeroth_block,
        zeroth_lr=numbers.zeroth_lr,
    )


def _mask(ready: Prepared) -> Mask:
    """The run's saliency mask: read from its folder, or taken now and written there."""
    path = ready.out / MASK
    if path.is_file():
        mask = load_mask(path, base=ready.base, data=ready.data.digest)
    else:
        mask = saliency_mask(ready.network, ready.encoder, ready.data, ready.numbers, base=ready.base, seed=ready.seed)
        if writes():
            save_mask(path, mask)
    check_saliency(mask, bare(ready.network), ready.numbers)
    return mask


def _start(ready: Prepared) -> Start:
    """Where the run's adapter starts: read from its folder, or taken now and written there; and applied."""
    path = ready.out / START
    if path.is_file():
        start = load_start(path, base=ready.base, data=ready.data.digest)
    else:
        start = take_start(ready.network, ready.encoder, ready.data, ready.numbers, seed=ready.seed)
        if writes():
            save_start(path, start, base=ready.base, data=ready.data.digest)
    apply_start(bare(ready.network), start)
    return start


def _finish(ready: Prepared, record: RunRecord, outcome: Outcome, *, seconds: float) -> RunRecord:
    """Probe the last weights, go back to the best ones, save them and complete the record."""
    wait_for_all(next(ready.network.parameters()).device.type)
    asked = probed(ready)
    last = probe(ready.network, ready.encoder, asked)
    best = last
    if outcome.best_step is not None and (ready.out / BEST).is_dir():
        load_weights(ready.out / BEST, bare(ready.network))
        best = probe(ready.network, ready.encoder, asked)
    if ready.numbers.group_drop:
        dropped = drop_small_groups(bare(ready.network), ready.numbers.group_drop)
        log.info("the adapter is taken off %d blocks that it hardly changed", dropped)
        best = probe(ready.network, ready.encoder, asked)
    if writes():
        _save(ready)
    done = record.model_copy(
        update={
            "status": "finished" if outcome.reason == "finished" else "stopped",
            "reason": outcome.reason,
            "steps": outcome.steps,
            "seconds": round(seconds, 3),
            "best_step": outcome.best_step,
            "best_score": outcome.best_score,
            "best": best,
            "last": last,
            "outcome": "adapter" if ready.numbers.trained == "lora" else "weights",
        }
    )
    if writes():
        write_record(ready.out, done)
    return done


def _save(ready: Prepared) -> None:
    """What the run leaves: an adapter, or the whole model."""
    adapted = ready.numbers.trained == "lora"
    left = ready.out / (ADAPTER if adapted else WEIGHTS)
    with disk_advice(left, leftover=left):
        if adapted:
            save_adapter(ready.network, left, base_digest=ready.weights or ready.base)
        else:
            core_model(bare(ready.network)).save_pretrained(left)
            ready.loaded.processor.save_pretrained(left)


class _Share(Record):
    share: float
    probe: Probe
    score: float


def begin_sweep(ready: Prepared, *, found: RunRecord | None) -> tuple[Probed, RunRecord]:
    """The samples that a run without training is probed on, and its record: `found` itself where that has ended."""
    asked = probed(ready)
    start = probe(ready.network, ready.encoder, asked)
    record = start_record(ready, start, asked_of(asked), planned=0, found=found)
    check_same_run(ready.out, found, record)
    if found is not None and found.outcome:
        return asked, found
    write_record(ready.out, record)
    return asked, record


def prune_run(ready: Prepared, *, found: RunRecord | None) -> RunRecord:
    """Score all neurons in one pass over each set, try every share, and keep the best by the frontier rule."""
    began = time.monotonic()
    numbers = ready.numbers
    if not numbers.prune_shares:
        raise BadInput("prune_shares", "is empty", "give at least one share of neurons to prune")
    asked, record = begin_sweep(ready, found=found)
    if record.outcome:
        return record
    start = record.start
    candidates, seen = _candidates(ready)
    tried: list[_Share] = []
    model = bare(ready.network)
    for pruned in candidates:
        removed = prune(model, pruned, ready.loaded.family)
        after = probe(ready.network, ready.encoder, asked)
        restore(removed)
        tried.append(_Share(share=pruned.share, probe=after, score=frontier_score(after, start)))
        log.info("share %g: forget %.3f, retain %.3f", pruned.share, after.forget_exact, after.retain_exact)
    best = max(tried, key=lambda each: (each.score, -each.share))
    kept = next(pruned for pruned in candidates if pruned.share == best.share)
    prune(model, kept, ready.loaded.family)
    write_pruned(ready.out / PRUNED, kept)
    done = record.model_copy(
        update={
            "status": "finished",
            "reason": "finished",
            "seconds": round(time.monotonic() - began, 3),
            "best_score": best.score,
            "best": best.probe,
            "last": tried[-1].probe,
            "pruned_share": best.share,
            "sweep": {f"{each.share:g}": each.probe for each in tried},
            "samples_seen": seen,
            "outcome": "pruned",
        }
    )
    write_record(ready.out, done)
    return done


def _candidates(ready: Prepared) -> tuple[list[Pruned], dict[str, int]]:
    """What each share would prune, from one set of scores, and how many samples were looked at."""
    numbers, data = ready.numbers, ready.data
    towers = blocks(bare(ready.network), ready.loaded.family, layers=numbers.prune_layers)
    layers = layers_of(towers, unit=numbers.prune_unit)
    activity, seen = {}, {}
    for name, samples in (("forget", data.forget), ("retain", data.retain)):
        activity[name], seen[name] = record_activity(
            ready.network, ready.encoder, samples, layers, tokens=numbers.prune_tokens, batch=numbers.batch,
            above=numbers.prune_active,
        )  # fmt: skip
    if numbers.prune_score == "contrast":
        scores = contrast_scores(activity["forget"], activity["retain"])
    else:
        published = [layer.name for layer in layers if layer.text] if numbers.prune_unit == "output" else None
        scores = combined_scores(
            activity["forget"], activity["retain"], published_streams=published, normalize=numbers.prune_normalize
        )
    return [
        Pruned(
            unit=numbers.prune_unit,
            share=share,
            base=ready.base,
            data=data.digest,
            layers=choose(scores, towers, share=share, unit=numbers.prune_unit, ranking=numbers.prune_ranking),
        )
        for share in numbers.prune_shares
    ], seen
