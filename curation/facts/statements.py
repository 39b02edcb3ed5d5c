"""Whether one statement may be asked about: rank, qualifiers, end, policy, third parties, and its value's class."""

from collections.abc import Mapping, Sequence
from typing import Literal

from curation.facts.accepted_answers import YEAR, Reading, Unread, read_value
from curation.facts.properties import Property, PropertyTable, kinship
from curation.facts.qualifier_roles import load_qualifiers
from curation.facts.value_kinds import reached
from curation.subjects.lifespans import born_by, born_from, is_dead
from schemas.matching.dates import date_text
from schemas.records.entities import Entity, ItemValue, Qualifier, Statement, TimeValue, Value
from schemas.storage.tables import Record
from schemas.vocabulary import SENSITIVITIES, Sensitivity

Gated = Literal["open", "separate", "drop"]

HUMAN = "Q5"
MALE_OR_FEMALE = ("Q6581097", "Q6581072")
START, POINT_IN_TIME, KINSHIP = "P580", "P585", "P1039"
PREFERRED_FOR, MOST_PRECISE = "P7452", "Q71536040"
VALUE_OVER = ("P576", "P3999", "P2669", "P570")
"""Dissolved, closed, discontinued, dead: whoever belonged to it, or was married to them, does so no longer."""


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
    outranked: bool = False
    """True beside a preferred value, so that it is accepted, and never what the answer is."""

    @property
    def too_fine(self) -> bool:
        """A building, and no place around it is at hand: nobody would answer with it."""
        return self.reading.kind == "building"


def policy_reason(row: Property | None, *, gated: Gated, exclude: Sequence[str]) -> str | None:
    """Why a property is not asked at all, or None."""
    if row is None:
        return "property_unknown"
    if row.policy == "exclude" or row.id in exclude:
        return "property_excluded"
    return "property_gated" if row.policy == "gate" and gated == "drop" else None


def rank_reason(statement: Statement, above: Sequence[Statement]) -> str | None:
    """Why the statement's rank keeps it out, given the preferred statements of its property that can be asked for.

    A value that is preferred because it is the most precise one makes no other item false.
    """
    if statement.rank == "deprecated":
        return "rank_deprecated"
    if statement.rank == "preferred" or not above:
        return None
    coarser = isinstance(statement.value, ItemValue) and all(_most_precise(each) for each in above)
    return None if coarser else "rank_outranked"


def stays_true(row: Property, *, living: bool) -> bool:
    """Whether a value beside a preferred one is a right answer all the same.

    Where several values may be true and the question is about all of somebody's time, "preferred" says only which one
    is the latest or the best known: who is President now has been Prime Minister.
    """
    return row.many and not (row.present and living)


def _most_precise(statement: Statement) -> bool:
    value = qualifier_value(statement, PREFERRED_FOR)
    return isinstance(value, ItemValue) and value.qid == MOST_PRECISE


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
            value,
            least_sitelinks=third_party_sitelinks,
            adult_born_by=table.adult_born_by,
            latest_year=table.latest_year,
            birth_wanted=row.minors,
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
        ended=has_ended(statement, row, value) or (row.present and row.person and _parted(entity, row.id, value)),
    )


def _read(
    statement: Statement, row: Property, entity: Entity, values: Mapping[str, Entity], table: PropertyTable
) -> Reading | Unread:
    if statement.snak != "value":
        return Unread(reason="value_unknown" if statement.snak == "somevalue" else "value_none")
    doubt = load_qualifiers().doubt(statement, many_items=row.many and row.value == "item")
    if doubt:
        return Unread(reason="nature_doubtful", detail=doubt)
    if (
        row.names
        and (genders := set(entity.items("P21")))
        and not (len(genders) == 1 and genders < set(MALE_OR_FEMALE))
    ):
        return Unread(reason="value_sensitive", detail="a birth name may be a former name")
    return read_value(statement.value, kind=row.value, answer_type=row.answer, values=values, table=table)


def has_ended(statement: Statement, row: Property, value: Entity | None) -> bool:
    """Whether the statement has ended: it says so, or how it ended, or its value is no more.

    Where the present is asked, a value that held at a point in time and is not said to go on has ended too.
    """
    if load_qualifiers().ends(statement):
        return True
    if not row.present:
        return False
    if value is not None and any(_stands(each) for over in VALUE_OVER for each in value.of(over)):
        return True
    said = {each.property_id for each in statement.qualifiers if each.snak != "novalue"}
    return POINT_IN_TIME in said and START not in said


def _parted(entity: Entity, property_id: str, partner: Entity | None) -> bool:
    """Whether the partner's own statements about the two of them have ended, all of them."""
    own = [
        each
        for each in (partner.of(property_id) if partner is not None else ())
        if _stands(each) and isinstance(each.value, ItemValue) and each.value.qid == entity.qid
    ]
    return bool(own) and all(load_qualifiers().ends(each) for each in own)


def latest_starts(entity: Entity, property_id: str) -> list[tuple[int, Value | None]]:
    """The two values of a property that began last, with the year in which each began at the latest."""
    latest: dict[Value | None, int] = {}
    for each in entity.of(property_id):
        began = start_year(each)
        if began is not None and _stands(each):
            latest[each.value] = max(began, latest.get(each.value, began))
    return sorted(((began, value) for value, began in latest.items()), key=lambda pair: -pair[0])[:2]


def superseded(statement: Statement, latest: Sequence[tuple[int, Value | None]]) -> bool:
    """Whether another value of a property that has one at a time began later; `latest` are its `latest_starts`."""
    own = start_year(statement)
    return own is not None and any(began > own and value != statement.value for began, value in latest)


def start_year(statement: Statement) -> int | None:
    """The year in which the statement began to hold, or None."""
    value = qualifier_value(statement, START)
    return value.year if isinstance(value, TimeValue) and value.precision >= YEAR else None


def _stands(statement: Statement) -> bool:
    return statement.rank != "deprecated" and statement.snak != "novalue"


def qualifier_value(statement: Statement, property_id: str) -> Value | None:
    """The value of the first qualifier of that property that has one, or None."""
    return next((each.value for each in qualifiers_of(statement, property_id)), None)


def qualifiers_of(statement: Statement, property_id: str) -> list[Qualifier]:
    """The qualifiers of that property that have a value, in order."""
    return [each for each in statement.qualifiers if each.property_id == property_id and each.snak == "value"]


def qualifier_text(statement: Statement, property_id: str, values: Mapping[str, Entity]) -> str:
    """A qualifier as a question says it: the label of an item, the year of a time; "" if it is not there."""
    value = qualifier_value(statement, property_id)
    if isinstance(value, ItemValue) and value.qid in values:
        return kinship(values[value.qid].label) if property_id == KINSHIP else values[value.qid].label
    if isinstance(value, TimeValue) and value.precision >= YEAR and value.year:
        return date_text(value.year)
    return ""


def third_party_problem(
    person: Entity, *, least_sitelinks: int, adult_born_by: int, latest_year: int, birth_wanted: bool
) -> str | None:
    """Why a person may not be named as an answer: not public, born too late, or (children, siblings) of unknown age."""
    if person.sitelinks < least_sitelinks:
        return f"{person.qid} has {person.sitelinks} sitelinks, {least_sitelinks} are needed"
    if is_dead(person, year=latest_year):
        return None
    born = born_by(person)
    if max(born or 0, born_from(person) or 0) > adult_born_by:
        return f"{person.qid} may be a minor"
    if born is None and birth_wanted:
        return f"{person.qid} has no known year of birth"
    return None


def value_sensitivity(value: Entity, values: Mapping[str, Entity], table: PropertyTable) -> Sensitivity | None:
    """The most sensitive class of the value by its own P31 and P279, climbing as far as `values` reaches."""
    classes = reached([*value.items("P31"), *value.items("P279")], values, up=("P279",))
    found = {table.class_of[qid] for qid in classes if qid in table.class_of}
    return max(found, key=SENSITIVITIES.index, default=None)
