"""Paired differences: two runs, or arms of several runs, on the same questions, with intervals; and which are
paired.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from eval.metrics.aggregate import answer_metrics, slices
from eval.metrics.bootstrap import Floats, draws, ends, leaves_out_zero
from eval.metrics.boundary import subject_boundaries
from eval.metrics.failures import answered
from eval.metrics.over_seeds import mean_over_seeds, weighted_means
from schemas.errors import BadInput
from schemas.records.evaluation import DifferenceRow, Prediction
from schemas.vocabulary import MODALITIES, Setting

Rows = Sequence[Prediction]


@dataclass(frozen=True)
class _Place:
    """Where a figure was taken."""

    role: Literal["forget", "retain", ""]
    task: Literal["generation", "cloze", "classification", "identity", "utility", ""]
    modality: Literal["qa", "vqa", ""]


def differences(left: Sequence[Rows], right: Sequence[Rows], *, names: tuple[str, str]) -> list[DifferenceRow]:
    """right - left of every figure between two arms, the means over the runs (seeds) of each.

    Subjects are drawn anew together with both their answers, so that what makes a question hard for both models does
    not blur the difference; the runs of each arm too. A question that failed in any run is left out, except of the
    shares of outcomes. With fewer subjects than eval.metrics.bootstrap.FEWEST_SUBJECTS there is no interval and nothing
    is real. `names` stand in errors. Raises BadInput where a question is in one run only, or twice in one.
    """
    runs = [_by_key(rows, name) for arm, name in zip((left, right), names, strict=True) for rows in arm]
    for other in runs[1:]:
        if odd := sorted(set(runs[0]) ^ set(other)):
            problem = f"question {odd[0]} is in one of them only"
            raise BadInput(" and ".join(names), problem, "evaluate again the one that is not whole")
    whole = {key for key in runs[0] if all(answered(run[key]) for run in runs)}
    found: list[DifferenceRow] = []
    for role, task, modality, part in slices(left[0]):
        own = [[run[row.key] for row in part] for run in runs]
        each = [answer_metrics(task, rows) for rows in own]
        shared = [name for name in each[0] if all(name in measures for measures in each)]
        values = [
            np.array(
                [[_measured(row, name, measures[name], whole) for name in shared] for row in rows], dtype=np.float64
            )
            for measures, rows in zip(each, own, strict=True)
        ]  # of each run [answers, figures]
        subjects = [row.subject_id for row in part]
        found += _paired(shared, values, subjects, len(left), _Place(role, task, modality))
    return [*found, *_boundaries([[run[key] for key in sorted(whole)] for run in runs], len(left))]


def _measured(row: Prediction, name: str, measure: Callable[[Prediction], float], whole: set[str]) -> float:
    return measure(row) if row.key in whole or name.startswith("outcome_") else nan


def _boundaries(runs: Sequence[Rows], lefts: int) -> Iterator[DifferenceRow]:
    """The figures within a subject, subject by subject."""
    modalities: tuple[Literal["qa", "vqa", ""], ...] = (*MODALITIES, "")
    for modality in modalities:
        own = [
            [row for row in rows if row.task == "generation" and (not modality or row.modality == modality)]
            for rows in runs
        ]
        both = [subject_boundaries(rows) for rows in own]
        for metric, place in (("boundary_auc", 0), ("boundary_accuracy", 1)):
            subjects = sorted(set.intersection(*(set(each[place]) for each in both)))
            values = [np.array([[each[place][subject]] for subject in subjects], dtype=np.float64) for each in both]
            if subjects:
                yield from _paired([metric], values, subjects, lefts, _Place("", "generation", modality))


def _paired(
    metrics: Sequence[str], runs: Sequence[Floats], subjects: Sequence[str], lefts: int, where: _Place
) -> Iterator[DifferenceRow]:
    """A row per figure from the runs' values [answers, figures], of which the first `lefts` are of the left arm."""
    known = ~np.isnan(np.stack(runs).sum(axis=0))  # [answers, figures]: measured in all runs
    names, places = np.unique(np.asarray(subjects), return_inverse=True)
    weights = np.vstack([np.ones((1, len(names))), draws(len(names))])
    means = np.stack(
        [weighted_means(np.where(known, values, nan), places.tolist(), weights) for values in runs]
    )  # [runs, 1 + resamples, figures]
    for column, metric in enumerate(metrics):
        if not known[:, column].any():
            continue
        one, one_drawn = mean_over_seeds(means[:lefts, :, column], "left arm")
        other, other_drawn = mean_over_seeds(means[lefts:, :, column], "right arm")
        people = len({subject for subject, there in zip(subjects, known[:, column], strict=True) if there})
        low, high = ends(other_drawn - one_drawn, people=people)
        yield DifferenceRow(
            metric=metric, left=one, right=other, value=other - one, low=low, high=high,
            real=leaves_out_zero(low, high), n=int(known[:, column].sum()),
            role=where.role, task=where.task, modality=where.modality,
        )  # fmt: skip


def _by_key(rows: Rows, name: str) -> dict[str, Prediction]:
    found = {row.key: row for row in rows}
    if len(found) != len(rows):
        raise BadInput(name, "has a question twice", "evaluate again into an empty folder")
    return found


Runs = Sequence[Sequence[Prediction]]


class PairRow(DifferenceRow):
    """A paired difference between two arms: `left` is what `a` came to, `right` what `b` did, `value` is b - a."""

    a: str
    b: str
    setting: Setting
    ratio: int | None


def pair_rows(
    arms: Mapping[str, Runs], target: tuple[str, Runs] | None, best: str | None, *, setting: Setting, ratio: int | None
) -> list[PairRow]:
    """Every figure of two arms side by side; of more arms each beside the best; of one beside the untouched target.

    `target` is its label and runs. Of more than two arms without a best one, which the target is needed to find, none.
    """
    labels = sorted(arms)
    if len(labels) == 1 and target is not None:
        pairs = [(target, (labels[0], arms[labels[0]]))]
    elif len(labels) == 2:
        pairs = [((labels[0], arms[labels[0]]), (labels[1], arms[labels[1]]))]
    elif best is not None:
        pairs = [((best, arms[best]), (label, arms[label])) for label in labels if label != best]
    else:
        pairs = []
    return [
        PairRow(**row.model_dump(), a=a, b=b, setting=setting, ratio=ratio)
        for (a, left), (b, right) in pairs
        for row in differences(left, right, names=(a, b))
    ]
