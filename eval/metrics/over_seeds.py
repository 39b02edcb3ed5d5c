"""A figure of an arm over its runs: the mean over seeds, with an interval that draws subjects and seeds anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.bootstrap import RESAMPLES, Floats, Interval, bootstrap, draws, ends, generator, share_ends
from schemas.errors import BadInput


@dataclass(frozen=True)
class Sample:
    """The values of one run's answers, with the subject that each is about."""

    values: Sequence[float]
    subjects: Sequence[str]


def over_seeds(runs: Sequence[Sample]) -> Interval:
    """The mean over runs of each run's mean, with its 95 % interval; `n` counts the answers of all runs.

    Subjects are drawn anew, the same for all runs, and the runs too. Of one run it is eval.metrics.bootstrap.bootstrap.
    With few seeds the interval is too narrow: two runs drawn from two show little of what a third would do.
    """
    if len(runs) == 1:
        return bootstrap(runs[0].values, runs[0].subjects)
    names = sorted({subject for run in runs for subject in run.subjects})
    if not names or not all(run.subjects for run in runs):
        raise BadInput("over_seeds", "a run has no values", "leave out the runs that were not asked")
    weights = np.vstack([np.ones((1, len(names))), draws(len(names))])
    place = {name: number for number, name in enumerate(names)}
    means = np.stack(
        [
            weighted_means(
                np.asarray(run.values, dtype=np.float64)[:, None], [place[each] for each in run.subjects], weights
            )
            for run in runs
        ]
    )[:, :, 0]  # [runs, 1 + resamples]
    value, drawn = mean_over_seeds(means, "seeds of one arm")
    number = sum(len(run.values) for run in runs)
    same = len({value for run in runs for value in run.values}) == 1
    edge = share_ends(value, people=len(names)) if same else None
    low, high = edge or ends(drawn, people=len(names))
    return Interval(value=value, low=low, high=high, n=number)


def weighted_means(values: Floats, places: Sequence[int], weights: Floats) -> Floats:
    """[draws, figures]: means of `values` [answers, figures] where each answer's subject, weights[:, place], counts so.

    NaN is left out; a draw without any value is NaN.
    """
    people = weights.shape[1]
    known = ~np.isnan(values)
    sums = np.zeros((people, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, list(places), np.where(known, values, 0.0))
    np.add.at(counts, list(places), known)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = (weights @ sums) / (weights @ counts)
    return means


def mean_over_seeds(means: Floats, seed: str) -> tuple[float, Floats]:
    """The mean over runs as they are, and of runs drawn anew, [resamples], from `means` [runs, 1 + resamples]."""
    runs = len(means)
    picked = generator(f"{seed}:{runs}").integers(runs, size=(runs, RESAMPLES))
    return float(means[:, 0].mean()), np.take_along_axis(means[:, 1:], picked, axis=0).mean(0)
