"""One stage of a build: shards of work, each written when it is done, and the manifest written last.

Plain code without Prefect: `flows/build.py` hands in the executor that makes every shard a Prefect task.
"""

import ctypes
import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import JsonValue

from schemas.artifacts import (
    MANIFEST,
    TIMING,
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
from schemas.problems import BadInput
from schemas.recipes import BuildRecipe
from schemas.records import Drop
from schemas.tables import Record, file_sha256, read_records, write_records
from schemas.words import Stage

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

MARKS = "unfinished"
"""Folder of the marks of finished shards; removed when the manifest is written."""


@dataclass(frozen=True)
class Rows:
    """The rows of one table that a shard made."""

    record: type[Record]
    rows: Sequence[Record]


Tables = Mapping[str, Rows]
"""What a shard makes: rows by table name. The table "drops" holds Drop rows."""


class Executor(Protocol):
    """Runs the shards of a phase, in any order, and raises the first exception that one of them raised."""

    def __call__(self, name: str, calls: Mapping[int, Callable[[], None]], *, parallel: int) -> None: ...


def run_in_process(name: str, calls: Mapping[int, Callable[[], None]], *, parallel: int) -> None:
    """The plain executor: one shard after the other, without Prefect."""
    for number in sorted(calls):
        calls[number]()


@dataclass(frozen=True)
class StageSpec:
    """A row of the stage table: what a stage reads, which numbers shape it, and its work."""

    name: Stage
    version: int
    says: str
    """One line for `ppubench stages`."""
    reads: tuple[Stage, ...]
    config: Callable[[BuildRecipe], dict[str, JsonValue]]
    work: Callable[["StageRun"], None]
    outside: Callable[["BuildFolder"], Mapping[str, str]] = field(default=lambda build: {})
    """Identities of what is read besides artifacts (source, target), for the key."""
    prepare: Callable[["BuildFolder"], None] = field(default=lambda build: None)
    """Called before the key is computed, when the stage is about to be brought up to date."""


@dataclass(frozen=True)
class BuildFolder:
    """A build on disk: `<path>/<stage>/<batch>/`."""

    path: Path
    recipe: BuildRecipe
    batch: int = 0

    def artifact(self, stage: Stage) -> Path:
        """Folder of a stage's artifact in the current batch."""
        return self.path / stage / str(self.batch)


@dataclass
class StageRun:
    """One run of one stage: where it writes, what it reads, and what it has done so far."""

    build: BuildFolder
    spec: StageSpec
    key: str
    inputs: dict[str, str]
    execute: Executor
    progress: Callable[[str, int, int], None]
    """Called as (stage, shards done, shards in all)."""
    took: dict[int, int] = field(default_factory=dict)
    """Rows that a shard's work has read, by shard, as the work counts them; kept in the shard's mark."""
    notes: dict[str, JsonValue] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    """Rows by table of what it wrote outside its own folder."""
    published: list[Path] = field(default_factory=list)
    """Folders outside the stage's own that it wrote; their files are listed in the manifest too."""

    @property
    def folder(self) -> Path:
        return self.build.artifact(self.spec.name)

    @property
    def answers(self) -> Path:
        """Where replies of responders are kept, beyond the life of an artifact."""
        return self.build.path / "answers" / self.spec.name

    @property
    def recipe(self) -> BuildRecipe:
        return self.build.recipe

    def shards(self) -> list[int]:
        """Numbers of the shards that the selection cut the subjects into."""
        manifest = read_manifest(self.build.artifact("select"))
        if manifest is None:
            raise BadInput(str(self.build.artifact("select")), "is not finished", "build from the stage select")
        return list(range(sum(entry.path.startswith("subjects-") for entry in manifest.files)))

    def read(self, stage: Stage, table: str, record: type[R], shard: int | None = None) -> Iterator[R]:
        """Rows of an input's table: of one shard, or of all of them in order."""
        folder = self.build.artifact(stage)
        pattern = f"{table}-*.parquet" if shard is None else f"{table}-{shard:05d}.parquet"
        for path in sorted(folder.glob(pattern)):
            yield from read_records(path, record)

    def count(self, stage: Stage, table: str) -> int:
        """Rows of an input's table, from its manifest."""
        manifest = read_manifest(self.build.artifact(stage))
        return manifest.rows_out.get(table, 0) if manifest is not None else 0

    def map(self, phase: str, shards: Sequence[int], work: Callable[[int], Tables], *, parallel: int = 1) -> None:
        """Run `work` for every shard that is not done yet, and write its tables as it finishes."""
        marks = self.folder / MARKS
        pending = [number for number in shards if not (marks / f"{phase}-{number:05d}.json").exists()]
        done = len(shards) - len(pending)
        if done:
            log.info("%s: %d of %d shards of %s stand from an earlier run", self.spec.name, done, len(shards), phase)
        self.progress(self.spec.name, done, len(shards))
        finished = [done]

        def call(number: int) -> Callable[[], None]:
            def run() -> None:
                self._write(phase, number, work(number))
                give_back_memory()
                finished[0] += 1
                self.progress(self.spec.name, finished[0], len(shards))

            return run

        self.execute(f"{self.spec.name}-{phase}", {number: call(number) for number in pending}, parallel=parallel)

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


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    Shards run in short-lived threads, each with a heap of its own in glibc; without this, freed pages stay and a
    build's memory grows with the number of shards.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def expected_key(build: BuildFolder, spec: StageSpec, table: Mapping[Stage, StageSpec]) -> tuple[str, dict[str, str]]:
    """The key that an up-to-date artifact of the stage has, and the inputs it follows from."""
    inputs = {f"{name}/{build.batch}": expected_key(build, table[name], table)[0] for name in spec.reads}
    inputs.update(spec.outside(build))
    return stage_key(spec.name, spec.version, spec.config(build.recipe), inputs), inputs


def run_stage(
    build: BuildFolder,
    spec: StageSpec,
    table: Mapping[Stage, StageSpec],
    *,
    execute: Executor = run_in_process,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Manifest:
    """Bring one stage up to date and return its manifest; an artifact whose key stands is left alone."""
    spec.prepare(build)
    key, inputs = expected_key(build, spec, table)
    folder = build.artifact(spec.name)
    standing = standing_manifest(folder, key)
    if standing is not None:
        shutil.rmtree(folder / MARKS, ignore_errors=True)  # a kill between manifest and clean-up left it
        return standing
    for name in spec.reads:
        _check_bytes(build.artifact(name))
    _make_room(folder, key)
    started, clock = datetime.now(UTC), time.monotonic()
    run = StageRun(build, spec, key, inputs, execute, progress)
    spec.work(run)
    files, rows, drops, rows_in = _tally(folder)
    for outside in run.published:
        files += tuple(file_entry(folder, path, None) for path in sorted(outside.rglob("*")) if path.is_file())
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


def standing_manifest(folder: Path, key: str) -> Manifest | None:
    """The manifest if the artifact is up to date: its key is this one, and its files are there in full size."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.key != key:
        return None
    whole = all(
        (path := folder / entry.path).is_file() and path.stat().st_size == entry.bytes for entry in manifest.files
    )
    return manifest if whole else None


def _check_bytes(folder: Path) -> None:
    """Refuse an input whose tables are not the bytes that its manifest names."""
    manifest = read_manifest(folder)
    for entry in manifest.files if manifest is not None else ():
        path = folder / entry.path
        if path.suffix == ".parquet" and path.parent == folder and file_sha256(path) != entry.sha256:
            advice = f"delete {folder} and run the command again"
            raise BadInput(str(path), "is not what its manifest says (another sha256)", advice)


def _make_room(folder: Path, key: str) -> None:
    """Empty the folder of anything made under another key; keep the finished shards of this one."""
    mark = folder / MARKS / "key.json"
    if _marked(mark) == key and not (folder / MANIFEST).exists():
        for part in folder.rglob("*.part"):
            part.unlink()
        return
    if folder.is_file() or folder.parent.is_file():
        raise BadInput(str(folder), "is a file where a stage's folder belongs", "move it away")
    if folder.exists():
        (folder / MANIFEST).unlink(missing_ok=True)  # first: from here on the artifact is unfinished
        shutil.rmtree(folder)
    write_json(mark, key)


def _marked(mark: Path) -> JsonValue:
    """The key that unfinished shards belong to, or None if that cannot be told."""
    try:
        found: JsonValue = json.loads(mark.read_text())
    except (OSError, ValueError):
        return None
    return found


def _is_output(folder: Path, path: Path) -> bool:
    top = path.relative_to(folder).parts[0]
    return top not in (MARKS, MANIFEST, TIMING)


def _tally(folder: Path) -> tuple[tuple[FileEntry, ...], dict[str, int], dict[str, int], int]:
    """Files, row counts by table, drops by reason and rows read, from the marks of the shards."""
    rows: dict[str, int] = {}
    rows_in = 0
    drops: Counter[str] = Counter()
    for mark in sorted((folder / MARKS).glob("*-*.json")):
        content = json.loads(mark.read_text())
        rows.update(content["rows"])
        drops.update(content["drops"])
        rows_in += content["rows_in"]
    files: list[FileEntry] = []
    by_table: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and _is_output(folder, path)):
        count = rows.get(path.name)
        files.append(file_entry(folder, path, count))
        if count is not None:
            by_table[path.name.rsplit("-", 1)[0].split("-")[0]] += count
    return tuple(files), dict(sorted(by_table.items())), dict(sorted(drops.items())), rows_in
