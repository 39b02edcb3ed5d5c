"""What a run needs before its first step: a model with the right weights free, its numbers, its plan, its record."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pydantic import JsonValue

from schemas.errors import BadInput
from schemas.records.interventions import beneath
from schemas.storage.artifacts import digest
from schemas.vocabulary import Modality
from unlearn.answers.groups import AnswerGroups
from unlearn.data import Assigned, Modalities, hold_out, reword
from unlearn.losses.bao import matched_subjects
from unlearn.losses.hidden_terms import HIDDEN_TERMS
from unlearn.memory.estimate import memory_estimate
from unlearn.methods.hidden_states import freeze_beyond, layer_of
from unlearn.methods.mmunlearner import freeze_first_matrices
from unlearn.methods.phases import check_phases
from unlearn.methods.rows.method import Method
from unlearn.models.adapters import add_lora, merged
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.models.loading import LoadedModel, best_dtype, load_model
from unlearn.presets import Numbers, Preset, numbers_at_default, numbers_for
from unlearn.runs.record import MASK, START, TEACHER, RunRecord, base_for, has_begun, open_stack, stack_of
from unlearn.schedules import epochs_for, turns
from unlearn.training.callbacks import FRONTIER_RULE
from unlearn.training.loop import Step
from unlearn.training.probes import Asked, Probe
from unlearn.training.processes import processes

log = logging.getLogger(__name__)

NO_ANSWERS = AnswerGroups()


@dataclass(frozen=True)
class Prepared:
    """What a run works with once everything has been read and checked, before anything is written."""

    out: Path
    data: Assigned
    loaded: LoadedModel
    network: AnswerModel
    encoder: Encoder
    method: Method
    numbers: Numbers
    sections: tuple[str, ...]
    base: str
    seed: int
    model: str
    """As the user named it."""
    preset: Preset
    modality: Modalities
    memory: int | None = None
    """Bytes that the run may take."""
    after: str = ""
    """Folder of the run that it goes upon, seen from its own."""
    beneath: str = ""
    """Digest of the base with all that this one and those before it left."""
    weights: str = ""
    """Digest of the weights that its adapter belongs to: those of the base, or of an earlier run that left others."""


def prepare(
    out: Path,
    data: Assigned,
    method: Method,
    *,
    model: str,
    preset: Preset,
    modality: Modalities,
    typed: Mapping[str, JsonValue],
    seed: int,
    device: str,
    trust_remote_code: bool,
    ask: Callable[[str, Modality], str],
    memory: int | None = None,
    after: Path | None = None,
) -> Prepared:
    """Load the model, settle the numbers, and make trainable what the method moves.

    `after` is an earlier run: what it and those before it did to the weights is merged into them, so that what this
    run compares itself with is the model as they left it.
    `ask` gives the probe's wording of a question, for presets that train in it. Raises BadInput before any weight is
    read where the weights alone take more than `memory` bytes.
    """

    numbers, sections = _settle(
        method, model, preset, typed, device=device, trust_remote_code=trust_remote_code, memory=memory
    )
    under = _under(model, after, out=out, device=device, trust_remote_code=trust_remote_code)
    loaded = under.loaded
    inner = loaded.model
    _check_trainable(loaded, method, modality)
    if not loaded.family.pictures and any(each.image for each in (*data.forget.values(), *data.retain.values())):
        found = f"model type {loaded.family.model_type} takes no picture, and some samples have one"
        raise BadInput(model, found, "unlearn with --modality qa")
    if not method.trains:
        inner.requires_grad_(False)
    elif numbers.trained == "full":
        inner.requires_grad_(True)
    else:
        inner = add_lora(
            inner, loaded.family, rank=numbers.rank, alpha=numbers.alpha, dropout=numbers.dropout, seed=seed,
            initial=numbers.adapter_initial, on=numbers.adapter_on,
        )  # fmt: skip
        if (method.masked and numbers.fisher == "sample") or numbers.adapter_start == "null-space":
            freeze_first_matrices(inner)
        if all(name in HIDDEN_TERMS for name in method.terms):
            freeze_beyond(inner, loaded.family, layer_of(numbers, inner, loaded.family))
    if numbers.wording == "probe":
        data = reword(data, ask)
    return Prepared(
        out=out,
        data=hold_out(data, share=numbers.retain_held) if numbers.retain_held else data,
        loaded=loaded,
        network=AnswerModel(inner, loaded.family),
        encoder=Encoder(loaded.processor, loaded.family, train_on_eot=numbers.train_on_eot),
        method=method,
        numbers=numbers,
        sections=sections,
        base=base_for(out, model),
        seed=seed,
        model=model,
        preset=preset,
        modality=modality,
        memory=memory,
        after=under.after,
        beneath=under.beneath,
        weights=under.weights,
    )


@dataclass(frozen=True)
class _Under:
    """The model that a run starts from."""

    loaded: LoadedModel
    after: str = ""
    beneath: str = ""
    weights: str = ""


def _under(model: str, after: Path | None, *, out: Path, device: str, trust_remote_code: bool) -> _Under:
    if after is None:
        return _Under(load_model(model, device=device, trust_remote_code=trust_remote_code))
    start, weights, parts = stack_of(after, model)
    laid = open_stack(after, model, device=device, trust_remote_code=trust_remote_code, weights_only=True)
    digest_of_all = beneath(weights, [part.intervention for part in parts])
    seen = Path(os.path.relpath(after.resolve(), out.resolve())).as_posix()
    log.info("%s: what %s left is part of the weights that this run starts from", out, after)
    return _Under(
        replace(laid.model, model=merged(laid.model)),
        after=seen,
        beneath=digest_of_all,
        weights="" if start == model else weights,
    )


def _check_trainable(loaded: LoadedModel, method: Method, modality: Modalities) -> None:
    """Raise BadInput for a family whose training differs, or whose batches hold texts or pictures alone."""
    family, where = loaded.family, f"model type {loaded.family.model_type}"
    if family.why_untrained and method.trains:
        raise BadInput(where, family.why_untrained, "unlearn from another family")
    if not (family.mixed and family.form.stacked) and modality == "both":
        found = "takes no batch of texts and pictures together"
        raise BadInput(where, found, "unlearn with --modality qa, or with --modality vqa")


def _settle(
    method: Method,
    model: str,
    preset: Preset,
    typed: Mapping[str, JsonValue],
    *,
    device: str,
    trust_remote_code: bool,
    memory: int | None,
) -> tuple[Numbers, tuple[str, ...]]:
    """The run's numbers and their sections, from the model's configuration."""
    from transformers import AutoConfig

    dtype = best_dtype(device)
    estimate = partial(memory_estimate, model, dtype=dtype, trust_remote_code=trust_remote_code)
    parameters = estimate(batch=1, length=1, rank=None).weights // dtype.itemsize
    family = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code).model_type
    numbers, sections = numbers_for(
        method.name, preset=preset, parameters=parameters, family=family, overrides=typed, own=method.numbers
    )
    check_phases(method, numbers)
    if "boundary" in method.terms and numbers.matched == 0:
        numbers = numbers.model_copy(update={"matched": 1})
    if memory is not None and method.trains:
        needed = estimate(batch=1, length=1, rank=numbers.rank if numbers.trained == "lora" else None)
        if needed.total > memory:
            raise BadInput("--memory", f"is {memory / 1e9:g} GB, and one token takes {needed.line()}", "give more")
    return numbers, sections


def step_plan(
    data: Assigned, method: Method, numbers: Numbers, *, seed: int, answers: AnswerGroups = NO_ANSWERS
) -> list[Step]:
    """The run's steps, the same for the same data, numbers and seed. Groups that no term reads are left out."""

    forget = {key: sample.subject_id for key, sample in data.forget.items()}
    retain = {key: sample.subject_id for key, sample in data.retain.items()} if method.uses_retain else {}
    schedule = numbers.schedule if method.uses_retain else "forget_only"
    epochs = numbers.epochs
    if numbers.steps is not None:
        epochs = epochs_for(
            numbers.steps, len(forget), len(retain), schedule=schedule, batch=numbers.batch,
            retain_batch=numbers.retain_batch,
        )  # fmt: skip
    plan = turns(
        forget,
        retain,
        schedule=schedule,
        batch=numbers.batch,
        retain_batch=numbers.retain_batch,
        epochs=epochs,
        matched=numbers.matched,
        keep_global=numbers.keep_global,
        seed=seed,
    )
    groups = [{"forget": turn.forget, "retain": turn.retain, "matched": turn.matched} for turn in plan]
    full = [{name: keys for name, keys in step.items() if keys} for step in groups]
    read = [answers.beside(step, method.groups) for step in full]
    return [Step(step) for step in read if method.works_on(frozenset(step))][: numbers.steps]


def start_record(
    ready: Prepared,
    start: Probe,
    asked: Asked,
    *,
    planned: int,
    answers: Mapping[str, int] = MappingProxyType({}),
    known: str = "",
    found: RunRecord | None = None,
) -> RunRecord:
    """The record of a run that is about to start; `answers` counts answer groups, `known` digests what is read.

    What an earlier version began, `found`, had fewer numbers: those that it lacks are left out while they say nothing
    else than their defaults, so that it is gone on with as the same run.
    """
    data, method, numbers = ready.data, ready.method, ready.numbers
    weights = list(bare(ready.network).parameters())
    matched = matched_subjects(
        [sample.subject_id for sample in data.forget.values()], [sample.subject_id for sample in data.retain.values()]
    )
    if "boundary" in method.terms and not matched:
        log.warning("no subject has forget and retain samples, so the boundary term is zero throughout")
    values = numbers.model_dump(mode="json")
    if found is not None:
        new = (values.keys() - found.numbers.keys()) & numbers_at_default(numbers)
        values = {name: value for name, value in values.items() if name not in new}
    return RunRecord(
        status="running",
        identity=_identity(ready, values, known),
        method=method.name,
        code=method.code,
        title=method.title,
        terms=method.terms,
        masked_terms=tuple(sorted(method.masked)),
        preset=ready.preset,
        sections=ready.sections,
        numbers=values,
        setting=data.setting,
        ratio=data.ratio,
        modality=ready.modality,
        target=data.target,
        seed=ready.seed,
        model=Path(ready.model).name if Path(ready.model).is_dir() else ready.model,
        base=ready.base,
        family=ready.loaded.family,
        data=data.digest,
        forget_samples=len(data.forget),
        retain_samples=len(data.retain),
        matched_subjects=len(matched),
        answers=dict(answers),
        known=known,
        missing_ids=len(data.missing),
        planned_steps=planned,
        parameters=sum(weight.numel() for weight in weights),
        trained_parameters=sum(weight.numel() for weight in weights if weight.requires_grad),
        best_rule=FRONTIER_RULE,
        asked=asked,
        start=start,
        after=ready.after,
        beneath=ready.beneath,
    )


def _identity(ready: Prepared, numbers: dict[str, JsonValue], known: str) -> str:
    method = ready.method
    made_of: dict[str, JsonValue] = {
        "method": method.name, "terms": " ".join(method.terms), "masked": " ".join(sorted(method.masked)),
        "numbers": numbers, "data": ready.data.digest, "base": ready.base, "seed": ready.seed,
    }  # fmt: skip
    if ready.beneath:
        made_of["beneath"] = ready.beneath
    if method.code:
        made_of["code"] = method.code
    if known:
        made_of["known"] = known
    return digest(made_of)


def check_same_run(out: Path, found: RunRecord | None, record: RunRecord) -> None:
    """Refuse to resume a run of other method, data, numbers or base, naming the first that differs.

    A run that has done no step yet gives way to the other one.
    """
    if found is None or found.identity == record.identity:
        return
    if processes() == 1 and not has_begun(out):
        log.info("%s: no step was done of the run of %s that was to be here; starting anew", out, found.method)
        for left in (MASK, START):
            (out / left).unlink(missing_ok=True)
        shutil.rmtree(out / TEACHER, ignore_errors=True)
        return
    for name in ("method", "code", "terms", "base", "beneath", "data", "seed", "numbers", "known"):
        before, now = getattr(found, name), getattr(record, name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            name = next(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))
            before, now = before.get(name), now.get(name)
        raise BadInput(str(out), f"was started with {name} {before}, not {now}", "give the same, or another folder")
    raise BadInput(str(out), "holds another run", "name another folder")
