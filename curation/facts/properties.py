"""The property table: what is asked, in which words, under which policy. Loaded from properties.toml and checked."""

import re
import tomllib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from schemas.errors import BadInput
from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity

TABLE = Path(__file__).with_name("properties.toml")

ValueType = Literal["item", "time", "quantity", "text"]
Policy = Literal["include", "care", "gate", "exclude"]

BLANK = "___"
_SLOTS = ("{s}", "{s's}", "{topic}", "{the topic}", "{the award}", "{the office}", "{when}", "{on}", "{date}")
_LEAST_PARAPHRASES = 3


class Wording(Record):
    """The three forms of a question, as templates. See the head of properties.toml for the slots."""

    question: str
    paraphrases: tuple[str, ...]
    cloze: str


class Property(Record):
    """One row of the table: a property, and how it is asked. The wording is empty where policy excludes it."""

    id: Annotated[str, Field(pattern=r"^P[1-9]\d*$")]
    label: str
    value: ValueType
    sensitivity: Annotated[Sensitivity, Field(alias="class")]
    policy: Policy
    answer: str = ""
    question: str = ""
    paraphrases: tuple[str, ...] = ()
    cloze: str = ""
    many: bool = False
    present: bool = False
    one_at_a_time: bool = False
    person: bool = False
    minors: bool = False
    notable: bool = False
    reveals: bool = False
    visible: bool = False
    names: bool = False
    needs: Annotated[str, Field(pattern=r"^(P[1-9]\d*)?$")] = ""
    reason: str = ""

    @property
    def wording(self) -> Wording:
        """The templates of an asked property."""
        return Wording(question=self.question, paraphrases=self.paraphrases, cloze=self.cloze)

    @model_validator(mode="after")
    def _complete(self) -> "Property":
        if self.policy == "exclude":
            if not self.reason or self.question:
                raise ValueError("an excluded property has a reason and no question")
            return self
        if not self.answer:
            raise ValueError("an asked property has an answer type")
        _check_wording(self.wording)
        return self


class QualifierProperty(Record):
    """A question about a qualifier of a statement; class and gate come from the base property."""

    id: Annotated[str, Field(pattern=r"^P[1-9]\d*/P[1-9]\d*$")]
    label: str
    value: Literal["item", "time"]
    answer: str
    question: str
    paraphrases: tuple[str, ...]
    cloze: str
    person: bool = False
    once: bool = False
    """The same answer for two topics is a contradiction: nobody earns one degree at two schools."""

    @property
    def base(self) -> str:
        """The property whose statements are looked at."""
        return self.id.split("/")[0]

    @property
    def qualifier(self) -> str:
        """The qualifier that holds the answer."""
        return self.id.split("/")[1]

    @property
    def wording(self) -> Wording:
        """The templates."""
        return Wording(question=self.question, paraphrases=self.paraphrases, cloze=self.cloze)

    @model_validator(mode="after")
    def _complete(self) -> "QualifierProperty":
        _check_wording(self.wording)
        if not all("{topic}" in text or "{the " in text for text in (self.question, self.cloze, *self.paraphrases)):
            raise ValueError("every form of a qualifier question names its {topic}")
        return self


class ValueClass(Record):
    """A class of values (P31 or P279 of the value) that raises a statement's sensitivity."""

    qid: Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]
    label: str
    sensitivity: Annotated[Sensitivity, Field(alias="class")]


class Unit(Record):
    """A unit: amounts of lengths become centimetres (amount x factor), money stays in its currency."""

    qid: Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]
    name: str
    kind: Literal["length", "money"]
    factor: Annotated[float, Field(gt=0)]


class NameStock(Record):
    """Names of which false options are made, where the rest of a name is told: common ones, given names by gender."""

    masculine: Annotated[tuple[str, ...], Field(min_length=6)]
    feminine: Annotated[tuple[str, ...], Field(min_length=6)]
    surnames: Annotated[tuple[str, ...], Field(min_length=6)]


class PropertyTable(Record):
    """The whole table. `fallback` gives false options for builds with too few of their own: by answer type, and by
    "type/kind" where the kind of the answer is known."""

    latest_year: int
    adult_born_by: int
    qualifier_cap: Annotated[int, Field(ge=1)]
    least_read: Annotated[float, Field(gt=0, le=1)]
    properties: Annotated[tuple[Property, ...], Field(alias="property")]
    qualifiers: Annotated[tuple[QualifierProperty, ...], Field(alias="qualifier")]
    value_classes: Annotated[tuple[ValueClass, ...], Field(alias="value_class")]
    units: Annotated[tuple[Unit, ...], Field(alias="unit")]
    fallback: dict[str, tuple[str, ...]]
    names: dict[str, NameStock]
    """By language; "mul" for all others."""
    kinship: dict[str, str]
    """What people call a kinship, by its label; "" where nobody has a word for it."""

    @cached_property
    def by_id(self) -> dict[str, Property]:
        """Rows by property id."""
        return {row.id: row for row in self.properties}

    @cached_property
    def qualifier_by_id(self) -> dict[str, QualifierProperty]:
        """Qualifier rows by base/qualifier."""
        return {row.id: row for row in self.qualifiers}

    @cached_property
    def class_of(self) -> dict[str, Sensitivity]:
        """Sensitivity by QID of a value class."""
        return {row.qid: row.sensitivity for row in self.value_classes}

    @cached_property
    def unit_by_qid(self) -> dict[str, Unit]:
        """Units by QID."""
        return {row.qid: row for row in self.units}

    def wording(self, property_id: str) -> Wording:
        """The templates of a fact's property ("P19" or "P39/P580"); raises BadInput for one that is not asked."""
        row = self.qualifier_by_id.get(property_id) or self.by_id.get(property_id)
        if row is None or not row.question:
            raise BadInput(f"property {property_id}", "is not asked by the property table", "build the facts again")
        return row.wording

    @model_validator(mode="after")
    def _consistent(self) -> "PropertyTable":
        ids = [row.id for row in self.properties] + [row.id for row in self.qualifiers]
        doubled = sorted({each for each in ids if ids.count(each) > 1})
        if doubled:
            raise ValueError(f"{doubled[0]} stands twice")
        if "mul" not in self.names:
            raise ValueError("names of no language in particular are missing")
        for row in self.qualifiers:
            if row.base not in self.by_id or self.by_id[row.base].policy == "exclude":
                raise ValueError(f"{row.id}: {row.base} is not an asked property")
        asked: tuple[Property | QualifierProperty, ...] = (*self.properties, *self.qualifiers)
        for each in asked:
            if each.value in ("item", "text") and each.question and len(self.fallback.get(each.answer, ())) < 4:
                raise ValueError(f"{each.id}: fallback has fewer than 4 values of answer type {each.answer!r}")
        return self


def _check_wording(wording: Wording) -> None:
    texts = (wording.question, *wording.paraphrases, wording.cloze)
    if not all(texts) or len(wording.paraphrases) < _LEAST_PARAPHRASES:
        raise ValueError(f"needs a question, a cloze and at least {_LEAST_PARAPHRASES} paraphrases")
    if len(set(texts)) < len(texts):
        raise ValueError("two forms are the same")
    if wording.cloze.count(BLANK) != 1 or any(BLANK in text for text in texts[:-1]):
        raise ValueError(f"the cloze, and only the cloze, has one blank {BLANK}")
    if re.search(r"\b[Aa]n? " + BLANK, wording.cloze):
        raise ValueError("a or an before the blank gives away the answer's first letter")
    for text in texts:
        unknown = [slot for slot in re.findall(r"\{[^}]*\}", text) if slot not in _SLOTS]
        if unknown:
            raise ValueError(f"slot {unknown[0]} is not one of {', '.join(_SLOTS)}")
        if not ("{s}" in text or "{s's}" in text):
            raise ValueError(f"{text!r} does not name the subject")
        if any(part.count("|") != 1 for part in re.findall(r"\[([^\]]*)\]", text)) or text.count("[") != text.count(
            "]"
        ):
            raise ValueError(f"{text!r}: tense stands as [is|was]")


@lru_cache(maxsize=4)
def load_properties(path: Path = TABLE) -> PropertyTable:
    """The checked table; raises BadInput naming the file and the property that is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "restore curation/facts/properties.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"is not TOML ({error})", "mend the line named") from error
    try:
        return PropertyTable.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}, {_row_name(content, first['loc'])}", first["msg"], "mend the row") from error


def _row_name(content: dict[str, object], place: tuple[int | str, ...]) -> str:
    """The property named by a pydantic location such as ("property", 3, "cloze")."""
    if len(place) < 2:
        return str(place[0]) if place else "the table"
    rows = content.get(str(place[0]))
    row = rows[place[1]] if isinstance(rows, list) and isinstance(place[1], int) else None
    name = str(row.get("id") or row.get("qid") or row.get("label")) if isinstance(row, dict) else str(place[1])
    return " ".join([f"{place[0]} {name}", *(str(part) for part in place[2:])])


def kinship(label: str) -> str:
    """What people call a kinship: the label itself, or the table's word for it; "" where there is none."""
    return load_properties().kinship.get(label, label)
