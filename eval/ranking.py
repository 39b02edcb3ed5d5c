"""Which method is better, by how much, and whether the difference is real: a paired bootstrap over subjects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.curves import generator
from schemas.problems import BadInput
from schemas.results import Prediction
from schemas.studies import ArmRow, ComparedMetric
from schemas.words import ROLES, Role, Setting, Task

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
    Subjects are resampled within those that have forget answers only, retain answers only, and both; seeds too.
    Raises BadInput if an arm was not asked the target's questions.
    """
    subjects = sorted({row.subject_id for row in target if row.task == task and row.role})
    before = _tally(target, subjects, metric, task)
    keys = _keys(target, task)
    for arm in arms:
        for run in arm.runs:
            if _keys(run, task) != keys:
                raise BadInput(f"{arm.label} ({setting})", f"differs from the target in the {task} questions asked",
                               "evaluate both on one dataset, with the same tasks and modalities")  # fmt: skip
    if not subjects or not arms:
        return []
    rng = generator(f"ranking:{setting}:{ratio}")
    weights = np.vstack([np.ones((1, len(subjects))), _weights(before, rng, resamples)])  # first row: as it is
    drawn = {arm.label: _scores(arm, before, subjects, weights, metric, task, rng) for arm in arms}
    best = max(arms, key=lambda arm: float(drawn[arm.label][2][0]))
    rows = [_row(arm, drawn[arm.label], drawn[best.label], setting, ratio, is_best=arm is best) for arm in arms]
    return sorted(rows, key=lambda row: (-row.score, row.arm))


def _keys(rows: Sequence[Prediction], task: Task) -> set[tuple[str, str | None]]:
    return {(row.key, row.role) for row in rows if row.task == task and row.role}


def _tally(rows: Sequence[Prediction], subjects: Sequence[str], metric: ComparedMetric, task: Task) -> _Tally:
    place = {subject: number for number, subject in enumerate(subjects)}
    sums: dict[Role, Numbers] = {role: np.zeros(len(subjects)) for role in ROLES}
    counts: dict[Role, Numbers] = {role: np.zeros(len(subjects)) for role in ROLES}
    for row in rows:
        if row.task == task and row.role:
            sums[row.role][place[row.subject_id]] += VALUE[metric](row)
            counts[row.role][place[row.subject_id]] += 1
    return _Tally(sums, counts)


def _weights(tally: _Tally, rng: np.random.Generator, resamples: int) -> Numbers:
    """[resamples, subjects]: how often each subject was drawn, within its stratum."""
    kinds = (tally.counts["forget"] > 0) * 2 + (tally.counts["retain"] > 0)
    weights = np.zeros((resamples, len(kinds)))
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return weights


def _scores(
    arm: Arm,
    before: _Tally,
    subjects: Sequence[str],
    weights: Numbers,
    metric: ComparedMetric,
    task: Task,
    rng: np.random.Generator,
) -> tuple[Numbers, Numbers, Numbers]:
    """Forgotten share, retained share and score, [1 + resamples] each; the first is over all subjects and seeds."""
    start = {role: before.mean(role, weights) for role in ROLES}
    with np.errstate(divide="ignore", invalid="ignore"):
        tallies = [_tally(run, subjects, metric, task) for run in arm.runs]
        ratios = {role: np.array([tally.mean(role, weights) / start[role] for tally in tallies]) for role in ROLES}
    picked = rng.integers(len(tallies), size=(len(tallies), len(weights)))
    picked[:, 0] = np.arange(len(tallies))
    shares = {role: np.take_along_axis(ratios[role], picked, axis=0).mean(0) for role in ROLES}
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
        real=behind_low is not None and behind_high is not None and (behind_low > 0 or behind_high < 0),
        best=is_best,
    )


def _number(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def _interval(values: Numbers) -> tuple[float | None, float | None]:
    finite = values[np.isfinite(values)]
    if len(finite) < 0.9 * len(values) or not len(finite):
        return None, None
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
