"""A study: a matrix of unlearning runs from one recipe, each run and evaluated once, and a report over all of them."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.evaluation_folder import standing
from flows.experiments.study_plan import Unit, check_named, check_recipe, plan_units, slices_of, unit_keys
from flows.experiments.study_unit import EVALUATIONS, RUNS, Work, do_unit, failed_unit, kept_unit
from flows.pipeline.build_identity import locked
from flows.resources.datasets import open_dataset
from schemas.errors import BadInput
from schemas.progress import Lines, Progress, reporting, silent
from schemas.recipes.build_recipe import read_recipe
from schemas.records.study import StudyRecipe, StudyRecord, UnitRecord
from schemas.storage.artifacts import write_json

if TYPE_CHECKING:
    from eval.report.report import ReportFiles

log = logging.getLogger(__name__)

STUDY = "study.json"
LOOK_EVERY_S = 0.5
"""How long at most a wait takes: Ctrl-C that comes just as one begins is seen only when it is over."""


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
    with locked(out):
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
    found = kept_unit(out, unit, key)
    if found is None or found.status == "failed":
        return None
    if unit.method and not (out / RUNS / unit.name / "run.json").is_file():
        return None
    evaluations = [standing(out / EVALUATIONS / folder) for folder in found.evaluations]
    whole = all(each is not None and not each.failed and not each.failed_plain for each in evaluations)
    routes = all((out / EVALUATIONS / folder).is_dir() for folder in found.routes)
    return found if whole and routes else None


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
                yield failed_unit(work, "its process died, perhaps for lack of memory")


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
