"""An audit: one model asked on all routes that fit into the time, beside the untouched target and a control."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.audit.rows import Audited, Records
from eval.routes.table import ROUTES
from flows.audit.audit_request import AuditRequest
from flows.audit.time_budget import TimeBudget, in_order_of_yield
from flows.audit.unknown_facts import asked_of_unknown
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.pipeline.build_identity import locked
from flows.resources.datasets import open_dataset
from schemas.dataset.folder import config_names
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.records.routes import AnyRoute, RouteRecord

if TYPE_CHECKING:
    from eval.audit.audit_files import AuditFiles

EVALUATIONS = "evaluations"


@dataclass(frozen=True)
class AuditReport:
    """What an audit found and left behind."""

    audited: Audited
    files: "AuditFiles"


def run_audit(request: AuditRequest, out: Path, *, progress: Progress = silent) -> AuditReport:
    """Audit a model into `out`: evaluations/ with every route's record, audit.html, audit.md, routes.csv, effort.csv.

    The same call again goes on where it was killed and ends in the same bytes; with more minutes it runs what was left
    out. Raises BadInput before anything is asked for wrong use.
    """
    from flows.evaluation.routes import routes_named

    if request.minutes is not None and request.minutes <= 0:
        raise BadInput(f"--minutes {request.minutes:g}", "is no time", "give some, or leave it out for all routes")
    routes_named(request.routes)
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    with locked(out):
        return _audit(request, out, progress)


def _audit(request: AuditRequest, out: Path, progress: Progress) -> AuditReport:
    from flows.evaluation.evaluate import settle
    from flows.evaluation.routes import routes_named

    hub = open_dataset(request.asked.dataset, revision=request.asked.revision, splits=request.asked.splits)
    asked = request.asked.model_copy(update={"dataset": hub, "revision": None, "splits": None})
    _, settled = settle(asked.model_copy(update={"utility": 0, "identity": 0}), out / EVALUATIONS)
    forgotten = sum(each.role == "forget" and each.task == "generation" for each in settled.questions)
    if not forgotten:
        found = "has no forgotten fact to look for"
        raise BadInput(f"{hub}: the {asked.setting} setting", found, "choose another --setting")
    others = _others(request, asked, hub, out)
    seconds = float("inf") if request.minutes is None else 60 * request.minutes
    budget = TimeBudget(seconds, facts=forgotten, shares=1 + len(others))
    names = [each.name for each in routes_named(request.routes or in_order_of_yield(config_names(hub)))]
    run = _records(asked, names, out, budget, progress)
    tried = [name for name, record in run.items() if not record.result.not_run]
    gone = [name for name in tried if ROUTES[name].side == "gone"]
    beside = {
        which: _records(wanted, gone if which == "unknown" else tried, out, None, progress)
        for which, wanted in others.items()
    }
    audited = Audited(
        name=settled.evaluated.label or settled.evaluated.name,
        setting=asked.setting,
        ratio=asked.ratio,
        run=run,
        target=beside.get("target", {}),
        oracle=beside.get("oracle", {}),
        unknown=beside.get("unknown", {}),
        left_out=tuple(budget.left_out.items()),
    )
    from eval.audit.audit_files import write_audit

    return AuditReport(audited, write_audit([audited], title=f"Audit of {audited.name}", out=out))


def _others(request: AuditRequest, asked: EvaluateRequest, hub: Path, out: Path) -> Mapping[str, EvaluateRequest]:
    """What is asked beside the model: the untouched target, and the control."""
    if not request.target:
        if request.oracle:
            raise BadInput("--oracle", "needs the target that it is a control of", "name it with --target")
        return {}
    target = asked.model_copy(update={"model": request.target, "adapter": None, "label": ""})
    others = {"target": target}
    if request.oracle:
        from flows.resources.oracle import ensure_oracle

        place = out / "-".join(filter(None, ("oracle", asked.setting, str(asked.ratio or ""))))
        oracle = ensure_oracle(hub, request.target, asked.setting, asked.ratio, out=place)
        others["oracle"] = target.model_copy(update={"model": str(oracle), "label": "oracle"})
    elif unknown := asked_of_unknown(target, hub, out):
        others["unknown"] = unknown
    return others


def _records(
    wanted: EvaluateRequest, names: list[AnyRoute], out: Path, budget: TimeBudget | None, progress: Progress
) -> Records:
    from flows.evaluation.routes import run_routes

    found: dict[AnyRoute, RouteRecord] = {}
    place = out / EVALUATIONS
    fits = budget.fits if budget else lambda _: True
    for record in run_routes(wanted, names, place, fits=fits, progress=progress):
        found[record.result.route] = record
        progress("routes", len(found), len(names))
    return found
