"""Numbers with units: how an amount is written in English, and which amounts a reply contains, however written."""

import re
from typing import Literal, NamedTuple

from schemas.matching.numerals import with_digits

_CENTIMETRES = {"metre": 100.0, "centimetre": 1.0, "millimetre": 0.1, "foot": 30.48, "inch": 2.54}
_UNIT_WORDS: dict[str, str] = {
    "zentimeter": "centimetre", "centímetros": "centimetre", "centimètres": "centimetre",
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
    "metros": "metre", "metro": "metre", "mètre": "metre", "mètres": "metre", "метра": "metre",
    "kg": "kilogram", "kgs": "kilogram", "kilogram": "kilogram", "kilograms": "kilogram", "kilogramme": "kilogram",
    "kilogrammes": "kilogram", "kilo": "kilogram", "kilos": "kilogram", "kilogramm": "kilogram",
    "kilogramos": "kilogram", "quilos": "kilogram", "кг": "kilogram", "килограмм": "kilogram",
    "килограмма": "kilogram", "килограммов": "kilogram", "сантиметр": "centimetre", "сантиметра": "centimetre",
    "сантиметров": "centimetre", "метр": "metre", "метров": "metre", "公斤": "kilogram", "千克": "kilogram",
    "g": "gram", "gram": "gram", "grams": "gram", "grammes": "gram", "lb": "mass pound", "lbs": "mass pound",
    "см": "centimetre", "м": "metre", "厘米": "centimetre", "公分": "centimetre", "米": "metre",
    "dólares": "US dollar", "dolares": "US dollar", "долларов": "US dollar", "美元": "US dollar",
    "欧元": "euro", "евро": "euro",
}  # fmt: skip
_GRAMS = {"kilogram": 1000.0, "gram": 1.0, "mass pound": 453.59237}
_MAGNITUDES = {
    "thousand": 1e3, "k": 1e3, "mil": 1e3, "tausend": 1e3, "mille": 1e3, "ribu": 1e3, "тысяч": 1e3,
    "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12, "b": 1e9,
    "millions": 1e6, "billions": 1e9, "millionen": 1e6, "mio": 1e6, "milliarden": 1e9, "milliarde": 1e9, "mrd": 1e9,
    "milliard": 1e9, "milliards": 1e9, "millones": 1e6, "millón": 1e6, "milhões": 1e6, "bilhões": 1e9, "bilhão": 1e9,
    "miliar": 1e9, "juta": 1e6, "lakh": 1e5, "crore": 1e7, "миллион": 1e6, "миллионов": 1e6, "млн": 1e6,
    "миллиард": 1e9, "миллиарда": 1e9, "миллиардов": 1e9, "млрд": 1e9, "万": 1e4, "亿": 1e8, "億": 1e8,
}  # fmt: skip
_MONEY_LETTERS = {"m": 1e6, "b": 1e9}
"""After a sign of a currency: "$40m"."""
_UNINFLECTED = ("yen", "renminbi", "yuan", "baht", "rand", "won", "sterling")
_PLURALS = {"foot": "feet", "inch": "inches", "pound sterling": "pounds sterling"}

_DIGITS = (
    r"\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+(?!\d)(?:[.,]\d+)?"  # 1 500, 1'500
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)"  # 12,00,000
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?!\d)(?:,\d+)?|\d+\.\d+|\d+,\d{1,2}(?!\d)|\d+"
)
_NUMBER = re.compile(
    r"(?P<symbol>us\$|[$€£₽¥₹]\s*|\b(?:usd|eur|gbp|rub|jpy|cny|rmb|inr|chf)\s*)?"
    rf"(?<![\w.,])(?P<number>{_DIGITS})"
    r"(?:[\s-]*(?P<thousands>(?:thousand|mil)\s+(?=mi))?(?P<magnitude>"
    + "|".join(sorted(_MAGNITUDES, key=len, reverse=True))
    + r")(?![a-zà-ÿа-я]))?\.?"
    r"[\s-]*(?P<adjective>(?:(?:us|u\.s\.|american|russian|japanese|indian|swiss)[\s-]+|de\s+|d['’])+)?"
    r"(?P<unit>pounds?\s+sterling|[a-zà-ÿа-я$€£₽¥₹]+|美元|欧元|公斤|千克|厘米|公分|米|['′\"″])?",
    re.IGNORECASE,
)
_METRES_AND_CENTIMETRES = re.compile(
    r"(?<![\w.,])(?P<metres>\d)\s*m(?:et(?:er|re|ro)s?|ètres?)?\s*(?:and\s+|et\s+|und\s+|y\s+)?(?P<rest>\d{2})(?!\d)"
    r"(?:\s*(?:cm|centi\w+))?",
    re.IGNORECASE,
)
_FEET_AND_INCHES = re.compile(
    r"(?<![\w.,])(?P<feet>\d+)\s*(?:-\s*)?(?:ft\.?|feet|foot|'|′)\s*(?:and\s+)?(?:-\s*)?"
    r"(?P<inches>\d{1,2}(?:\.\d+)?)(?!\d)(?:\s*(?:in\b\.?|inch(?:es)?|\"|″|''))?",
    re.IGNORECASE,
)


Family = Literal["length", "mass", "money", ""]


class FoundAmount(NamedTuple):
    """A number read in a text with its unit ("" where none is said), and where it stands."""

    number: float
    unit: str
    start: int
    end: int
    otherwise: float | None = None
    """The number if its point separates thousands: 1.500 is one and a half, or fifteen hundred."""


def family(unit: str) -> Family:
    """What a unit measures; "" for none."""
    if not unit:
        return ""
    return "length" if unit in _CENTIMETRES else "mass" if unit in _GRAMS else "money"


def amounts_in(text: str) -> list[FoundAmount]:
    """Numbers of the text in order: digits with any separators, words, million and billion, units.

    "5 ft 11 in" is one amount, in inches, and "1 m 83" one in centimetres. Unit names come back in the spelling that
    AcceptedAnswer uses.
    """
    text = with_digits(text)
    pairs = [(hit, "inch", 12, "feet", "inches") for hit in _FEET_AND_INCHES.finditer(text)]
    pairs += [(hit, "centimetre", 100, "metres", "rest") for hit in _METRES_AND_CENTIMETRES.finditer(text)]
    found: list[FoundAmount] = []
    place = 0
    for both, unit, size, large, small in sorted(pairs, key=lambda pair: pair[0].start()):
        if both.start() >= place:
            found += _plain(text, place, both.start())
            found.append(FoundAmount(size * float(both[large]) + float(both[small]), unit, both.start(), both.end()))
            place = both.end()
    return found + _plain(text, place, len(text))


def _plain(text: str, start: int, end: int) -> list[FoundAmount]:
    found = []
    for hit in _NUMBER.finditer(text, start, end):
        number, otherwise = _value(hit["number"])
        word = " ".join((hit["unit"] or "").lower().split())
        symbol = (hit["symbol"] or "").lower().strip()
        size = _MAGNITUDES[hit["magnitude"].lower()] if hit["magnitude"] else 1.0
        size *= 1e3 if hit["thousands"] else 1.0
        if symbol and not hit["magnitude"]:
            size = _MONEY_LETTERS.get(word, 1.0)
        unit = _UNIT_WORDS.get(symbol or word, "")
        other = None if otherwise is None or size > 1 else otherwise
        found.append(FoundAmount(number * size, unit, hit.start(), hit.end("number"), other))
    return found


def _value(shown: str) -> tuple[float, float | None]:
    """What digits say, and what else they may say: "1.500" is 1.5, or 1,500 where points separate thousands."""
    plain = re.sub(r"[ \u00a0\u202f\u2009'’]", "", shown)
    points, commas = plain.count("."), plain.count(",")
    if commas and points:
        decimal = max(plain.rfind("."), plain.rfind(","))
        return float(re.sub(r"[.,]", "", plain[:decimal]) + "." + plain[decimal + 1 :]), None
    if commas:
        thousands = re.fullmatch(r"\d{1,3}(?:,\d{2,3})*,\d{3}", plain) is not None
        return (float(plain.replace(",", "")) if thousands else float(plain.replace(",", "."))), None
    if points > 1:
        return float(plain.replace(".", "")), None
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", plain):
        return float(plain), float(plain.replace(".", ""))
    return float(plain), None


def same_amount(found: FoundAmount, *, number: float, unit: str, tolerance: float) -> bool:
    """Whether an amount of a text is `number` `unit` within the absolute tolerance (in `unit`).

    Lengths and masses are converted; a mass in another unit may be rounded to the half. An amount without a unit counts
    if it fits in `unit`, or in metres for a length; an amount in another currency does not.
    """
    readings = [found.number] if found.otherwise is None else [found.number, found.otherwise]
    slack = tolerance + 1e-9 * abs(number)
    if unit in _CENTIMETRES:
        return _converts(
            readings, found.unit, _CENTIMETRES, number=number, unit=unit, slack=slack, bare=(unit, "metre")
        )
    if unit in _GRAMS:
        own = "mass pound" if found.unit == "pound sterling" else found.unit
        slack += 0.5 if own == "mass pound" and own != unit else 0.0
        return _converts(readings, own, _GRAMS, number=number, unit=unit, slack=slack, bare=(unit,))
    if found.unit and unit and found.unit != unit:
        return False
    return any(abs(each - number) <= slack for each in readings)


def _converts(
    readings: list[float],
    said: str,
    sizes: dict[str, float],
    *,
    number: float,
    unit: str,
    slack: float,
    bare: tuple[str, ...],
) -> bool:
    """Whether a reading in the unit that is said, or without one in a unit of `bare`, is the number."""
    if said and said not in sizes:
        return False
    units = (said,) if said else bare
    return any(abs(value * sizes[one] / sizes[unit] - number) <= slack for one in units for value in readings)


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
