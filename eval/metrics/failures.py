"""Questions that no answer came to: they say nothing of what a model forgot, and many of them spoil a comparison."""

from collections.abc import Iterator, Sequence

from schemas.records.evaluation import EvaluationRecord, Prediction
from schemas.vocabulary import ROLES, Task

MOST_FAILED = 0.05
"""A run of whose questions a larger share failed is not ranked: those that failed may be unlike the others."""


def answered(row: Prediction) -> bool:
    """Whether the responder gave an answer at all; a question that failed was not forgotten."""
    return row.outcome != "failed"


def why_not_compared(label: str, record: EvaluationRecord, rows: Sequence[Prediction], task: Task) -> str | None:
    """Why an evaluation may not be ranked, in one sentence, or None: too much of it failed.

    Counted are all its questions, and of the compared task those to be forgotten and those to be kept, each apart.
    """
    for failed, asked, what in _counts(record, rows, task):
        if failed > MOST_FAILED * asked:
            seed = "" if record.seed is None else f" (seed {record.seed})"
            return (
                f"{label}{seed} is not compared: {failed} of its {asked} {what} got no answer "
                f"({100 * failed / asked:.0f} %, and {100 * MOST_FAILED:.0f} % is the most)."
            )
    return None


def _counts(record: EvaluationRecord, rows: Sequence[Prediction], task: Task) -> Iterator[tuple[int, int, str]]:
    for role in ROLES:
        own = [row for row in rows if (row.task, row.role) == (task, role)]
        yield sum(not answered(row) for row in own), len(own), f"{task} questions to {role}"
    yield sum(not answered(row) for row in rows), len(rows), "questions"
