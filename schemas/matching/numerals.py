"""Numbers in words: a text in which they are digits, character for character in place, so that one reader reads"
" both."""

import re

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_TENS = {name: 10 * number for number, name in enumerate(
    ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2
)}  # fmt: skip
_SMALL = {name: number for number, name in enumerate(WORDS)} | _TENS
_SCALES = {"hundred": 100, "thousand": 1000}
_ORDINALS = {name: number for number, name in enumerate(
    ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
     "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
     "twentieth"), 1
)} | {"thirtieth": 30}  # fmt: skip
_ORDINALS |= {f"{tens}-{name}": ten + _ORDINALS[name] for tens, ten in (("twenty", 20), ("thirty", 30))
              for name in list(_ORDINALS)[:9]}  # fmt: skip
_ELSEWHERE: dict[str, int] = {
    word: number
    for number, words in enumerate((
        "zwei deux dos dois duas dua два двое dwa twee två tvinga दो দুই اثنان دو",
        "drei trois tres três tiga tre три трое trzy drie तीन তিন ثلاثة تین",
        "vier quatre cuatro quatro quattro empat четыре cztery fyra चार চার أربعة چار",
        "fünf fuenf cinq cinco cinque lima пять pięć vijf पाँच पांच পাঁচ خمسة پانچ",
        "sechs seis sei enam шесть sześć zes छह छः छे ছয় ستة چھ",
        "sieben siete sete sette tujuh семь siedem zeven सात সাত سبعة سات",
        "acht huit ocho oito otto delapan восемь osiem åtta आठ আট ثمانية آٹھ",
        "neun neuf nueve nove sembilan девять dziewięć negen नौ নয় تسعة نو",
        "zehn dix diez dez dieci sepuluh десять dziesięć tien दस দশ عشرة دس",
        "onze undici sebelas одиннадцать",
        "zwölf zwoelf douze doce doze dodici двенадцать",
    ), 2)
    for word in words.split()
}  # fmt: skip
"""Small numbers in other languages, but for words that English or another of them uses otherwise ("due", "once")."""
_TENS_ELSEWHERE: dict[str, int] = {
    word: 10 * number
    for number, words in enumerate((
        "zwanzig vingt veinte veinti vinte venti двадцать", "dreißig dreissig trente treinta trinta trenta тридцать",
        "vierzig quarante cuarenta quarenta quaranta сорок", "fünfzig fuenfzig cinquante cincuenta cinquenta пятьдесят",
        "sechzig soixante sesenta sessenta sessanta шестьдесят", "siebzig setenta settanta семьдесят",
        "achtzig ochenta oitenta ottanta восемьдесят", "neunzig noventa novanta девяносто",
    ), 2)
    for word in words.split()
}  # fmt: skip
_HAN = {character: number for number, character in enumerate("一二三四五六七八九十", 1)} | {
    "两": 2,
    "兩": 2,
    "零": 0,
    "〇": 0,
}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000}

_WORD = "|".join(sorted([*_SMALL, *_SCALES, "oh"], key=len, reverse=True))
_RUN = re.compile(
    rf"(?<![\w-])(?:(?P<half>half(?:[ -]a)?)(?=[ -]dozen)|(?P<article>an?)(?=\s+(?:hundred|thousand|dozen|million"
    rf"|billion)))?\s*"
    rf"(?P<run>(?:{_WORD})(?:(?:\s*-\s*|\s+(?:and\s+)?"
    rf"|(?<=thousand),\s+)(?:{_WORD}))*)?(?:[\s-]*(?P<dozen>dozen))?(?![\w])",
    re.IGNORECASE,
)
_ANY = re.compile(rf"\b(?:dozen|{_WORD})\b", re.IGNORECASE)
_A_MILLION = re.compile(r"\b(?P<half>half )?a(?=\s+(?:million|billion|trillion)\b)", re.IGNORECASE)
_AND_A_HALF = re.compile(r"(?<![\d.,])(\d+)\s+and a half\b", re.IGNORECASE)
_POINT = re.compile(r"(?<![\d.,])(\d+)\s+point\s+(\d+)(?![\d.,]*\d)", re.IGNORECASE)
_PRONOUN_BEFORE = re.compile(
    r"\b(?:that|this|the|no|any|some|every|each|another|which|the only|a|an|nice)\s*$", re.IGNORECASE
)
_PRONOUN_AFTER = re.compile(
    r"\s*(?:of (?:the|them|us|my|these|those|his|her|their)|can|cannot|can't|could|may|might|should|would"
    r"|must|has|is|'s|day|another|who|thing)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b(?:" + "|".join(sorted(_ORDINALS, key=len, reverse=True)).replace("-", r"[\s-]") + r")\b", re.IGNORECASE
)
_ELSEWHERE_UNITS = _ELSEWHERE | {"ein": 1, "un": 1, "uno": 1, "um": 1, "one": 1, "один": 1, "six": 6, "sept": 7}
_UNITS = "|".join(sorted(_ELSEWHERE_UNITS, key=len, reverse=True))
_COMPOUND = re.compile(
    rf"(?<!\w)(?:(?P<unit>{_UNITS})und(?P<ten>"
    + "|".join(each for each in _TENS_ELSEWHERE if each.endswith("ig"))
    + r")"
    r"|(?P<tens>"
    + "|".join(sorted(_TENS_ELSEWHERE, key=len, reverse=True))
    + rf")(?:(?:\s*-\s*|\s+(?:(?:y|e|et|и)\s+)?|(?<=veinti)|(?<=venti)|-et-)"
    rf"(?P<units>{_UNITS}))?)(?!\w)",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(?<![\w\u0900-\u09ff])(?:" + "|".join(sorted(_ELSEWHERE, key=len, reverse=True)) + r")"
                    r"(?![\w\u0900-\u09ff])", re.IGNORECASE)  # fmt: skip
_HAN_NUMBER = re.compile(
    r"(?<![\u4e00-\u9fff年月])[一二三四五六七八九十百千两兩零〇]+(?=[个個名人位次場场岁歳座本部厘公米]|\W*$)"
)
_ROMAN = re.compile(
    r"\s*(?=[ivxlcdm]{2})m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})\s*\.?\s*", re.IGNORECASE
)
_LARGE_ROMAN = re.compile("[cdm]", re.IGNORECASE)
"""Letters that make words too: "mix" is no number, "MIX" is 1009."""
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


def with_digits(text: str) -> str:
    """The text with numbers in words as digits, blanks after them, so that every other character keeps its place.

    Read are English numbers ("twenty-five", "one thousand five hundred", "fifteen hundred", "half a dozen"), years
    ("nineteen ninety-nine"), small numbers of other languages, and a roman number that is all of the text. "one" as
    a pronoun ("that one") is none.
    """
    text = "".join(str(int(each)) if each > "\x7f" and each.isdecimal() else each for each in text)
    if _ROMAN.fullmatch(text) and (text.isupper() or not _LARGE_ROMAN.search(text)):
        return _in_place(text, 0, len(text), str(_roman(text.strip(" .\n").lower())))
    for hit in _RUN.finditer(text) if _ANY.search(text) else ():
        if hit["run"] or hit["dozen"]:
            text = _with_run(text, hit)
    for hit in _A_MILLION.finditer(text):
        text = _in_place(text, hit.start(), hit.end(), "0.5" if hit["half"] else "1")
    for hit in _AND_A_HALF.finditer(text):
        text = _in_place(text, hit.start(), hit.end(), f"{hit[1]}.5")
    for hit in _POINT.finditer(text):
        text = _in_place(text, hit.start(), hit.end(), f"{hit[1]}.{hit[2]}")
    for hit in _COMPOUND.finditer(text):
        ten, unit = (hit["ten"] or hit["tens"]).lower(), (hit["unit"] or hit["units"] or "").lower()
        text = _in_place(text, hit.start(), hit.end(), str(_TENS_ELSEWHERE[ten] + _ELSEWHERE_UNITS.get(unit, 0)))
    for pattern, number_of in ((_OTHER, lambda word: _ELSEWHERE[word.lower()]), (_HAN_NUMBER, _han)):
        for hit in pattern.finditer(text):
            if len(number := str(number_of(hit[0]))) <= len(hit[0]):
                text = _in_place(text, hit.start(), hit.end(), number)
    return text


def with_ordinals(text: str) -> str:
    """The text with "fourth" as "4th" in place, for dates in words."""
    for hit in _ORDINAL.finditer(text):
        number = _ORDINALS[re.sub(r"\s", "-", hit[0].lower())]
        text = _in_place(text, hit.start(), hit.end(), str(number))
    return text


def _in_place(text: str, start: int, end: int, digits: str) -> str:
    return text[:start] + digits.ljust(end - start)[: end - start] + text[end:]


def _with_run(text: str, hit: re.Match[str]) -> str:
    if hit["dozen"] and not hit["run"]:
        return _in_place(text, hit.start(), hit.end(), "6" if hit["half"] else "12")
    beside = _PRONOUN_BEFORE.search(text[: hit.start()]) or _PRONOUN_AFTER.match(text, hit.end("run"))
    if hit["run"].lower() == "one" and not hit["dozen"] and beside:
        return text
    words = re.findall(_WORD, hit["run"].lower())
    if words[0] in _SCALES and not hit["article"]:
        return text  # "1.5 thousand"
    start, end = (hit.start("article") if hit["article"] else hit.start("run")), hit.end("run")
    for number, taken in _numbers(words):
        stretch = re.match(rf"(?:an?\s+)?(?:(?:[\s,-]|and\b)*(?:{_WORD})){{{taken}}}", text[start:end], re.IGNORECASE)
        if stretch is None:
            break
        if hit["dozen"]:
            return _in_place(text, start, hit.end(), str(12 * number))
        lead = len(stretch[0]) - len(stretch[0].lstrip(" -"))
        text = _in_place(text, start + lead, start + stretch.end(), str(number))
        start += stretch.end()
    return text


def _numbers(words: list[str]) -> list[tuple[int, int]]:
    """The numbers that some number words are, each with how many words it takes; a year's halves are one number."""
    found: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        number, taken = _one_number(words[place:])
        place += taken
        if found and taken and _is_year(found[-1], number, words[place - taken - found[-1][1] :]):
            before, taken_before = found.pop()
            number, taken = 100 * before + number, taken + taken_before
        found.append((number, max(1, taken)))
        place += not taken
    return found


def _is_year(before: tuple[int, int], number: int, words: list[str]) -> bool:
    halves = 10 <= before[0] <= 29 and not any(each in _SCALES for each in words[: before[1]])
    after = words[before[1]] if before[1] < len(words) else ""
    return halves and (10 <= number <= 99 or after == "oh")


def _one_number(words: list[str]) -> tuple[int, int]:
    """The first number of the words, and how many it takes."""
    total = current = taken = 0
    last = 1 << 30
    for word in words:
        if word == "oh":
            if taken:
                break
        elif word in _SCALES:
            scale = _SCALES[word]
            if scale == 100:
                current, last = (current or 1) * 100, 100
            else:
                total, current, last = total + (current or 1) * 1000, 0, 1000
        else:
            value = _SMALL[word]
            fits = last >= 100 or (last in _TENS.values() and 0 < value < 10)
            if taken and not fits:
                break
            current, last = current + value, value
        taken += 1
    return total + current, taken


def _han(text: str) -> int:
    """Of Chinese signs: 二十五 is 25, 一千五百 is 1500."""
    total = current = 0
    for sign in text:
        if scale := _HAN_SCALES.get(sign):
            total, current = total + (current or 1) * scale, 0
        else:
            current = _HAN[sign]
    return total + current


def _roman(text: str) -> int:
    values = [_ROMAN_VALUES[each] for each in text]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
