"""The commands about evaluations: evaluate, and judge, a language model's second opinion of open answers."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.models import AllowMissing, Dataset, Device, Ratio, RemoteCode, Revision, SettingName, Splits
from flows.commands.terminal import Json, app, print_json, setting_named, showing_progress, taking
from flows.evaluation.evaluate_request import LONGEST, LONGEST_THINKING, EvaluateRequest
from schemas.errors import BadInput
from schemas.records.evaluation import ATTACK_NAMES, AttackName
from schemas.vocabulary import MODALITIES, TASKS, Task

if TYPE_CHECKING:
    from schemas.records.evaluation import EvaluationRecord

FAILED_SHARE = 0.05
"""Of the questions of an evaluation, which may fail without the command failing."""


def _tasks(value: str) -> tuple[Task, ...]:
    found: list[Task] = []
    for word in value.split(","):
        match = [task for task in TASKS if task == word.strip()]
        if not match:
            raise BadInput(f"task {word!r}", "is not a task", f"choose of {', '.join(TASKS)}, with commas between")
        found += match
    return tuple(found)


def _attack(value: str | None) -> AttackName | None:
    if value is None:
        return None
    for name in ATTACK_NAMES:
        if name == value:
            return name
    raise BadInput(f"attack {value!r}", "is not an attack", f"choose one of {', '.join(ATTACK_NAMES)}")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """The words of `ppubench evaluate`."""

    dataset: Dataset
    model: Annotated[str, typer.Option(help="Model folder, Hub id, or openai:<base-url>#<model>.")]
    setting: SettingName
    out: Annotated[Path, typer.Option(help="Folder of evaluations; each model has its own folder in it.")]
    adapter: Annotated[Path | None, typer.Option(help="A run of `ppubench unlearn`, or an adapter's folder.")] = None
    ratio: Ratio = None
    attack: Annotated[str | None, typer.Option(help="See `ppubench attacks`.")] = None
    exposed: Annotated[
        bool, typer.Option("--exposed", help="Take off the run's steering and guards: what a thief of weights gets.")
    ] = False
    tasks: Annotated[str, typer.Option(help="With commas between.")] = ",".join(TASKS)
    modality: Annotated[str, typer.Option(help="both, qa or vqa.")] = "both"
    metric: Annotated[list[str] | None, typer.Option(help="A figure of your own, FILE.py:NAME.")] = None
    identity: Annotated[int, typer.Option(min=0, help="People whose picture is shown and whose name is asked.")] = 0
    label: Annotated[
        str,
        typer.Option(
            help="Your name for a model that was unlearned elsewhere: it becomes an arm of the report beside the runs. "
            "Also for a server that was restarted with other weights, which cannot be seen from here."
        ),
    ] = ""
    lmms_eval: Annotated[
        str | None,
        typer.Option("--lmms-eval", help="General benchmarks by lmms-eval, if it is installed; commas between."),
    ] = None
    prompts: Annotated[str, typer.Option(help="probe (as the facts were probed), or published.")] = "probe"
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Longest answer; evaluations compare only if equal.",
            show_default=f"{LONGEST}; {LONGEST_THINKING} with --thinking",
        ),
    ] = None
    thinking: Annotated[
        bool, typer.Option("--thinking", help="Let a reasoning model think first; only its answer is judged.")
    ] = False
    batch: Annotated[int, typer.Option(help="Prompts a batch of a local model.")] = 64
    target: Annotated[str | None, typer.Option(help="Which train_pair_<target>, if there are several.")] = None
    device: Device = "cpu"
    trust_remote_code: RemoteCode = False
    allow_missing: AllowMissing = False
    revision: Revision = None
    splits: Splits = None
    as_json: Json = False


@app.command("evaluate", short_help="Measure what a model forgot, and what it lost.")
@taking(EvaluateOptions)
def evaluate_command(options: EvaluateOptions) -> None:
    """Ask a model everything about a setting: what is forgotten, what is lost, in which modality, and how surely."""
    request = _request(options)
    from flows.evaluation.evaluate import run_evaluation

    with showing_progress("evaluate") as progress:
        record = run_evaluation(request, options.out, progress=progress)
    from flows.commands.printing import print_evaluation

    print_json(record.model_dump(mode="json")) if options.as_json else print_evaluation(record, options.out)
    _warn_of_setting(record)
    _warn_of_failures(record)


def _request(options: EvaluateOptions) -> EvaluateRequest:
    """What is asked for; raises BadInput for a word that is none of those it may be."""
    if options.prompts not in ("probe", "published"):
        raise BadInput(f"prompts {options.prompts!r}", "are not a prompt set", "choose probe or published")
    modalities = tuple(each for each in MODALITIES if options.modality in (each, "both"))
    if not modalities:
        raise BadInput(f"modality {options.modality!r}", "is not a modality", "choose both, qa or vqa")
    same = {
        each.name: getattr(options, each.name) for each in fields(options) if each.name in EvaluateRequest.model_fields
    }
    read = {
        "setting": setting_named(options.setting),
        "tasks": _tasks(options.tasks),
        "modalities": modalities,
        "attack": _attack(options.attack),
        "metrics": tuple(options.metric or ()),
        "label": options.label.strip(),
        "lmms_eval": _words(options.lmms_eval),
    }
    return EvaluateRequest(**same | read)


def _words(value: str | None) -> tuple[str, ...]:
    words = tuple(word.strip() for word in (value or "").split(",") if word.strip())
    if value is not None and not words:
        raise BadInput("--lmms-eval", "names no task", "name tasks of lmms-eval with commas between")
    return words


def _warn_of_setting(record: "EvaluationRecord") -> None:
    """Say it where a run is asked about another forget set than it unlearned."""
    trained, asked = (record.trained_setting, record.trained_ratio), (record.setting, record.ratio)
    if record.trained_setting is not None and trained != asked:
        named = [
            " ".join([setting or "", f"{ratio} %" if ratio else ""]).strip() for setting, ratio in (trained, asked)
        ]
        typer.echo(f"ppubench: {record.name} unlearned {named[0]} and was asked about {named[1]}", err=True)


def _warn_of_failures(record: "EvaluationRecord") -> None:
    """Say how many questions had no answer, and end with status 1 if they are more than FAILED_SHARE."""
    for failed, which in ((record.failed, "questions"), (record.failed_plain, "questions without the attack")):
        if failed:
            said = f"{failed:,} of {record.questions:,} {which} failed (first: {record.first_error})"
            typer.echo(f"ppubench: {said}; the same command asks them again", err=True)
    if max(record.failed, record.failed_plain) > FAILED_SHARE * record.questions:
        raise typer.Exit(1)


@app.command("judge", short_help="Have a language model judge the open answers.")
def judge_command(
    folder: Annotated[Path, typer.Argument(metavar="EVALUATION", help="Folder with an evaluation.json.")],
    model: Annotated[str, typer.Option("--judge", help="openai:<base-url>#<model>.")],
    max_tokens: Annotated[int, typer.Option(help="Budget in tokens, in and out; 0: none.")] = 0,
    max_cost: Annotated[float, typer.Option(help="Budget in the currency of the prices; 0: none.")] = 0.0,
    price_in: Annotated[float, typer.Option(help="Per million tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Per million tokens.")] = 0.0,
    fall_back: Annotated[
        bool, typer.Option("--fall-back", help="Let the matching stand in for rulings that cannot be used.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a language model which open answers are right, and say how far it agrees with the matching."""
    from flows.evaluation.judge import judge_evaluation
    from schemas.recipes.build_recipe import WorkersConfig

    if min(max_tokens, max_cost, price_in, price_out) < 0 or (max_cost and not (price_in or price_out)):
        raise BadInput("--max-cost", "cannot be kept to", "give prices and limits that are not negative")
    limits = WorkersConfig(
        max_tokens=max_tokens, max_cost=max_cost, price_in=price_in, price_out=price_out, fall_back=fall_back
    )
    with showing_progress("judge"):
        report, out = judge_evaluation(folder, model, workers=limits)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    print(f"{'task':<12} {'modality':<8} {'role':<8} {'n':>6} {'matched':>8} {'judged':>8} {'agree':>7} {'kappa':>6}")
    for row in report.rows:
        kappa = "" if row.kappa is None else f"{row.kappa:.2f}"
        print(
            f"{row.task:<12} {row.modality:<8} {row.role or '':<8} {row.n:>6} {100 * row.matched:>7.1f}% "
            f"{100 * row.right:>7.1f}% {100 * row.agreement:>6.1f}% {kappa:>6}"
        )
    print(f"judge     {report.judge}: {report.tokens_in:,} tokens in, {report.tokens_out:,} out")
    print(f"details   {out}/judge.json and judgements.jsonl")
