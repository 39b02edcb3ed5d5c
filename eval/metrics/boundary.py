"""Within one subject: can what it should have forgotten be told from what it should have kept?"""

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np

from eval.metrics.failures import answered
from schemas.records.evaluation import Prediction


def boundary_auc(forget_nll: Sequence[float], retain_nll: Sequence[float]) -> float | None:
    """Chance that a forget fact is less likely to the model (higher NLL) than a retain fact, ties counting half.

    1 is a clean boundary, 0.5 none, 0 the wrong way round (Mann-Whitney U over the number of pairs). NaN is left out;
    None where nothing is left on a side.
    """
    forget = np.array([each for each in forget_nll if not isnan(each)], dtype=np.float64)[:, None]
    retain = np.array([each for each in retain_nll if not isnan(each)], dtype=np.float64)[None, :]
    if not forget.size or not retain.size:
        return None
    return float(np.mean((forget > retain) + 0.5 * (forget == retain)))


def boundary_accuracy(forget_right: Sequence[bool], retain_right: Sequence[bool]) -> float:
    """Mean of the share of forget facts not answered and the share of retain facts answered rightly.

    1 is a clean boundary; 0.5 is what forgetting everything, or nothing, gets.
    """
    forgotten = 1 - sum(forget_right) / len(forget_right)
    return (forgotten + sum(retain_right) / len(retain_right)) / 2


def by_subject(rows: Sequence[Prediction]) -> dict[str, tuple[list[Prediction], list[Prediction]]]:
    """Answered forget and retain rows of each subject that has both, by subject_id in order."""
    found: dict[str, tuple[list[Prediction], list[Prediction]]] = {}
    for row in rows:
        if row.role is not None and answered(row):
            found.setdefault(row.subject_id, ([], []))[row.role == "retain"].append(row)
    return {subject: own for subject, own in sorted(found.items()) if own[0] and own[1]}


def subject_boundaries(rows: Sequence[Prediction]) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """(AUC of the NLL, boundary accuracy) of each subject with forget and retain rows; AUC only where NLL is known."""
    areas: dict[str, float] = {}
    accuracies: dict[str, float] = {}
    for subject, (forget, retain) in by_subject(rows).items():
        accuracies[subject] = boundary_accuracy([row.correct for row in forget], [row.correct for row in retain])
        area = boundary_auc(
            [row.nll for row in forget if row.nll is not None], [row.nll for row in retain if row.nll is not None]
        )
        if area is not None:
            areas[subject] = area
    return areas, accuracies
