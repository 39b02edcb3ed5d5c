"""A study: a matrix of unlearning runs from one recipe, each run and evaluated once, and a report over all of them."""

import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import ValidationError

from eval.evaluation_folder import standing
from flows.experiments.study_plan import Slice, Unit, check_named, check_recipe, plan_units, slices_of, unit_keys
from flows.resources.datasets import open_dataset
from schemas.errors import BadInput, Unfinished
from schemas.progress import Lines, Progress, report, reporting, silent
from schemas.recipes.build_recipe import read_recipe
from schemas.records.evaluation import MODEL_ATTACKS
from schemas.records.study import StudyRecipe, StudyRecord, UnitRecord
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record

if TYPE_CHECKING:
    from eval.report.report import ReportFiles

log = logging.getLogger(__name__)

STUDY, UNITS, RUNS, EVALUATIONS = "study.json", "units", "runs", "evaluations"
LOOK_EVERY_S = 0.5
"""How long at most a wait takes: Ctrl-C that comes just as one begins is seen only when it is over."""


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


@dataclass(frozen=True)
class StudyReport:
    """What became of a study; `files` is None where no unit came to an end that could be reported."""

    record: StudyRecord
    files: "ReportFiles | None"


def run_study(recipe_path: Path, out: Path, *, progress: Progress = silent) -> StudyReport:
    """Do what is left of a study's matrix and write its report; a run that fails is reported and the others are done.

    `out` gets study.json, runs/, evaluations/, units/ and the report. Raises BadInput before anything is done for a
    recipe that names what does not exist, and for a folder at which another process is at work.
    """
    from flows.experiments.report import write_report

    recipe = read_recipe(recipe_path, StudyRecipe)
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    check_named(recipe)
    dataset = open_dataset(recipe.dataset, revision=recipe.revision, splits=recipe.splits)
    recipe = recipe.model_copy(update={"dataset": dataset})
    check_recipe(recipe)
    units = plan_units(recipe)
    keys = unit_keys(recipe, units)
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(str(out), "another ppubench is at work on it", "wait for it, or choose another --out") from None
    with lock:
        done: dict[str, UnitRecord] = {}
        todo: list[Work] = []
        for unit in units:
            found = _finished(out, unit, keys[unit.name])
            if found is not None:
                done[unit.name] = found
            else:
                todo.append(Work(recipe, unit, slices_of(recipe, unit), keys[unit.name], out))
        progress("runs", len(done), len(units))
        record = _write(recipe, units, done, out)
        with closing(_results(todo, jobs=recipe.jobs)) as results:
            for finished in results:
                done[finished.name] = finished
                if finished.status == "failed":
                    log.warning("%s failed: %s", finished.name, finished.reason)
                record = _write(recipe, units, done, out)
                progress("runs", len(done), len(units))
        files: ReportFiles | None = None
        if any(unit.evaluations for unit in record.units):
            progress("report", 0, 1)
            files = write_report([out], out=out)
            progress("report", 1, 1)
    return StudyReport(record, files)


def _finished(out: Path, unit: Unit, key: str) -> UnitRecord | None:
    """What became of a unit in an earlier call, if it ended well, with the same key, and its files are whole.

    One with questions that failed is done again, which asks those alone.
    """
    found = _kept(out, unit, key)
    if found is None or found.status == "failed":
        return None
    if unit.method and not (out / RUNS / unit.name / "run.json").is_file():
        return None
    evaluations = [standing(out / EVALUATIONS / folder) for folder in found.evaluations]
    whole = all(each is not None and not each.failed and not each.failed_plain for each in evaluations)
    return found if whole else None


def _kept(out: Path, unit: Unit, key: str) -> UnitRecord | None:
    """What an earlier call, or a process that died, wrote about a unit of that key."""
    try:
        found = _Finished.model_validate(json.loads((out / UNITS / f"{unit.name}.json").read_text()))
    except (FileNotFoundError, json.JSONDecodeError, ValidationError):
        return None
    return found.unit if found.key == key else None


def _write(recipe: StudyRecipe, units: Sequence[Unit], done: dict[str, UnitRecord], out: Path) -> StudyRecord:
    record = StudyRecord(
        recipe=recipe.name,
        compare=recipe.compare.model_dump(mode="json"),
        planned=len(units),
        units=tuple(done[unit.name] for unit in units if unit.name in done),
    )
    write_json(out / STUDY, record.model_dump(mode="json"))
    return record


def _results(todo: Sequence[Work], *, jobs: int) -> Generator[UnitRecord]:
    """Each unit's record as it ends. A process that dies costs only the unit that killed it."""
    if jobs == 1 or len(todo) < 2:
        for work in todo:
            yield do_unit(work)
        return
    orphans: list[Work] = []
    with _pool(min(jobs, len(todo)), share=jobs) as pool:
        running: dict[Future[UnitRecord], Work] = {}
        for work in todo:
            try:
                running[pool.submit(_do_beside_others, work)] = work
            except BrokenProcessPool:
                orphans.append(work)
        while running:
            ended, _ = wait(running, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)
            for future in ended:
                work = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    orphans.append(work)
    for work in orphans:  # one of them killed its process: alone, each tells whether it was the one
        with _pool(1, share=1) as pool:
            try:
                yield pool.submit(_do_beside_others, work).result()
            except BrokenProcessPool:
                yield _failed(work, "its process died, perhaps for lack of memory")


@contextmanager
def _pool(workers: int, *, share: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for units. Where the block ends by an exception, such as Ctrl-C, they end at once, as by a kill."""
    threads = max(1, (os.cpu_count() or 1) // share)
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(threads,)) as pool:
        try:
            yield pool
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise


def _start_worker(threads: int) -> None:
    # A terminal sends Ctrl-C to all; what follows is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TQDM_DISABLE"] = "1"  # the bars of several processes would overwrite one another
    import torch
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which would outlive a kill
    torch.set_num_threads(threads)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


def _end_with_parent() -> None:
    """Where the parent was killed, nobody takes the results, and the memory of the device is wanted."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_beside_others(work: Work) -> UnitRecord:
    """The unit in a process of its own, whose lines about its progress bear its name."""
    if sys.stderr.isatty():
        return do_unit(work)
    name = work.unit.name
    with Lines("a unit", lambda line: log.warning("%s: %s", name, line)) as lines, reporting(lines):
        return do_unit(work)


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
    except Exception as problem:
        log.debug("%s failed", work.unit.name, exc_info=True)
        lines = str(problem).split("\n")
        reason = lines[0] if isinstance(problem, BadInput | Unfinished) else f"{type(problem).__name__}: {lines[0]}"
        record = record.model_copy(update={"status": "failed", "reason": reason[:500]})
    record = record.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
    _keep(work, record)
    return record


def _failed(work: Work, reason: str) -> UnitRecord:
    """The record of a unit whose process died, with what that process had finished."""
    begun = _kept(work.out, work.unit, work.key) or _record(work)
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
    )


def _evaluate(work: Work, cut: Slice) -> tuple[str, ...]:
    """The folder of one evaluation of the unit, done unless it stands; with the steering and guards of a run also
    that without them.
    """
    from flows.evaluation.evaluate import run_evaluation
    from flows.evaluation.evaluate_request import EvaluateRequest
    from unlearn.runs.record import acts_on_prompts

    recipe, asked = work.recipe, work.recipe.evaluate
    wanted = EvaluateRequest(
        dataset=recipe.dataset,
        model=recipe.model,
        adapter=work.out / RUNS / work.unit.name if work.unit.method else None,
        setting=cut.setting,
        ratio=cut.ratio,
        attack=cut.attack,
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
    found = run_evaluation(wanted, work.out / EVALUATIONS, progress=report)
    on_weights = cut.attack is None or cut.attack in MODEL_ATTACKS
    if not on_weights or wanted.adapter is None or not acts_on_prompts(wanted.adapter):
        return (found.folder,)
    without = wanted.model_copy(update={"exposed": True})
    return found.folder, run_evaluation(without, work.out / EVALUATIONS, progress=report).folder


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
