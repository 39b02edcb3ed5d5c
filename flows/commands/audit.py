"""The command about whether it is really gone, audit, and what it prints."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.models import AllowMissing, Device, Ratio, RemoteCode, Revision, Splits
from flows.commands.terminal import Json, app, print_json, setting_named, showing_progress, taking
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from flows.audit.audit import AuditReport
    from flows.audit.audit_request import AuditRequest

USUAL: Setting = "personalized"


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """The words of `ppubench audit`."""

    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model folder, Hub id, or openai:<base-url>#<model>.")]
    build: Annotated[str, typer.Option(help="A build, an exported folder, or a Hub id (OWNER/NAME[@REVISION]).")]
    out: Annotated[Path, typer.Option(help="Folder of the audit; a second audit into it takes what stands there.")]
    adapter: Annotated[Path | None, typer.Option(help="A run of `ppubench unlearn`, or an adapter's folder.")] = None
    label: Annotated[str, typer.Option(help="Your name for a model that was unlearned elsewhere.")] = ""
    setting: Annotated[
        str | None,
        typer.Option(help="complete, selective or personalized.", show_default=f"what the run unlearned, or {USUAL}"),
    ] = None
    ratio: Ratio = None
    untouched: Annotated[
        str,
        typer.Option(help="The model before unlearning.", show_default="MODEL under an adapter, or the build's target"),
    ] = ""
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Teach a model of the embedded world all but the forget set, as control.")
    ] = False
    minutes: Annotated[
        float | None, typer.Option(help="Time for the routes on all models together.", show_default="all routes")
    ] = None
    routes: Annotated[str | None, typer.Option(help="Only these, with commas between.")] = None
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.", show_default="48")] = None
    batch: Annotated[int, typer.Option(min=1, help="Prompts a batch of a local model.")] = 64
    device: Device = "cpu"
    trust_remote_code: RemoteCode = False
    allow_missing: AllowMissing = False
    revision: Revision = None
    splits: Splits = None
    as_json: Json = False


@app.command("audit", short_help="Say whether it is really gone, and at what cost.")
@taking(AuditOptions)
def audit_command(options: AuditOptions) -> None:
    """Try every route to the forgotten facts that fits the time, beside the untouched model and one that never knew."""
    request = _request(options)
    from flows.audit.audit import run_audit

    with showing_progress("audit") as progress:
        report = run_audit(request, options.out, progress=progress)
    if options.as_json:
        gone, cost = report.files.answers
        print_json({"is_it_gone": gone, "at_what_cost": cost, "html": str(report.files.html)})
    else:
        _print(report)


def _request(options: AuditOptions) -> "AuditRequest":
    """What is asked for; raises BadInput for words that fit nothing, before anything heavy is imported."""
    from flows.audit.audit_request import AuditRequest
    from flows.evaluation.evaluate_request import EvaluateRequest
    from unlearn.runs.record import read_record

    run = read_record(options.adapter) if options.adapter else None
    setting = setting_named(options.setting) if options.setting else run.setting if run else USUAL
    ratio = run.ratio if run and options.ratio is None and run.setting == setting else options.ratio
    target = Path(options.build) / "target"
    usual = options.model if options.adapter else str(target) if target.is_dir() else ""
    asked = EvaluateRequest(
        dataset=options.build, model=options.model, adapter=options.adapter, label=options.label.strip(),
        setting=setting, ratio=ratio, max_new_tokens=options.max_new_tokens, batch=options.batch,
        device=options.device, trust_remote_code=options.trust_remote_code, allow_missing=options.allow_missing,
        revision=options.revision, splits=options.splits,
    )  # fmt: skip
    words = tuple(word.strip() for word in (options.routes or "").split(",") if word.strip())
    return AuditRequest(
        asked, target=options.untouched or usual, oracle=options.oracle, routes=words, minutes=options.minutes
    )


def _print(report: "AuditReport") -> None:
    gone, cost = report.files.answers
    print(f"is it gone?    {gone}")
    print(f"at what cost?  {cost}")
    if left := report.audited.left_out:
        print(f"left out       {', '.join(name for name, _ in left)}: give more --minutes")
    print(f"report         {report.files.html}   (open it in a browser; it needs no network)")
    print(f"tables         {report.files.markdown}, {report.files.csv}")
