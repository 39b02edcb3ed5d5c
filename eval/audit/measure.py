"""What a route gets of a run beside what it gets of the target and of a control that never knew.

excess = run - control: what cannot be guessed. closed = (target - run) / (target - control): the share of the way from
knowing to never having known that unlearning went; undefined where target and control are closer than SMALLEST_GAP.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval.metrics.bootstrap import Floats, Interval, draws, ends, share_ends
from schemas.records.routes import RouteFact

SMALLEST_GAP = 0.05
"""Of target and control: what is closed of a smaller gap is noise over noise."""
DEFINED = 0.95
"""Share of the draws in which the gap must be at least that, for an interval of what is closed."""
Measure = Literal["recovered", "score"]
"""Whether a route has the fact, or how much of it."""
ControlKind = Literal["oracle", "unknown", "chance", ""]
"""A model never taught the facts; the target on facts that it does not know; what a route expects of a guess; none."""


@dataclass(frozen=True)
class Compared:
    """The figures of one route. What has no answers, or no control, is None."""

    run: Interval
    target: Interval | None = None
    control: Interval | None = None
    kind: ControlKind = ""
    excess: Interval | None = None
    """Run less control."""
    rise: Interval | None = None
    """Run less target: of a cost, what unlearning added."""
    closed: Interval | None = None


Facts = Sequence[RouteFact]


def compare(
    run: Facts,
    *,
    target: Facts | None = None,
    oracle: Facts | None = None,
    unknown: Facts | None = None,
    measure: Measure = "recovered",
) -> Compared | None:
    """The figures of one route, over the facts that all of run, target and oracle were asked; None without any.

    Intervals draw subjects anew, in all columns the same. Facts that the target does not know are about other facts, so
    their subjects are drawn apart; they were found by wrong answers, so where a guess is expected to get more of them
    (one in four options), that is the control.
    """
    found = {"run": _by_key(run, measure)}
    if target is not None:
        found["target"] = _by_key(target, measure)
    if oracle is not None:
        found["control"] = _by_key(oracle, measure)
    keys = [fact.key for fact in run if all(fact.key in each for each in found.values())]
    if not keys:
        return None
    subject = {fact.key: fact.subject_id for fact in run}
    kind: ControlKind = "oracle" if oracle is not None else "unknown" if unknown else ""
    by_chance = {fact.key: fact.chance for fact in run if fact.chance is not None}
    guessed = all(key in by_chance for key in keys) and (
        measure == "score" or all(fact.score == float(fact.recovered) for fact in run)
    )
    if guessed and kind == "unknown" and unknown:
        expected = float(np.mean([by_chance[key] for key in keys]))
        kind = "" if float(np.mean([_value(fact, measure) for fact in unknown])) < expected else kind
    if guessed and not kind and (measure == "score" or unknown):
        kind, found["control"] = "chance", by_chance
    columns = {
        name: Drawn.of(np.array([own[key] for key in keys]), [subject[key] for key in keys], seed="routes")
        for name, own in found.items()
    }
    if kind == "unknown" and unknown:
        values = np.array([_value(fact, measure) for fact in unknown])
        columns["control"] = Drawn.of(values, [fact.subject_id for fact in unknown], seed="routes of unknown facts")
    return _compared(columns, kind)


@dataclass(frozen=True)
class Drawn:
    """A mean with its draws, [resamples]; columns of the same subjects and seed were drawn alike."""

    mean: float
    drawn: Floats
    people: int
    n: int

    @staticmethod
    def of(values: Floats, subjects: Sequence[str], *, seed: str) -> "Drawn":
        """The mean of values, [facts], whose subjects are drawn with all that they have."""
        names, places = np.unique(np.asarray(subjects), return_inverse=True)
        sums, counts = np.bincount(places, values, len(names)), np.bincount(places, minlength=len(names))
        weights = draws(len(names), seed)  # [resamples, subjects]
        return Drawn(float(values.mean()), (weights @ sums) / (weights @ counts), len(names), len(values))

    @property
    def share(self) -> Interval:
        """As a share, which has an end even where no draw varies."""
        low, high = share_ends(self.mean, people=self.people) or ends(self.drawn, people=self.people)
        return Interval(value=self.mean, low=low, high=high, n=self.n)


def difference(one: Drawn, other: Drawn) -> Interval:
    """One mean less another."""
    low, high = ends(one.drawn - other.drawn, people=min(one.people, other.people))
    return Interval(value=one.mean - other.mean, low=low, high=high, n=one.n)


def gap_closed(target: Drawn, run: Drawn, control: Drawn) -> Interval | None:
    """(target - run) / (target - control); None where the gap is smaller than SMALLEST_GAP."""
    gap = target.mean - control.mean
    if abs(gap) < SMALLEST_GAP:
        return None
    gaps = target.drawn - control.drawn
    wide = np.abs(gaps) >= SMALLEST_GAP
    low = high = None
    if wide.mean() >= DEFINED:
        shares = (target.drawn - run.drawn)[wide] / gaps[wide]
        low, high = ends(shares, people=min(run.people, control.people))
    return Interval(value=(target.mean - run.mean) / gap, low=low, high=high, n=run.n)


def any_of(routes: Iterable[Facts]) -> list[RouteFact]:
    """Each fact once: got if any of the routes got it in any modality, however it was asked.

    Ten routes that guess right once in twenty bring out four facts in ten by luck: read it beside the control's.
    """
    best: dict[str, RouteFact] = {}
    for fact in (fact for own in routes for fact in own):
        seen = best.get(fact.sample_id)
        if seen is None:
            best[fact.sample_id] = fact.model_copy(update={"key": fact.sample_id, "chance": None, "tried": 1})
            continue
        more = {
            "recovered": seen.recovered or fact.recovered,
            "score": max(seen.score, fact.score),
            "tried": seen.tried + 1,
            "best": fact.best if fact.recovered and not seen.recovered else seen.best,
        }
        best[fact.sample_id] = seen.model_copy(update=more)
    return [best[name] for name in sorted(best)]


def agreement(measured: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], float]:
    """Kendall's tau-b over runs between each two measures, [runs] each; pairs of which one does not vary are left out.

    1: they order the runs alike; 0: one says nothing of the other.
    """
    from scipy.stats import kendalltau

    names = list(measured)
    found: dict[tuple[str, str], float] = {}
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if len(set(measured[one])) > 1 and len(set(measured[other])) > 1:
                found[one, other] = float(kendalltau(measured[one], measured[other], variant="b").statistic)
    return found


def _compared(columns: Mapping[str, Drawn], kind: ControlKind) -> Compared:
    run, target, control = columns["run"], columns.get("target"), columns.get("control")
    return Compared(
        run=run.share,
        target=target.share if target else None,
        control=control.share if control else None,
        kind=kind if control else "",
        excess=difference(run, control) if control else None,
        rise=difference(run, target) if target else None,
        closed=gap_closed(target, run, control) if target and control else None,
    )


def _by_key(facts: Facts, measure: Measure) -> dict[str, float]:
    return {fact.key: _value(fact, measure) for fact in facts}


def _value(fact: RouteFact, measure: Measure) -> float:
    return float(fact.recovered) if measure == "recovered" else fact.score
