"""One unit of a study: a run, or the untouched target or an oracle, made, evaluated, and tried on all routes."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from flows.experiments.study_plan import TARGET_UNIT, Slice, Unit, conditions_of
from schemas.errors import BadInput, Unfinished
from schemas.progress import report
from schemas.records.evaluation import MODEL_ATTACKS
from schemas.records.routes import AnyRoute
from schemas.records.study import StudyRecipe, UnitRecord
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from flows.evaluation.evaluate_request import EvaluateRequest

log = logging.getLogger(__name__)

UNITS, RUNS, EVALUATIONS, ORACLES = "units", "runs", "evaluations", "oracles"


class _Finished(Record):
    """`units/<name>.json`: what became of a unit, and the key by which a later call knows it again."""

    key: str
    unit: UnitRecord


@dataclass(frozen=True)
class Work:
    """All that one process needs to do one unit."""

    recipe: StudyRecipe
    unit: Unit
    slices: tuple[Slice, ...]
    key: str
    out: Path


def kept_unit(out: Path, unit: Unit, key: str) -> UnitRecord | None:
    """What an earlier call, or a process that died, wrote about a unit of that key."""
    try:
        found = _Finished.model_validate(json.loads((out / UNITS / f"{unit.name}.json").read_text()))
    except (FileNotFoundError, json.JSONDecodeError, ValidationError):
        return None
    return found.unit if found.key == key else None


def do_unit(work: Work) -> UnitRecord:
    """Run and evaluate one unit; whatever goes wrong becomes the reason of a failed record.

    The record is written after each evaluation, so that those which finished count whatever becomes of the rest.
    """
    began = time.monotonic()
    record = _record(work)
    try:
        if work.unit.method:
            record = _unlearn(work)
        if record.status != "failed":
            for each in work.slices:
                done = (*record.evaluations, *_evaluate(work, each))
                record = record.model_copy(update={"evaluations": done})
                _keep(work, record.model_copy(update={"status": "failed", "reason": "it was interrupted"}))
            if work.recipe.evaluate.routes:
                record = _try_routes(work, record)
    except Exception as problem:
        log.debug("%s failed", work.unit.name, exc_info=True)
        lines = str(problem).split("\n")
        reason = lines[0] if isinstance(problem, BadInput | Unfinished) else f"{type(problem).__name__}: {lines[0]}"
        record = record.model_copy(update={"status": "failed", "reason": reason[:500]})
    record = record.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
    _keep(work, record)
    return record


def failed_unit(work: Work, reason: str) -> UnitRecord:
    """The record of a unit whose process died, with what that process had finished."""
    begun = kept_unit(work.out, work.unit, work.key) or _record(work)
    unit = begun.model_copy(update={"status": "failed", "reason": reason})
    _keep(work, unit)
    return unit


def _keep(work: Work, unit: UnitRecord) -> None:
    path = work.out / UNITS / f"{unit.name}.json"
    write_json(path, _Finished(key=work.key, unit=unit).model_dump(mode="json"))


def _record(work: Work) -> UnitRecord:
    unit = work.unit
    return UnitRecord(
        name=unit.name,
        method=unit.method,
        setting=unit.setting,
        ratio=unit.ratio,
        seed=unit.seed,
        lr=unit.lr,
        status="finished",
        control=unit.oracle,
    )


def _evaluate(work: Work, cut: Slice) -> tuple[str, ...]:
    """The folder of one evaluation of the unit, done unless it stands; with the steering and guards of a run also
    that without them.
    """
    from flows.evaluation.evaluate import run_evaluation
    from unlearn.runs.record import acts_on_prompts

    wanted = _request(work, cut.setting, cut.ratio).model_copy(update={"attack": cut.attack})
    found = run_evaluation(wanted, work.out / EVALUATIONS, progress=report)
    on_weights = cut.attack is None or cut.attack in MODEL_ATTACKS
    if not on_weights or wanted.adapter is None or not acts_on_prompts(wanted.adapter):
        return (found.folder,)
    without = wanted.model_copy(update={"exposed": True})
    return found.folder, run_evaluation(without, work.out / EVALUATIONS, progress=report).folder


def _request(work: Work, setting: Setting, ratio: int | None) -> "EvaluateRequest":
    from flows.evaluation.evaluate_request import EvaluateRequest

    recipe, asked = work.recipe, work.recipe.evaluate
    return EvaluateRequest(
        dataset=recipe.dataset,
        model=recipe.model,
        adapter=work.out / RUNS / work.unit.name if work.unit.method else None,
        setting=setting,
        ratio=ratio,
        tasks=asked.tasks,
        modalities=asked.modalities,
        batch=asked.batch,
        max_new_tokens=asked.max_new_tokens,
        target=recipe.target,
        likelihood=asked.likelihood,
        utility=asked.utility,
        identity=asked.identity,
        metrics=asked.metrics,
        device=recipe.device,
        allow_missing=recipe.allow_missing,
    )


def _try_routes(work: Work, record: UnitRecord) -> UnitRecord:
    """Try the recipe's routes on a unit under each of its settings; on the target also those to facts unknown to it."""
    from eval.routes.table import ROUTES
    from flows.audit.unknown_facts import asked_of_unknown

    unit, recipe, places = work.unit, work.recipe, []
    for setting, ratio in conditions_of(recipe) if unit.setting is None else [(unit.setting, unit.ratio)]:
        wanted = _request(work, setting, ratio)
        if unit.oracle:
            from flows.resources.oracle import ensure_oracle

            oracle = ensure_oracle(recipe.dataset, recipe.model, setting, ratio, out=work.out / ORACLES / unit.name)
            wanted = wanted.model_copy(update={"model": str(oracle), "label": "oracle"})
        places.append(_routes(work, wanted, recipe.evaluate.routes))
    record = record.model_copy(update={"routes": tuple(places)})
    if unit.name == TARGET_UNIT and (of_unknown := asked_of_unknown(wanted, recipe.dataset, work.out)):
        gone = [name for name in recipe.evaluate.routes if ROUTES[name].side == "gone"]
        if gone:
            record = record.model_copy(update={"unknown": _routes(work, of_unknown, gone)})
    return record


def _routes(work: Work, wanted: "EvaluateRequest", names: Sequence[AnyRoute]) -> str:
    """The folder of the records of some routes on one model."""
    from flows.evaluation.routes import folder_of, run_routes

    records = list(run_routes(wanted, names, work.out / EVALUATIONS, progress=report))
    return folder_of(records[0])


def _unlearn(work: Work) -> UnitRecord:
    from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning

    recipe, unit = work.recipe, work.unit
    if unit.setting is None or unit.seed is None:
        raise BadInput(unit.name, "has no setting or seed", "plan it with plan_units")
    request = UnlearnRequest(
        dataset=recipe.dataset,
        method=unit.method,
        setting=unit.setting,
        model=recipe.model,
        ratio=unit.ratio,
        preset=recipe.preset,
        modality=recipe.modality,
        target=recipe.target,
        seed=unit.seed,
        lr=unit.lr,
        overrides=recipe.numbers,
        device=recipe.device,
        allow_missing=recipe.allow_missing,
    )
    run = run_unlearning(request, work.out / RUNS / unit.name, resume=True)
    if run.broke_down:
        return _record(work).model_copy(update={"status": "failed", "reason": run.ending, "run": run.identity})
    status, reason = ("finished", "") if run.status == "finished" else ("stopped", run.reason)
    return _record(work).model_copy(update={"status": status, "reason": reason, "run": run.identity})
