"""One shard of one stage in a process that has only the build's folder: what a Dask worker runs.

A worker calls the stage's own code up to the phase that is meant, keeps the function that does one shard of it, and
uses it for every further shard of that phase: what a phase reads beforehand, it reads once a worker.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Semaphore, Thread

from flows.pipeline.batches import batches_of
from flows.pipeline.build_folder import BuildFolder, make_room
from flows.pipeline.build_identity import open_build
from flows.pipeline.memory import collect_for
from flows.pipeline.stage import ShardCall, ShardOrder, StageRun, StageSpec, expected_key
from flows.resources.resources import Resources
from flows.runners.dask_cluster import running_versions
from flows.runners.shared_store import Store
from flows.runners.transfer import (
    REPLYING,
    Listing,
    fetch_build,
    fetch_inputs,
    inputs_digest,
    mark_of,
    send_replies,
    shard_files,
    share_replies,
    state_of,
)
from flows.stages.stage_table import stage_table
from schemas.errors import BadInput, Unfinished
from schemas.progress import silent

log = logging.getLogger(__name__)

Place = tuple[str, int, str, str, str]
"""Folder or store, batch, stage, phase and state: what the shards of a phase have in common."""

SAVE_EVERY_S = 20.0
"""How often the replies that a shard has got go to the store: so much asking is lost where a worker is killed."""

_lock, _count_lock = Lock(), Lock()
_resources: dict[tuple[str, str], Resources] = {}
"""By folder and recipe; open as long as the process lives, since a worker never learns that a build has ended."""
_scratch: dict[str, TemporaryDirectory[str]] = {}
"""This process' own folder of a build, by the address of its store."""
_phases: dict[Place, "_Phase"] = {}
"""The phase at hand."""
_at_work: Counter[str] = Counter()
"""Shards that are being done, by the driver's folder of the build."""


class _Reached(Exception):
    """The stage has come to the phase that is meant."""


@dataclass(frozen=True)
class _Phase:
    """What a process knows of a phase once it has reached it."""

    calls: Mapping[int, ShardCall]
    """The shards that were not done then."""
    turns: Semaphore
    """As many shards at once as the stage allows one process: a worker may have more threads."""

    def do(self, number: int) -> None:
        with self.turns:
            self.calls[number]()


def addressed(
    calls: Mapping[int, ShardCall], store: Store | None, build: BuildFolder, spec: StageSpec
) -> list[ShardOrder]:
    """The orders of a phase's shards as they are sent: where the files are, and what the driver runs and reads."""
    url, inputs = store.url if store is not None else "", inputs_digest(build, spec)
    versions = running_versions()
    return [replace(calls[number].order, store=url, inputs=inputs, versions=versions) for number in sorted(calls)]


def do_shard(order: ShardOrder) -> None:
    """Do one shard and write its tables and its mark; a shard that is marked already is left alone.

    Raises BadInput if this is another version of the code, or if the folder holds another state of the build, than
    where the order comes from; Unfinished if by now the store holds another state, so that the shard is of no use.
    """
    _require_same_versions(order)
    with _counted(order):
        folder, store = _folder_of(order), Store(order.store) if order.store else None
        with _lock:
            phase = _phase_of(order, folder, store)
        if phase is not None:
            with _replies_kept(store, folder, order):
                phase.do(order.number)
        if store is not None:
            if not store.holds(order.stage, order.batch, state_of(order)):
                raise Unfinished(f"{order.store}: the stage {order.stage} was begun anew while a shard was being done")
            store.push(folder, shard_files(folder, order))


def shards_at_work(folder: str) -> int:
    """How many shards of a build this process is doing, by the driver's folder of it."""
    return _at_work[folder]


def _require_same_versions(order: ShardOrder) -> None:
    ours = dict(running_versions())
    for what, theirs in order.versions:
        if ours.get(what) != theirs:
            said = f"runs {what} {ours.get(what)}, and the build {what} {theirs}"
            raise BadInput("a worker", said, "start the workers again with the version of the build")


@contextmanager
def _counted(order: ShardOrder) -> Iterator[None]:
    with _count_lock:
        _at_work[order.folder] += 1
    try:
        yield
    finally:
        with _count_lock:
            _at_work[order.folder] -= 1


def _phase_of(order: ShardOrder, folder: Path, store: Store | None) -> _Phase | None:
    """The shard's phase, or None if the shard is done. It is reached once, and again for a shard made undone."""
    place = (order.store or order.folder, order.batch, order.stage, order.phase, state_of(order))
    reached = place in _phases
    if reached and (folder / mark_of(order)).exists():
        return None
    if not reached or order.number not in _phases[place].calls:
        _phases.clear()
        _phases[place] = _reach(order, folder, store)
    if order.number in _phases[place].calls:
        return _phases[place]
    if (folder / mark_of(order)).exists():
        return None
    found = f"the stage {order.stage} has no shard {order.number} in its phase {order.phase}"
    raise BadInput(order.folder, found, "let all machines see the same folder, with the same ppubench")


@contextmanager
def _replies_kept(store: Store | None, folder: Path, order: ShardOrder) -> Iterator[None]:
    """Begin with the replies that the store has of a shard, and bring there what is added, also if the shard fails."""
    if store is None or order.stage not in REPLYING:
        yield
        return
    share_replies(store, folder, order.stage, order.batch, [order.number])
    ended = Event()

    def save() -> None:
        while not ended.wait(SAVE_EVERY_S):
            try:
                send_replies(store, folder, order)
            except Unfinished as problem:  # the end of the shard says it again, if it lasts
                log.warning("%s", problem)

    saving = Thread(target=save, daemon=True)
    saving.start()
    try:
        yield
    finally:
        ended.set()
        saving.join()
        send_replies(store, folder, order)


def _folder_of(order: ShardOrder) -> Path:
    """The build's folder; where it is to be had from a store, one of this process that goes when the process ends."""
    if not order.store:
        return Path(order.folder)
    with _lock:
        if order.store not in _scratch:
            _scratch[order.store] = TemporaryDirectory(prefix="ppubench-worker-", ignore_cleanup_errors=True)
        return Path(_scratch[order.store].name)


def _reach(order: ShardOrder, folder: Path, store: Store | None) -> _Phase:
    """A phase, by running its stage until there."""
    if store is not None:
        fetch_build(store, folder)
    collect_for(order.stage)
    build = batches_of(folder, open_build(folder).recipe)[order.batch]
    resources = _resources_of(build)
    table = stage_table(resources)
    spec = table[order.stage]
    if store is not None:
        fetch_inputs(store, build, spec)
        make_room(build.artifact(spec.name), state_of(order))
    key, inputs = expected_key(build, spec, table)
    if key != order.key or inputs_digest(build, spec) != order.inputs:
        found = f"a worker finds key {key} for stage {order.stage}, and the build {order.key}"
        if key == order.key:
            found = f"a worker finds other artifacts than the build for stage {order.stage} to read"
        raise BadInput(order.folder, found, "let all machines see the same folder, with the same ppubench")
    reached: list[_Phase] = []

    def keep(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
        if name == f"{order.stage}-{order.phase}":
            reached.append(_Phase(dict(calls), Semaphore(parallel)))
            raise _Reached

    run = StageRun(build, spec, key, inputs, keep, silent)
    if store is not None:
        run.listed = Listing(store, build.path, build.artifact(spec.name))
    try:
        spec.work(run)
    except _Reached:
        return reached[0]
    found = f"stage {order.stage} has no phase {order.phase}"
    raise BadInput(order.folder, found, "start workers and driver from one commit")


def _resources_of(build: BuildFolder) -> Resources:
    recipe = (build.earlier or (build,))[0].recipe
    key = (str(build.path), recipe.model_dump_json())
    if key not in _resources:
        _resources[key] = Resources(build.path, recipe)
    return _resources[key]
