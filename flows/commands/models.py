"""The commands about models: methods, attacks, unlearn, merge, study, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import Json, app, print_json, setting_named, showing_progress, taking
from schemas.errors import BadInput
from schemas.records.evaluation import ATTACK_LINES, ATTACK_NAMES

Dataset = Annotated[
    str,
    typer.Argument(
        metavar="BUILD_OR_DATASET", help="A build, an exported folder, or a Hub id (OWNER/NAME[@REVISION])."
    ),
]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")]
Splits = Annotated[Path | None, typer.Option(help="Folder of the published split files, if the dataset lacks them.")]
AllowMissing = Annotated[bool, typer.Option("--allow-missing", help="Take a split that names samples the data lacks.")]
SettingName = Annotated[str, typer.Option("--setting", help="complete, selective or personalized (persona).")]
Model = Annotated[str, typer.Option(help="Model folder, or Hub id.")]
Ratio = Annotated[int | None, typer.Option(help="Percent of subjects, for complete.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, …")]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run the model's own code.")]


@app.command("methods", short_help="List the unlearning methods.")
def methods_command(as_json: Json = False) -> None:
    """List the unlearning methods, one line each: name, paper, what it needs besides forget samples, what it does."""
    from unlearn.methods.catalogue import described, needed
    from unlearn.methods.table import METHODS

    if as_json:
        print_json({name: dict(described(method)) for name, method in METHODS.items()})
        return
    papers = {name: method.paper.cited if method.paper else "" for name, method in METHODS.items()}
    needs = {name: needed(method) for name, method in METHODS.items()}
    widths = [max(map(len, column)) for column in (METHODS, papers.values(), needs.values())]
    for name, method in METHODS.items():
        print(f"{name:<{widths[0]}}  {papers[name]:<{widths[1]}}  {needs[name]:<{widths[2]}}  {method.title}")


@app.command("attacks", short_help="List the attacks of `evaluate --attack`.")
def attacks_command(as_json: Json = False) -> None:
    """List the attacks that `evaluate --attack` takes, one line each."""
    if as_json:
        print_json(dict(ATTACK_LINES))
    else:
        for name in ATTACK_NAMES:
            print(f"{name:<24} {ATTACK_LINES[name]}")


@dataclass(frozen=True, kw_only=True)
class UnlearnOptions:
    """Options of `ppubench unlearn`."""

    dataset: Dataset
    method: Annotated[str, typer.Option(help="See `ppubench methods`; or FILE.py:NAME of your own.")]
    setting: SettingName
    model: Model
    out: Annotated[Path, typer.Option(help="Run folder.")]
    ratio: Ratio = None
    preset: Annotated[str, typer.Option(help="default, or published (the published procedure).")] = "default"
    modality: Annotated[str, typer.Option(help="both, qa or vqa.")] = "both"
    target: Annotated[str | None, typer.Option(help="Which train_pair_<target>, if there are several.")] = None
    boundary: Annotated[bool, typer.Option("--boundary", help="Add BAO's boundary term to the method.")] = False
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False
    seed: Annotated[int, typer.Option()] = 0
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of the preset's.")] = None
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the preset's.")] = None
    lr: Annotated[float | None, typer.Option(help="Learning rate, instead of the preset's.")] = None
    memory_gb: Annotated[
        float | None,
        typer.Option("--memory", help="GB that the run may take: steps go in as many pieces as that needs."),
    ] = None
    device: Device = "cpu"
    trust_remote_code: RemoteCode = False
    allow_missing: AllowMissing = False
    revision: Revision = None
    splits: Splits = None
    as_json: Json = False


@app.command("unlearn", short_help="Unlearn a forget set from a model.")
@taking(UnlearnOptions)
def unlearn_command(asked: UnlearnOptions) -> None:
    """Unlearn a setting's forget set from a model; the run folder says every number that was used."""
    if asked.preset not in ("default", "published"):
        raise BadInput(f"preset {asked.preset!r}", "is not a preset", "choose default or published")
    if asked.modality not in ("both", "qa", "vqa"):
        raise BadInput(f"modality {asked.modality!r}", "is not a modality", "choose both, qa or vqa")
    if asked.memory_gb is not None and not 0 < asked.memory_gb < float("inf"):
        raise BadInput("--memory", f"is {asked.memory_gb:g} GB", "give the gigabytes that the run may take")
    _check_trains(asked.method, {"--steps": asked.steps, "--epochs": asked.epochs, "--lr": asked.lr})
    setting, of_command = setting_named(asked.setting), ("setting", "out", "resume", "as_json")
    from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning

    given = {name: value for name, value in vars(asked).items() if name not in of_command}
    with showing_progress("unlearn"):
        record = run_unlearning(UnlearnRequest(setting=setting, **given), asked.out, resume=asked.resume)
    from flows.commands.printing import print_run

    print_json(record.model_dump(mode="json")) if asked.as_json else print_run(record, asked.out)
    if record.broke_down:
        typer.echo(f"ppubench: {asked.out}: {record.ending}", err=True)
        raise typer.Exit(1)


def _check_trains(method: str, numbers: Mapping[str, float | None]) -> None:
    """Refuse numbers of training for a method that does not train, which would be taken for heeded."""
    from unlearn.methods.table import METHODS

    given = [word for word, value in numbers.items() if value is not None]
    if given and method in METHODS and not METHODS[method].trains and not METHODS[method].tunes:
        does = "prunes" if METHODS[method].prunes else "computes what it leaves"
        raise BadInput(f"{given[0]} with {method}", f"it {does} and does not train", "leave it out")


@app.command("merge", short_help="Write a run's model as a plain folder.")
def merge_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run of `ppubench unlearn`, or an adapter's folder.")],
    out: Annotated[Path, typer.Option(help="Folder of the model; new or empty.")],
    model: Annotated[str | None, typer.Option(help="Its base, if that is not where it was or a run pruned it.")] = None,
    trust_remote_code: RemoteCode = False,
    as_json: Json = False,
) -> None:
    """Write what a run left as a model folder of its own, adapter merged or neurons pruned, that any server loads."""
    from flows.evaluation.merge import merge_run

    merged = merge_run(run, out, model=model, trust_remote_code=trust_remote_code)
    print_json(merged.model_dump(mode="json")) if as_json else print(f"{out}: {merged.said}")


@app.command("study", short_help="Run a matrix of methods, settings and seeds.")
def study_command(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe; flows/recipes/demo_study.toml is one.")],
    out: Annotated[Path, typer.Option(help="Study folder.")],
    as_json: Json = False,
) -> None:
    """Run a matrix of methods, settings and seeds, each run once; run it again to go on."""
    from flows.experiments.study import run_study

    with showing_progress("study") as progress:
        report = run_study(recipe, out, progress=progress)
    from flows.commands.printing import print_study

    if as_json:
        print_json(report.record.model_dump(mode="json"))
    else:
        print_study(report.record, report.files, out)
    if any(unit.status == "failed" for unit in report.record.units):
        raise typer.Exit(1)


@app.command("report", short_help="Write an HTML file about a build or a study.")
def report_command(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="A build; or studies, runs and evaluations, reported together."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the report.", show_default="the first DIR")] = None,
    as_json: Json = False,
) -> None:
    """Write one HTML file that opens without a network: of a build, to look inside; of a study, who is better."""
    from flows.building.explorer import explore, is_build
    from flows.commands.printing import print_explorer, print_report
    from flows.experiments.report import write_report

    builds = [folder for folder in folders if is_build(folder)]
    if builds and (len(folders) > 1 or out is not None):
        found = "is a build, whose explorer lies in it and shows nothing else"
        raise BadInput(str(builds[0]), found, "report it alone, without --out")
    if builds:
        with showing_progress("report") as progress:
            explored = explore(builds[0], progress=progress)
        where = {"html": str(explored.html), "funnel": str(explored.funnel)}
        print_json(where) if as_json else print_explorer(explored)
        return
    with showing_progress("report"):
        files = write_report(folders, out=out or folders[0])
    print_json({"html": str(files.html), "markdown": str(files.markdown)}) if as_json else print_report(files)
