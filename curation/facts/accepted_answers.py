"""From a value of a statement to the answer and every accepted form of it, or to the reason why there is none."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from curation.facts.properties import PropertyTable, ValueType
from curation.facts.value_kinds import kind_of, place_named
from schemas.matching.amounts import amount_text
from schemas.matching.blood_types import signed_forms
from schemas.matching.dates import date_text, days_of, gregorian
from schemas.matching.match import normalise
from schemas.records.build_rows import AcceptedAnswer
from schemas.records.entities import Entity, ItemValue, QuantityValue, TextValue, TimeValue, Value
from schemas.storage.tables import Record

YEAR, MONTH, DAY = 9, 10, 11
"""Wikidata's precisions."""

LENGTH_TOLERANCE_CM = 2.0
MONEY_TOLERANCE = 0.05
"""Relative."""

_VARIETY = re.compile(
    r"(?:British|American|US|Australian|Canadian|Irish|Scottish|Welsh|Indian|Pakistani|New Zealand|South African"
    r"|Nigerian|Ghanaian|Kenyan|Jamaican|Philippine|Singapore|Malaysian|Hong Kong|International|General American"
    r"|Commonwealth|Brazilian|European|Angolan|Mozambican|Mexican|Argentine|Rioplatense|Peninsular|Castilian|Colombian"
    r"|Chilean|Peruvian|Venezuelan|Cuban|Ecuadorian|Uruguayan|Guatemalan|Dominican|Puerto Rican|Andalusian|Canarian"
    r"|Metropolitan|Parisian|Quebec|Québec|Belgian|Swiss|Austrian|African|Standard|Modern|Modern Standard|General"
    r"|Egyptian|Moroccan|Levantine|Gulf|Tunisian|Algerian|Iraqi|Syrian|Lebanese|Palestinian|Libyan|Sudanese|Hejazi"
    r"|Iranian|Eastern|Western|Taiwanese|Malaysian|Netherlands|Estuary|Istanbul) "
    r"(?P<language>English|Portuguese|Spanish|French|Italian|Dutch|Arabic|Hebrew|Hindi|Persian|Turkish|Mandarin"
    r"|Standard German|Swedish|Korean|Japanese|Armenian|Greek)$"
    r"|(?:Austrian|Standard|Federal|Modern) (?P<german>German)$"
)
"""National and standard varieties by name. Swiss German is a language of its own to its speakers, and Old English to
everybody."""
_CALLED = {
    "Hiberno-English": "English", "General American": "English", "Received Pronunciation": "English",
    "African-American English": "English", "African-American Vernacular English": "English", "Castilian": "Spanish",
    "Standard Chinese": "Mandarin", "Putonghua": "Mandarin", "Mandarin Chinese": "Mandarin", "Bokmål": "Norwegian",
    "Nynorsk": "Norwegian", "Farsi": "Persian", "Dari": "Persian", "Flemish Dutch": "Dutch",
}  # fmt: skip
"""What people call languages whose label does not hold it."""
_NO_NAME = re.compile(r"[(),;/\d\[\]]|\b(?:née?|born|geb|aka|alias)\b")
"""What stands in no birth name: a remark, an inverted name, several names."""
_EPITHET = re.compile(
    r"(?:(?:the|la|le|el) )?(?:[\w-]+ )?(?:king|queen|father|mother|prince|princess|godfather|godmother|lord|lady|man"
    r"|woman|voice|lion|iron|angel|butcher|wizard|sage|maid|nightingale|master|grandfather|hero|poet|face)"
    r" (?:of|in|with|de) ",
    re.IGNORECASE,
)
"""How others call somebody ("The King of Pop"), and nobody signs."""

_PRECISION_NAME = {YEAR: "year", MONTH: "month", DAY: "date"}


class Reading(Record):
    """What a value says: the canonical answer, its type, and the accepted forms of this one value."""

    answer: str
    answer_type: str
    value_id: str
    accepted: tuple[AcceptedAnswer, ...]
    sitelinks: int = 0
    kind: str = ""
    """Kind of the value among those of its answer type (curation/facts/value_kinds.toml), language of a birth name,
    or ""."""


class Unread(Record):
    """Why a value gives no answer: a reason of schemas.records.drop_reasons and a detail."""

    reason: str
    detail: str = ""


def read_value(
    value: Value | None,
    *,
    kind: ValueType,
    answer_type: str,
    values: Mapping[str, Entity],
    table: PropertyTable,
    to_the_year: bool = False,
) -> Reading | Unread:
    """Read a value that should be of `kind`; `to_the_year` cuts dates, for questions that ask "in which year"."""
    if isinstance(value, ItemValue) and kind == "item":
        return _read_item(value, answer_type, values)
    if isinstance(value, TimeValue) and kind == "time":
        return _read_time(value, to_the_year)
    if isinstance(value, QuantityValue) and kind == "quantity":
        return _read_quantity(value, answer_type, table)
    if isinstance(value, TextValue) and kind == "text":
        return _read_text(value, answer_type)
    return Unread(reason="value_wrong_type", detail=value.kind if value else "")


def accepted_forms(readings: Iterable[Reading]) -> tuple[AcceptedAnswer, ...]:
    """The accepted forms of several values, in order, each form once."""
    seen: dict[tuple[str, str], AcceptedAnswer] = {}
    for reading in readings:
        for answer in reading.accepted:
            seen.setdefault((answer.kind, normalise(answer.text)), answer)
    return tuple(seen.values())


def is_latin(text: str) -> bool:
    """Whether the text has letters or digits, and at least half of its letters are Latin."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = [letter for letter in letters if "LATIN" in unicodedata.name(letter, "")]
    return 2 * len(latin) >= len(letters) and any(letter.isalnum() for letter in text)


def without_bracket(label: str) -> str:
    """A label without the bracket that tells it from its namesakes: "Mercury (planet)" becomes "Mercury"."""
    head, bracket, _ = label.rpartition(" (")
    return head if bracket and label.endswith(")") and head else label


def _text(text: str) -> AcceptedAnswer:
    return AcceptedAnswer(kind="text", text=text)


def _read_item(value: ItemValue, answer_type: str, values: Mapping[str, Entity]) -> Reading | Unread:
    entity = values.get(value.qid)
    if entity is None:
        return Unread(reason="value_missing", detail=value.qid)
    label = without_bracket(" ".join(entity.label.split()))
    if not label or label == value.qid or not is_latin(label):
        return Unread(reason="value_unlabelled", detail=value.qid)
    kind = kind_of(answer_type, entity, values)
    if kind == "wrong":
        return Unread(reason="value_wrong_type", detail=value.qid)
    forms = [label, entity.label, *entity.aliases]
    if answer_type == "language":
        forms += [form.removesuffix(" language") for form in forms]
        forms = [*spoken_language(label), *forms]
    if answer_type == "blood type":
        forms += signed_forms(label)
    around = place_named(entity, values) if answer_type == "place" and kind in ("building", "part") else None
    if around is not None:
        named = [without_bracket(around.label), around.label, *around.aliases]
        forms = [*named, *forms] if kind == "building" else [*forms, *named]
    asked = around if around is not None and kind == "building" else entity
    texts = [" ".join(form.split()) for form in forms]
    return Reading(
        answer=texts[0],
        answer_type=answer_type,
        value_id=asked.qid,
        accepted=tuple(_text(text) for text in texts if normalise(text)),
        sitelinks=asked.sitelinks,
        kind="" if asked is not entity or kind == "part" else kind,
    )


def spoken_language(label: str) -> list[str]:
    """What people call a national variety of a language: "English" for "British English"; nothing for others."""
    if label in _CALLED:
        return [_CALLED[label]]
    found = _VARIETY.match(label)
    return [found["language"] or found["german"]] if found else []


def _read_time(value: TimeValue, to_the_year: bool) -> Reading | Unread:
    if value.precision < YEAR or value.year == 0:
        return Unread(reason="precision_too_low", detail=f"precision {value.precision}")
    month = value.month if value.precision >= MONTH and 1 <= value.month <= 12 and not to_the_year else 0
    possible = month and 1 <= value.day <= days_of(value.year, month, julian=value.julian)
    day = value.day if value.precision >= DAY and possible else 0
    precision = DAY if day else MONTH if month else YEAR
    dates = [(value.year, month, day)]
    if value.julian and day and value.year > 0:
        dates.append(gregorian(value.year, month, day))
    accepted = tuple(
        AcceptedAnswer(kind="date", text=date_text(*date), year=date[0], month=date[1], day=date[2]) for date in dates
    )
    return Reading(answer=accepted[0].text, answer_type=_PRECISION_NAME[precision], value_id="", accepted=accepted)


def _read_quantity(value: QuantityValue, answer_type: str, table: PropertyTable) -> Reading | Unread:
    number, unit, tolerance = value.amount, "", 0.0
    if answer_type == "count":
        if value.unit is not None or number < 0 or number != int(number):
            return Unread(reason="value_wrong_type", detail=f"{number} {value.unit or ''}".strip())
    else:
        known = table.unit_by_qid.get(value.unit or "")
        if known is None or known.kind != answer_type:
            return Unread(reason="unit_unknown", detail=value.unit or "no unit")
        number = round(number * known.factor, 2)
        unit = "centimetre" if known.kind == "length" else known.name
        tolerance = LENGTH_TOLERANCE_CM if known.kind == "length" else abs(number) * MONEY_TOLERANCE
        number = float(round(number)) if known.kind == "length" else number
    answer = AcceptedAnswer(
        kind="number", text=amount_text(number, unit), number=number, unit=unit, tolerance=tolerance
    )
    return Reading(answer=answer.text, answer_type=answer_type, value_id="", accepted=(answer,))


def _read_text(value: TextValue, answer_type: str) -> Reading | Unread:
    text = " ".join(value.text.split())
    if not is_latin(text) or not normalise(text):
        return Unread(reason="value_unlabelled", detail=value.language or "")
    if answer_type == "birth name" and _NO_NAME.search(text):
        return Unread(reason="value_wrong_type", detail=text)
    if answer_type == "pseudonym" and _EPITHET.match(text):
        return Unread(reason="value_wrong_type", detail=text)
    kind = value.language or "" if answer_type == "birth name" else ""
    return Reading(answer=text, answer_type=answer_type, value_id="", accepted=(_text(text),), kind=kind)
