"""A build that people were added to: a recipe that would make its first batch anew is refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.rosters import read_roster
from flows.folders import BuildFolder
from flows.naming import ROSTER
from flows.stage import StageSpec, expected_key
from schemas.artifacts import read_manifest
from schemas.problems import BadInput
from schemas.rosters import RosterLine
from schemas.words import STAGES, Stage

ADVICE = "build into another --out, or take the change back"


def refuse_remaking(
    batches: Sequence[BuildFolder], table: Mapping[Stage, StageSpec], *, roster: Path | None = None
) -> None:
    """Raise BadInput if the recipe of `batches` would make a stage of batch 0 before the export anew.

    New ids, roles or bytes there would change those whom `ppubench add` added. The export may change, since it only
    writes out what stands; so may everything after a stage of older code. `roster` is the recipe's own.
    """
    build = batches[0]
    if len(batches) == 1:
        return
    where = f"{build.path}: the build has added people ({len(batches) - 1} batches after the recipe's own)"
    if roster is not None and _lines(roster) != _lines(build.path / ROSTER):
        raise BadInput(where, "the roster is no longer what batch 0 was made from", ADVICE)
    for stage in STAGES[: STAGES.index("export")]:
        manifest = read_manifest(build.artifact(stage))
        if manifest is None:
            continue
        if manifest.version != table[stage].version:
            return
        if manifest.key != expected_key(build, table[stage], table)[0]:
            found = f"the recipe would make batch 0 anew, from the stage {stage} on"
            raise BadInput(where, found, ADVICE)


def _lines(path: Path) -> list[RosterLine]:
    """What a roster says, wherever in the file; [] if there is none."""
    return [line.model_copy(update={"line": 0}) for line in read_roster(path)] if path.exists() else []
