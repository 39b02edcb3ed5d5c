"""Forget-retain curves over a run, and what is retained at a matched degree of forgetting, with intervals."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.problems import BadInput
from schemas.studies import Curve, MatchedRow

Shares = NDArray[np.float64]

RESAMPLES = 1000


def generator(seed: str) -> np.random.Generator:
    """A random generator seeded from a string."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))


def retained_at(forget: Shares, retain: Shares, *, left: float) -> float | None:
    """Retain where forget first falls to `left`, both [points] as shares of the first point; None if it never does.

    Between two points both are taken to move on a straight line.
    """
    if forget[0] <= 0 or retain[0] <= 0:
        return None
    forgotten, kept = forget / forget[0], retain / retain[0]
    below = np.flatnonzero(forgotten <= left)
    if not below.size:
        return None
    after = int(below[0])
    before = after - 1
    part = (forgotten[before] - left) / (forgotten[before] - forgotten[after])
    return float(kept[before] + part * (kept[after] - kept[before]))


def matched_rows(arms: Mapping[str, Sequence[Curve]], *, left: float, resamples: int = RESAMPLES) -> list[MatchedRow]:
    """Retain at matched forgetting of each arm, and how far it is behind the arm that keeps most, with 95 % intervals.

    The arms' runs are under one setting. Resampled are an arm's runs (its seeds) and the subjects, the same for all
    arms; where a run did not count by subject, single answers instead, and the arms are not compared.
    """
    everyone = [curve for curves in arms.values() for curve in curves]
    by_subject = all(curve.subjects and all(point.forget_right for point in curve.points) for curve in everyone)
    weights = _weights(everyone, resamples) if by_subject and everyone else None
    rows: dict[str, MatchedRow] = {}
    drawn: dict[str, Shares] = {}
    for arm, curves in arms.items():
        found = [retained_at(*_shares(curve), left=left) for curve in curves]
        reached = [value for value in found if value is not None]
        first = curves[0]
        row = MatchedRow(
            arm=arm, setting=first.setting, ratio=first.ratio, left=left, value=None, low=None, high=None,
            reached=len(reached), runs=len(curves), by_subject=weights is not None,
        )  # fmt: skip
        rows[arm] = row
        if reached and 2 * len(reached) >= len(curves):
            rng = generator(f"matched:{arm}:{first.setting}:{first.ratio}:{left}")
            drawn[arm] = _draws(curves, left, weights, rng, resamples)
            low, high = _interval(drawn[arm])
            rows[arm] = row.model_copy(update={"value": float(np.mean(reached)), "low": low, "high": high})
    best = max(drawn, key=lambda arm: rows[arm].value or 0.0, default=None)
    if best is not None and weights is not None:
        for arm in drawn:
            rows[arm] = _compared(rows[arm], rows[best], drawn[best] - drawn[arm])
    return list(rows.values())


def _compared(row: MatchedRow, best: MatchedRow, behind: Shares) -> MatchedRow:
    apart = (best.value or 0.0) - (row.value or 0.0)
    if row.arm == best.arm:
        return row.model_copy(update={"behind": 0.0})
    low, high = _interval(behind)
    real = low is not None and high is not None and (low > 0 or high < 0)
    return row.model_copy(update={"behind": apart, "behind_low": low, "behind_high": high, "real": real})


def _draws(
    curves: Sequence[Curve], left: float, weights: Mapping[str, Shares] | None, rng: np.random.Generator, resamples: int
) -> Shares:
    """[resamples]: the mean over resampled runs; nan where fewer than half of them forgot so much."""
    shares = None if weights is None else [_reweighted(curve, weights) for curve in curves]
    means = np.full(resamples, np.nan)
    for number in range(resamples):
        values = []
        for picked in rng.integers(len(curves), size=len(curves)):
            if shares is None:
                value = _resampled(curves[picked], left, rng)
            else:
                forget, retain = shares[picked]
                value = retained_at(forget[number], retain[number], left=left)
            if value is not None:
                values.append(value)
        if 2 * len(values) >= len(curves):
            means[number] = np.mean(values)
    return means


def _weights(curves: Sequence[Curve], resamples: int) -> dict[str, Shares]:
    """[resamples] by subject: how often each was drawn, among those with the same roles (forget, retain or both)."""
    asked: dict[str, tuple[int, int]] = {}
    for curve in curves:
        for subject, forget, retain in zip(curve.subjects, curve.forget_asked, curve.retain_asked, strict=True):
            before = asked.get(subject, (0, 0))
            asked[subject] = (before[0] + forget, before[1] + retain)
    rng = generator(f"matched subjects:{curves[0].setting}:{curves[0].ratio}")
    weights: dict[str, Shares] = {}
    for kind in sorted({(forget > 0, retain > 0) for forget, retain in asked.values()}):
        members = sorted(subject for subject, (one, other) in asked.items() if (one > 0, other > 0) == kind)
        drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
        weights.update(zip(members, drawn.T.astype(np.float64), strict=True))
    return weights


def _reweighted(curve: Curve, weights: Mapping[str, Shares]) -> tuple[Shares, Shares]:
    """Forget and retain, each [resamples, points], over the subjects as they were drawn."""
    drawn = np.stack([weights[subject] for subject in curve.subjects], axis=1)  # [resamples, subjects]
    found = []
    for rights, asked in (
        ([point.forget_right for point in curve.points], curve.forget_asked),
        ([point.retain_right for point in curve.points], curve.retain_asked),
    ):
        count = drawn @ np.array(asked, dtype=np.float64)
        right = drawn @ np.array(rights, dtype=np.float64).T
        found.append(np.divide(right, count[:, None], out=np.zeros_like(right), where=count[:, None] > 0))
    return found[0], found[1]


def _interval(values: Shares) -> tuple[float | None, float | None]:
    """Ends of the middle 95 %; None where more than half of the draws have no value."""
    known = values[np.isfinite(values)]
    if 2 * len(known) < len(values) or not len(known):
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def kept_score(curve: Curve) -> float:
    """Harmonic mean of forgotten and retained share at the point whose weights were kept, 0-1."""
    forget, retain = _shares(curve)
    if forget[0] <= 0 or retain[0] <= 0:
        return 0.0
    positions = [point.position for point in curve.points]
    at = positions.index(curve.kept) if curve.kept in positions else len(positions) - 1
    return harmonic(1 - min(1.0, float(forget[at] / forget[0])), min(1.0, float(retain[at] / retain[0])))


def harmonic(one: float, other: float) -> float:
    """Harmonic mean of two shares: high only if both are."""
    return 0.0 if one + other <= 0 else 2 * one * other / (one + other)


def check_comparable(curves: Sequence[Curve]) -> None:
    """Raise BadInput if two curves under one setting are of different data or of different base models."""
    seen: dict[tuple[str, int | None], Curve] = {}
    for curve in curves:
        first = seen.setdefault((curve.setting, curve.ratio), curve)
        for key, one, other in (("data", first.data, curve.data), ("base", first.base, curve.base)):
            if one != other:
                raise BadInput(
                    f"runs {first.method} and {curve.method} ({curve.setting})",
                    f"differ in {key}: {one[:12]} and {other[:12]}",
                    "compare runs on one dataset and one base model",
                )


def _shares(curve: Curve) -> tuple[Shares, Shares]:
    return np.array([point.forget for point in curve.points]), np.array([point.retain for point in curve.points])


def _resampled(curve: Curve, left: float, rng: np.random.Generator) -> float | None:
    forget, retain = _shares(curve)
    drawn = []
    for shares, samples in ((forget, curve.forget_samples), (retain, curve.retain_samples)):
        latent = np.sort(rng.random(max(1, samples)))
        drawn.append(np.searchsorted(latent, shares) / max(1, samples))  # [points]
    return retained_at(drawn[0], drawn[1], left=left)
