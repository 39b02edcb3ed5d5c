"""Wikidata entities as the rest of the project sees them: parsed, typed, in English, without the wire format."""

from typing import Literal

from schemas.storage.tables import Record

Rank = Literal["preferred", "normal", "deprecated"]
SnakType = Literal["value", "somevalue", "novalue"]


class ItemValue(Record):
    """A value that is another entity."""

    kind: Literal["item"] = "item"
    qid: str


class TimeValue(Record):
    """A point in time; month and day are 0 where the precision does not reach them. Negative years are BCE."""

    kind: Literal["time"] = "time"
    year: int
    month: int
    day: int
    precision: int
    """Wikidata's scale: 7 century, 8 decade, 9 year, 10 month, 11 day."""
    julian: bool = False


class QuantityValue(Record):
    """An amount; `unit` is the QID of the unit, or None for a bare number."""

    kind: Literal["quantity"] = "quantity"
    amount: float
    unit: str | None = None
    lower: float | None = None
    upper: float | None = None


class TextValue(Record):
    """A string, external id, URL, Commons file name or monolingual text (then `language` is set)."""

    kind: Literal["text"] = "text"
    text: str
    language: str | None = None


Value = ItemValue | TimeValue | QuantityValue | TextValue


class Qualifier(Record):
    """One qualifier snak of a statement, in the order of the source."""

    property_id: str
    snak: SnakType
    value: Value | None = None


class Statement(Record):
    """One statement of an entity. `cited` counts references that name a source (P248) or an URL (P854)."""

    statement_id: str
    property_id: str
    rank: Rank
    snak: SnakType
    value: Value | None = None
    qualifiers: tuple[Qualifier, ...] = ()
    references: int = 0
    cited: int = 0


class Entity(Record):
    """An item with its English label, aliases, sitelink count and statements (in source order).

    `requested_id` differs from `qid` where the source answered with the target of a redirect.
    A missing English label falls back as the source's language fallback says; "" if there is none.
    """

    qid: str
    requested_id: str
    label: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    sitelinks: int = 0
    wikipedia_title: str | None = None
    revision: int | None = None
    statements: tuple[Statement, ...] = ()

    def of(self, property_id: str) -> tuple[Statement, ...]:
        """Statements of one property, in source order, whatever their rank."""
        return tuple(statement for statement in self.statements if statement.property_id == property_id)

    def items(self, property_id: str) -> tuple[str, ...]:
        """QIDs that the not-deprecated item statements of one property name."""
        return tuple(
            statement.value.qid
            for statement in self.of(property_id)
            if statement.rank != "deprecated" and isinstance(statement.value, ItemValue)
        )


class MissingEntity(Record):
    """An id that the source does not have (never created, or deleted)."""

    requested_id: str
