"""Forget-retain curves over a run, and what is retained at a matched degree of forgetting, with intervals."""

import hashlib
from collections.abc import Sequence

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


def matched_row(curves: Sequence[Curve], *, arm: str, left: float, resamples: int = RESAMPLES) -> MatchedRow:
    """Retain at matched forgetting over the runs of one arm (its seeds), with a 95 % interval.

    Resampled are the runs and, within each, the probed samples; a sample that was answered at one point stays answered
    wherever the share is at least as high, which is how close points of one run go together.
    """
    found = [retained_at(*_shares(curve), left=left) for curve in curves]
    reached = [value for value in found if value is not None]
    first = curves[0]
    row = MatchedRow(
        arm=arm, setting=first.setting, ratio=first.ratio, left=left, value=None, low=None, high=None,
        reached=len(reached), runs=len(curves),
    )  # fmt: skip
    if not reached or 2 * len(reached) < len(curves):
        return row
    rng = generator(f"matched:{arm}:{first.setting}:{first.ratio}:{left}")
    means = []
    for _ in range(resamples):
        drawn = [_resampled(curves[i], left, rng) for i in rng.integers(len(curves), size=len(curves))]
        values = [value for value in drawn if value is not None]
        if 2 * len(values) >= len(curves):
            means.append(float(np.mean(values)))
    value = float(np.mean(reached))
    if 2 * len(means) < resamples:
        return row.model_copy(update={"value": value})
    low, high = np.percentile(means, [2.5, 97.5])
    return row.model_copy(update={"value": value, "low": float(low), "high": float(high)})


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
