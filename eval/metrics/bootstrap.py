"""How sure a figure is: percentile bootstrap over subjects, many figures at once, and how few subjects are too few."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from schemas.errors import BadInput
from schemas.storage.tables import Record

Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95
FEWEST_SUBJECTS = 10
"""Of fewer subjects no interval is given and no difference is called real: drawn anew they vary too little."""
FEWEST_IN_STRATUM = 2
"""A subject drawn among itself alone does not vary at all, and would make any difference look sure."""


class Interval(Record):
    """A mean over answers with its 95 % interval; the ends are None for fewer than FEWEST_SUBJECTS subjects."""

    value: float
    low: float | None
    high: float | None
    n: int


def generator(seed: str) -> np.random.Generator:
    """A random generator seeded from a string."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))


def leaves_out_zero(low: float | None, high: float | None) -> bool:
    """Whether a difference with this interval is called real; never where there is no interval."""
    return low is not None and high is not None and (low > 0 or high < 0)


def draw_subjects(forget: Floats, retain: Floats, rng: np.random.Generator, *, resamples: int) -> Floats | None:
    """[resamples, subjects]: how often each subject is drawn, from its number of answers of each role, [subjects].

    Subjects are drawn among those with the same roles (forget, retain, both), so that no draw lacks a role. One that is
    alone with its roles is drawn with those that have both. None where there are fewer than FEWEST_SUBJECTS, or where
    one would be drawn among fewer than FEWEST_IN_STRATUM.
    """
    kinds = (forget > 0) * 2 + (retain > 0)
    for kind in (1, 2):
        alone = kinds == kind
        if 0 < alone.sum() < FEWEST_IN_STRATUM:
            kinds[alone] = 3
    strata = [np.flatnonzero(kinds == kind) for kind in (1, 2, 3) if (kinds == kind).any()]
    if sum(map(len, strata)) < FEWEST_SUBJECTS or min(map(len, strata)) < FEWEST_IN_STRATUM:
        return None
    weights = np.zeros((resamples, len(kinds)))
    for members in strata:
        weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return weights


def bootstrap(values: Sequence[float], subjects: Sequence[str], *, seed: str = "bootstrap") -> Interval:
    """The mean of some values and its interval when subjects, with all their values, are drawn anew.

    `subjects` names the person of each value: answers about one person go together, so they are not drawn one by one.
    Raises BadInput where there are no values.
    """
    return bootstrap_columns(np.asarray(values, dtype=np.float64)[:, None], subjects, seed=seed)[0]


def bootstrap_columns(values: Floats, subjects: Sequence[str], *, seed: str = "bootstrap") -> list[Interval]:
    """As `bootstrap`, for every column of `values` [answers, figures] with the same draws; NaN is left out.

    A column of nothing but 0, or nothing but 1, is taken for a share: no draw of it varies, so its other end is the
    share that subjects as many as these would still show none of with a chance of 5 % (the rule of three).
    """
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
        drawn = draws(len(names), seed)  # [resamples, subjects]
        # Where everything was measured the counts of all figures are the same: one column will do.
        resampled = (drawn @ sums) / (drawn @ (counts[:, :1] if known.all() else counts))  # [resamples, figures]
    found: list[Interval] = []
    for column in range(values.shape[1]):
        people = int((counts[:, column] > 0).sum())
        alike = bool((values[known[:, column], column] == means[column]).all())
        edge = share_ends(float(means[column]), people=people) if alike else None
        low, high = edge or ends(resampled[:, column], people=people)
        found.append(Interval(value=float(means[column]), low=low, high=high, n=int(number[column])))
    return found


def share_ends(mean: float, *, people: int) -> tuple[float, float] | None:
    """The interval of a share that is 0 or 1 in every answer, of enough subjects; None for any other share."""
    if people < FEWEST_SUBJECTS or mean not in (0.0, 1.0):
        return None
    most = 1 - (1 - LEVEL) ** (1 / people)
    return (0.0, most) if mean == 0 else (1 - most, 1.0)


def share_interval(right: int, of: int) -> tuple[float, float]:
    """The 95 % Wilson interval of the share right / of, each of `of` independent, to four digits.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    Raises BadInput where there is nothing to share.
    """
    if not 0 <= right <= of or not of:
        raise BadInput("a share", f"is of {right} of {of}", "count at least one, and no more right ones than there are")
    from scipy.stats import binomtest

    found = binomtest(right, of).proportion_ci(LEVEL, method="wilson")
    return round(float(found.low), 4), round(float(found.high), 4)


def ends(resampled: Floats, *, people: int) -> tuple[float | None, float | None]:
    """Ends of the middle 95 % of a figure's draws, [resamples]; None for too few subjects."""
    usable = resampled[~np.isnan(resampled)]
    if people < FEWEST_SUBJECTS or not len(usable):
        return None, None
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@lru_cache(maxsize=8)
def draws(subjects: int, seed: str = "bootstrap") -> Floats:
    """[resamples, subjects]: how often each subject is drawn in each resample."""
    number = int.from_bytes(hashlib.sha256(f"{seed}:{subjects}".encode()).digest()[:8])
    rng = np.random.default_rng(number)
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=RESAMPLES).astype(np.float64)
