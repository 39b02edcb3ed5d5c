"""Forget-retain curves over a run, and what is retained at a matched degree of forgetting, with intervals."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.metrics.bootstrap import draw_subjects, generator, leaves_out_zero
from schemas.errors import BadInput
from schemas.records.study import Curve, MatchedRow

Shares = NDArray[np.float64]

RESAMPLES = 1000


def most_retained(forget: Shares, retain: Shares, *, left: float) -> Shares:
    """The most that is retained at any point of a run at which no more than `left` of the forget set is left, [...].

    `forget` and `retain` [..., points] are taken as shares of the first point, and to move on straight lines between
    points. This is the frontier of the run: what early stopping on these probes would pick, so that neither a dip that
    the run recovers from nor its first crossing decides. NaN where the run never forgets so much, or knew nothing.
    """
    usable = (forget[..., 0] > 0) & (retain[..., 0] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gone, kept = forget / forget[..., :1], retain / retain[..., :1]
        part = (gone[..., :-1] - left) / (gone[..., :-1] - gone[..., 1:])
        crossed = kept[..., :-1] + part * (kept[..., 1:] - kept[..., :-1])
        crosses = (gone[..., :-1] - left) * (gone[..., 1:] - left) < 0
    found = np.concatenate([np.where(gone <= left, kept, -np.inf), np.where(crosses, crossed, -np.inf)], axis=-1)
    most: Shares = found.max(axis=-1)
    return np.where(usable & np.isfinite(most), most, np.nan)


def retained_at(forget: Shares, retain: Shares, *, left: float) -> float | None:
    """`most_retained` of one run, both [points]; None if it never forgets so much."""
    value = float(most_retained(forget, retain, left=left))
    return None if np.isnan(value) else value


def matched_rows(
    arms: Mapping[str, Sequence[Curve]],
    *,
    left: float,
    chosen: Collection[str] | None = None,
    resamples: int = RESAMPLES,
) -> list[MatchedRow]:
    """Retain at matched forgetting of each arm, and how far it is behind the arm that keeps most, with 95 % intervals.

    The arms' runs are under one setting. Only the `chosen` arms (None: all) are compared. Resampled are an arm's runs
    (its seeds) and the subjects, the same for all arms; with too few subjects there is no interval and no lead is real.
    Where a run did not count by subject, single answers are drawn instead, and the arms are not compared.
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
            reached=len(reached), runs=len(curves), by_subject=by_subject, chosen=chosen is None or arm in chosen,
        )  # fmt: skip
        rows[arm] = row
        if reached and 2 * len(reached) >= len(curves):
            rng = generator(f"matched:{arm}:{first.setting}:{first.ratio}:{left}")
            drawn[arm] = _draws(curves, left, weights, rng, resamples) if weights or not by_subject else np.empty(0)
            low, high = _interval(drawn[arm])
            rows[arm] = row.model_copy(update={"value": float(np.mean(reached)), "low": low, "high": high})
    compared = [arm for arm in drawn if rows[arm].chosen]
    best = max(compared, key=lambda arm: rows[arm].value or 0.0, default=None)
    if best is not None and by_subject:
        for arm in compared:
            rows[arm] = _compared(rows[arm], rows[best], drawn[best] - drawn[arm])
    return list(rows.values())


def _compared(row: MatchedRow, best: MatchedRow, behind: Shares) -> MatchedRow:
    apart = (best.value or 0.0) - (row.value or 0.0)
    if row.arm == best.arm:
        return row.model_copy(update={"behind": 0.0})
    low, high = _interval(behind)
    real = leaves_out_zero(low, high)
    return row.model_copy(update={"behind": apart, "behind_low": low, "behind_high": high, "real": real})


def _draws(
    curves: Sequence[Curve], left: float, weights: Mapping[str, Shares] | None, rng: np.random.Generator, resamples: int
) -> Shares:
    """[resamples]: the mean over resampled runs; nan where fewer than half of them forgot so much."""
    values = np.empty((len(curves), resamples))
    for number, curve in enumerate(curves):
        forget, retain = _resampled(curve, rng, resamples) if weights is None else _reweighted(curve, weights)
        values[number] = most_retained(forget, retain, left=left)
    picked = np.take_along_axis(values, rng.integers(len(curves), size=values.shape), axis=0)
    there = np.isfinite(picked)
    total, count = np.where(there, picked, 0.0).sum(0), there.sum(0)
    enough = 2 * count >= len(curves)
    means: Shares = np.divide(total, count, out=np.full(resamples, np.nan), where=enough & (count > 0))
    return means


def _weights(curves: Sequence[Curve], resamples: int) -> dict[str, Shares] | None:
    """[resamples] by subject: how often each was drawn, as eval.metrics.bootstrap.draw_subjects does; None for too
    few.
    """
    asked: dict[str, tuple[int, int]] = {}
    for curve in curves:
        for subject, forget, retain in zip(curve.subjects, curve.forget_asked, curve.retain_asked, strict=True):
            before = asked.get(subject, (0, 0))
            asked[subject] = (before[0] + forget, before[1] + retain)
    names = sorted(asked)
    counts = np.array([asked[name] for name in names], dtype=np.float64)  # [subjects, 2]
    rng = generator(f"matched subjects:{curves[0].setting}:{curves[0].ratio}")
    drawn = draw_subjects(counts[:, 0], counts[:, 1], rng, resamples=resamples)
    return None if drawn is None else dict(zip(names, drawn.T, strict=True))


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


def choosing_score(curve: Curve, *, left: float) -> float:
    """By what a method's numbers are chosen, 0-1.

    Where samples were kept from training to choose by, it is what of them is retained when no more than `left` of the
    forget set is left, 0 if the run never forgets so much; no method is compared on those. Else it is the kept score.
    """
    if not all(point.choosing is not None for point in curve.points):
        return kept_score(curve)
    forget, _ = _shares(curve)
    return retained_at(forget, np.array([point.choosing for point in curve.points]), left=left) or 0.0


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


def _resampled(curve: Curve, rng: np.random.Generator, resamples: int) -> tuple[Shares, Shares]:
    """Forget and retain, each [resamples, points], with single answers drawn anew, the same at all points."""
    forget, retain = _shares(curve)
    drawn = []
    for shares, samples in ((forget, curve.forget_samples), (retain, curve.retain_samples)):
        latent = np.sort(rng.random((resamples, max(1, samples))), axis=1)
        drawn.append(np.stack([np.searchsorted(each, shares) / max(1, samples) for each in latent]))
    return drawn[0], drawn[1]
