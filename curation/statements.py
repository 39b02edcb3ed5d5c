"""Whether one statement may be asked about: rank, qualifiers, policy, third parties, and the class of its value."""

from collections.abc import Mapping, Sequence
from typing import Literal

from curation.answers import YEAR, Reading, Unread, read_value
from curation.properties import Property, PropertyTable
from schemas.dates import date_text
from schemas.entities import Entity, ItemValue, Qualifier, Statement, TimeValue
from schemas.tables import Record
from schemas.words import SENSITIVITIES, Sensitivity

Gated = Literal["open", "separate", "drop"]

HUMAN = "Q5"
MALE_OR_FEMALE = ("Q6581097", "Q6581072")
ENDED, DOUBT, POINT_IN_TIME = "P582", ("P1480", "P5102"), "P585"
_CLASS_DEPTH = 6


class Candidate(Record):
    """A statement that may be asked about."""

    statement: Statement
    reading: Reading
    topic: str
    """Text of the qualifier that the question needs (a kinship, a year), or ""."""
    sensitivity: Sensitivity
    gate: bool
    """Policy gates it: the property, or the class of its value."""
    ended: bool


def policy_reason(row: Property | None, *, gated: Gated, exclude: Sequence[str]) -> str | None:
    """Why a property is not asked at all, or None."""
    if row is None:
        return "property_unknown"
    if row.policy == "exclude" or row.id in exclude:
        return "property_excluded"
    return "property_gated" if row.policy == "gate" and gated == "drop" else None


def rank_reason(statement: Statement, siblings: Sequence[Statement]) -> str | None:
    """Why the statement's rank keeps it out, given all statements of its property."""
    if statement.rank == "deprecated":
        return "rank_deprecated"
    if statement.rank == "normal" and any(each.rank == "preferred" for each in siblings):
        return "rank_outranked"
    return None


def judge(
    statement: Statement,
    row: Property,
    entity: Entity,
    *,
    values: Mapping[str, Entity],
    table: PropertyTable,
    gated: Gated,
    third_party_sitelinks: int,
) -> Candidate | Unread:
    """Read a statement of an asked property under all rules but rank and end."""
    reading = _read(statement, row, entity, values, table)
    if isinstance(reading, Unread):
        return reading
    value = values.get(reading.value_id)
    if value is not None and (row.person or HUMAN in value.items("P31")):
        problem = third_party_problem(
            value, least_sitelinks=third_party_sitelinks, adult_born_by=table.adult_born_by, birth_wanted=row.minors
        )
        if problem:
            return Unread(reason="third_party", detail=problem)
    raised = value_sensitivity(value, values, table) if row.reveals and value is not None else None
    gate = row.policy == "gate" or raised is not None
    if raised is not None and gated == "drop":
        return Unread(reason="value_sensitive", detail=raised)
    # The details of these two name no value: what is not published about a person is not kept in drop rows either.
    if gate and statement.cited < 1:
        return Unread(reason="gate_uncited")
    topic = qualifier_text(statement, row.needs, values) if row.needs else ""
    if row.needs and not topic:
        return Unread(reason="needs_qualifier", detail=row.needs)
    return Candidate(
        statement=statement,
        reading=reading,
        topic=topic,
        sensitivity=raised or row.sensitivity,
        gate=gate,
        ended=has_ended(statement),
    )


def _read(
    statement: Statement, row: Property, entity: Entity, values: Mapping[str, Entity], table: PropertyTable
) -> Reading | Unread:
    if statement.snak != "value":
        return Unread(reason="value_unknown" if statement.snak == "somevalue" else "value_none")
    doubt = [each.property_id for each in statement.qualifiers if each.property_id in DOUBT and each.snak == "value"]
    if doubt:
        return Unread(reason="nature_doubtful", detail=doubt[0])
    if (
        row.names
        and (genders := set(entity.items("P21")))
        and not (len(genders) == 1 and genders < set(MALE_OR_FEMALE))
    ):
        return Unread(reason="value_sensitive", detail="a birth name may be a former name")
    return read_value(statement.value, kind=row.value, answer_type=row.answer, values=values, table=table)


def has_ended(statement: Statement) -> bool:
    """Whether the statement says that it has ended (P582), at a known or unknown time."""
    return any(each.property_id == ENDED and each.snak != "novalue" for each in statement.qualifiers)


def first_qualifier(statement: Statement, property_id: str) -> Qualifier | None:
    """The first qualifier of that property that has a value."""
    hits = (each for each in statement.qualifiers if each.property_id == property_id and each.snak == "value")
    return next(hits, None)


def qualifier_text(statement: Statement, property_id: str, values: Mapping[str, Entity]) -> str:
    """A qualifier as a question says it: the label of an item, the year of a time; "" if it is not there."""
    qualifier = first_qualifier(statement, property_id)
    value = qualifier.value if qualifier else None
    if isinstance(value, ItemValue) and value.qid in values:
        return values[value.qid].label
    if isinstance(value, TimeValue) and value.precision >= YEAR and value.year:
        return date_text(value.year)
    return ""


def third_party_problem(person: Entity, *, least_sitelinks: int, adult_born_by: int, birth_wanted: bool) -> str | None:
    """Why a person may not be named as an answer: not public, born too late, or (children, siblings) of unknown age."""
    if person.sitelinks < least_sitelinks:
        return f"{person.qid} has {person.sitelinks} sitelinks, {least_sitelinks} are needed"
    if any(each.snak != "novalue" and each.rank != "deprecated" for each in person.of("P570")):
        return None
    years = [
        each.value.year
        for each in person.of("P569")
        if each.rank != "deprecated" and isinstance(each.value, TimeValue) and each.value.precision >= YEAR
    ]
    if years and max(years) > adult_born_by:
        return f"{person.qid} may be a minor"
    if not years and birth_wanted:
        return f"{person.qid} has no known year of birth"
    return None


def value_sensitivity(value: Entity, values: Mapping[str, Entity], table: PropertyTable) -> Sensitivity | None:
    """The most sensitive class of the value by its own P31 and P279, climbing as far as `values` reaches."""
    found: set[Sensitivity] = set()
    seen: set[str] = set()
    layer = {*value.items("P31"), *value.items("P279")}
    for _ in range(_CLASS_DEPTH):
        found |= {table.class_of[qid] for qid in layer if qid in table.class_of}
        seen |= layer
        layer = {up for qid in layer if qid in values for up in values[qid].items("P279")} - seen
    return max(found, key=SENSITIVITIES.index, default=None)
