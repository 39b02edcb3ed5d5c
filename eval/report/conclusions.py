"""The sentences of a report: which method is better, by how much, and whether the difference is real."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eval.comparison.arm_labels import TARGET
from eval.comparison.arm_metrics import BY_LIKELIHOOD, LETTER_CHANCE, arm_answers, arm_figure, why_not_able
from eval.comparison.paired import PairRow
from eval.metrics.bootstrap import Interval
from eval.pages.text_tables import percent, points
from eval.report.findings import Condition
from schemas.records.evaluation import Prediction
from schemas.records.study import ArmRow, MatchedRow

WELL_ABOVE = 0.1
"""How far above chance, at least, the likeliest options must be right before the verdict speaks of them."""


@dataclass(frozen=True)
class Verdict:
    """What was found under one setting: a headline and the sentences that back it."""

    condition: str
    headline: str
    details: tuple[str, ...]


def verdict(condition: Condition) -> Verdict:
    """The verdict on one condition, in words that a reader needs no glossary for."""
    rows = condition.ranking
    shared = [*condition.left_out, *condition.not_compared, *_failed(condition)]
    if not rows:
        headline, details = _without_ranking(condition)
        return Verdict(condition.name, headline, (*details, *shared, *_matched(condition)))
    if len(rows) == 1:
        headline = f"{rows[0].arm} forgot {percent(rows[0].forgotten)} and kept {percent(rows[0].retained)}."
        return Verdict(condition.name, headline, (*_likelihoods(condition), *shared, *_matched(condition)))
    best, second = rows[0], rows[1]
    details = [
        f"{best.arm} forgot {percent(best.forgotten)} of what it should and kept {percent(best.retained)} of the rest; "
        f"{second.arm} forgot {percent(second.forgotten)} and kept {percent(second.retained)}.",
        _difference(best, second),
        *_likelihoods(condition),
        *shared,
        *_seeds(rows),
        *_matched(condition),
    ]
    return Verdict(condition.name, _headline(rows), tuple(details))


def _headline(rows: Sequence[ArmRow]) -> str:
    best, others = rows[0], rows[1:]
    behind, level = [row for row in others if row.real], [row.arm for row in others if not row.real]
    if all(row.behind_low is None for row in others):
        return f"{best.arm} scores highest, but there are too few subjects to say whether its lead is real."
    if not behind:
        return f"{_listed([row.arm for row in rows])} cannot be told apart."
    lead = f"{_with_one_seed([best, *behind])}its lead over {_listed([row.arm for row in behind])} is real"
    if not level:
        return f"{best.arm} comes first, and {lead}."
    return f"{best.arm} scores highest: {lead}, but {_listed(level)} may be as good."


def _with_one_seed(rows: Sequence[ArmRow]) -> str:
    return "with one seed " if min(row.seeds for row in rows) == 1 else ""


def _without_ranking(condition: Condition) -> tuple[str, list[str]]:
    """What can be said where no method could be ranked: how two runs differ, if there are two."""
    pairs = [
        row
        for row in condition.pairs
        if (row.metric, row.task) == (condition.metric, condition.task) and TARGET not in (row.a, row.b)
    ]
    shown = {row.role: row for row in pairs if row.role and row.modality == _modality(pairs)}
    if len(shown) != 2:
        if condition.not_compared:
            return "Nothing can be compared: too many questions got no answer.", []
        return "Nothing to compare: evaluate the untouched target (without --label) and at least one run.", []
    forget, retain = shown["forget"], shown["retain"]
    headline = (
        f"Of what should be forgotten {forget.b} still gives {_more(forget)} than {forget.a}, "
        f"and of what should be kept {_more(retain)}."
    )
    without = "How much each forgot of what was known can only be said with the untouched target: evaluate it as well."
    return headline, [without]


def _modality(pairs: Sequence[PairRow]) -> str:
    return min((row.modality for row in pairs), default="")  # "" (both) where there is such a row


def _more(row: PairRow) -> str:
    apart = points(abs(row.value), *_turned(row))
    worth = "real" if row.real else "too few subjects to say whether real" if row.low is None else "may be chance"
    return f"{apart} {'more' if row.value >= 0 else 'less'} ({worth})"


def _turned(row: PairRow) -> tuple[float | None, float | None]:
    if row.low is None or row.high is None or row.value >= 0:
        return row.low, row.high
    return -row.high, -row.low


def _failed(condition: Condition) -> Iterator[str]:
    found = [(label, each.record) for label, each in condition.evaluated if each.record.failed]
    if found:
        counts = ", ".join(f"{record.failed} of {record.questions} to {label}" for label, record in found)
        yield f"Some questions got no answer and are left out of all shares: {counts}."


def _likelihoods(condition: Condition) -> Iterator[str]:
    """That the likeliest option is still often the one to be forgotten, however little is said of it when asked."""
    arms = {label: arm_answers(label, _rows_of(condition, label)) for label in _ranked(condition)}
    if why_not_able(arms.get(TARGET), BY_LIKELIHOOD):
        return
    left = {
        label: found for label, arm in arms.items() if label != TARGET and (found := arm_figure(arm, BY_LIKELIHOOD))
    }
    telling = {label: found for label, found in left.items() if _reveals(found)}
    if telling:
        whose = _listed([f"with {label} in {percent(found.value)}" for label, found in telling.items()])
        yield (
            f"Asked with options, likelihoods still point to the forgotten answer: {whose} of the cases "
            f"(chance {percent(LETTER_CHANCE)})."
        )


def _ranked(condition: Condition) -> list[str]:
    return [TARGET, *(row.arm for row in condition.ranking)]


def _rows_of(condition: Condition, label: str) -> list[Sequence[Prediction]]:
    return [each.rows for name, each in condition.evaluated if name == label]


def _reveals(found: Interval) -> bool:
    surely = found.low is not None and found.low > LETTER_CHANCE
    return surely and found.value >= LETTER_CHANCE + WELL_ABOVE


def _seeds(rows: Sequence[ArmRow]) -> list[str]:
    if max(row.seeds for row in rows) > 1:
        return []
    return ["Each method was run with one seed, so how much another seed would change this is not in the interval."]


def standing(row: ArmRow | MatchedRow) -> str:
    """How an arm stands to the best one, in a word or two; "" where they were not compared."""
    if row.behind is None:
        return ""
    if row.best if isinstance(row, ArmRow) else not row.behind and row.behind_low is None:
        return "highest"
    if row.behind_low is None:
        return "too few subjects"
    return "behind" if row.real else "not told apart"


def _difference(best: ArmRow, second: ArmRow) -> str:
    apart = points(second.behind, second.behind_low, second.behind_high)
    drawn = "over subjects and seeds" if max(best.seeds, second.seeds) > 1 else "over subjects"
    if second.behind_low is None:
        return f"The lead is {apart}; there are too few subjects ({second.subjects}) to say whether it is real."
    if second.real:
        return f"The lead is {apart}: the 95 % interval, {drawn}, leaves out zero."
    return f"The lead is {apart}: the 95 % interval, {drawn}, includes zero, so it may be chance."


def _matched(condition: Condition) -> Iterator[str]:
    scored = [row.arm for row in condition.ranking]
    other_orders = False
    for left in sorted({row.left for row in condition.matched}, reverse=True):
        rows = [row for row in condition.matched if row.left == left and row.value is not None and row.chosen]
        if len(rows) < 2:
            continue
        ordered = sorted(rows, key=lambda row: -(row.value or 0))
        kept = ", ".join(f"{row.arm} {percent(row.value)}{_between(row)}{_reached(row)}" for row in ordered)
        said = f"Where at most {percent(left)} of the forget set is left, the runs keep at best: {kept}."
        yield " ".join((said, *_leads(ordered)))
        both = [row.arm for row in ordered if row.arm in scored]
        other_orders |= both != [arm for arm in scored if arm in both]
    if other_orders:
        yield f"The order at matched forgetting is not that of the score, which is {', '.join(scored)}."


def _between(row: MatchedRow) -> str:
    """The ends of an interval, for people."""
    return "" if row.low is None or row.high is None else f" ({percent(row.low)} to {percent(row.high)})"


def _reached(row: MatchedRow) -> str:
    return "" if row.reached == row.runs else f" ({row.reached} of {row.runs} runs reached it)"


def _leads(ordered: Sequence[MatchedRow]) -> Iterator[str]:
    """Which of the others are really behind the one that keeps most; nothing where that was not measured."""
    best, others = ordered[0], [row for row in ordered[1:] if row.behind is not None]
    if not others:
        return
    if all(row.behind_low is None for row in others):
        yield "There are too few subjects to say whether these differ."
        return
    behind = [row for row in others if row.real]
    level = [row.arm for row in others if not row.real]
    if behind:
        apart = [f"{row.arm} by {points(row.behind or 0, row.behind_low, row.behind_high)}" for row in behind]
        seed = ", with one seed" if min(row.runs for row in (best, *behind)) == 1 else " and seeds"
        yield f"Really behind {best.arm} there: {_listed(apart)} (95 %, over subjects{seed})."
    if level:
        yield f"{_listed(level)} cannot be told apart from {best.arm} there."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
