"""Dates: how a date of some precision is written in English, and which dates a reply contains, however written."""

import re
from typing import NamedTuple

from schemas.matching.numerals import with_digits, with_ordinals

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_MONTH_NUMBER = {
    name: number
    for number, names in enumerate((
        "january stycznia ocak január jan januar janvier janv enero ene gennaio janeiro januari"
        " января январь जनवरी জানুয়ারি يناير جنوری",
        "february lutego şubat február feb februar février fevrier févr febrero febbraio fevereiro februari"
        " февраля февраль फरवरी फ़रवरी"
        " ফেব্রুয়ারি فبراير فروری",
        "march marca mart március mar märz maerz marz mars marzo março marco maart maret"
        " марта март मार्च মার্চ مارس مارچ",
        "april kwietnia nisan április apr avril abril abr aprile апреля апрель अप्रैल এপ্রিল أبريل ابريل اپریل",
        "may maja mayıs május mai mayo maggio maio mei мая май मई মে مايو مئی",
        "june czerwca haziran június jun juni juin junio giugno junho июня июнь जून জুন يونيو جون",
        "july lipca temmuz július jul juli juillet juil julio luglio julho июля июль जुलाई জুলাই يوليو جولائی",
        "august sierpnia ağustos augusztus aug août aout agosto ago augustus agustus"
        " августа август अगस्त আগস্ট أغسطس اگست",
        "september września eylül szeptember sept sep septembre septiembre settembre setembro"
        " сентября сентябрь सितंबर सितम्बर সেপ্টেম্বর سبتمبر ستمبر",
        "october października ekim október oct oktober okt octobre octubre ottobre outubro"
        " октября октябрь अक्टूबर অক্টোবর أكتوبر اکتوبر",
        "november listopada kasım nov novembre noviembre novembro ноября ноябрь नवंबर नवम्बर নভেম্বর نوفمبر نومبر",
        "december grudnia aralık dec dezember dez décembre decembre déc diciembre dic dicembre dezembro desember"
        " декабря декабрь"
        " दिसंबर दिसम्बर ডিসেম্বর ديسمبر دسمبر",
    ), 1)
    for name in names.split()
}  # fmt: skip
"""Months in English and in the languages that replies come in, in full and usual short forms."""
_MONTH = r"(?P<month>" + "|".join(sorted(_MONTH_NUMBER, key=len, reverse=True)) + r")(?!\w)\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:(?:st|nd|rd|th|er|º|ª|°)\.?|\.)?"
_OF = r"(?:\s+day)?(?:\s+(?:of|de|del|di))?"
_BEFORE = (
    r"BCE|BC|B\.C\.E?\.?|before (?:Christ|the common era)|v\.\s?(?:Chr\.?|u\.\s?Z\.?)|vor (?:Christus|Chr\.?)"
    r"|av(?:ant|\.)?\s?(?:J\.?-?\s?C\.?|Jésus-Christ)|a\.\s?(?:de\s?)?C\.?|antes de Cristo|до н\.?\s?э\.?|SM"
    r"|ईसा पूर्व|ई\.?\s?पू\.?"
    r"|ق\.?\s?م\.?|قبل الميلاد|قبل مسیح|খ্রিস্টপূর্ব"
)
_SINCE = r"CE|AD|A\.D\.|n\.\s?Chr\.?|apr?(?:ès|\.)?\s?J\.?-?\s?C\.?|d\.\s?C\.?|н\.?\s?э\.?|M"
_ERA = rf"(?P<era>\s*(?:год[ау]?\s+|г\.\s*)?(?:(?P<before>{_BEFORE})|{_SINCE})(?!\w))?"
_YEAR = r"(?P<year>\d{1,4})(?!\d|[.,]\d)"
_LETTER = r"[^\W\u3000-\u9fff]"
"""A letter or digit, but for scripts that put no blank beside a number."""
_AFTER_MONTH = r"(?:,|\s+(?:of|de|del|di|in|in the year))?(?:[\s/-]+|(?<=\.))(?:AD\s+)?"

# Tried in this order at each place; the first that fits wins, so that a full date is not read as a bare year.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\w.,-]){_DAY}{_OF}[\s/-]*(?<!\d){_MONTH}{_AFTER_MONTH}{_YEAR}{_ERA}",
        rf"(?<!\w){_MONTH}[\s-]+(?:the\s+)?{_DAY}(?:\s*,\s*|-|\s+(?:in\s+|of\s+)?)(?:AD\s+)?{_YEAR}{_ERA}",
        r"(?<![\w.,/-])(?P<year>\d{4})(?P<mark>[-/.])\s?(?P<month>\d{1,2})(?P=mark)\s?(?P<day>\d{1,2})(?!\d)",
        rf"(?<![\w.,/-])(?P<year>\d{{4}})[.,]?\s+{_MONTH}\s+(?:the\s+)?{_DAY}(?!\d)",
        rf"(?<![\w.,/-])(?P<year>\d{{4}})[.,]?\s+{_DAY}{_OF}\s+{_MONTH}(?!,?\s+\d)",
        r"(?<![\w.,/-])(?P<day>\d{1,2})(?P<mark>[./-]|\s)\s?(?P<roman>x?(?:ix|iv"
        r"|v?i{0,3}))(?P=mark)\s?(?P<year>\d{4})(?!\d)",
        r"(?<![\w.,/-])(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})(?!\d)",
        r"(?<![\w.,/-])(?P<one>\d{1,2})(?P<mark>[/-])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4})(?!\d)",
        r"(?<![\w.,/-])\d{1,2}(?P<mark>[./-])\d{1,2}(?P=mark)(?P<short>\d{2})(?![\w/-]|[.,]\d)",
        r"(?:(?P<before>公元前|紀元前)|(?<![0-9A-Za-z.,-]))(?P<year>\d{1,4})\s*[年년]\s*(?:(?P<month>\d{1,2})\s*[月월]\s*(?:(?P<day>\d{1,2})\s*[日号號일])?)?",
        rf"(?<!\w){_MONTH},?\s+(?:(?:of|de|del|di)\s+)?(?:AD\s+)?{_YEAR}{_ERA}",
        r"(?<![\w.,-])(?P<year>\d{4})-(?P<month>\d{2})(?![\d-])",
        r"(?<![\w.,/-])(?P<month>0?[1-9]|1[0-2])/(?P<year>\d{4})(?![\d/])",
        rf"(?<![\w.,])(?P<year>\d{{1,4}})(?P<era>\s*(?:год[ау]?\s+|г\.\s*)?(?:(?P<before>{_BEFORE})|CE|AD|A\.D\.|n\.\s?Chr\.?)(?!\w))",
        r"\b(?:AD|A\.D\.)\s*(?P<year>\d{1,4})(?!\d)",
        r"(?<!\w)(?P<before>খ্রিস্টপূর্ব|ईसा पूर्व)\s*(?P<year>\d{1,4})(?!\d)",
        rf"(?<!{_LETTER})(?<![.,$€£-])(?P<year>[12]\d{{3}})(?:\s?г\.?)?(?!\d|[.,]\d|{_LETTER})",
    )
)

_DAY_AND_MONTH = re.compile(
    rf"(?<![\w.,-]){_DAY}{_OF}[\s-]*(?<!\d){_MONTH}"
    rf"|(?<!\w){_MONTH.replace('month', 'first')}\s+(?:the\s+)?[0-3]?\d(?!\d)",
    re.IGNORECASE,
)
_ROMAN = {"i": 1, "v": 5, "x": 10}


class FoundDate(NamedTuple):
    """A date read in a text: month and day are 0 where the text does not say them; BCE years are negative."""

    year: int
    month: int
    day: int
    start: int
    """Offset of its first character in the text."""
    end: int
    loose: bool = False
    """Day and month, or the century, could be either."""


def date_text(year: int, month: int = 0, day: int = 0) -> str:
    """The date as an answer writes it: "3 March 1961", "March 1961", "1961", "44 BC", "79 AD"."""
    shown = f"{-year} BC" if year < 0 else f"{year} AD" if year < 1000 else str(year)
    parts = ([str(day)] if day and month else []) + ([MONTHS[month - 1]] if month else []) + [shown]
    return " ".join(parts)


def dates_in(text: str) -> list[FoundDate]:
    """Dates in the text, in order, not overlapping: in any usual order and language of months, in words, and as ISO.

    A bare number counts as a year from 1000 to 2999 only. With points the day stands first, as it does wherever dates
    are written so. Where day and month cannot be told apart (03/04/1961) only the year is read, and of two digits
    (31.12.99) not even that; both are `loose`.
    """
    found: list[FoundDate] = []
    place = 0
    text = with_digits(with_ordinals(text))
    hits = sorted((hit.start(), rank, hit) for rank, pattern in enumerate(_PATTERNS) for hit in pattern.finditer(text))
    for start, _, hit in hits:
        if start < place:
            continue
        date = _read(hit)
        if date is not None:
            found.append(date)
            place = hit.end()
    return found


def has_day_and_month(text: str) -> bool:
    """Whether a day of a month is named, with its year or without."""
    return _DAY_AND_MONTH.search(with_digits(with_ordinals(text))) is not None


def _read(hit: re.Match[str]) -> FoundDate | None:
    parts = hit.groupdict()
    if parts.get("short"):
        return FoundDate(0, 0, 0, hit.start(), hit.end(), loose=True)
    year = int(parts["year"])
    if parts.get("one"):
        one, two = int(parts["one"]), int(parts["two"])
        if one != two and one <= 12 and two <= 12:
            return FoundDate(year, 0, 0, hit.start(), hit.end(), loose=True)
        day, month = (one, two) if two <= 12 else (two, one)
    else:
        month_text = (parts.get("month") or "0").lower()
        if parts.get("roman"):
            month_text = (
                with_digits(f"{parts['roman']} ").strip()
                if len(parts["roman"]) > 1
                else str(_ROMAN[parts["roman"].lower()])
            )
        month = int(month_text) if month_text.isdigit() else _MONTH_NUMBER[month_text]
        day = int(parts.get("day") or 0)
    if parts.get("before"):
        year = -year
    if not year or month > 12 or day > 31 or ((parts.get("day") or parts.get("one")) and not day):
        return None
    if (parts.get("month") or parts.get("one")) and not month:
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
