"""A build from recipe to dataset: which stages are stale, and bringing them up to date under one lock."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from flows.preflight import check_recipe
from flows.resources import TARGET, Resources
from flows.stage import BuildFolder, StageSpec, expected_key, standing_manifest
from flows.stages import stage_table
from schemas.artifacts import FORMAT, MANIFEST, Manifest, read_manifest, read_seconds, write_atomically, write_json
from schemas.origins import Source
from schemas.problems import BadInput
from schemas.recipes import BuildRecipe, read_build_recipe
from schemas.responders import Responder
from schemas.tables import Record
from schemas.words import STAGES, Stage

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
RECIPE, IDENTITY, LOCK = "recipe.toml", "build.json", ".lock"
ANSWERS = "answers"
"""Folder of the responders' replies as they arrived; kept, so that another judging rule asks nothing again."""

OURS = frozenset({LOCK, RECIPE, ANSWERS, TARGET, "hub", "hub_gated", *STAGES})
"""What a build folder holds besides build.json."""


class BuildIdentity(Record):
    """build.json: which recipe a build folder belongs to and which layout it has."""

    format: int
    name: str
    source: str
    """Kind of the source and what names it; two builds of different people never share a folder."""


class StageReport(Record):
    """One line of a build's summary."""

    stage: Stage
    state: Literal["made", "stood", "stale", "missing", "unfinished"]
    rows: dict[str, int] = {}
    drops: dict[str, int] = {}
    seconds: float | None = None


class BuildReport(Record):
    """What a build made, and where."""

    name: str
    folder: str
    stages: tuple[StageReport, ...]
    dataset: str | None
    """Folder that `datasets.load_dataset` takes, once the export stage is done."""
    target: str | None
    """Model folder of the embedded world's target, if the build uses it."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a build folder; the lock goes with the process, so a killed build leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(
            str(folder), "another ppubench is at work on it", "wait for it, or choose another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def open_build(folder: Path) -> BuildFolder:
    """An existing build folder with the recipe that it was built from."""
    if not folder.is_dir():
        raise BadInput(str(folder), "no such build folder", "make one with `ppubench build RECIPE.toml`")
    if not (folder / IDENTITY).exists():
        raise BadInput(
            str(folder), f"is not a build ({IDENTITY} is missing)", "name a folder that `ppubench build` made"
        )
    identity = _read_identity(folder)
    recipe = read_build_recipe(folder / RECIPE)
    if _identity(recipe) != identity:
        raise BadInput(str(folder / RECIPE), "does not belong to this build", "build again from the right recipe")
    return BuildFolder(folder, recipe)


def _identity(recipe: BuildRecipe) -> BuildIdentity:
    source = recipe.source.model_dump(mode="json", exclude={"contact", "cache", "folder"})
    return BuildIdentity(format=FORMAT, name=recipe.name, source=" ".join(f"{k}={source[k]}" for k in sorted(source)))


def _read_identity(folder: Path) -> BuildIdentity:
    path = folder / IDENTITY
    try:
        identity = BuildIdentity.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        advice = "delete that file and run `ppubench build` with the folder's own recipe.toml"
        raise BadInput(str(path), "is damaged", advice) from error
    if identity.format > FORMAT:
        advice = f"upgrade ppubench (this is {version('ppubench')})"
        raise BadInput(str(path), f"layout {identity.format} is newer than this ppubench reads ({FORMAT})", advice)
    return identity


def _claim(folder: Path, recipe: BuildRecipe, recipe_text: str) -> None:
    """Write down whose folder this is, or refuse a folder that belongs to something else."""
    if (folder / IDENTITY).exists():
        found, ours = _read_identity(folder), _identity(recipe)
        if found != ours:
            raise BadInput(
                str(folder),
                f"holds a build of recipe {found.name!r} ({found.source}), not of {ours.name!r} ({ours.source})",
                "choose another --out, or delete the folder",
            )
    elif any(entry.name not in OURS for entry in folder.iterdir()):
        raise BadInput(str(folder), "is not empty and not a build", "choose another --out")
    write_atomically(folder / RECIPE, recipe_text)
    write_json(folder / IDENTITY, _identity(recipe).model_dump(mode="json"))


def build(
    recipe_path: Path,
    folder: Path | None = None,
    *,
    start: Stage | None = None,
    until: Stage | None = None,
    progress: Progress = lambda stage, done, total: None,
    source: Source | None = None,
    responders: Mapping[str, Responder] | None = None,
) -> BuildReport:
    """Bring a build up to date with its recipe; stages whose key stands are skipped.

    `start` makes that stage and what follows again; `until` ends after that stage.
    `source` and `responders` (by spec) are open already: a caller's own instead of what the recipe would open.
    """
    recipe = read_build_recipe(recipe_path)
    check_recipe(recipe)
    _check_order(start, until)
    folder = folder if folder is not None else Path("builds") / recipe.name
    if folder.exists() and not folder.is_dir():
        raise BadInput(str(folder), "is a file", "choose another --out")
    with locked(folder):
        _claim(folder, recipe, recipe_path.read_text())
        resources = Resources(folder, recipe, source=source, responders=responders)
        return _bring_up_to_date(BuildFolder(folder, recipe), resources, start=start, until=until, progress=progress)


def rebuild(folder: Path, *, until: Stage, progress: Progress = lambda stage, done, total: None) -> BuildReport:
    """Bring an existing build up to date with its own recipe, up to one stage (`ppubench export`)."""
    found = open_build(folder)
    with locked(folder):
        resources = Resources(found.path, found.recipe)
        return _bring_up_to_date(found, resources, start=None, until=until, progress=progress)


def _check_order(start: Stage | None, until: Stage | None) -> None:
    if start is not None and until is not None and STAGES.index(start) > STAGES.index(until):
        raise BadInput("--from and --until", f"{start} comes after {until}", f"the order is {', '.join(STAGES)}")


def _bring_up_to_date(
    build: BuildFolder, resources: Resources, *, start: Stage | None, until: Stage | None, progress: Progress
) -> BuildReport:
    last = STAGES.index(until) if until is not None else len(STAGES) - 1
    with ExitStack() as stack:
        stack.enter_context(resources)
        table = stage_table(resources)
        if start is not None:
            for stage in STAGES[STAGES.index(start) : last + 1]:
                (build.artifact(stage) / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(build.artifact(stage), ignore_errors=True)
        made: set[Stage] = set()
        wanted = [table[stage] for stage in STAGES[: last + 1]]
        if any(not _stands(build, spec, table) for spec in wanted):
            standing = {spec.name for spec in wanted if _stands(build, spec, table)}
            _run_flow(build, wanted, table, progress, stack)
            made = {spec.name for spec in wanted} - standing
        else:
            log.info("%s: every stage stands; nothing to do", build.path)
        return report(build, table, made=made, until=until)


def _stands(build: BuildFolder, spec: StageSpec, table: Mapping[Stage, StageSpec]) -> bool:
    return standing_manifest(build.artifact(spec.name), expected_key(build, spec, table)[0]) is not None


def _run_flow(
    build: BuildFolder,
    wanted: list[StageSpec],
    table: Mapping[Stage, StageSpec],
    progress: Progress,
    stack: ExitStack,
) -> None:
    """Start Prefect (or use the server that PREFECT_API_URL names) and run the stages as flows."""
    from flows.prefect_server import prefect_settings, require_server, running_server

    home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
    if "PREFECT_API_URL" in os.environ:
        require_server(os.environ["PREFECT_API_URL"])
        for name, value in prefect_settings(home).items():
            os.environ.setdefault(name, value)
    else:
        progress("start", 0, 1)
        os.environ.update(stack.enter_context(running_server(home)))
        stack.callback(os.environ.pop, "PREFECT_API_URL", None)
        progress("start", 1, 1)
    from flows.prefect_flows import build_flow

    def finished(manifest: Manifest) -> None:
        counts = ", ".join(f"{count} {table}" for table, count in manifest.rows_out.items() if table != "drops")
        log.info("%s: %s; %d left out", manifest.stage, counts or "nothing", sum(manifest.drops.values()))

    build_flow(build.recipe.name, build, wanted, table, progress, finished)


def report(
    build: BuildFolder, table: Mapping[Stage, StageSpec], *, made: set[Stage], until: Stage | None = None
) -> BuildReport:
    """State, counts and drops of every stage, read from the manifests."""
    lines: list[StageReport] = []
    for stage in STAGES:
        folder = build.artifact(stage)
        manifest = read_manifest(folder)
        if manifest is None:
            lines.append(StageReport(stage=stage, state="unfinished" if folder.exists() else "missing"))
            continue
        past_end = until is not None and STAGES.index(stage) > STAGES.index(until)
        fresh = _stands(build, table[stage], table)
        lines.append(
            StageReport(
                stage=stage,
                state="made" if stage in made and not past_end else "stood" if fresh else "stale",
                rows=manifest.rows_out,
                drops=manifest.drops,
                seconds=read_seconds(folder),
            )
        )
    hub, target = build.path / "hub", build.path / "target"
    return BuildReport(
        name=build.recipe.name,
        folder=str(build.path),
        stages=tuple(lines),
        dataset=str(hub) if lines[-1].state in ("made", "stood") else None,
        target=str(target) if target.exists() else None,
    )


def status(folder: Path) -> BuildReport:
    """What is in a build folder, without changing it."""
    found = open_build(folder)
    with Resources(found.path, found.recipe) as resources:
        return report(found, stage_table(resources), made=set())
