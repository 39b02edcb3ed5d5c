"""The commands about builds: build, status, export, stages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.terminal import Json, app, print_json, showing_progress
from schemas.errors import BadInput
from schemas.vocabulary import STAGE_LINES, STAGES, Stage

if TYPE_CHECKING:
    from flows.building.status import BuildReport


def _stage(value: str | None) -> Stage | None:
    if value is None:
        return None
    for stage in STAGES:
        if stage == value:
            return stage
    raise BadInput(f"stage {value!r}", "is not a stage", f"the stages are {', '.join(STAGES)}")


def _print_build(report: "BuildReport") -> None:
    from flows.commands.printing import print_build  # Rich is not needed to refuse a recipe

    print_build(report)


@app.command("build", short_help="Build a benchmark from a recipe, or go on with it.")
def build_command(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe; flows/recipes/ has some.")],
    out: Annotated[Path | None, typer.Option(help="Build folder [default: builds/<name of the recipe>].")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Make this stage and what follows again.")] = None,
    until: Annotated[str | None, typer.Option(help="End after this stage.")] = None,
    runner: Annotated[str, typer.Option(help="Where shards run: local or dask.")] = "local",
    address: Annotated[str | None, typer.Option(help="Dask scheduler [default: workers of this machine].")] = None,
    store: Annotated[str | None, typer.Option(help="Storage all workers reach, such as s3://bucket/build.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Take Wikimedia's answers from the cache alone.")] = False,
    as_json: Json = False,
) -> None:
    """Build the benchmark that a recipe describes; run it again to go on, or to bring it up to date."""
    if runner not in ("local", "dask"):
        raise BadInput(f"--runner {runner}", "is not a runner", "use --runner local or --runner dask")
    for option, value in (("--address", address), ("--store", store)):
        if value is not None and runner != "dask":
            raise BadInput(f"{option} {value}", "is of no use to --runner local", "add --runner dask")
    first, last = _stage(start), _stage(until)
    from flows.building.build import build
    from flows.runners.dask_cluster import DaskRunner

    with showing_progress("build") as progress:
        report = build(
            recipe,
            out,
            start=first,
            until=last,
            progress=progress,
            offline=offline,
            dask=DaskRunner(address, store=store) if runner == "dask" else None,
        )
    print_json(report.model_dump(mode="json")) if as_json else _print_build(report)


@app.command("add", short_help="Add people to a finished build.")
def add_command(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="A finished build.")],
    people: Annotated[list[str] | None, typer.Argument(metavar="NAME_OR_QID...", help="Whom to add.")] = None,
    roster: Annotated[
        Path | None, typer.Option(help="A file as a recipe's roster: a name or QID a line, or a CSV with a header.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add people to a finished build; nothing that stands is fetched, asked or assigned again."""
    from flows.building.add import add, read_asked

    asked = [*(people or []), *(read_asked(roster) if roster is not None else [])]
    with showing_progress("add") as progress:
        report = add(folder, asked, progress=progress)
    print_json(report.model_dump(mode="json")) if as_json else _print_build(report)


@app.command("status", short_help="Show what a build holds, and what is stale.")
def status_command(folder: Annotated[Path, typer.Argument(metavar="BUILD")], as_json: Json = False) -> None:
    """Show the stages of a build: counts, drops by reason, and what is stale."""
    from flows.building.build import status

    report = status(folder)
    from flows.commands.printing import print_status

    print_json(report.model_dump(mode="json")) if as_json else print_status(report)


@app.command("export", short_help="Bring a build's dataset up to date.")
def export_command(folder: Annotated[Path, typer.Argument(metavar="BUILD")], as_json: Json = False) -> None:
    """Bring a build's dataset (BUILD/hub) up to date, in the published layout."""
    from flows.building.build import rebuild

    with showing_progress("export") as progress:
        report = rebuild(folder, until="export", progress=progress)
    print_json(report.model_dump(mode="json")) if as_json else _print_build(report)


@app.command("review", short_help="Have a sample of facts read, or read the verdicts back.")
def review_command(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="A build with finished questions.")],
    sample: Annotated[int | None, typer.Option(help="Facts to draw at random [default: 150].")] = None,
    seed: Annotated[int | None, typer.Option(help="Which sample it is [default: the recipe's seed].")] = None,
    out: Annotated[Path | None, typer.Option(help="Where page and CSV are written [default: BUILD/review].")] = None,
    read: Annotated[Path | None, typer.Option(metavar="FILE", help="A CSV with verdicts, to be kept in BUILD.")] = None,
    as_json: Json = False,
) -> None:
    """Write a random sample of a build's facts as a page to review and as CSV; or, with --read, keep its verdicts.

    Rejected facts are left out when the build is brought up to date (ppubench export BUILD), and its card says how many
    were reviewed.
    """
    if read is not None:
        for option, value in (("--sample", sample), ("--seed", seed), ("--out", out)):
            if value is not None:
                raise BadInput(f"{option} {value}", "is of no use to --read", "draw a sample, or read one back")
    from flows.building.review import draw, read_back
    from flows.commands.printing import print_read_back, print_review

    if read is not None:
        done = read_back(folder, read)
        print_json(done.model_dump(mode="json")) if as_json else print_read_back(done)
        return
    with showing_progress("review") as progress:
        files = draw(folder, size=150 if sample is None else sample, seed=seed, out=out, progress=progress)
    if as_json:
        print_json({"html": str(files.html), "csv": str(files.csv), "facts": files.facts, "bytes": files.bytes})
    else:
        print_review(files, folder)


@app.command("stages", short_help="List the stages of a build.")
def stages_command(as_json: Json = False) -> None:
    """List the stages of a build, one line each."""
    if as_json:
        print_json(STAGE_LINES)
    else:
        for stage in STAGES:
            print(f"{stage:<10} {STAGE_LINES[stage]}")
