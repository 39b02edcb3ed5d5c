"""Figures of an arm from its answers, over all its seeds, and whether the untouched target can do a task at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.metrics.bootstrap import Interval
from eval.metrics.boundary import subject_boundaries
from eval.metrics.failures import answered
from eval.metrics.over_seeds import Sample, over_seeds
from schemas.records.evaluation import Prediction
from schemas.vocabulary import MODALITIES, OPTION_LABELS, ROLES

LETTER_CHANCE = 1 / len(OPTION_LABELS)
"""Share of choices that guessing gets right."""
Placed = Mapping[tuple[str, str, str], Sequence[Prediction]]
"""Answered rows by task, role ("" for none) and modality."""


@dataclass(frozen=True)
class ArmAnswers:
    """The answers of each run of one arm."""

    label: str
    runs: tuple[Placed, ...]


@dataclass(frozen=True)
class Wanted:
    """A figure: what is measured, and of which answers."""

    metric: str
    task: str
    roles: tuple[str, ...]
    modalities: tuple[str, ...]
    heading: str = ""


def arm_answers(label: str, runs: Sequence[Sequence[Prediction]]) -> ArmAnswers:
    """The arm's answers by place; questions that failed are left out."""
    return ArmAnswers(label, tuple(_placed(rows) for rows in runs))


def _placed(rows: Sequence[Prediction]) -> Placed:
    found: dict[tuple[str, str, str], list[Prediction]] = {}
    for row in rows:
        if answered(row):
            found.setdefault((row.task, row.role or "", row.modality), []).append(row)
    return found


def arm_figure(arm: ArmAnswers, wanted: Wanted) -> Interval | None:
    """The figure over the arm's runs with its interval over subjects and seeds; None where it was not measured."""
    samples = []
    for run in arm.runs:
        rows = [
            row
            for role in wanted.roles
            for modality in wanted.modalities
            for row in run.get((wanted.task, role, modality), ())
        ]
        found = list(MEASURES[wanted.metric](rows))
        if found:
            samples.append(Sample([value for _, value in found], [subject for subject, _ in found]))
    return over_seeds(samples) if samples else None


def _right(rows: Sequence[Prediction]) -> Iterator[tuple[str, float]]:
    return ((row.subject_id, float(row.correct)) for row in rows)


def _likeliest_is_right(rows: Sequence[Prediction]) -> Iterator[tuple[str, float]]:
    return ((row.subject_id, float(row.likely_choice == row.label)) for row in rows if row.likely_choice)


def _of_the_person_shown(rows: Sequence[Prediction]) -> Iterator[tuple[str, float]]:
    """Of the answers that are true of somebody; see visual_identity in docs/figures.md."""
    return ((row.subject_id, float(row.correct)) for row in rows if row.outcome in ("correct", "other_person"))


MEASURES: Mapping[str, Callable[[Sequence[Prediction]], Iterator[tuple[str, float]]]] = {
    "accuracy": _right,
    "choice_accuracy_likelihood": _likeliest_is_right,
    "visual_identity": _of_the_person_shown,
    "boundary_auc": lambda rows: iter(subject_boundaries(rows)[0].items()),
    "boundary_accuracy": lambda rows: iter(subject_boundaries(rows)[1].items()),
}
"""Of each figure the values (subject, value) of which it is the mean."""


def chance(wanted: Wanted) -> float:
    """What guessing gets: one in four of options, nothing of an open question."""
    return LETTER_CHANCE if wanted.task == "classification" else 0.0


def why_not_able(target: ArmAnswers | None, wanted: Wanted) -> str | None:
    """That the untouched target is at or below chance at this, in words, or None where it can do it (or was not asked).

    Then nothing can be read from how much of it is left after unlearning. Both roles count, as the target knows none.
    """
    both = Wanted(wanted.metric, wanted.task, ROLES, wanted.modalities)
    found = arm_figure(target, both) if target else None
    if found is None or (found.value if found.low is None else found.low) > chance(wanted):
        return None
    return f"{100 * found.value:.0f} % right, chance {100 * chance(wanted):.0f} %"


BY_LIKELIHOOD = Wanted("choice_accuracy_likelihood", "classification", ("forget",), MODALITIES)
"""How often the likeliest option is the one that should be forgotten."""
