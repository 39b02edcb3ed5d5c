"""Reports: finds runs and evaluations in folders, reads them, and has them drawn."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from eval.audit.rows import Audited
from eval.comparison.attack_recovery import Attacked, attacked
from eval.evaluation_folder import find_evaluations, read_evaluation, read_record
from eval.report.findings import Evaluated, Findings
from flows.evaluation.routes import read_routes
from flows.experiments.study_plan import TARGET_UNIT
from schemas.errors import BadInput
from schemas.records.evaluation import EvaluationRecord
from schemas.records.study import CompareConfig, Curve, CurvePoint, StudyRecord, UnitRecord
from schemas.storage.artifacts import digest

if TYPE_CHECKING:
    from eval.report.report import ReportFiles
    from unlearn.runs.record import RunRecord
from unlearn.training.probes import Probe

STUDY, RUN, RUNS, EVALUATIONS = "study.json", "run.json", "runs", "evaluations"


def write_report(folders: Sequence[Path], *, out: Path) -> "ReportFiles":
    """Write one report over folders of studies, runs and evaluations.

    Raises BadInput for a folder without any of them, and where two runs cannot be compared (it names what differs).
    """
    from eval.report.report import write_files

    curves: dict[str, Curve] = {}
    evaluations: dict[str, Path] = {}
    failed: list[UnitRecord] = []
    audits: list[Audited] = []
    titles: list[str] = []
    planned = missing = 0
    compare = CompareConfig()
    for folder in folders:
        study = _read_study(folder)
        if study is not None:
            titles.append(f"Study {study.recipe}")
            compare = CompareConfig.model_validate(study.compare)
            planned += study.planned
            missing += study.planned - len(study.units)
            failed.extend(unit for unit in study.units if unit.status == "failed")
            audits += audits_of(folder, study)
        for run in _runs_in(folder, study):
            curves.setdefault(run.run, run)
        for place in _evaluations_in(folder, study):
            record = read_record(place)
            if record is not None:
                evaluations.setdefault(f"{record.identity} {record.run}", place)
    plain, under_attack = _read_evaluations(evaluations.values())
    if not curves and not plain:
        raise BadInput(
            ", ".join(map(str, folders)) or "report",
            "holds no study, run or evaluation that has finished, and is no build",
            "name a folder that ppubench build, study, unlearn or evaluate made",
        )
    title = ", ".join(titles) or f"Report on {', '.join(folder.resolve().name for folder in folders)}"
    findings = Findings(
        title=title,
        curves=list(curves.values()),
        evaluated=plain,
        attacked=under_attack,
        failed=failed,
        planned=planned,
        missing=missing,
        metric=compare.metric,
        task=compare.task,
        matched=compare.matched,
        wanted_pairs=compare.pairs,
        audits=audits,
    )
    return write_files(findings, out=out)


def audits_of(folder: Path, study: StudyRecord) -> list[Audited]:
    """Every run of a study whose forgotten facts were looked for, beside the target and the control of its setting."""
    places = {unit.name: [folder / EVALUATIONS / each for each in unit.routes] for unit in study.units}
    of_target = {place.name: read_routes(place) for place in places.get(TARGET_UNIT, [])}
    oracles = {place.name: read_routes(place) for unit in study.units if unit.control for place in places[unit.name]}
    unknown = next((unit.unknown for unit in study.units if unit.unknown), "")
    guessed = read_routes(folder / EVALUATIONS / unknown) if unknown else {}
    return [
        Audited(
            name=unit.name.replace(f"_{unit.setting}", "").replace(f"_r{unit.ratio}", "").replace("_", " "),
            setting=unit.setting,
            ratio=unit.ratio,
            run=read_routes(place),
            target=of_target.get(place.name, {}),
            oracle=oracles.get(place.name, {}),
            unknown=guessed,
        )
        for unit in study.units
        if unit.method and unit.setting
        for place in places[unit.name]
    ]


def _read_evaluations(places: Iterable[Path]) -> tuple[list[Evaluated], list[Attacked]]:
    """Evaluations without attack with their answers, and those under one with what of them is right.

    The same questions to the same run, measured once more with a figure of one's own, are one evaluation: the fuller.
    Two runs that came to the same weights, as a method and the same with a term that matched nothing, are still two.
    """
    fullest: dict[str, tuple[Path, EvaluationRecord]] = {}
    for place in places:
        record = read_record(place)
        if record is None:
            continue
        asked: list[JsonValue] = [record.dataset, record.model, record.run, record.attack, record.setting, record.ratio]
        key = digest([*asked, record.prompts, record.max_new_tokens, *record.tasks, *record.modalities])
        if key not in fullest or len(record.metrics) > len(fullest[key][1].metrics):
            fullest[key] = (place, record)
    plain = [Evaluated(*read_evaluation(place)) for place, record in fullest.values() if record.attack is None]
    under_attack = [attacked(*read_evaluation(place)) for place, record in fullest.values() if record.attack]
    return plain, under_attack


def _read_study(folder: Path) -> StudyRecord | None:
    if not folder.is_dir():
        raise BadInput(str(folder), "is not a folder", "name one that ppubench build, study, unlearn or evaluate made")
    path = folder / STUDY
    try:
        return StudyRecord.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(str(path), f"is not a study record ({reason})", "run ppubench study again") from error


def _runs_in(folder: Path, study: StudyRecord | None) -> list[Curve]:
    if study is not None:
        names = [unit.name for unit in study.units if unit.method and unit.status != "failed"]
        places = [folder / RUNS / name for name in names]
    else:
        places = sorted(path.parent for path in folder.rglob(RUN))
    found = [read_curve(place) for place in places]
    return [curve for curve in found if curve is not None]


def _evaluations_in(folder: Path, study: StudyRecord | None) -> list[Path]:
    if study is None:
        return find_evaluations(folder)
    return [folder / EVALUATIONS / each for unit in study.units for each in unit.evaluations]


def read_curve(folder: Path) -> Curve | None:
    """The curve of a run folder, from its record and log; None for a run that has not finished."""
    from unlearn.runs.record import read_record as read_run

    record = read_run(folder)
    if record is None or not record.outcome:
        return None
    start = _point(0, record.start)
    if record.sweep:
        swept = sorted((float(share), probe) for share, probe in record.sweep.items())
        points = [start, *(_point(share, probe) for share, probe in swept)]
        kept = record.pruned_share if record.chosen is None else record.chosen
    else:
        points = [start, *_logged(folder)]
        kept = None if record.best_step is None else float(record.best_step)
    limit = record.numbers.get("probe_samples")
    probed = limit if isinstance(limit, int) else 1
    return Curve(
        run=record.identity,
        method=record.method,
        title=record.title,
        setting=record.setting,
        ratio=record.ratio,
        seed=record.seed,
        lr=_rate(record),
        made_of=record.made_of,
        data=record.data,
        base=record.base,
        unit="step" if not record.sweep else "value tried" if record.swept else "share pruned",
        kept=kept,
        status=record.status,
        reason=record.reason,
        forget_samples=min(probed, record.forget_samples),
        retain_samples=sum(record.asked.retain) or min(probed, record.retain_samples),
        subjects=record.asked.subjects,
        forget_asked=record.asked.forget,
        retain_asked=record.asked.retain,
        points=tuple(points),
    )


def _rate(record: "RunRecord") -> float:
    rate = record.numbers.get("lr")
    return float(rate) if isinstance(rate, int | float) else 0.0


def _point(position: float, probe: "Probe") -> CurvePoint:
    return CurvePoint(
        position=position,
        forget=probe.forget_exact,
        retain=probe.retain_exact,
        forget_nll=probe.forget_nll,
        retain_nll=probe.retain_nll,
        forget_right=probe.forget_right,
        retain_right=probe.retain_right,
        choosing=probe.choosing_exact,
    )


def _logged(folder: Path) -> list[CurvePoint]:
    """The probed steps of a run's log, counted in steps done."""
    path = folder / "log.jsonl"
    found = []
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"{path}, line {number}", "is not JSON", "resume the run with ppubench unlearn") from error
        if "probe.forget_exact" in row:
            found.append(
                CurvePoint(
                    position=row["step"] + 1,
                    forget=row["probe.forget_exact"],
                    retain=row["probe.retain_exact"],
                    forget_nll=row["probe.forget_nll"],
                    retain_nll=row["probe.retain_nll"],
                    forget_right=row.get("probe.forget_right", ()),
                    retain_right=row.get("probe.retain_right", ()),
                    choosing=row.get("probe.choosing_exact"),
                )
            )
    return found
