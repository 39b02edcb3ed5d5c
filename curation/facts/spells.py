"""A value stated more than once: whether a qualifier can be asked about at all, and which of its values are right.

Somebody who held an office twice did not leave it at the end of the first term alone, and who was elected again did not
leave it at the end of a term.
"""

from collections.abc import Sequence

from curation.facts.accepted_answers import YEAR
from curation.facts.statements import START, qualifier_value
from schemas.records.entities import Entity, Statement, TimeValue, Value

END, MARRIED = "P582", "P26"


MOST_SPELLS = 50
"""An office that somebody is said to have held more often is none that a question could be put about."""


def by_value(entity: Entity, property_id: str) -> dict[Value | None, list[Statement]]:
    """The statements of a property that have a value and are not deprecated, by their value."""
    found: dict[Value | None, list[Statement]] = {}
    for each in entity.of(property_id):
        if each.rank != "deprecated" and each.snak == "value":
            found.setdefault(each.value, []).append(each)
    return found


def goes_on(statement: Statement, property_id: str, others: Sequence[Statement]) -> bool:
    """Whether the start or end that a statement names is none, since another spell with the value touches it.

    A spell that ends in a year and another that begins in it make one, and so do those about a turn of the year; but
    whoever married the same person again has been divorced.
    """
    if property_id not in (START, END):
        return False
    begin, end = _time(statement, START), _time(statement, END)
    for other in others:
        other_begin, other_end = _time(other, START), _time(other, END)
        if other is statement or other_begin is None:
            continue
        earlier = begin is not None and other_begin.year < begin.year
        before = earlier and begin is not None and (other_end is None or _touch(other_end, begin, statement))
        later = end is not None and (other_end is None or other_end.year > end.year)
        after = later and end is not None and _touch(end, other_begin, statement)
        if (before and property_id == START) or (after and property_id == END):
            return True
    return False


def _touch(end: TimeValue, begin: TimeValue, statement: Statement) -> bool:
    """Whether a spell that ends then goes on in one that begins then, or overlaps it."""
    if begin.year <= end.year:
        return begin.year < end.year or statement.property_id != MARRIED
    turn = begin.year == end.year + 1 and end.month in (0, 11, 12) and begin.month in (0, 1, 2)
    return turn and statement.property_id != MARRIED


def _time(statement: Statement, property_id: str) -> TimeValue | None:
    value = qualifier_value(statement, property_id)
    return value if isinstance(value, TimeValue) and value.precision >= YEAR else None
