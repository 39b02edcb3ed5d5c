"""A value stated more than once: whether a qualifier can be asked about at all, and which of its values are right.

Somebody who held an office twice did not leave it at the end of the first term alone, and who was elected again did not
leave it at the end of a term.
"""

from collections.abc import Sequence

from curation.answers import YEAR
from curation.statements import START, qualifier_value
from schemas.entities import Entity, Statement, TimeValue

END = "P582"


def same_value(statement: Statement, entity: Entity) -> list[Statement]:
    """The statements of the entity that give the property the same value, this one among them, none deprecated."""
    return [
        each
        for each in entity.of(statement.property_id)
        if each.rank != "deprecated" and each.snak == "value" and each.value == statement.value
    ]


def goes_on(statement: Statement, property_id: str, others: Sequence[Statement]) -> bool:
    """Whether the start or end that a statement names is none, since another spell with the value touches it.

    Years are compared: a spell that ends in one year and another that begins in the same or the next make one.
    """
    begin, end = _year(statement, START), _year(statement, END)
    for other in others:
        other_begin, other_end = _year(other, START), _year(other, END)
        if other is statement or other_begin is None:
            continue
        before = begin is not None and other_begin < begin and (other_end is None or other_end >= begin - 1)
        after = end is not None and other_begin <= end + 1 and (other_end is None or other_end > end)
        if (before and property_id == START) or (after and property_id == END):
            return True
    return False


def _year(statement: Statement, property_id: str) -> int | None:
    value = qualifier_value(statement, property_id)
    return value.year if isinstance(value, TimeValue) and value.precision >= YEAR else None
