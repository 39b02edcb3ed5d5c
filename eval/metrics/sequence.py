"""Sequences of requests: what later ones do to earlier ones, from the accuracy on every request after every step.

Protocol of MUSE (arXiv 2407.06460), PULSE (arXiv 2507.01271) and ICU-Bench; the formulas are ours. A[t][i] is the
accuracy on request i after step t, i <= t; R[t] that on what no request names, R[0] before the first.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from eval.metrics.bootstrap import Interval
from schemas.errors import BadInput
from schemas.storage.tables import Record


class SequenceFigures(Record):
    """What a sequence did, in accuracy (0-1); None where it takes two requests and there was one."""

    requests: int
    immediate: float
    """Mean accuracy on a request right after it was served; low is good."""
    rebound: float | None
    """Mean change on earlier requests from right after they were served to the end; above 0 they came back."""
    worst_rebound: float | None
    """The largest change on any earlier request after any later one."""
    decay: float
    """What was lost of what no request names, R[0] - R[T]."""
    decay_per_request: float
    stability: float
    """The largest loss of it in one step."""
    penalty: float | None = None
    """R of one batch over all requests less R[T]: what serving them one by one costs; None without a batch."""

    @property
    def named(self) -> dict[str, float]:
        """The figures that there are, by name."""
        found = self.model_dump(exclude={"requests"})
        return {name: value for name, value in found.items() if value is not None}


def sequence_figures(
    accuracy: Sequence[Sequence[float]], retain: Sequence[float], *, batch_retain: float | None = None
) -> SequenceFigures:
    """The figures of a lower triangle `accuracy`[t][i] (T rows, row t of t + 1 values) and T + 1 values of `retain`.

    Raises BadInput where the shapes are others.
    """
    steps = len(accuracy)
    if not steps or len(retain) != steps + 1 or any(len(row) != at + 1 for at, row in enumerate(accuracy)):
        found = f"has rows of {[len(row) for row in accuracy]} and {len(retain)} retain values"
        raise BadInput("sequence of requests", found, "give row t with t + 1 values, and one retain value more")
    last = accuracy[-1]
    rebounds = [last[at] - accuracy[at][at] for at in range(steps - 1)]
    worst = [accuracy[t][i] - accuracy[i][i] for t in range(steps) for i in range(t)]
    return SequenceFigures(
        requests=steps,
        immediate=sum(accuracy[at][at] for at in range(steps)) / steps,
        rebound=sum(rebounds) / len(rebounds) if rebounds else None,
        worst_rebound=max(worst) if worst else None,
        decay=retain[0] - retain[-1],
        decay_per_request=(retain[0] - retain[-1]) / steps,
        stability=max(before - after for before, after in pairwise(retain)),
        penalty=None if batch_retain is None else batch_retain - retain[-1],
    )


def over_seeds(figures: Sequence[SequenceFigures]) -> Mapping[str, Interval]:
    """Each figure's mean over seeds and the range that they span: too few for an interval by drawing anew."""
    found: dict[str, Interval] = {}
    for name in SequenceFigures.model_fields:
        values = [each.named[name] for each in figures if name in each.named]
        if values:
            found[name] = Interval(
                value=sum(values) / len(values),
                low=min(values) if len(values) > 1 else None,
                high=max(values) if len(values) > 1 else None,
                n=len(values),
            )
    return found
