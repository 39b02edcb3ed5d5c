"""What attacks bring back of what was forgotten, and break of what was kept, over the seeds of an arm."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.metrics.failures import answered
from eval.metrics.over_seeds import Sample, over_seeds
from schemas.records.evaluation import EvaluationRecord, Prediction
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, Setting, Task

METRICS: tuple[Literal["recovery", "lost"], ...] = ("recovery", "lost")
MODALITIES_AND_BOTH: tuple[Literal["qa", "vqa", ""], ...] = (*MODALITIES, "")


@dataclass(frozen=True)
class Attacked:
    """One evaluation under an attack, as far as a report needs its answers."""

    record: EvaluationRecord
    right: Mapping[str, bool]
    """Whether each answer is correct, by key; questions that failed are not in it."""


class AttackRow(Record):
    """What came back (`recovery`) or was lost under one attack, over all runs of an arm.

    recovery: of the forget questions that the untouched target answers and the run does not, the share that the run
    answers under the attack. lost: of the retain questions that the run answers, the share that it does not then.
    """

    arm: str
    setting: Setting
    ratio: int | None
    attack: str
    metric: Literal["recovery", "lost"]
    task: Task
    modality: Literal["qa", "vqa", ""]
    value: float
    low: float | None
    high: float | None
    n: int
    """Questions at risk, of all runs."""
    runs: int


def attacked(record: EvaluationRecord, rows: Sequence[Prediction]) -> Attacked:
    """An evaluation under an attack without the texts of its answers, of which a study has very many."""
    return Attacked(record, {sys.intern(row.key): row.correct for row in rows if answered(row)})


def asked_model(record: EvaluationRecord) -> str:
    """What tells one asked model from another, with and without attack: its weights, and the run that made them."""
    return f"{record.model} {record.run}"


def attack_rows(
    found: Sequence[tuple[str, Attacked]],
    plain: Mapping[str, Sequence[Prediction]],
    known: frozenset[str] | None,
    task: Task,
) -> Iterator[AttackRow]:
    """Recovery and loss of each arm under each attack, in the order of `found`, [label, evaluation].

    `plain` has the rows without attack by `asked_model`, `known` the keys that the untouched target answers (None: it
    was not evaluated, and what it did not know counts as forgotten). Only questions of the compared task count; of
    generation where the attack has no others. A model without plain rows is left out.
    """
    groups: dict[tuple[str, str], list[Attacked]] = {}
    for label, each in found:
        if asked_model(each.record) in plain:
            groups.setdefault((label, str(each.record.attack)), []).append(each)
    for (arm, attack), runs in groups.items():
        asked: Task = task if any(task in each.record.tasks for each in runs) else "generation"
        for metric in METRICS:
            for modality in MODALITIES_AND_BOTH:
                samples = [
                    _turned(each, plain[asked_model(each.record)], known, metric=metric, task=asked, modality=modality)
                    for each in runs
                ]
                samples = [sample for sample in samples if sample.values]
                if not samples:
                    continue
                interval = over_seeds(samples)
                record = runs[0].record
                yield AttackRow(
                    arm=arm, setting=record.setting, ratio=record.ratio, attack=attack, metric=metric, task=asked,
                    modality=modality, value=interval.value, low=interval.low, high=interval.high, n=interval.n,
                    runs=len(samples),
                )  # fmt: skip


def _turned(
    under: Attacked,
    plain: Sequence[Prediction],
    known: frozenset[str] | None,
    *,
    metric: Literal["recovery", "lost"],
    task: Task,
    modality: Literal["qa", "vqa", ""],
) -> Sample:
    """1 for each question at risk whose answer the attack turned, else 0."""
    role = "forget" if metric == "recovery" else "retain"
    at_risk = [
        row
        for row in plain
        if row.task == task
        and row.role == role
        and answered(row)
        and row.key in under.right
        and row.correct == (metric == "lost")
        and (not modality or row.modality == modality)
        and (metric == "lost" or known is None or row.key in known)
    ]
    turned = [float(under.right[row.key] != row.correct) for row in at_risk]
    return Sample(turned, [row.subject_id for row in at_risk])
