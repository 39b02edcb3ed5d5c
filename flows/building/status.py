"""What a build made, and where: the state, counts and drops of every stage of every batch, from the manifests."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from flows.building.batch_guard import way_on
from flows.pipeline.batches import Fate, fates_of, never_subjects, read_requests
from flows.pipeline.build_folder import BuildFolder, standing_manifest
from flows.pipeline.stage import StageSpec, expected_key
from flows.pipeline.verdicts import kept_verdicts, review_figures
from flows.stages.roster_names import RESOLVE
from flows.stages.versions import changed_since
from schemas.records.build_rows import UnknownQualifier
from schemas.records.review import ReviewFigures
from schemas.storage.artifacts import read_manifest, read_seconds
from schemas.storage.tables import Record, read_records
from schemas.vocabulary import STAGES, Stage

BEHIND = ("stale", "missing", "unfinished")
"""States of a stage that is to be made."""
Made = Collection[tuple[int, Stage]]
"""Batch and stage of what this run made."""


class StageReport(Record):
    """One line of a build's summary."""

    stage: Stage
    state: Literal["made", "stood", "stale", "missing", "unfinished"]
    rows: dict[str, int] = {}
    drops: dict[str, int] = {}
    seconds: float | None = None


class BatchReport(Record):
    """A later batch: who was asked for, what was made of it, and what became of everyone."""

    batch: int
    asked: tuple[str, ...]
    stages: tuple[StageReport, ...]
    people: tuple[Fate, ...]


class BuildReport(Record):
    """What a build made, and where."""

    name: str
    folder: str
    stages: tuple[StageReport, ...]
    """Of batch 0: the recipe's own selection."""
    dataset: str | None
    """Folder that `datasets.load_dataset` takes, once the export stage is done."""
    target: str | None
    """Model folder of the embedded world's target, if the build uses it."""
    batches: tuple[BatchReport, ...] = ()
    """What `ppubench add` added, from batch 1."""
    left_out: tuple[Fate, ...] = ()
    """Whom the recipe names (in `subjects` or its roster) and the stage select left out."""
    doubtful: str | None = None
    """The file of doubtful names, for the maintainer to decide, if there is one."""
    to_do: str = ""
    """What brings the build up to date, where a stage is stale, missing or unfinished."""
    unknown_qualifiers: dict[str, int] = {}
    """Statements by property/qualifier that no rule of curation/facts/qualifiers.toml knows, of all batches."""
    review: ReviewFigures | None = None
    """What a reader said of the facts; None if no verdicts were read in."""
    rules_changed: tuple[str, ...] = ()
    """What changed in the stages since this build was made, one line a version; () if ppubench is as it was."""
    requests: int = 0
    """Requests that this run sent to Wikimedia; 0 where everything came from the cache."""


def stands(build: BuildFolder, spec: StageSpec, table: Mapping[Stage, StageSpec]) -> bool:
    """Whether the stage's artifact in this batch is up to date."""
    return standing_manifest(build, spec.name, expected_key(build, spec, table)[0]) is not None


def report_of(
    batches: Sequence[BuildFolder], table: Mapping[Stage, StageSpec], *, made: Made, until: Stage | None = None
) -> BuildReport:
    """State, counts and drops of every stage, read from the manifests."""
    build = batches[0]
    lines = [_lines(batch, table, made=made, until=until) for batch in batches]
    requests = read_requests(build.path)
    named = build.recipe.select.subjects or build.recipe.select.roster
    hub, target = build.path / "hub", build.path / "target"
    behind = any(line.state in BEHIND for own in lines for line in own)
    return BuildReport(
        name=build.recipe.name,
        folder=str(build.path),
        stages=lines[0],
        batches=tuple(
            BatchReport(batch=batch.batch, asked=request.asked, stages=own, people=fates_of(batch))
            for batch, request, own in zip(batches[1:], requests, lines[1:], strict=True)
        ),
        left_out=never_subjects(build) if named else (),
        doubtful=str(build.path / RESOLVE) if (build.path / RESOLVE).exists() else None,
        review=review_figures(kept_verdicts(batches[-1])),
        rules_changed=_rules_changed(batches),
        unknown_qualifiers=_unknown_qualifiers(batches),
        to_do=way_on(batches, table) if behind else "",
        dataset=str(hub) if lines[-1][-1].state in ("made", "stood") else None,
        target=str(target) if target.exists() else None,
    )


def _rules_changed(batches: Sequence[BuildFolder]) -> tuple[str, ...]:
    lines: list[str] = []
    for stage in STAGES:
        manifests = [read_manifest(batch.artifact(stage)) for batch in batches]
        versions = [manifest.version for manifest in manifests if manifest is not None]
        lines += changed_since(stage, min(versions)) if versions else ()
    return tuple(lines)


def _unknown_qualifiers(batches: Sequence[BuildFolder]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for batch in batches:
        for path in sorted(batch.artifact("facts").glob("unknown_qualifiers-*.parquet")):
            for row in read_records(path, UnknownQualifier):
                found[f"{row.property_id}/{row.qualifier_id}"] += row.statements
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _lines(
    build: BuildFolder, table: Mapping[Stage, StageSpec], *, made: Made, until: Stage | None
) -> tuple[StageReport, ...]:
    lines: list[StageReport] = []
    for stage in STAGES:
        folder = build.artifact(stage)
        manifest = read_manifest(folder)
        if manifest is None:
            lines.append(StageReport(stage=stage, state="unfinished" if folder.exists() else "missing"))
            continue
        past_end = until is not None and STAGES.index(stage) > STAGES.index(until)
        fresh = stands(build, table[stage], table)
        lines.append(
            StageReport(
                stage=stage,
                state="made" if (build.batch, stage) in made and not past_end else "stood" if fresh else "stale",
                rows=manifest.rows_out,
                drops=manifest.drops,
                seconds=read_seconds(folder),
            )
        )
    return tuple(lines)
