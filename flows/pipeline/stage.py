"""One stage of a build: shards of work, resumed after those that are written, and the manifest written last.

Plain code without Prefect: `flows/building/build.py` hands in the executor that makes every shard a Prefect task.
"""

import logging
import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import JsonValue

from flows.pipeline.build_folder import MARKS, BuildFolder, check_bytes, make_room, standing_manifest, tally
from flows.pipeline.memory import collecting_for, give_back_memory
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.recipes.build_recipe import BuildRecipe
from schemas.records.build_rows import Drop
from schemas.storage.artifacts import (
    FileEntry,
    Manifest,
    file_entry,
    library_versions,
    read_manifest,
    stage_key,
    write_json,
    write_manifest,
    write_timing,
)
from schemas.storage.tables import Record, read_records, write_records
from schemas.vocabulary import Stage

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Rows:
    """The rows of one table that a shard made."""

    record: type[Record]
    rows: Sequence[Record]


Tables = Mapping[str, Rows]
"""What a shard makes: rows by table name. The table "drops" holds Drop rows."""


@dataclass(frozen=True)
class ShardOrder:
    """Which shard is meant, for a process that has only the build's folder; can be pickled."""

    folder: str
    """The build's folder, absolute."""
    batch: int
    stage: Stage
    phase: str
    number: int
    key: str
    """Of the artifact: who finds another one has another recipe, other code or other inputs."""
    store: str = ""
    """Address of the storage from which the build's files are to be had; "": the folder is there itself."""
    inputs: str = ""
    """Digest of the manifests of what the stage reads: an artifact that was made again can have the same key."""
    versions: tuple[tuple[str, str], ...] = ()
    """Of ppubench and of the libraries where the order comes from, by name."""


@dataclass(frozen=True)
class ShardCall:
    """One shard to be done: called, it is done here; or its order is carried out elsewhere and `finished` is told."""

    order: ShardOrder
    work: Callable[[], None]
    finished: Callable[[], None]
    stop: Callable[[], None] = lambda: None
    """Called from another thread, has the shard, and all others of the phase, end soon with Unfinished."""

    def __call__(self) -> None:
        self.work()
        self.finished()


@runtime_checkable
class Executor(Protocol):
    """Runs the shards of a phase, in any order, and raises the first exception that one of them raised."""

    def __call__(self, name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None: ...


def run_in_process(name: str, calls: Mapping[int, ShardCall], *, parallel: int) -> None:
    """The plain executor: one shard after the other, without Prefect."""
    for number in sorted(calls):
        calls[number]()


@dataclass(frozen=True)
class StageSpec:
    """A row of the stage table: what a stage reads, which numbers shape it, and its work."""

    name: Stage
    version: int
    reads: tuple[Stage, ...]
    config: Callable[[BuildRecipe], dict[str, JsonValue]]
    work: Callable[["StageRun"], None]
    outside: Callable[["BuildFolder"], Mapping[str, str]] = field(default=lambda build: {})
    """Identities of what is read besides artifacts (source, target), for the key."""
    across: tuple[Stage, ...] = ()
    """Stages of which the artifacts of earlier batches are read too."""
    prepare: Callable[["BuildFolder"], None] = field(default=lambda build: None)
    """Called before the key is computed, when the stage is about to be brought up to date."""


@dataclass
class StageRun:
    """One run of one stage: where it writes, what it reads, and what it has done so far."""

    build: BuildFolder
    spec: StageSpec
    key: str
    inputs: dict[str, str]
    execute: Executor
    progress: Progress
    """Called as (stage, shards done, shards in all)."""
    took: dict[int, int] = field(default_factory=dict)
    """Rows that a shard's work has read, by shard, as the work counts them; kept in the shard's mark."""
    notes: dict[str, JsonValue] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    """Rows by table of what it wrote outside its own folder."""
    listed: Callable[[Path, str], list[Path]] = lambda folder, pattern: sorted(folder.glob(pattern))
    """The files of an artifact's folder that match, in order; where they are elsewhere, it brings them first."""
    published: list[Path] = field(default_factory=list)
    """Folders outside the stage's own that it wrote; their files are listed in the manifest too."""

    @property
    def folder(self) -> Path:
        return self.build.artifact(self.spec.name)

    @property
    def answers(self) -> Path:
        """Where replies of responders are kept, beyond the life of an artifact."""
        return self.build.path / "answers" / self.spec.name / str(self.build.batch)

    @property
    def recipe(self) -> BuildRecipe:
        return self.build.recipe

    def shards(self, batch: BuildFolder | None = None) -> list[int]:
        """Numbers of the shards that the selection (of this batch, or of an earlier one) cut the subjects into."""
        folder = (batch or self.build).artifact("select")
        manifest = read_manifest(folder)
        if manifest is None:
            raise BadInput(str(folder), "is not finished", "build from the stage select")
        return list(range(sum(entry.path.startswith("subjects-") for entry in manifest.files)))

    def files(
        self, stage: Stage, table: str, shard: int | None = None, *, batch: BuildFolder | None = None
    ) -> list[Path]:
        """The Parquet files of a table in order: of one shard or of all, of this batch or of an earlier one."""
        pattern = f"{table}-*.parquet" if shard is None else f"{table}-{shard:05d}.parquet"
        return self.listed((batch or self.build).artifact(stage), pattern)

    def read(
        self, stage: Stage, table: str, record: type[R], shard: int | None = None, *, batch: BuildFolder | None = None
    ) -> Iterator[R]:
        """Rows of an input's table: of one shard, or of all of them in order; of this batch or of an earlier one."""
        for path in self.files(stage, table, shard, batch=batch):
            yield from read_records(path, record)

    def read_earlier(self, stage: Stage, table: str, record: type[R]) -> Iterator[R]:
        """Rows of a table in all earlier batches, in order."""
        for batch in self.build.earlier:
            yield from self.read(stage, table, record, batch=batch)

    def earlier_notes(self, stage: Stage, record: type[R]) -> list[R]:
        """What the stage noted in each earlier batch, as the record that its notes are of."""
        manifests = [read_manifest(batch.artifact(stage)) for batch in self.build.earlier]
        return [record.model_validate(manifest.notes) for manifest in manifests if manifest is not None]

    def count(self, stage: Stage, table: str) -> int:
        """Rows of an input's table in all batches so far, from the manifests."""
        manifests = [read_manifest(batch.artifact(stage)) for batch in (*self.build.earlier, self.build)]
        return sum(manifest.rows_out.get(table, 0) for manifest in manifests if manifest is not None)

    def map(
        self,
        phase: str,
        shards: Sequence[int],
        work: Callable[[int], Tables],
        *,
        parallel: int = 1,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Run `work` for every shard that is not done yet, and write its tables as it finishes.

        `stop` is for executors with threads: called when one shard failed, or Ctrl-C came, it has the others end soon.
        """
        marks = self.folder / MARKS
        pending = [number for number in shards if not (marks / f"{phase}-{number:05d}.json").exists()]
        done = len(shards) - len(pending)
        if done:
            log.info("%s: %d of %d shards of %s stand from an earlier run", self.spec.name, done, len(shards), phase)
        self.progress(self.spec.name, done, len(shards))
        finished = [done]

        def one(number: int) -> None:
            self._write(phase, number, work(number))
            give_back_memory()

        def count() -> None:
            finished[0] += 1
            self.progress(self.spec.name, finished[0], len(shards))

        place = partial(ShardOrder, str(self.build.path.resolve()), self.build.batch, self.spec.name, phase)
        calls = {number: ShardCall(place(number, self.key), partial(one, number), count, stop) for number in pending}
        self.execute(f"{self.spec.name}-{phase}", calls, parallel=parallel)

    def _write(self, phase: str, number: int, tables: Tables) -> None:
        rows: dict[str, JsonValue] = {}
        drops: Counter[str] = Counter()
        for table, content in tables.items():
            name = f"{table if table != 'drops' else f'drops-{phase}'}-{number:05d}.parquet"
            rows[name] = write_records(self.folder / name, content.rows, content.record)
            if content.record is Drop:
                drops.update(row.reason for row in content.rows if isinstance(row, Drop))
        mark: JsonValue = {"rows": rows, "drops": dict(sorted(drops.items())), "rows_in": self.took.pop(number, 0)}
        write_json(self.folder / MARKS / f"{phase}-{number:05d}.json", mark)


def expected_key(
    build: BuildFolder, spec: StageSpec, table: Mapping[Stage, StageSpec], known: dict[Path, str] | None = None
) -> tuple[str, dict[str, str]]:
    """The key that an up-to-date artifact of the stage has, and the inputs it follows from.

    `known` holds keys worked out on the way, by the folder of the artifact.
    """
    known = {} if known is None else known
    inputs: dict[str, str] = {}
    for batch, names in [(build, spec.reads), *((before, spec.across) for before in build.earlier)]:
        for name in names:
            folder = batch.artifact(name)
            if folder not in known:
                known[folder] = expected_key(batch, table[name], table, known)[0]
            inputs[f"{name}/{batch.batch}"] = known[folder]
    inputs.update(spec.outside(build))
    return stage_key(spec.name, spec.version, spec.config(build.recipe), inputs), inputs


def run_stage(
    build: BuildFolder,
    spec: StageSpec,
    table: Mapping[Stage, StageSpec],
    *,
    execute: Executor = run_in_process,
    progress: Progress = silent,
) -> Manifest:
    """Bring one stage up to date and return its manifest; an artifact whose key stands is left alone."""
    spec.prepare(build)
    key, inputs = expected_key(build, spec, table)
    folder = build.artifact(spec.name)
    standing = standing_manifest(build, spec.name, key)
    if standing is not None:
        shutil.rmtree(folder / MARKS, ignore_errors=True)  # a kill between manifest and clean-up left it
        return standing
    for name in spec.reads:
        check_bytes(build.artifact(name))
    for before in build.earlier:
        for name in spec.across:
            check_bytes(before.artifact(name))
    make_room(folder, key)
    started, clock = datetime.now(UTC), time.monotonic()
    run = StageRun(build, spec, key, inputs, execute, progress)
    with collecting_for(spec.name):
        spec.work(run)
    files, rows, drops, rows_in = tally(folder)
    files += _published(run)
    manifest = Manifest(
        stage=spec.name,
        batch=build.batch,
        version=spec.version,
        key=key,
        config=spec.config(build.recipe),
        inputs=inputs,
        rows_in=rows_in + sum(run.took.values()),
        rows_out=rows | run.made,
        drops=drops,
        files=files,
        libraries=library_versions(),
        notes=run.notes,
    )
    write_timing(folder, started, time.monotonic() - clock)
    write_manifest(folder, manifest)
    shutil.rmtree(folder / MARKS, ignore_errors=True)
    return manifest


def _published(run: StageRun) -> tuple[FileEntry, ...]:
    """Entries of what the stage wrote outside its folder; data files of earlier batches are not hashed once more."""
    manifests = [read_manifest(batch.artifact(run.spec.name)) for batch in run.build.earlier]
    known = {
        (entry.path, entry.bytes): entry
        for manifest in manifests
        if manifest is not None
        for entry in manifest.files
        if entry.path.startswith("../") and entry.path.endswith(".parquet")
    }
    entries: list[FileEntry] = []
    for path in sorted(path for folder in run.published for path in folder.rglob("*") if path.is_file()):
        place = Path(os.path.relpath(path, run.folder)).as_posix()
        entries.append(known.get((place, path.stat().st_size)) or file_entry(run.folder, path, None))
    return tuple(entries)


class OfSubject(Protocol):
    """A row that says whose it is."""

    @property
    def subject_id(self) -> str: ...


Owned = TypeVar("Owned", bound=OfSubject)


def by_subject(rows: Iterable[Owned]) -> defaultdict[str, list[Owned]]:
    """Rows by subject, in their order; none for a subject that has none."""
    grouped: defaultdict[str, list[Owned]] = defaultdict(list)
    for row in rows:
        grouped[row.subject_id].append(row)
    return grouped
