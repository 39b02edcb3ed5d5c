"""A build from recipe to dataset: which stages are stale, and bringing them up to date under one lock."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from curation.subjects.roster import read_roster
from flows.building.batch_guard import refuse_remaking
from flows.building.preflight import check_recipe, check_servers, estimate
from flows.building.status import BuildReport, report_of, stands
from flows.pipeline.batches import BATCHES, batches_of
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.build_identity import (
    ANSWERS,
    IDENTITY,
    LOCK,
    RECIPE,
    BuildIdentity,
    identity_of,
    locked,
    open_build,
    read_identity,
)
from flows.pipeline.stage import StageSpec
from flows.pipeline.verdicts import VERDICTS
from flows.resources.resources import TARGET, Resources
from flows.runners.dask_cluster import DaskRunner, dask_cluster
from flows.stages.roster_names import RESOLVE, ROSTER
from flows.stages.stage_table import stage_table
from schemas.errors import BadInput
from schemas.progress import Progress, report, silent
from schemas.protocols.responder import Responder
from schemas.protocols.source import Source
from schemas.recipes.build_recipe import BuildRecipe, read_build_recipe
from schemas.recipes.source_recipe import WikimediaEndpoints
from schemas.storage.artifacts import MANIFEST, Manifest, read_manifest, write_atomically, write_json
from schemas.storage.atomic_files import PART
from schemas.vocabulary import STAGES, Stage

if TYPE_CHECKING:
    from flows.runners.prefect_flows import StageFlow


log = logging.getLogger(__name__)

PAGES = ("explorer.html", "funnel.svg")
"""What `ppubench report` writes into a build."""

REVIEWS = "review"
"""Folder of the samples that `ppubench review` drew."""

_FILES = (LOCK, RECIPE, ROSTER, RESOLVE, VERDICTS, *PAGES)
OURS = frozenset({*_FILES, ANSWERS, BATCHES, TARGET, REVIEWS, "hub", "hub_gated", *STAGES})
"""What a build folder holds besides build.json."""


def _roster_of(recipe: BuildRecipe, recipe_path: Path) -> bytes | None:
    """The content of the recipe's roster, which stands beside it, read once to see that it is one."""
    if not recipe.select.roster:
        return None
    path = recipe_path.parent / recipe.select.roster
    read_roster(path)
    return path.read_bytes()


def _require_ours(folder: Path, ours: BuildIdentity) -> None:
    """Refuse a folder that belongs to something else."""
    if (folder / IDENTITY).exists():
        found = read_identity(folder)
        if found != ours:
            raise BadInput(
                str(folder),
                f"holds a build of recipe {found.name!r} ({found.source}), not of {ours.name!r} ({ours.source})",
                "choose another --out, or delete the folder",
            )
    elif any(not _may_be_ours(entry.name) for entry in folder.iterdir()):
        raise BadInput(str(folder), "is not empty and not a build", "choose another --out")


def _may_be_ours(name: str) -> bool:
    """Whether we give that name in a build's folder; a kill may have left a file half written."""
    return name in OURS or (name.endswith(PART) and any(name.startswith(f"{own}.") for own in OURS))


def _claim(folder: Path, identity: BuildIdentity, recipe_text: str, roster: bytes | None) -> None:
    """Write down whose folder this is; what an earlier kill left half written goes."""
    for cut_off in [entry for entry in folder.glob(f"*{PART}") if _may_be_ours(entry.name) and entry.is_file()]:
        cut_off.unlink()
    write_atomically(folder / RECIPE, recipe_text)
    if roster is not None:
        write_atomically(folder / ROSTER, roster)
    write_json(folder / IDENTITY, identity.model_dump(mode="json"))


def build(
    recipe_path: Path,
    folder: Path | None = None,
    *,
    start: Stage | None = None,
    until: Stage | None = None,
    source: Source | None = None,
    responders: Mapping[str, Responder] | None = None,
    offline: bool = False,
    dask: DaskRunner | None = None,
) -> BuildReport:
    """Bring a build up to date with its recipe; stages whose key stands are skipped.

    `start` makes that stage and what follows again; `until` ends after that stage. `schemas.progress.report` is told.
    `source` and `responders` (by spec) are open already: a caller's own instead of what the recipe would open.
    With `dask`, shards go to Dask workers instead of threads of this process.
    With `offline` no request goes to Wikimedia: what its cache does not hold ends the build with Unfinished.
    """
    recipe = read_build_recipe(recipe_path)
    check_recipe(recipe)
    roster = _roster_of(recipe, recipe_path)
    _check_order(start, until)
    folder = folder if folder is not None else Path("builds") / recipe.name
    if folder.exists() and not folder.is_dir():
        raise BadInput(str(folder), "is a file", "choose another --out")
    identity = identity_of(recipe)
    own_roster = recipe_path.parent / recipe.select.roster if recipe.select.roster else None
    with (
        locked(folder),
        Resources(folder, recipe, source=source, responders=responders, offline=offline) as resources,
    ):
        _require_ours(folder, identity)
        batches, table = batches_of(folder, recipe), stage_table(resources)
        refuse_remaking(batches, table, roster=own_roster, start=start)
        _claim(folder, identity, recipe_path.read_text(), roster)
        if isinstance(recipe.source, WikimediaEndpoints) and source is None and not offline:
            _say_estimate(folder, recipe, recipe.source)
        return bring_up_to_date(batches, table, resources, start=start, until=until, progress=report, dask=dask)


def _say_estimate(folder: Path, recipe: BuildRecipe, source: WikimediaEndpoints) -> None:
    """Before the first request: how many there will be, and how long the limits make them take."""
    if read_manifest(folder / "images" / "0") is None:
        named = len(read_roster(folder / ROSTER)) if recipe.select.roster else len(recipe.select.subjects)
        said = estimate(recipe, source, named=named).said()
        log.info("%s: %s; what is in the cache is not asked for", recipe.name, said)


def rebuild(
    folder: Path,
    *,
    start: Stage | None = None,
    until: Stage | None = None,
    progress: Progress = silent,
    responders: Mapping[str, Responder] | None = None,
) -> BuildReport:
    """Bring an existing build up to date with its own recipe (`ppubench export`); arguments as of `build`."""
    found = open_build(folder)
    with locked(folder), Resources(found.path, found.recipe, responders=responders) as resources:
        batches, table = batches_of(found.path, found.recipe), stage_table(resources)
        refuse_remaking(batches, table, start=start)
        return bring_up_to_date(batches, table, resources, start=start, until=until, progress=progress)


def _check_order(start: Stage | None, until: Stage | None) -> None:
    if start is not None and until is not None and STAGES.index(start) > STAGES.index(until):
        raise BadInput("--from and --until", f"{start} comes after {until}", f"the order is {', '.join(STAGES)}")


def bring_up_to_date(
    batches: Sequence[BuildFolder],
    table: Mapping[Stage, StageSpec],
    resources: Resources,
    *,
    start: Stage | None = None,
    until: Stage | None = None,
    progress: Progress,
    dask: DaskRunner | None = None,
) -> BuildReport:
    """Make what does not stand, batch after batch, with the folder locked, once `refuse_remaking` has let it pass."""
    folder, recipe = resources.folder, resources.recipe
    last = STAGES.index(until) if until is not None else len(STAGES) - 1
    with ExitStack() as stack:
        if start is not None:
            for artifact in (
                batch.artifact(name) for batch in batches for name in STAGES[STAGES.index(start) : last + 1]
            ):
                (artifact / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(artifact, ignore_errors=True)
        wanted = [table[stage] for stage in STAGES[: last + 1]]
        made = {(batch.batch, spec.name) for batch in batches for spec in wanted if not stands(batch, spec, table)}
        if made:
            check_servers(resources, {stage for _, stage in made})
            _run_flow(batches, wanted, table, progress, stack, dask)
        else:
            log.info("%s: every stage stands; nothing to do", folder)
        done = report_of(batches, table, made=made, until=until)
        if recipe.source.kind == "wikidata" and made:
            log.info("%s: %d requests were sent to the source", folder, resources.requests_sent())
        return done.model_copy(update={"requests": resources.requests_sent()})


def _run_flow(
    batches: Sequence[BuildFolder],
    wanted: list[StageSpec],
    table: Mapping[Stage, StageSpec],
    progress: Progress,
    stack: ExitStack,
    dask: DaskRunner | None,
) -> None:
    """Start Prefect (or use the server that PREFECT_API_URL names, or of `make ui`) and run the stages as flows."""
    from flows.runners.prefect_server import prefect_settings, require_server, running_server, without_heartbeats
    from flows.runners.prefect_ui import ui_address

    home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
    if "PREFECT_API_URL" not in os.environ and (shown := ui_address(home)) is not None:
        os.environ["PREFECT_API_URL"] = shown  # `make ui` is running
        stack.callback(os.environ.pop, "PREFECT_API_URL", None)
    if "PREFECT_API_URL" in os.environ:
        require_server(os.environ["PREFECT_API_URL"])
        for name, value in prefect_settings(home).items():
            os.environ.setdefault(name, value)
    else:
        progress("start", 0, 1)
        os.environ.update(stack.enter_context(running_server(home)))
        stack.callback(os.environ.pop, "PREFECT_API_URL", None)
        progress("start", 1, 1)
    stack.enter_context(without_heartbeats())
    from flows.runners.prefect_flows import build_flow, on_this_machine

    run_one: StageFlow = on_this_machine
    if dask is not None:
        from flows.runners.dask_flows import on_dask
        from flows.runners.shared_store import Store
        from flows.runners.transfer import send_identity

        folder = batches[0].path
        store = Store(dask.store) if dask.store else None
        if store is not None:
            store.check()
            send_identity(store, folder)
        run_one = on_dask(stack.enter_context(dask_cluster(dask, folder)), store)

    def finished(manifest: Manifest) -> None:
        counts = ", ".join(f"{count} {table}" for table, count in manifest.rows_out.items() if table != "drops")
        log.info("%s: %s; %d left out", manifest.stage, counts or "nothing", sum(manifest.drops.values()))

    for batch in batches:
        if not all(stands(batch, spec, table) for spec in wanted):
            build_flow(batch.recipe.name, batch, wanted, table, progress, finished, run_one)


def status(folder: Path) -> BuildReport:
    """What is in a build folder, without changing it."""
    found = open_build(folder)
    with Resources(found.path, found.recipe) as resources:
        return report_of(batches_of(found.path, found.recipe), stage_table(resources), made=set())
