"""The gate's rules about the build behind a release: finished, up to date, every drop explained, loadable."""

import gc
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from io import FileIO
from pathlib import Path

import pyarrow.parquet as pq

from curation.card.metadata_files import README, ReleaseFile
from flows.building.batch_guard import way_on
from flows.pipeline.batches import batches_of
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import StageSpec, expected_key
from flows.resources.resources import Resources
from flows.stages.stage_table import stage_table
from schemas.dataset.layout import config_record
from schemas.dataset.release import Fault
from schemas.errors import TableProblem
from schemas.records.build_rows import Drop
from schemas.records.drop_reasons import REASONS
from schemas.storage.artifacts import Manifest, read_manifest
from schemas.storage.tables import file_sha256, read_records
from schemas.vocabulary import STAGES, Stage

LOADED_AT_ONCE = 256
"""Rows of a config in memory at once, with their pictures."""
LET_GO_S = 5.0


def build_faults(build: BuildFolder) -> Iterator[Fault]:
    """Stages of a build that are unfinished, stale, of another version, changed since, or drop without a reason.

    And what a review has rejected and is in the dataset all the same.
    """
    known: dict[Path, str] = {}
    with Resources(build.path, build.recipe) as resources:
        table = stage_table(resources)
        batches = batches_of(build.path, build.recipe)
        to_do = cache(lambda: way_on(batches, table))
        yield from _review_faults(batches)
        for batch in batches:
            for stage in STAGES:
                newest = batch.batch == batches[-1].batch
                yield from _stage_faults(batch, table[stage], table, known, to_do, newest=newest)


def _stage_faults(
    batch: BuildFolder,
    spec: StageSpec,
    table: Mapping[Stage, StageSpec],
    known: dict[Path, str],
    to_do: Callable[[], str],
    *,
    newest: bool,
) -> Iterator[Fault]:
    where = f"{spec.name}/{batch.batch}"
    manifest = read_manifest(batch.artifact(spec.name))
    if manifest is None:
        yield Fault(rule="build-unfinished", where=where, found=f"the stage has not finished; build {batch.path} again")
        return
    if manifest.version > spec.version:
        found = f"made by a newer ppubench (version {manifest.version} of the stage, this one has {spec.version})"
        yield Fault(rule="build-version", where=where, found=found)
    elif manifest.key != expected_key(batch, spec, table, known)[0]:
        found = f"is stale: recipe, code or inputs have changed since; {to_do()}"
        yield Fault(rule="build-stale", where=where, found=found)
    yield from _byte_faults(batch.artifact(spec.name), manifest, where, with_release=newest)
    yield from _drop_faults(batch.artifact(spec.name), manifest, where)


def _byte_faults(folder: Path, manifest: Manifest, where: str, *, with_release: bool) -> Iterator[Fault]:
    """Files that are not what the manifest says; of a release, the card may have been edited by hand."""
    for entry in manifest.files:
        outside = entry.path.startswith("../")
        if (outside and not with_release) or (outside and entry.path.endswith(f"/{README}")):
            continue
        path = folder / entry.path
        if not path.is_file():
            yield Fault(rule="build-bytes", where=f"{where}, {entry.path}", found="is missing")
        elif path.stat().st_size != entry.bytes or file_sha256(path) != entry.sha256:
            yield Fault(rule="build-bytes", where=f"{where}, {entry.path}", found="is not what the manifest says")


def _review_faults(batches: Sequence[BuildFolder]) -> Iterator[Fault]:
    """Samples of the dataset that a review has rejected, wherever in it they are."""
    rejected = {
        drop.item
        for batch in batches
        for path in sorted(batch.artifact("questions").glob("drops-*.parquet"))
        for drop in read_records(path, Drop)
        if drop.reason == "rejected_in_review"
    }
    build = batches[0].path
    parts = ("hub", "hub_gated") if rejected else ()
    for path in sorted(path for part in parts for path in (build / part).glob("data/*/*.parquet")):
        names = pq.read_schema(path).names
        if "sample_id" in names:
            there = set(pq.read_table(path, columns=["sample_id"]).column(0).to_pylist())
        elif "qas" in names:  # a JSON list of all candidates a subject
            lists = pq.read_table(path, columns=["qas"]).column(0).to_pylist()
            there = {entry["id"] for each in lists for entry in json.loads(each)}
        else:
            continue
        if found := sorted(there & rejected):
            more = f" and {len(found) - 1} others" if len(found) > 1 else ""
            where = path.relative_to(build).as_posix()
            yield Fault(rule="review-rejected", where=where, found=f"holds {found[0]}{more}, which a review rejected")


def _drop_faults(folder: Path, manifest: Manifest, where: str) -> Iterator[Fault]:
    """Drops without an explained reason, and counts that do not add up."""
    counted: Counter[str] = Counter()
    for path in sorted(folder.glob("drops-*.parquet")):
        try:
            for number, drop in enumerate(read_records(path, Drop)):
                counted[drop.reason] += 1
                if drop.reason not in REASONS:
                    why = f"{drop.reason!r}, which schemas/records/drop_reasons.py does not explain"
                    found = f"{drop.item} was dropped for {why}"
                    yield Fault(rule="build-drop", where=f"{where}, {path.name}, row {number}", found=found)
        except TableProblem as problem:
            yield Fault(rule="build-bytes", where=problem.where, found=problem.found)
            return
    for reason in sorted(counted.keys() | manifest.drops.keys()):
        if reason not in REASONS and reason not in counted:
            found = f"counts drops for {reason!r}, which schemas/records/drop_reasons.py does not explain"
            yield Fault(rule="build-drop", where=f"{where}, manifest.json", found=found)
        if counted[reason] != manifest.drops.get(reason, 0):
            found = f"counts {manifest.drops.get(reason, 0)} drops for {reason}, the tables hold {counted[reason]}"
            yield Fault(rule="build-drop-count", where=f"{where}, manifest.json", found=found)


def loading_faults(folder: Path, release: ReleaseFile) -> Iterator[Fault]:
    """Configs that `datasets` does not load to their ends, or loads with other columns or another number of rows."""
    from datasets import load_dataset

    for config in release.summary.configs:
        wanted = list(config_record(config.name, target=release.card.target).model_fields)
        try:
            rows = load_dataset(str(folder), config.name, split=config.split, streaming=True).with_format("arrow")
            tables = [(table.column_names, table.num_rows) for table in rows.iter(batch_size=LOADED_AT_ONCE)]
        except Exception as error:  # noqa: BLE001  # whatever the library raises is why the config does not load
            reason = f"does not load: {type(error).__name__}: {' '.join(str(error).split())[:160]}"
            yield Fault(rule="datasets-load", where=f"config {config.name}", found=reason)
            continue
        found, count = tables[0][0] if tables else [], sum(rows for _, rows in tables)
        if found != wanted:
            yield Fault(rule="datasets-load", where=f"config {config.name}", found=f"has columns {', '.join(found)}")
        if count != config.rows:
            said = f"loads {count} rows, and release.json counts {config.rows}"
            yield Fault(rule="datasets-load", where=f"config {config.name}", found=said)
    _await_closed()


def _await_closed() -> None:
    """Return when pyarrow's threads have let go of the files that `datasets` opened for them, or after a few seconds.

    A thread that does so while the interpreter ends aborts the process (https://github.com/apache/arrow/issues/45214).
    """
    end = time.monotonic() + LET_GO_S
    while time.monotonic() < end and any(
        type(each) is FileIO and str(each.name).endswith(".parquet") for each in gc.get_objects()
    ):
        time.sleep(0.01)
