"""From scored rows to figures with intervals: per role, task and modality, across modalities, and within subjects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import nan
from typing import Literal

import numpy as np

from eval.metrics.bootstrap import Interval, bootstrap, bootstrap_columns
from eval.metrics.boundary import subject_boundaries
from eval.metrics.failures import answered
from schemas.records.evaluation import OUTCOMES, MetricRow, Outcome, Prediction, PredictionTask
from schemas.vocabulary import MODALITIES, ROLES, TASKS, Setting

RoleOrAll = Literal["forget", "retain", ""]
TaskOrAll = Literal["generation", "cloze", "classification", "identity", "utility", ""]
ModalityOrAll = Literal["qa", "vqa", ""]

Measure = Callable[[Prediction], float]

_TEXT_TASKS = ("generation", "cloze", "identity", "utility")


def _share_of(outcome: Outcome) -> Measure:
    return lambda row: float(row.outcome == outcome)


_OUTCOMES: Mapping[str, Measure] = {f"outcome_{name}": _share_of(name) for name in OUTCOMES}
"""Shares of all questions, the failed among them: they add up to one."""
_EVERYWHERE: Mapping[str, Measure] = {"accuracy": lambda row: float(row.correct)}
_ON_TEXT: Mapping[str, Measure] = {
    "exact_match": lambda row: float(row.exact),
    "normalised_exact_match": lambda row: float(row.normalised_exact),
    "rouge_l_recall": lambda row: row.rouge_recall,
    "rouge_l_f1": lambda row: row.rouge_f1,
}
_LIKELIHOOD: Mapping[str, Measure] = {
    "choice_accuracy_likelihood": lambda row: float(row.likely_choice == row.label) if row.likely_choice else nan,
}
_NLL: Mapping[str, Measure] = {"nll": lambda row: nan if row.nll is None else row.nll}

METRICS = (
    *_EVERYWHERE, *_OUTCOMES, *_ON_TEXT, *_LIKELIHOOD, *_NLL, "consistent", "right_in_both", "wrong_in_both",
    "wrong_in_qa_only", "wrong_in_vqa_only", "visual_identity", "boundary_auc", "boundary_accuracy", "recovery", "lost",
    "failed",
)  # fmt: skip
"""Every name that MetricRow.metric may have."""


@dataclass(frozen=True)
class Metric:
    """A figure from a user's file: one number of each answer, averaged by role, task and modality like ours.

    `measure` gives NaN for an answer that the figure says nothing about; an average of none is left out. It is not
    asked about questions without an answer.
    """

    name: str
    title: str
    measure: Measure
    tasks: tuple[PredictionTask, ...] = TASKS
    code: str = ""
    """Digest of the file that it comes from."""


@dataclass(frozen=True)
class Place:
    """What all rows of one evaluation share."""

    setting: Setting
    ratio: int | None
    attack: str

    def row(
        self, metric: str, found: Interval, *, role: RoleOrAll, task: TaskOrAll, modality: ModalityOrAll
    ) -> MetricRow:
        """A figure of this evaluation."""
        return MetricRow(
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            n=found.n,
            setting=self.setting,
            ratio=self.ratio,
            role=role,
            task=task,
            modality=modality,
            attack=self.attack,
        )


def answer_metrics(task: PredictionTask, rows: Sequence[Prediction]) -> dict[str, Measure]:
    """Figures of one row that are averaged for a task, by metric name.

    A question without an answer is neither right nor forgotten: every figure but the outcome shares is NaN for it.
    """
    found = dict(_EVERYWHERE)
    if task in _TEXT_TASKS:
        found.update(_ON_TEXT)
    if any(row.likely_choice for row in rows):
        found.update(_LIKELIHOOD)
    if any(row.nll is not None for row in rows):
        found.update(_NLL)
    guarded = {name: _of_answered(measure) for name, measure in found.items()}
    return {"accuracy": guarded.pop("accuracy"), **_OUTCOMES, **guarded}


def all_metrics(rows: Sequence[Prediction], place: Place, own: Sequence[Metric] = ()) -> list[MetricRow]:
    """Every figure that the rows allow, in a fixed order; `own` are those of a user's file."""
    return [
        *_slices(rows, place, own),
        *_across_modalities(rows, place),
        *_visual_identity(rows, place),
        *_boundary(rows, place),
        *_failures(rows, place),
    ]


def slices(rows: Sequence[Prediction]) -> Iterator[tuple[RoleOrAll, PredictionTask, ModalityOrAll, list[Prediction]]]:
    """(role, task, modality, rows) of every part that has rows; modality "" is both, where there are both."""
    roles: tuple[RoleOrAll, ...] = (*ROLES, "")
    tasks: tuple[PredictionTask, ...] = (*TASKS, "identity", "utility")
    grouped: dict[tuple[str, str, str], list[Prediction]] = {}
    for row in rows:
        grouped.setdefault((row.role or "", row.task, row.modality), []).append(row)
    for role, task in product(roles, tasks):
        present = [
            (modality, grouped[role, task, modality]) for modality in MODALITIES if (role, task, modality) in grouped
        ]
        for modality, part in present:
            yield role, task, modality, part
        if len(present) > 1:
            yield role, task, "", [row for _, part in present for row in part]


def _slices(rows: Sequence[Prediction], place: Place, own: Sequence[Metric]) -> Iterator[MetricRow]:
    for role, task, modality, part in slices(rows):
        measures = answer_metrics(task, part)
        measures |= {each.name: _of_answered(each.measure) for each in own if task in each.tasks}
        values = np.array([[measure(row) for measure in measures.values()] for row in part], dtype=np.float64)
        found = bootstrap_columns(values, [row.subject_id for row in part])
        for metric, interval in zip(measures, found, strict=True):
            if not interval.n:
                continue
            yield place.row(metric, interval, role=role, task=task, modality=modality)


def _across_modalities(rows: Sequence[Prediction], place: Place) -> Iterator[MetricRow]:
    """Of each fact answered in both modalities: right in both, in one, in none. `consistent`: in both or in none."""
    told = [row for row in rows if answered(row)]
    by_key = {(row.sample_id, row.task, row.modality): row for row in told}
    for role, task in product(ROLES, TASKS):
        pairs = [
            (row, by_key[row.sample_id, task, "vqa"])
            for row in told
            if (row.role, row.task, row.modality) == (role, task, "qa") and (row.sample_id, task, "vqa") in by_key
        ]
        if not pairs:
            continue
        right = np.array([[qa.correct, vqa.correct] for qa, vqa in pairs])
        qa, vqa = right[:, 0], right[:, 1]
        shares = {
            "consistent": qa == vqa,
            "right_in_both": qa & vqa,
            "wrong_in_both": ~qa & ~vqa,
            "wrong_in_qa_only": ~qa & vqa,
            "wrong_in_vqa_only": qa & ~vqa,
        }
        values = np.stack(list(shares.values()), axis=1).astype(np.float64)
        found = bootstrap_columns(values, [one.subject_id for one, _ in pairs])
        for metric, interval in zip(shares, found, strict=True):
            yield place.row(metric, interval, role=role, task=task, modality="")


def _visual_identity(rows: Sequence[Prediction], place: Place) -> Iterator[MetricRow]:
    """visual_identity: of the vqa answers that are true of somebody, the share that is true of the person shown.

    It falls where a model takes people for one another; forgetting a fact without an answer leaves it alone.
    """
    roles: tuple[RoleOrAll, ...] = (*ROLES, "")
    for role in roles:
        told = [
            row
            for row in rows
            if row.task == "generation"
            and row.modality == "vqa"
            and row.outcome in ("correct", "other_person")
            and (not role or row.role == role)
        ]
        if told:
            found = bootstrap([float(row.correct) for row in told], [row.subject_id for row in told])
            yield place.row("visual_identity", found, role=role, task="generation", modality="vqa")


def _boundary(rows: Sequence[Prediction], place: Place) -> Iterator[MetricRow]:
    """Means over subjects of the boundary between their forget and retain facts; none for complete unlearning."""
    modalities: tuple[ModalityOrAll, ...] = (*MODALITIES, "")
    for modality in modalities:
        own = [row for row in rows if row.task == "generation" and (not modality or row.modality == modality)]
        areas, accuracies = subject_boundaries(own)
        for metric, values in (("boundary_auc", areas), ("boundary_accuracy", accuracies)):
            if values:
                found = bootstrap(list(values.values()), list(values))
                yield place.row(metric, found, role="", task="generation", modality=modality)


def _failures(rows: Sequence[Prediction], place: Place) -> Iterator[MetricRow]:
    """failed: the number (no share) of questions of a role, over all tasks, that got no answer; `n` were asked."""
    roles: tuple[RoleOrAll, ...] = (*ROLES, "")
    for role in roles:
        asked = [row for row in rows if (row.role or "") == role]
        if asked:
            number = Interval(value=float(sum(not answered(row) for row in asked)), low=None, high=None, n=len(asked))
            yield place.row("failed", number, role=role, task="", modality="")


def _of_answered(measure: Measure) -> Measure:
    """The measure, NaN for a question without an answer."""
    return lambda row: measure(row) if answered(row) else nan


def attack_effects(plain: Sequence[Prediction], attacked: Sequence[Prediction], place: Place) -> list[MetricRow]:
    """What an attack brings back and what it breaks, question by question, in each task and modality.

    recovery: of the forget questions that are wrong without the attack, the share that is right under it. lost: of the
    retain questions that are right without it, the share that is wrong under it. Compare recovery with that of a model
    that never knew, or with lost: both hold what any change of the question does. Questions without an answer in one
    of the two are left out.
    """
    before = {row.key: row.correct for row in plain if answered(row)}
    both = [row for row in attacked if row.key in before and answered(row)]
    found = []
    for role, task, modality, part in slices(both):
        if role == "":
            continue
        at_risk = [row for row in part if before[row.key] == (role == "retain")]
        if at_risk:
            turned = [float(row.correct != before[row.key]) for row in at_risk]
            interval = bootstrap(turned, [row.subject_id for row in at_risk])
            metric = "recovery" if role == "forget" else "lost"
            found.append(place.row(metric, interval, role=role, task=task, modality=modality))
    return found
