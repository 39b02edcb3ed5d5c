"""Dates in English text: how a date of some precision is written, and which dates a reply contains."""

import re
from typing import NamedTuple

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_MONTH_NUMBER = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_MONTH_NUMBER |= {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)} | {"sept": 9}
_MONTH = r"(?P<month>" + "|".join(sorted(_MONTH_NUMBER, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_ERA = r"(?P<era>\s*(?:BCE|BC|B\.C\.E?\.?|CE|AD|A\.D\.)(?!\w))?"
_YEAR = r"(?P<year>\d{1,4})(?!\d|[.,]\d)"

# Tried in this order at each place; the first that fits wins, so that a full date is not read as a bare year.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\w.,-]){_DAY}(?:\s+of)?\s+{_MONTH},?\s+(?:AD\s+)?{_YEAR}{_ERA}",
        rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}(?:,\s*|\s+)(?:AD\s+)?{_YEAR}{_ERA}",
        r"(?<![\w.,-])(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)",
        r"(?<![\w.,/-])(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})(?!\d)",
        rf"\b{_MONTH},?\s+(?:of\s+)?(?:AD\s+)?{_YEAR}{_ERA}",
        r"(?<![\w.,-])(?P<year>\d{4})-(?P<month>\d{2})(?![\d-])",
        r"(?<![\w.,])(?P<year>\d{1,4})(?P<era>\s*(?:BCE|BC|B\.C\.E?\.?|CE|AD|A\.D\.)(?!\w))",
        r"\b(?:AD|A\.D\.)\s*(?P<year>\d{1,4})(?!\d)",
        r"(?<![\w.,$€£-])(?P<year>[12]\d{3})(?!\d|[.,]\d|\w)",
    )
)


class FoundDate(NamedTuple):
    """A date read in a text: month and day are 0 where the text does not say them; BCE years are negative."""

    year: int
    month: int
    day: int
    start: int
    """Offset of its first character in the text."""
    end: int


def date_text(year: int, month: int = 0, day: int = 0) -> str:
    """The date as an answer writes it: "3 March 1961", "March 1961", "1961", "44 BC", "79 AD"."""
    shown = f"{-year} BC" if year < 0 else f"{year} AD" if year < 1000 else str(year)
    parts = ([str(day)] if day and month else []) + ([MONTHS[month - 1]] if month else []) + [shown]
    return " ".join(parts)


def dates_in(text: str) -> list[FoundDate]:
    """Dates of common English and ISO forms in the text, in order, not overlapping.

    A bare number counts as a year from 1000 to 2999 only. Forms in which day and month cannot be told apart
    (03/04/1961) are read as no date.
    """
    found: list[FoundDate] = []
    place = 0
    hits = sorted((hit.start(), rank, hit) for rank, pattern in enumerate(_PATTERNS) for hit in pattern.finditer(text))
    for start, _, hit in hits:
        if start < place:
            continue
        date = _read(hit)
        if date is not None:
            found.append(date)
            place = hit.end()
    return found


def _read(hit: re.Match[str]) -> FoundDate | None:
    parts = hit.groupdict()
    year = int(parts["year"])
    month_text = (parts.get("month") or "0").lower()
    month = int(month_text) if month_text.isdigit() else _MONTH_NUMBER[month_text]
    day = int(parts.get("day") or 0)
    if (parts.get("era") or "").strip().upper().startswith("B"):
        year = -year
    if not year or month > 12 or day > 31 or (parts.get("day") and not day) or (parts.get("month") and not month):
        return None
    if day > days_of(year, month, julian=True):
        day = 0  # An impossible day says the month.
    return FoundDate(year, month, day, hit.start(), hit.end())


def days_of(year: int, month: int, *, julian: bool = False) -> int:
    """Days of a month; negative years are BCE, and there is no year 0. Julian: every fourth year has 29 February."""
    if month != 2:
        return 30 if month in (4, 6, 9, 11) else 31
    counted = year if year > 0 else year + 1
    leap = counted % 4 == 0 and (julian or counted % 100 != 0 or counted % 400 == 0)
    return 29 if leap else 28


def gregorian(year: int, month: int, day: int) -> tuple[int, int, int]:
    """The Gregorian date of a Julian one (CE years; by the Julian day number, Richards 2013)."""
    shift = (14 - month) // 12
    years, months = year + 4800 - shift, month + 12 * shift - 3
    julian_day = day + (153 * months + 2) // 5 + 365 * years + years // 4 - 32083
    f = julian_day + 1401 + (4 * julian_day + 274277) // 146097 * 3 // 4 - 38
    e = 4 * f + 3
    h = 5 * (e % 1461 // 4) + 2
    new_month = (h // 153 + 2) % 12 + 1
    new_year = e // 1461 - 4716 + (14 - new_month) // 12
    return new_year if new_year > 0 else new_year - 1, new_month, h % 153 // 5 + 1
