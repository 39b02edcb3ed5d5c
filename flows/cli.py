"""The command line: parses, calls a flow, prints what it made. The only place that prints."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from schemas.problems import BadInput
from schemas.words import ATTACK_LINES, ATTACKS, PUBLISHED_SETTING, SETTINGS, STAGES, Setting, Stage

app = typer.Typer(
    name="ppubench",
    help="Regenerate PPU-Bench, unlearn on it and measure what was forgotten and what was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One machine-readable object on stdout.")]
INTERRUPTED = 130


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr; silent where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        known: dict[str, int] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in known:
                known[stage] = int(bars.add_task(stage, total=total))
            bars.update(known[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _print_json(value: object) -> None:
    print(json.dumps(value, sort_keys=True, ensure_ascii=False))


def _stage(value: str | None) -> Stage | None:
    if value is None:
        return None
    for stage in STAGES:
        if stage == value:
            return stage
    raise BadInput(f"stage {value!r}", "is not a stage", f"the stages are {', '.join(STAGES)}")


@app.command("build")
def build_command(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe; flows/recipes/ has some.")],
    out: Annotated[Path | None, typer.Option(help="Build folder [default: builds/<name of the recipe>].")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Make this stage and what follows again.")] = None,
    until: Annotated[str | None, typer.Option(help="End after this stage.")] = None,
    runner: Annotated[str, typer.Option(help="Where shards run: local.")] = "local",
    as_json: Json = False,
) -> None:
    """Build the benchmark that a recipe describes; run it again to go on, or to bring it up to date."""
    if runner != "local":
        raise BadInput(f"--runner {runner}", "is not a runner", "use --runner local")
    from flows.build import build
    from flows.show import print_build

    with _progress() as progress:
        report = build(recipe, out, start=_stage(start), until=_stage(until), progress=progress)
    _print_json(report.model_dump(mode="json")) if as_json else print_build(report)


@app.command("status")
def status_command(folder: Annotated[Path, typer.Argument(metavar="BUILD")], as_json: Json = False) -> None:
    """Show the stages of a build: counts, drops by reason, and what is stale."""
    from flows.build import status
    from flows.show import print_status

    report = status(folder)
    _print_json(report.model_dump(mode="json")) if as_json else print_status(report)


@app.command("export")
def export_command(folder: Annotated[Path, typer.Argument(metavar="BUILD")], as_json: Json = False) -> None:
    """Bring a build's dataset (BUILD/hub) up to date, in the published layout."""
    from flows.build import rebuild
    from flows.show import print_build

    with _progress() as progress:
        report = rebuild(folder, until="export", progress=progress)
    _print_json(report.model_dump(mode="json")) if as_json else print_build(report)


@app.command("stages")
def stages_command(as_json: Json = False) -> None:
    """List the stages of a build, one line each."""
    from flows.stages import STAGE_LINES

    if as_json:
        _print_json(STAGE_LINES)
    else:
        for stage in STAGES:
            print(f"{stage:<10} {STAGE_LINES[stage]}")


@app.command("methods")
def methods_command(as_json: Json = False) -> None:
    """List the unlearning methods, one line each."""
    from unlearn.methods import METHODS

    if as_json:
        _print_json({name: method.title for name, method in METHODS.items()})
    else:
        for name, method in METHODS.items():
            print(f"{name:<16} {method.title}")


@app.command("attacks")
def attacks_command(as_json: Json = False) -> None:
    """List the attacks that a build writes, one line each."""
    if as_json:
        _print_json(dict(ATTACK_LINES))
    else:
        for name in ATTACKS:
            print(f"{name:<24} {ATTACK_LINES[name]}")


def _setting(value: str) -> Setting:
    for setting in SETTINGS:
        if value in (setting, PUBLISHED_SETTING[setting]):
            return setting
    raise BadInput(f"setting {value!r}", "is not a setting", f"choose one of {', '.join(SETTINGS)}")


@app.command("unlearn")
def unlearn_command(
    dataset: Annotated[Path, typer.Argument(metavar="BUILD_OR_DATASET", help="A build, or an exported folder.")],
    method: Annotated[str, typer.Option(help="See `ppubench methods`.")],
    setting: Annotated[str, typer.Option(help="complete, selective or personalized (persona).")],
    model: Annotated[str, typer.Option(help="Model folder, or Hub id.")],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    ratio: Annotated[int | None, typer.Option(help="Percent of subjects, for complete.")] = None,
    preset: Annotated[str, typer.Option(help="default, or published (the published procedure).")] = "default",
    modality: Annotated[str, typer.Option(help="both, qa or vqa.")] = "both",
    target: Annotated[str | None, typer.Option(help="Which train_pair_<target>, if there are several.")] = None,
    boundary: Annotated[bool, typer.Option("--boundary", help="Add BAO's boundary term to the method.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    seed: Annotated[int, typer.Option()] = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of the preset's.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the preset's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate, instead of the preset's.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the model's own code.")] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Take a split that names samples the data lacks.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Unlearn a setting's forget set from a model; the run folder says every number that was used."""
    from flows.show import print_run
    from flows.unlearning import run_unlearning

    if preset not in ("default", "published"):
        raise BadInput(f"preset {preset!r}", "is not a preset", "choose default or published")
    if modality not in ("both", "qa", "vqa"):
        raise BadInput(f"modality {modality!r}", "is not a modality", "choose both, qa or vqa")
    record = run_unlearning(
        dataset=dataset,
        method=method,
        setting=_setting(setting),
        model=model,
        out=out,
        ratio=ratio,
        preset="published" if preset == "published" else "default",
        modality="qa" if modality == "qa" else "vqa" if modality == "vqa" else "both",
        target=target,
        boundary=boundary,
        resume=resume,
        seed=seed,
        steps=steps,
        epochs=epochs,
        lr=lr,
        device=device,
        trust_remote_code=trust_remote_code,
        allow_missing=allow_missing,
    )
    _print_json(record.model_dump(mode="json")) if as_json else print_run(record, out)


def _fail(message: str, status: int) -> NoReturn:
    print(f"ppubench: {message}", file=sys.stderr)
    raise SystemExit(status)


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit status: 0 done; 2 wrong use or bad input; 1 failed after starting; 130 interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for package in ("flows", "sources", "curation", "unlearn", "eval"):
        logging.getLogger(package).setLevel(logging.INFO)
    try:
        app(arguments)
    except BadInput as problem:
        _fail(str(problem), 2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _fail("interrupted; run the same command again to go on", INTERRUPTED)
        raise
    except OSError as problem:
        _fail(f"{problem.filename or 'the disk'}: {problem.strerror or problem}; mend it and run the command again", 1)
    except Exception as problem:
        if os.environ.get("PPUBENCH_DEBUG"):
            raise
        _fail(f"{type(problem).__name__}: {problem}; run again to go on, or with PPUBENCH_DEBUG=1 for details", 1)


if __name__ == "__main__":
    main()
