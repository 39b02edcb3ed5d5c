"""The sentences of a report: which method is better, by how much, and whether the difference is real."""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.report_data import Condition
from eval.tables import percent, points
from schemas.studies import ArmRow, MatchedRow


@dataclass(frozen=True)
class Verdict:
    """What was found under one setting: a headline and the sentences that back it."""

    condition: str
    headline: str
    details: tuple[str, ...]


def verdict(condition: Condition) -> Verdict:
    """The verdict on one condition, in words that a reader needs no glossary for."""
    rows = condition.ranking
    if not rows:
        headline = "Nothing to compare: evaluate the untouched target and at least one run."
        return Verdict(condition.name, headline, ())
    if len(rows) == 1:
        headline = f"{rows[0].arm} forgot {percent(rows[0].forgotten)} and kept {percent(rows[0].retained)}."
        return Verdict(condition.name, headline, tuple(_matched(condition)))
    best, second = rows[0], rows[1]
    level = [row for row in rows[1:] if not row.real]
    if second.real:
        headline = f"{best.arm} comes first, and its lead over {second.arm} is real."
    elif len(level) == len(rows) - 1:
        headline = f"{_listed([row.arm for row in rows])} cannot be told apart."
    else:
        headline = f"{best.arm} scores highest, but {_listed([row.arm for row in level])} may be as good."
    details = [
        f"{best.arm} forgot {percent(best.forgotten)} of what it should and kept {percent(best.retained)} of the rest; "
        f"{second.arm} forgot {percent(second.forgotten)} and kept {percent(second.retained)}.",
        _difference(best, second),
        *_seeds(rows),
        *_matched(condition),
    ]
    return Verdict(condition.name, headline, tuple(details))


def _seeds(rows: Sequence[ArmRow]) -> list[str]:
    if max(row.seeds for row in rows) > 1:
        return []
    return ["Each method was run with one seed, so how much another seed would change this is not in the interval."]


def standing(row: ArmRow) -> str:
    """How an arm stands to the best one, in a word or two."""
    if row.best:
        return "highest"
    return "behind" if row.real else "not told apart"


def _difference(best: ArmRow, second: ArmRow) -> str:
    apart = points(second.behind, second.behind_low, second.behind_high)
    if second.behind_low is None:
        return f"The lead is {apart}; there are too few subjects to say whether it is real."
    if second.real:
        return f"The lead is {apart}: the 95 % interval, over subjects, leaves out zero."
    return f"The lead is {apart}: the 95 % interval, over subjects, includes zero, so it may be chance."


def _matched(condition: Condition) -> list[str]:
    sentences = []
    for left in sorted({row.left for row in condition.matched}, reverse=True):
        rows = [row for row in condition.matched if row.left == left and row.value is not None]
        if len(rows) < 2:
            continue
        ordered = sorted(rows, key=lambda row: -(row.value or 0))
        kept = ", ".join(f"{row.arm} {percent(row.value)}{_between(row)}" for row in ordered)
        lead = _lead(*ordered[:2])
        sentences.append(f"Where {percent(left)} of the forget set is left, the runs keep: {kept}.{lead}")
    return sentences


def _between(row: MatchedRow) -> str:
    """The ends of an interval, for people."""
    return "" if row.low is None or row.high is None else f" ({percent(row.low)} to {percent(row.high)})"


def _lead(best: MatchedRow, second: MatchedRow) -> str:
    """What the lead of the one that keeps most is worth; "" where that was not measured."""
    if second.behind is None or second.behind_low is None:
        return ""
    apart = points(second.behind, second.behind_low, second.behind_high)
    worth = "is real" if second.real else "may be chance"
    return f" There {best.arm} leads {second.arm} by {apart}, which {worth} (95 %, over subjects)."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
