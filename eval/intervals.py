"""How sure a mean is: percentile bootstrap over subjects, many figures at once."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from schemas.problems import BadInput
from schemas.tables import Record

Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95


class Interval(Record):
    """A mean over answers with its 95 % interval; the ends are None for fewer than two subjects."""

    value: float
    low: float | None
    high: float | None
    n: int


def bootstrap(values: Sequence[float], subjects: Sequence[str], *, seed: str = "bootstrap") -> Interval:
    """The mean of some values and its interval when subjects, with all their values, are drawn anew.

    `subjects` names the person of each value: answers about one person go together, so they are not drawn one by one.
    Raises BadInput where there are no values.
    """
    return bootstrap_columns(np.asarray(values, dtype=np.float64)[:, None], subjects, seed=seed)[0]


def bootstrap_columns(values: Floats, subjects: Sequence[str], *, seed: str = "bootstrap") -> list[Interval]:
    """As `bootstrap`, for every column of `values` [answers, figures] with the same draws; NaN is left out."""
    if values.shape[0] != len(subjects) or not len(subjects):
        problem = f"{values.shape[0]} values of {len(subjects)} subjects"
        raise BadInput("bootstrap", problem, "give one subject per value, and at least one")
    names, places = np.unique(np.asarray(subjects), return_inverse=True)
    known = ~np.isnan(values)
    sums = np.zeros((len(names), values.shape[1]))
    counts = np.zeros_like(sums)
    for column in range(values.shape[1]):
        sums[:, column] = np.bincount(places, np.where(known[:, column], values[:, column], 0.0), len(names))
        counts[:, column] = np.bincount(places, known[:, column], len(names))
    total, number = sums.sum(0), counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / number
        drawn = _draws(len(names), seed)  # [resamples, subjects]
        # Where everything was measured the counts of all figures are the same: one column will do.
        resampled = (drawn @ sums) / (drawn @ (counts[:, :1] if known.all() else counts))  # [resamples, figures]
    found: list[Interval] = []
    for column in range(values.shape[1]):
        low, high = _ends(resampled[:, column], people=int((counts[:, column] > 0).sum()))
        found.append(Interval(value=float(means[column]), low=low, high=high, n=int(number[column])))
    return found


def _ends(resampled: Floats, *, people: int) -> tuple[float | None, float | None]:
    usable = resampled[~np.isnan(resampled)]
    if people < 2 or not len(usable):
        return None, None
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@lru_cache(maxsize=8)
def _draws(subjects: int, seed: str) -> Floats:
    """[resamples, subjects]: how often each subject is drawn in each resample."""
    number = int.from_bytes(hashlib.sha256(f"{seed}:{subjects}".encode()).digest()[:8])
    rng = np.random.default_rng(number)
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=RESAMPLES).astype(np.float64)
