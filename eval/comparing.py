"""Two evaluations of the same questions side by side: paired differences with intervals."""

from collections.abc import Sequence

import numpy as np

from eval.intervals import bootstrap_columns
from eval.metrics import answer_metrics, slices
from schemas.problems import BadInput
from schemas.results import DifferenceRow, EvaluationRecord, Prediction

SAME = ("setting", "ratio", "attack", "tasks", "modalities", "prompts", "max_new_tokens", "target", "dataset")
"""What two evaluations must share to be compared, the telling ones first."""


def compare(
    left: EvaluationRecord,
    left_rows: Sequence[Prediction],
    right: EvaluationRecord,
    right_rows: Sequence[Prediction],
) -> list[DifferenceRow]:
    """right - left of every mean of an evaluation, question by question.

    Subjects are drawn anew together with both their answers, so that what makes a question hard for both models does
    not blur the difference. Raises BadInput naming the first key in which the two evaluations differ.
    """
    for name in SAME:
        one, other = getattr(left, name), getattr(right, name)
        if one != other:
            problem = f"differ in {name}: {one} and {other}"
            raise BadInput(f"{left.folder} and {right.folder}", problem, "compare evaluations of one dataset and slice")
    others = _by_key(right_rows, right)
    if set(_by_key(left_rows, left)) != set(others):
        odd = sorted(set(_by_key(left_rows, left)) ^ set(others))[0]
        problem = f"question {odd} is in one of them only"
        raise BadInput(f"{left.folder} and {right.folder}", problem, "evaluate again the one that is not whole")
    rows = []
    for role, task, modality, part in slices(left_rows):
        pairs = [others[row.key] for row in part]
        shared = answer_metrics(task, part).keys() & answer_metrics(task, pairs).keys()
        measures = {name: measure for name, measure in answer_metrics(task, part).items() if name in shared}
        before = np.array([[measure(row) for measure in measures.values()] for row in part], dtype=np.float64)
        after = np.array([[measure(row) for measure in measures.values()] for row in pairs], dtype=np.float64)
        found_all = bootstrap_columns(after - before, [row.subject_id for row in part])
        for column, (metric, found) in enumerate(zip(measures, found_all, strict=True)):
            known = ~np.isnan(after[:, column] - before[:, column])
            real = found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
            rows.append(
                DifferenceRow(
                    metric=metric,
                    left=float(before[known, column].mean()),
                    right=float(after[known, column].mean()),
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    real=real,
                    n=found.n,
                    role=role,
                    task=task,
                    modality=modality,
                )
            )
    return rows


def _by_key(rows: Sequence[Prediction], record: EvaluationRecord) -> dict[str, Prediction]:
    found = {row.key: row for row in rows}
    if len(found) != len(rows):
        raise BadInput(record.folder, "has a question twice", "evaluate again into an empty folder")
    return found
