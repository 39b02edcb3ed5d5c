"""One shard of one stage in a process that has only the build's folder: what a Dask worker runs.

A worker calls the stage's own code up to the phase that is meant, keeps the function that does one shard of it, and
uses it for every further shard of that phase: what a phase reads beforehand, it reads once a worker.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from flows.batches import batches_of
from flows.build import open_build
from flows.folders import MARKS, BuildFolder, make_room
from flows.resources import Resources
from flows.sharing import fetch_build, fetch_inputs, shard_files
from flows.stage import ShardCall, ShardOrder, StageRun, expected_key
from flows.stages import stage_table
from flows.store import Store
from schemas.problems import BadInput

Place = tuple[str, int, str, str, str]
"""Folder or store, batch, stage, phase and key: what the shards of a phase have in common."""

_lock = Lock()
_resources: dict[tuple[str, str], Resources] = {}
"""By folder and recipe; open as long as the process lives, since a worker never learns that a build has ended."""
_scratch: dict[str, TemporaryDirectory[str]] = {}
"""This process' own folder of a build, by the address of its store."""
_calls: dict[Place, Mapping[int, ShardCall]] = {}
"""The shards of the phase at hand."""


class _Reached(Exception):
    """The stage has come to the phase that is meant."""


def do_shard(order: ShardOrder) -> None:
    """Do one shard and write its tables and its mark; a shard that is marked already is left alone.

    Raises BadInput if the folder holds another state of the build than the one that gave the order.
    """
    folder, store = _folder_of(order), Store(order.store) if order.store else None
    place = (order.store or order.folder, order.batch, order.stage, order.phase, order.key)
    with _lock:
        if place not in _calls:
            _calls.clear()
            _calls[place] = _reach(order, folder, store)
        calls = _calls[place]
    own = folder / order.stage / str(order.batch)
    if not (own / MARKS / f"{order.phase}-{order.number:05d}.json").exists():
        calls[order.number]()
    if store is not None:
        store.push(folder, shard_files(folder, order))


def _folder_of(order: ShardOrder) -> Path:
    """The build's folder; where it is to be had from a store, one of this process that goes when the process ends."""
    if not order.store:
        return Path(order.folder)
    with _lock:
        if order.store not in _scratch:
            _scratch[order.store] = TemporaryDirectory(prefix="ppubench-worker-", ignore_cleanup_errors=True)
        return Path(_scratch[order.store].name)


def _reach(order: ShardOrder, folder: Path, store: Store | None) -> Mapping[int, ShardCall]:
    """The calls of a phase's shards, by running its stage until there."""
    if store is not None:
        fetch_build(store, folder)
    build = batches_of(folder, open_build(folder).recipe)[order.batch]
    resources = _resources_of(build)
    table = stage_table(resources)
    spec = table[order.stage]
    if store is not None:
        fetch_inputs(store, build, spec)
        make_room(build.artifact(spec.name), order.key)
    key, inputs = expected_key(build, spec, table)
    if key != order.key:
        found = f"a worker finds key {key} for stage {order.stage}, and the build {order.key}"
        raise BadInput(order.folder, found, "let all machines see the same folder, with the same ppubench")
    reached: dict[int, ShardCall] = {}

    def keep(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
        if name == f"{order.stage}-{order.phase}":
            reached.update(calls)
            raise _Reached

    run = StageRun(build, spec, key, inputs, keep, lambda stage, done, total: None)
    if store is not None:
        run.fetch = lambda folder, pattern: store.pull_matching(
            build.path, folder.relative_to(build.path).as_posix(), pattern
        )
    try:
        spec.work(run)
    except _Reached:
        return reached
    raise BadInput(order.folder, f"stage {order.stage} has no phase {order.phase}", "use the same ppubench everywhere")


def _resources_of(build: BuildFolder) -> Resources:
    recipe = (build.earlier or (build,))[0].recipe
    key = (str(build.path), recipe.model_dump_json())
    if key not in _resources:
        _resources[key] = Resources(build.path, recipe)
    return _resources[key]
