"""A build that people were added to: what would make any of its batches anew is refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from curation.subjects.roster import RosterLine, read_roster
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import StageSpec, expected_key
from flows.pipeline.verdicts import REVIEW
from flows.stages.roster_names import ROSTER
from schemas.errors import BadInput
from schemas.storage.artifacts import Manifest, read_manifest
from schemas.vocabulary import STAGES, Stage

ADVICE = "build into another --out, or take the change back"


def refuse_remaking(
    batches: Sequence[BuildFolder],
    table: Mapping[Stage, StageSpec],
    *,
    roster: Path | None = None,
    start: Stage | None = None,
) -> None:
    """Raise BadInput if bringing a build up to date would undo newer code's work, or change people beside added ones.

    A stage of newer code is refused in every build. In one that people were added to, so is every stage before the
    export, in any batch, that recipe, source or older code would make anew: ids, roles or bytes of those who stand
    would change. The export may change, since it only writes out what stands; so may what follows from the verdicts of
    a review, which a maintainer has read in to have it changed. `roster` is the recipe's own.
    Whoever names the stage to `start` from has stages of other code made again, but no grown build's selection.
    """
    build, grown = batches[0], len(batches) > 1
    where = f"{build.path}: the build has added people ({len(batches) - 1} batches after the recipe's own)"
    _refuse_newer(batches, table, start)
    if not grown:
        return
    if start == "select":
        raise BadInput(where, "selecting anew could number those who stand anew", "build into another --out")
    if roster is not None and _lines(roster) != _lines(build.path / ROSTER):
        raise BadInput(where, "the roster is no longer what batch 0 was made from", ADVICE)
    known: dict[Path, str] = {}
    as_reviewed = {stage: replace(spec, outside=_as_made(spec)) for stage, spec in table.items()}
    for stage in STAGES[: STAGES.index("export")]:
        for batch in batches:
            manifest = read_manifest(batch.artifact(stage))
            if manifest is None:
                continue
            if manifest.version != table[stage].version:
                if _again(stage, start):
                    return
                raise _older(where, manifest, table[stage], build)
            if manifest.key != expected_key(batch, as_reviewed[stage], as_reviewed, known)[0]:
                found = f"the recipe or its source would make batch {batch.batch} anew, from the stage {stage} on"
                raise BadInput(where, found, ADVICE)


def _as_made(spec: StageSpec) -> Callable[[BuildFolder], Mapping[str, str]]:
    """What a stage read besides artifacts, with the verdicts by which it was made in the place of today's."""

    def outside(batch: BuildFolder) -> Mapping[str, str]:
        manifest = read_manifest(batch.artifact(spec.name))
        then = {} if manifest is None else {name: each for name, each in manifest.inputs.items() if name == REVIEW}
        return {name: each for name, each in spec.outside(batch).items() if name != REVIEW} | then

    return outside


def way_on(batches: Sequence[BuildFolder], table: Mapping[Stage, StageSpec]) -> str:
    """What brings a build up to date: the export or, where that would be refused, what the refusal advises."""
    try:
        refuse_remaking(batches, table)
    except BadInput as refusal:
        return refusal.advice
    return f"run `ppubench export {batches[0].path}`"


def _refuse_newer(batches: Sequence[BuildFolder], table: Mapping[Stage, StageSpec], start: Stage | None) -> None:
    for batch in batches:
        for stage in STAGES:
            manifest, version = read_manifest(batch.artifact(stage)), table[stage].version
            if manifest is not None and manifest.version > version and not _again(stage, start):
                found = f"version {manifest.version} is newer than this ppubench's ({version})"
                raise BadInput(str(batch.artifact(stage)), found, "upgrade ppubench")


def _older(where: str, manifest: Manifest, spec: StageSpec, build: BuildFolder) -> BadInput:
    found = f"the stage {spec.name} is of an older ppubench (version {manifest.version}, now {spec.version})"
    again = f"make it anew with `ppubench build RECIPE --out {build.path} --from {spec.name}`"
    way = "build into another --out" if spec.name == "select" else again
    return BadInput(where, f"{found}, and would be made anew", f"use the ppubench that made it, or {way}")


def _again(stage: Stage, start: Stage | None) -> bool:
    """Whether the stage is to be made again in any case."""
    return start is not None and STAGES.index(start) <= STAGES.index(stage)


def _lines(path: Path) -> list[RosterLine]:
    """What a roster says, wherever in the file; [] if there is none."""
    return [line.model_copy(update={"line": 0}) for line in read_roster(path)] if path.exists() else []
