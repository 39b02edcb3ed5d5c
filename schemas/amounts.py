"""Numbers with units in English text: how an amount is written, and which amounts a reply contains."""

import re
from typing import NamedTuple

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip

_CENTIMETRES = {"metre": 100.0, "centimetre": 1.0, "millimetre": 0.1, "foot": 30.48, "inch": 2.54}
_UNIT_WORDS: dict[str, str] = {
    "m": "metre", "metre": "metre", "metres": "metre", "meter": "metre", "meters": "metre",
    "cm": "centimetre", "cms": "centimetre", "centimetre": "centimetre", "centimetres": "centimetre",
    "centimeter": "centimetre", "centimeters": "centimetre", "mm": "millimetre",
    "ft": "foot", "feet": "foot", "foot": "foot", "'": "foot", "′": "foot",
    "in": "inch", "inch": "inch", "inches": "inch", '"': "inch", "″": "inch",
    "$": "US dollar", "us$": "US dollar", "usd": "US dollar", "dollar": "US dollar", "dollars": "US dollar",
    "€": "euro", "eur": "euro", "euro": "euro", "euros": "euro",
    "£": "pound sterling", "gbp": "pound sterling", "pound": "pound sterling", "pounds": "pound sterling",
    "pounds sterling": "pound sterling", "pound sterling": "pound sterling",
    "₽": "Russian ruble", "rub": "Russian ruble", "ruble": "Russian ruble", "rubles": "Russian ruble",
    "rouble": "Russian ruble", "roubles": "Russian ruble", "¥": "Japanese yen", "jpy": "Japanese yen",
    "yen": "Japanese yen", "rmb": "renminbi", "cny": "renminbi", "yuan": "renminbi", "renminbi": "renminbi",
    "₹": "Indian rupee", "inr": "Indian rupee", "rupee": "Indian rupee", "rupees": "Indian rupee",
    "chf": "Swiss franc", "franc": "Swiss franc", "francs": "Swiss franc",
}  # fmt: skip
_MAGNITUDES = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
}  # fmt: skip
_UNINFLECTED = ("yen", "renminbi", "yuan", "baht", "rand", "won", "sterling")
_PLURALS = {"foot": "feet", "inch": "inches", "pound sterling": "pounds sterling"}

_NUMBER = re.compile(
    r"(?P<symbol>us\$|[$€£₽¥₹]\s*)?"
    r"(?<![\w.,])(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\b(?:" + "|".join(WORDS) + r")\b)"
    r"(?:[\s-]*(?P<magnitude>thousand|million|billion|trillion|bn|mn|k)\b)?"
    r"[\s-]*(?P<adjective>(?:us|u\.s\.|american|russian|japanese|indian|swiss)\s+)?"
    r"(?P<unit>pounds?\s+sterling|[a-z$€£₽¥₹]+|['′\"″])?",
    re.IGNORECASE,
)
_FEET_AND_INCHES = re.compile(
    r"(?<![\w.,])(?P<feet>\d+)\s*(?:-\s*)?(?:ft\.?|feet|foot|'|′)\s*(?:and\s+)?(?:-\s*)?"
    r"(?P<inches>\d+(?:\.\d+)?)(?:\s*(?:in\b\.?|inch(?:es)?|\"|″|''))?",
    re.IGNORECASE,
)


class FoundAmount(NamedTuple):
    """A number read in a text with its unit ("" where none is said), and where it stands."""

    number: float
    unit: str
    start: int
    end: int


def amounts_in(text: str) -> list[FoundAmount]:
    """Numbers of the text in order: digits with thousands commas, words up to twenty, million and billion, units.

    "5 ft 11 in" is one amount, in inches. Unit names come back in the spelling that AcceptedAnswer uses.
    """
    found: list[FoundAmount] = []
    place = 0
    for both in _FEET_AND_INCHES.finditer(text):
        found += _plain(text, place, both.start())
        inches = 12 * float(both["feet"]) + float(both["inches"])
        found.append(FoundAmount(inches, "inch", both.start(), both.end()))
        place = both.end()
    return found + _plain(text, place, len(text))


def _plain(text: str, start: int, end: int) -> list[FoundAmount]:
    found = []
    for hit in _NUMBER.finditer(text, start, end):
        shown = hit["number"].lower()
        number = float(WORDS.index(shown)) if shown in WORDS else float(shown.replace(",", ""))
        number *= _MAGNITUDES[hit["magnitude"].lower()] if hit["magnitude"] else 1.0
        word = " ".join((hit["symbol"] or hit["unit"] or "").lower().split())
        found.append(FoundAmount(number, _UNIT_WORDS.get(word, ""), hit.start(), hit.end("number")))
    return found


def same_amount(found: FoundAmount, *, number: float, unit: str, tolerance: float) -> bool:
    """Whether an amount of a text is `number` `unit` within the absolute tolerance (in `unit`).

    Lengths are converted. An amount without a unit counts if it fits in `unit`, or in metres for a length; an amount
    in another currency does not.
    """
    slack = tolerance + 1e-9 * abs(number)
    if unit in _CENTIMETRES:
        if found.unit and found.unit not in _CENTIMETRES:
            return False
        units = [found.unit] if found.unit else [unit, "metre"]
        scale = _CENTIMETRES[unit]
        return any(abs(found.number * _CENTIMETRES[each] / scale - number) <= slack for each in units)
    if found.unit and unit and found.unit != unit:
        return False
    return abs(found.number - number) <= slack


def amount_text(number: float, unit: str) -> str:
    """The amount as an answer writes it: "3", "183 cm", "1.2 billion US dollars", "500,000 euros"."""
    if unit == "centimetre":
        return f"{_digits(number)} cm"
    for name in ("trillion", "billion", "million"):
        size = _MAGNITUDES[name]
        if unit and abs(number) >= size:
            return f"{_digits(number / size)} {name} {_plural(unit)}"
    shown = _digits(number)
    return f"{shown} {unit if number == 1 else _plural(unit)}" if unit else shown


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.6f}".rstrip("0").rstrip(".")


def _plural(unit: str) -> str:
    if unit in _PLURALS:
        return _PLURALS[unit]
    return unit if unit.split()[-1] in _UNINFLECTED or unit.endswith("s") else unit + "s"
