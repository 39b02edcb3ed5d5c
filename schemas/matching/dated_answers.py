"""Dates and amounts as answers: whether a reply affirms an accepted date, count or measure."""

import re
from collections.abc import Sequence

from schemas.matching.amounts import FoundAmount, amounts_in, family, same_amount
from schemas.matching.claims import claims
from schemas.matching.dates import FoundDate, dates_in
from schemas.matching.numerals import with_digits
from schemas.records.build_rows import AcceptedAnswer

_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "−": "-", "‑": "-"})
_OR = re.compile(
    r"\b(?:or|ou|oder|или|atau)\b(?!\s+(?:so|more|less|rather)\b)|\b(?:maybe|perhaps|possibly)\b|/|或|أو", re.IGNORECASE
)
_RANGE = re.compile(r"[^\w,.;]*(?:-|–|—|\bto\b|\bbis\b|\bà\b|\ba\b|~|至|到)[^\w,.;]*(?:[$€£]\s*)?", re.IGNORECASE)
"""What joins the ends of a range; of dates it is a period, whose ends are said."""
_TOTAL = re.compile(
    r"\b(?:so|total(?:l?ing)?(?: of)?|altogether|in all|in total|makes?|making|sum(?: of)?|thus"
    r"|hence)\s*:?\s*\d[\d.,]*(?![\d.,]*\d)"
    r"|=\s*\d+|\d+\s+(?:in total|altogether|in all|overall)\b",
    re.IGNORECASE,
)
"""A count that sums up those before it."""
_BETWEEN = re.compile(r"\b(?:between|entre|zwischen|antara|между)\s+(?:the\s+|[$€£])?$", re.IGNORECASE)


def says_date(reply: str, answer: AcceptedAnswer) -> bool:
    """Whether a reply affirms the date, at the accepted precision or finer, and no other beside it."""
    found = dates_in(reply)
    if 0 < answer.year < 1000 and not answer.month and not found:
        found = [FoundDate(answer.year, 0, 0, *hit.span()) for hit in re.finditer(rf"\b{answer.year}\b", reply)]
    agreeing = [date for date in found if agrees(date, answer)]
    others = [(date.start, date.end) for date in found if not agrees(date, answer)]
    if answer.day and not others:
        others = [
            (each.start, each.end)
            for each in amounts_in(reply)
            if not any(d.start <= each.start < d.end for d in found)
        ]
    return any(
        claims(reply, date.start, date.end, sort="date")
        and not _or_beside(reply, (date.start, date.end), others)
        and not (_BETWEEN.search(reply[: date.start]) or _second_of_two(reply, date, others))
        for date in agreeing
    )


def _second_of_two(reply: str, date: FoundDate, others: Sequence[tuple[int, int]]) -> bool:
    """Whether it is the later end of "between 1995 and 1999"."""
    return any(end <= date.start and _BETWEEN.search(reply[:start]) for start, end in others if date.start - end < 20)


def is_measure(form: str) -> bool:
    """Whether a text answer is a length or a mass ("70 kg"), which may be written otherwise ("70 kilos")."""
    own = amounts_in(form) if form[:1].isdigit() else []
    if len(own) != 1 or own[0].start or family(own[0].unit) not in ("mass", "length"):
        return False
    return " " not in form.strip()[own[0].end + 1 :]


def says_measure(reply: str, form: str) -> bool:
    """Whether a text answer that is a measure stands in the reply, in whatever unit, or as a number alone."""
    own = amounts_in(form)[0]
    wanted = AcceptedAnswer(kind="number", text=form, number=own.number, unit=own.unit)
    alone = re.fullmatch(r"\W*\d[\d.,]*\W*", with_digits(reply)) is not None
    return (alone or any(each.unit for each in amounts_in(reply))) and says_number(reply, wanted)


def agrees(date: FoundDate, answer: AcceptedAnswer) -> bool:
    """Whether a date is the accepted one, or a finer one within it."""
    return date.year == answer.year and answer.month in (0, date.month) and (not answer.day or answer.day == date.day)


def says_number(reply: str, answer: AcceptedAnswer) -> bool:
    """Whether a reply affirms the amount within its tolerance, as no end of a range and beside no alternative."""
    dates = dates_in(reply)
    reply = with_digits(reply.translate(_QUOTES))
    every = amounts_in(reply)
    found = [each for each in every if not any(d.start <= each.start < d.end for d in dates)] or every
    if not answer.unit:
        if answer.number == 0 and re.search(r"\b(?:no children|none|childless)\b", reply, re.IGNORECASE):
            return True
        if total := _TOTAL.search(reply):
            found = [each for each in found if total.start() <= each.start < total.end()] or found
        first = next((at for at, each in enumerate(found) if claims(reply, each.start, each.end, sort="count")), 0)
        found = found[first:]
        others = [each for each in found[1:2] if _joined(reply, found[0], each)]
        found = [] if others else found[:1]
    right = [same_amount(each, number=answer.number, unit=answer.unit, tolerance=answer.tolerance) for each in found]
    wrong = [(each.start, each.end) for each, is_right in zip(found, right, strict=True) if not is_right]
    several = [
        (each.start, each.end) for each in found if _differ(each, [found[at] for at, yes in enumerate(right) if yes])
    ]
    return any(
        is_right
        and claims(reply, each.start, each.end, sort="amount" if answer.unit else "count")
        and not _or_beside(reply, (each.start, each.end), [*wrong, *several])
        and not _ranges(reply, (each.start, each.end), [*wrong, *several])
        for each, is_right in zip(found, right, strict=True)
    )


def _joined(reply: str, one: FoundAmount, other: FoundAmount) -> bool:
    """Whether two numbers are alternatives or the ends of a range."""
    gap = reply[one.end : other.start]
    return bool(_OR.search(gap) or _RANGE.fullmatch(gap) or _BETWEEN.search(reply[: one.start]))


def _differ(each: FoundAmount, right: Sequence[FoundAmount]) -> bool:
    """Whether an amount is another one than the right ones beside it, though it lies within their tolerance."""
    return any(other is not each and (other.number, other.unit) != (each.number, each.unit) for other in right) and any(
        other.unit == each.unit or not other.unit or not each.unit for other in right if other is not each
    )


def _ranges(text: str, span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    """Whether the span is an end of a range with one of the others: "180-190 cm", "between 180 and 190 cm"."""
    for other in others:
        (_, one_end), (two_start, _) = sorted((span, other))
        start = min(span[0], other[0])
        gap = text[one_end:two_start]
        if _RANGE.fullmatch(gap) or (_BETWEEN.search(text[:start]) and len(gap) < 20):
            return True
    return False


def _or_beside(text: str, span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    """Whether "or" joins the span to one of the others."""
    for start, end in others:
        gap = text[span[1] : start] if start >= span[1] else text[end : span[0]]
        if len(gap) < 40 and _OR.search(gap):
            return True
    return False
