"""Alive or dead, and how old at most or at least: concluded from everything that an entity states, on the careful side.

A date that is coarser than a year is a span. Someone counts as dead only where the end of the span of birth lies far
enough back, and as grown up only where the end of that span does.
"""

from schemas.records.entities import Entity, ItemValue, Statement, TimeValue

ADULT_AT = 18
LONGEST_LIFE_YEARS = 115
"""Without any sign of death, someone born longer ago than this counts as dead."""

IMPLY_DEATH = frozenset({
    "P570", "P20", "P509", "P1196", "P119", "P157", "P4602", "P1442", "P535", "P411", "P1786",
})  # fmt: skip
"""Date, place, cause and manner of death, burial and its date, killed by, picture of the grave, Find a Grave,
canonization, posthumous name."""
BIRTH = ("P569", "P1636")
"""Date of birth; date of baptism, which no birth comes after."""
ACTIVE = ("P1317", "P2031", "P2032")
"""Floruit, work period: whoever was active then had been born."""
EVENT, END_CAUSE, LATEST = "P793", "P1534", "P1326"
OWN_DEATH = frozenset({"Q99521170", "Q5247364", "Q4"})
"""End causes, and events: death of the subject, death in office, death."""
CIRCA, ABOUT_YEARS = "P1480", 5
"""A birth "about" a year may lie so many years after it."""

YEAR, DECADE, CENTURY, MILLENNIUM = 9, 8, 7, 6


def tells_of_life(statement: Statement) -> bool:
    """Whether a statement is one of those that the rules here look at."""
    told = (*IMPLY_DEATH, *BIRTH, *ACTIVE, EVENT)
    return statement.property_id in told or _ended_by_death(statement)


def is_dead(entity: Entity, *, year: int) -> bool:
    """Whether anything stated implies death, or the birth lies a longest life before `year`."""
    for statement in entity.statements:
        if statement.rank == "deprecated" or statement.snak == "novalue":
            continue
        if statement.property_id in IMPLY_DEATH or _ended_by_death(statement) or _is_own_death(statement):
            return True
    latest = born_by(entity)
    return latest is not None and year - latest >= LONGEST_LIFE_YEARS


def born_by(entity: Entity) -> int | None:
    """The last year in which the person can have been born by what is stated, or None where nothing is."""
    births = [end for each in BIRTH for end in _ends(entity, each)]
    active = [end for each in ACTIVE for end in _ends(entity, each)]
    bounds = ([max(births)] if births else []) + active
    return min(bounds, default=None)


def last_year(value: TimeValue) -> int | None:
    """The last year of the span that a date of its precision covers; None where it is coarser than a millennium."""
    if value.year == 0 or value.precision < MILLENNIUM:
        return None
    if value.precision >= YEAR:
        return value.year
    if value.precision == DECADE:
        return value.year // 10 * 10 + 9
    size = 100 if value.precision == CENTURY else 1000
    return -(-value.year // size) * size


def _ends(entity: Entity, property_id: str) -> list[int]:
    """The last year of every statement of the property that has one, an explicit latest date included."""
    ends: list[int] = []
    for statement in entity.of(property_id):
        if statement.rank == "deprecated" or statement.snak == "novalue":
            continue
        about = any(each.property_id == CIRCA and each.snak != "novalue" for each in statement.qualifiers)
        own = [statement.value, *(each.value for each in statement.qualifiers if each.property_id == LATEST)]
        found = [end for each in own if isinstance(each, TimeValue) and (end := last_year(each)) is not None]
        if found:
            ends.append(max(found) + (ABOUT_YEARS if about and len(found) == 1 else 0))
    return ends


def _ended_by_death(statement: Statement) -> bool:
    return any(
        each.property_id == END_CAUSE and isinstance(each.value, ItemValue) and each.value.qid in OWN_DEATH
        for each in statement.qualifiers
    )


def _is_own_death(statement: Statement) -> bool:
    return (
        statement.property_id == EVENT and isinstance(statement.value, ItemValue) and statement.value.qid in OWN_DEATH
    )
