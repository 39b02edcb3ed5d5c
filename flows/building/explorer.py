"""The explorer of a build: finds what has been made, says how to make the rest, and has the page written."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.building.build import status
from flows.building.status import BuildReport, StageReport
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.build_identity import IDENTITY, locked, open_build
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import SandboxSource
from schemas.storage.artifacts import read_manifest
from schemas.vocabulary import STAGE_LINES, STAGES, Stage

if TYPE_CHECKING:
    from eval.explorer.explorer import Explored, StageLine

log = logging.getLogger(__name__)

WIKIDATA = "https://www.wikidata.org/wiki/"


def is_build(folder: Path) -> bool:
    """Whether the folder is a build's (and not a study's, a run's or an evaluation's)."""
    return (folder / IDENTITY).is_file()


def source_page(recipe: BuildRecipe) -> str:
    """Address of an item's page before its QID, or "" where the subjects are fictional."""
    return "" if isinstance(recipe.source, SandboxSource) else WIKIDATA


def explore(folder: Path, *, progress: Progress = silent) -> "Explored":
    """Write `<build>/explorer.html` and `<build>/funnel.svg`; needs no network and changes no stage.

    Raises BadInput for a folder that is not a build, and for one at which another process is at work.
    """
    from eval.explorer.build_reader import BuildTables
    from eval.explorer.explorer import Origin, write_explorer

    found = open_build(folder)
    origin = Origin(
        name=found.recipe.name,
        command=f"ppubench export {folder}",
        statements=source_page(found.recipe),
        stages=tuple(_line(stage) for stage in _stages(found)),
    )
    with locked(folder):
        return write_explorer(BuildTables(folder), origin, out=folder, progress=progress)


def _stages(found: BuildFolder) -> list[StageReport]:
    """The state of every stage over all batches; staleness is left open where the source cannot be identified."""
    try:
        report = status(found.path)
    except BadInput as problem:
        log.warning("%s: whether stages are stale is not known", problem)
        return [_as_found(found, stage) for stage in STAGES]
    return [_together([first, *others]) for first, *others in zip(report.stages, *_later(report), strict=True)]


def _later(report: BuildReport) -> list[tuple[StageReport, ...]]:
    return [batch.stages for batch in report.batches]


def _as_found(found: BuildFolder, stage: Stage) -> StageReport:
    manifest = read_manifest(found.artifact(stage))
    if manifest is None:
        return StageReport(stage=stage, state="missing")
    return StageReport(stage=stage, state="stood", rows=manifest.rows_out, drops=manifest.drops)


def _together(batches: Sequence[StageReport]) -> StageReport:
    """One line for the batches of a stage: the first state that is not well, and the sums."""
    rows: Counter[str] = Counter()
    drops: Counter[str] = Counter()
    for each in batches:
        rows.update(each.rows)
        drops.update(each.drops)
    worst = next((each for each in batches if each.state not in ("made", "stood")), batches[0])
    return worst.model_copy(update={"rows": dict(rows), "drops": dict(drops)})


def _line(stage: StageReport) -> "StageLine":
    from eval.explorer.explorer import StageLine

    counts = ", ".join(f"{count:,} {name}" for name, count in stage.rows.items() if count and name != "drops")
    return StageLine(
        stage=stage.stage,
        says=STAGE_LINES[stage.stage],
        state="finished" if stage.state in ("made", "stood") else stage.state,
        rows=counts,
        left_out=sum(stage.drops.values()),
    )
