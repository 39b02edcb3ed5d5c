"""Ranking of methods: which is better, by how much, and whether it is real: a paired bootstrap over subjects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.metrics.bootstrap import draw_subjects, generator, leaves_out_zero
from eval.metrics.failures import answered
from schemas.errors import BadInput
from schemas.records.evaluation import Prediction
from schemas.records.study import ArmRow, ComparedMetric
from schemas.storage.tables import Record
from schemas.vocabulary import ROLES, Role, Setting, Task

RESAMPLES = 2000

Numbers = NDArray[np.float64]

VALUE: dict[ComparedMetric, Callable[[Prediction], float]] = {
    "accuracy": lambda row: float(row.correct),
    "exact_match": lambda row: float(row.exact),
    "normalised_exact_match": lambda row: float(row.normalised_exact),
    "rouge_l_recall": lambda row: row.rouge_recall,
    "rouge_l_f1": lambda row: row.rouge_f1,
}


@dataclass(frozen=True)
class Arm:
    """One method at one learning rate under one setting: the answers of each of its seeds."""

    label: str
    method: str
    runs: tuple[Sequence[Prediction], ...]


@dataclass(frozen=True)
class _Tally:
    """Sums and counts of the compared figure by subject, [subjects], for each role."""

    sums: Mapping[Role, Numbers]
    counts: Mapping[Role, Numbers]

    def mean(self, role: Role, weights: Numbers) -> Numbers:
        """[resamples] from weights [resamples, subjects]; nan where no answer was drawn."""
        counts = weights @ self.counts[role]
        drawn: Numbers = np.divide(
            weights @ self.sums[role], counts, out=np.full(len(counts), np.nan), where=counts > 0
        )
        return drawn


def rank_arms(
    arms: Sequence[Arm],
    target: Sequence[Prediction],
    *,
    setting: Setting,
    ratio: int | None,
    metric: ComparedMetric,
    task: Task,
    resamples: int = RESAMPLES,
) -> list[ArmRow]:
    """The arms by falling score, each compared with the best one on the same resampled subjects.

    The score is the harmonic mean of the forgotten share (1 - forget / forget of the target) and the retained share.
    Questions that failed, in a run or before it, are left out of that run's shares. Subjects are resampled within those
    that have forget answers only, retain answers only, and both (see eval.metrics.bootstrap.draw_subjects); seeds too.
    With too few subjects there are no intervals and no difference is real. Raises BadInput if an arm was not asked the
    target's questions.
    """
    target = [row for row in target if row.task == task and row.role]
    subjects = sorted({row.subject_id for row in target})
    keys = _keys(target, task)
    for arm in arms:
        for run in arm.runs:
            if _keys(run, task) != keys:
                raise BadInput(f"{arm.label} ({setting})", f"differs from the target in the {task} questions asked",
                               "evaluate both on one dataset, with the same tasks and modalities")  # fmt: skip
    if not subjects or not arms:
        return []
    rng = generator(f"ranking:{setting}:{ratio}")
    before = _tally([row for row in target if answered(row)], subjects, metric)
    weights = np.ones((1, len(subjects)))  # first row: as it is
    resampled = draw_subjects(before.counts["forget"], before.counts["retain"], rng, resamples=resamples)
    if resampled is not None:
        weights = np.vstack([weights, resampled])
    drawn = {arm.label: _scores(_own(arm, task), target, subjects, weights, metric, rng) for arm in arms}
    best = max(arms, key=lambda arm: float(drawn[arm.label][2][0]))
    return sorted(
        (
            _row(
                arm,
                drawn[arm.label],
                drawn[best.label],
                setting,
                ratio,
                is_best=arm is best,
                subjects=len(subjects),
                failed=sum(not answered(row) for run in _own(arm, task) for row in run),
            )
            for arm in arms
        ),
        key=lambda row: (-row.score, row.arm),
    )


def _keys(rows: Sequence[Prediction], task: Task) -> set[tuple[str, str | None]]:
    return {(row.key, row.role) for row in rows if row.task == task and row.role}


def _own(arm: Arm, task: Task) -> list[list[Prediction]]:
    return [[row for row in run if row.task == task and row.role] for run in arm.runs]


def _tally(rows: Sequence[Prediction], subjects: Sequence[str], metric: ComparedMetric) -> _Tally:
    place = {subject: number for number, subject in enumerate(subjects)}
    sums: dict[Role, Numbers] = {role: np.zeros(len(subjects)) for role in ROLES}
    counts: dict[Role, Numbers] = {role: np.zeros(len(subjects)) for role in ROLES}
    for row in rows:
        if row.role:
            sums[row.role][place[row.subject_id]] += VALUE[metric](row)
            counts[row.role][place[row.subject_id]] += 1
    return _Tally(sums, counts)


def _ratios(
    run: Sequence[Prediction],
    target: Sequence[Prediction],
    subjects: Sequence[str],
    weights: Numbers,
    metric: ComparedMetric,
) -> dict[Role, Numbers]:
    """Of each role the run's mean as a share of the target's, [1 + resamples], over questions that both answered."""
    both = {row.key for row in run if answered(row)} & {row.key for row in target if answered(row)}
    after, before = (_tally([row for row in rows if row.key in both], subjects, metric) for rows in (run, target))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {role: after.mean(role, weights) / before.mean(role, weights) for role in ROLES}


def _scores(
    runs: Sequence[Sequence[Prediction]],
    target: Sequence[Prediction],
    subjects: Sequence[str],
    weights: Numbers,
    metric: ComparedMetric,
    rng: np.random.Generator,
) -> tuple[Numbers, Numbers, Numbers]:
    """Forgotten share, retained share and score, [1 + resamples] each; the first is over all subjects and seeds."""
    found = [_ratios(run, target, subjects, weights, metric) for run in runs]
    picked = rng.integers(len(runs), size=(len(runs), len(weights)))
    picked[:, 0] = np.arange(len(runs))
    shares = {
        role: np.take_along_axis(np.array([each[role] for each in found]), picked, axis=0).mean(0) for role in ROLES
    }
    forgotten, retained = 1 - np.minimum(1, shares["forget"]), np.minimum(1, shares["retain"])
    total = forgotten + retained
    score = np.divide(2 * forgotten * retained, total, out=np.zeros_like(total), where=total > 0)
    return forgotten, retained, np.where(np.isfinite(total), score, np.nan)


def _row(
    arm: Arm,
    drawn: tuple[Numbers, Numbers, Numbers],
    best: tuple[Numbers, Numbers, Numbers],
    setting: Setting,
    ratio: int | None,
    *,
    is_best: bool,
    subjects: int,
    failed: int,
) -> ArmRow:
    forgotten, retained, score = drawn
    low, high = _interval(score[1:])
    behind = best[2] - score
    behind_low, behind_high = (None, None) if is_best else _interval(behind[1:])
    return ArmRow(
        arm=arm.label,
        method=arm.method,
        setting=setting,
        ratio=ratio,
        seeds=len(arm.runs),
        forgotten=_number(forgotten[0]),
        retained=_number(retained[0]),
        score=_number(score[0]),
        low=low,
        high=high,
        behind=_number(behind[0]),
        behind_low=behind_low,
        behind_high=behind_high,
        real=leaves_out_zero(behind_low, behind_high),
        best=is_best,
        subjects=subjects,
        failed=failed,
    )


def _number(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def _interval(values: Numbers) -> tuple[float | None, float | None]:
    finite = values[np.isfinite(values)]
    if len(finite) < 0.9 * len(values) or not len(finite):
        return None, None
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


class DuelRow(Record):
    """The score of `second` less that of `first`, on the same drawn subjects, and over seeds."""

    first: str
    second: str
    numbers: str
    """What the runs of one method differ in, such as "lr 0.001"; "" where they do not."""
    setting: Setting
    ratio: int | None
    value: float
    low: float | None
    high: float | None
    real: bool
    """The 95 % interval leaves out zero."""


def duel_rows(
    arms: Sequence[Arm], wanted: Sequence[tuple[str, str]], *, by: Callable[[Sequence[Arm]], Sequence[ArmRow]]
) -> list[DuelRow]:
    """Each wanted pair of methods at all numbers with which both ran, in that order; `by` ranks two arms."""
    found = []
    for first, second in wanted:
        ours, theirs = _by_numbers(arms, first), _by_numbers(arms, second)
        for numbers in sorted(ours.keys() & theirs.keys()):
            found += [
                _seen_from(first, second, numbers, row) for row in by([ours[numbers], theirs[numbers]]) if not row.best
            ]
    return found


def _seen_from(first: str, second: str, numbers: str, behind: ArmRow) -> DuelRow:
    sign = 1 if behind.method == first else -1  # where the first is behind, the second is ahead
    low, high = behind.behind_low, behind.behind_high
    return DuelRow(
        first=first,
        second=second,
        numbers=numbers,
        setting=behind.setting,
        ratio=behind.ratio,
        value=sign * behind.behind,
        low=None if low is None or high is None else min(sign * low, sign * high),
        high=None if low is None or high is None else max(sign * low, sign * high),
        real=behind.real,
    )


def _by_numbers(arms: Sequence[Arm], method: str) -> Mapping[str, Arm]:
    return {arm.label.removeprefix(method).strip(): arm for arm in arms if arm.method == method}
