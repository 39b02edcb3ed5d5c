"""The commands about models: methods, attacks, unlearn, merge, study, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.commands.terminal import Json, app, print_json, setting_named, showing_progress, taking
from schemas.errors import BadInput
from schemas.records.evaluation import ATTACK_LINES, ATTACK_NAMES

if TYPE_CHECKING:
    from flows.experiments.unlearn_run import UnlearnRequest
    from unlearn.runs.record import RunRecord

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
    model: Model
    out: Annotated[Path, typer.Option(help="Run folder.")]
    setting: Annotated[
        str | None, typer.Option(help="complete, selective or personalized (persona); left out with --request.")
    ] = None
    ratio: Ratio = None
    request: Annotated[
        Path | None, typer.Option(help="TOML file of what one person wants gone, in place of a setting's forget set.")
    ] = None
    after: Annotated[
        Path | None,
        typer.Option(help="An earlier run to go on from; what it forgot leaves the retain set."),
    ] = None
    ledger: Annotated[Path | None, typer.Option(help="File of who asked what, and when which run served it.")] = None
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Forget earlier requests' facts once more; else they are not looked at.")
    ] = False
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
    _check_trains(
        asked.method, {"--steps": asked.steps, "--epochs": asked.epochs, "--lr": asked.lr, "--memory": asked.memory_gb}
    )
    if asked.setting is None and asked.request is None:
        raise BadInput("ppubench unlearn", "has no --setting and no --request", "name one of the two")
    for word, given in (("--ledger", asked.ledger), ("--lenient", asked.lenient)):
        if given and asked.request is None:
            raise BadInput(word, "is given without a request", "name the request's file (--request)")
    setting = setting_named(asked.setting or "personalized")
    of_command = ("setting", "out", "resume", "as_json", "request", "ledger", "lenient")
    from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning

    wanted = UnlearnRequest(
        setting=setting, **{name: value for name, value in vars(asked).items() if name not in of_command}
    )
    with showing_progress("unlearn"):
        if asked.request is None and asked.after is None:
            record = run_unlearning(wanted, asked.out, resume=asked.resume)
        else:
            record = _serve(wanted, asked)
    from flows.commands.printing import print_run

    print_json(record.model_dump(mode="json")) if asked.as_json else print_run(record, asked.out)
    if record.broke_down:
        typer.echo(f"ppubench: {asked.out}: {record.ending}", err=True)
        raise typer.Exit(1)


def _serve(wanted: "UnlearnRequest", asked: UnlearnOptions) -> "RunRecord":
    from flows.experiments.requests.serve import serve

    access: Literal["strict", "lenient"] = "lenient" if asked.lenient else "strict"
    served = serve(wanted, asked.out, request=asked.request, ledger=asked.ledger, access=access, resume=asked.resume)
    last = served.requests.requests[-1]
    typer.echo(
        f"request {last.id}: {len(last.samples):,} facts, {len(last.already):,} of them gone already; "
        f"{len(served.requests.requests) - 1} earlier requests; {len(served.kept):,} facts are kept",
        err=True,
    )
    for each in last.not_found:
        typer.echo(f"request {last.id}: not found: {each}", err=True)
    return served.record


@app.command("requests", short_help="Draw requests, show the ledger, or undo one.")
def requests_command(
    dataset: Dataset,
    draw: Annotated[int | None, typer.Option(min=1, help="Draw so many requests, as people might send them.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    out: Annotated[Path | None, typer.Option(help="New folder for drawn requests, or for the run without one.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="File of who asked what, and when which run served it.")] = None,
    undo: Annotated[str | None, typer.Option(help="Id of a request in the ledger that is to be lifted.")] = None,
    model: Annotated[str | None, typer.Option(help="Base model of the runs, for --undo.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a sequence of requests from a dataset's people, show who asked what in a ledger, or lift a request."""
    if (draw is not None) + (ledger is not None) != 1:
        raise BadInput("ppubench requests", "has not one of --draw and --ledger", "name one of the two")
    from flows.experiments.requests import asked

    if draw is not None:
        if out is None:
            raise BadInput("--draw", "has no folder to write to", "name a new one (--out)")
        lines = asked.drawn(dataset, draw, seed=seed, out=out)
    elif ledger is not None and undo is not None:
        if model is None or out is None:
            raise BadInput("--undo", "needs the runs' base and a folder", "name them (--model, --out)")
        lines = asked.undone(dataset, ledger, undo, model=model, out=out)
    else:
        lines = asked.listed(dataset, Path(str(ledger)))
    print_json([dict(line) for line in lines]) if as_json else print("\n".join(map(asked.said, lines)))


def _check_trains(method: str, numbers: Mapping[str, float | None]) -> None:
    """Refuse numbers of training for a method that does not train, which would be taken for heeded."""
    from unlearn.methods.table import METHODS

    tunes = method in METHODS and METHODS[method].tunes
    given = [word for word, value in numbers.items() if value is not None and not (tunes and word != "--memory")]
    if given and method in METHODS and not METHODS[method].trains:
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
    from schemas.recipes.build_recipe import read_recipe
    from schemas.records.study import StudyRecipe

    if read_recipe(recipe, StudyRecipe).requests is not None:
        _sequences(recipe, out, as_json=as_json)
        return
    with showing_progress("study") as progress:
        report = run_study(recipe, out, progress=progress)
    from flows.commands.printing import print_study

    if as_json:
        print_json(report.record.model_dump(mode="json"))
    else:
        print_study(report.record, report.files, out)
    if any(unit.status == "failed" for unit in report.record.units):
        raise typer.Exit(1)


def _sequences(recipe: Path, out: Path, *, as_json: bool) -> None:
    """The study of a recipe with [requests]: requests one after another."""
    from flows.experiments.requests.sequence_study import PAGE, run_sequences

    with showing_progress("study") as progress:
        record = run_sequences(recipe, out, progress=progress)
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    for each in record.sequences:
        figures = ", ".join(f"{name} {value:.3f}" for name, value in each.figures.named.items())
        print(f"{each.method:<16} seed {each.seed} {each.order:<9} {figures}")
    print(f"page      {out / PAGE}")


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
    if (folders[0] / "sequences.json").is_file():
        from flows.experiments.requests.sequence_study import report_sequences

        if len(folders) > 1:
            found = "is a study of requests one after another, which is reported alone"
            raise BadInput(str(folders[0]), found, "name it alone")
        page = report_sequences(folders[0], out or folders[0])
        print_json({"html": str(page)}) if as_json else print(f"page      {page}")
        return
    with showing_progress("report"):
        files = write_report(folders, out=out or folders[0])
    print_json({"html": str(files.html), "markdown": str(files.markdown)}) if as_json else print_report(files)
