"""The rows of a report's CSV tables, which are also the data behind its charts."""

from collections import Counter
from collections.abc import Iterator

from eval.report.findings import Condition
from schemas.records.evaluation import OUTCOMES, MetricRow
from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Setting


class FigureRow(MetricRow):
    """A metric of one evaluation with the arm that it belongs to."""

    arm: str
    seed: int | None


class CurveRow(Record):
    """One point of one run's curve."""

    arm: str
    setting: Setting
    ratio: int | None
    seed: int
    position: float
    forget: float
    retain: float
    kept: bool


class OutcomeRow(Record):
    """How many answers of one arm, role and modality had one outcome."""

    arm: str
    setting: Setting
    ratio: int | None
    role: str
    modality: Modality
    outcome: str
    count: int
    share: float


class ConsistencyRow(Record):
    """The share of facts, asked in both modalities, that one arm gives in both, one or none; the mean over its runs."""

    arm: str
    setting: Setting
    ratio: int | None
    role: str
    metric: str
    share: float
    n: int
    """Facts, of all runs."""
    runs: int


CONSISTENCY_METRICS = ("right_in_both", "wrong_in_qa_only", "wrong_in_vqa_only", "wrong_in_both")


def figures(condition: Condition) -> Iterator[FigureRow]:
    """Every metric of every evaluation, plain and under attack."""
    for label, record in condition.records:
        yield from (FigureRow(**row.model_dump(), arm=label, seed=record.seed) for row in record.metrics)


def curve_rows(condition: Condition) -> Iterator[CurveRow]:
    """Every point of every curve."""
    for label, curve in condition.curves:
        for point in curve.points:
            yield CurveRow(
                arm=label, setting=curve.setting, ratio=curve.ratio, seed=curve.seed, position=point.position,
                forget=point.forget, retain=point.retain, kept=point.position == curve.kept,
            )  # fmt: skip


def outcome_rows(condition: Condition) -> Iterator[OutcomeRow]:
    """Counts of outcomes of the compared task by arm, role and modality, over all seeds."""
    counts: Counter[tuple[str, str, Modality, str]] = Counter()
    for label, each in condition.evaluated:
        for row in each.rows:
            if row.task == condition.task and row.role:
                counts[label, row.role, row.modality, row.outcome] += 1
    totals: Counter[tuple[str, str, Modality]] = Counter()
    for (label, role, modality, _), count in counts.items():
        totals[label, role, modality] += count
    for (label, role, modality), total in totals.items():
        for outcome in OUTCOMES:
            count = counts[label, role, modality, outcome]
            yield OutcomeRow(
                arm=label, setting=condition.setting, ratio=condition.ratio, role=role, modality=modality,
                outcome=outcome, count=count, share=count / total,
            )  # fmt: skip


def consistency_rows(condition: Condition) -> Iterator[ConsistencyRow]:
    """In which modality the facts of the compared task are gone, by role and arm."""
    found: dict[tuple[str, str, str], list[MetricRow]] = {}
    for label, each in condition.evaluated:
        for row in each.record.metrics:
            if row.metric in CONSISTENCY_METRICS and row.task == condition.task and row.role:
                found.setdefault((row.role, label, row.metric), []).append(row)
    for (role, arm, metric), rows in found.items():
        yield ConsistencyRow(
            arm=arm, setting=condition.setting, ratio=condition.ratio, role=role, metric=metric,
            share=sum(row.value for row in rows) / len(rows), n=sum(row.n for row in rows), runs=len(rows),
        )  # fmt: skip
