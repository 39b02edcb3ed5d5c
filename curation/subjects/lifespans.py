"""Alive or dead, and how old at most or at least: concluded from everything that an entity states, on the careful side.

A date that is coarser than a year is a span. Someone counts as dead only where the end of the span of birth lies far
enough back, and as grown up only where the end of that span does.
"""

import re

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
ACTIVE = ("P1317", "P2031", "P2032", "P746", "P1249")
"""Floruit, work period, disappearance, earliest record: whoever was active then had been born."""
DATED = frozenset({
    "P39", "P69", "P108", "P26", "P463", "P54", "P607", "P3602", "P551", "P166", "P1411", "P1344", "P512", "P102",
    "P410", "P241", "P97", "P6087", "P598",
})  # fmt: skip
"""Offices, schools, marriages, awards and their like: whoever has one since a year had been born by then."""
WHEN = frozenset({"P580", "P582", "P585"})
LONG_AGO = 1950
"""Only what is dated before it tells here: a later office says nothing of somebody's age."""
EVENT, END_CAUSE, EARLIEST, LATEST = "P793", "P1534", "P1319", "P1326"
OWN_DEATH = frozenset({"Q99521170", "Q5247364", "Q4"})
"""End causes, and events: death of the subject, death in office, death."""
CIRCA, ABOUT_YEARS = "P1480", 5
"""A birth "about" a year may lie so many years after it."""

YEAR, DECADE, CENTURY, MILLENNIUM = 9, 8, 7, 6
_SIZES = {DECADE: 10, CENTURY: 100, MILLENNIUM: 1000}
_BORN = re.compile(r"\b(?:born|b\.) (?:in |on |c\. ?|circa |about )*(?:[A-Z][a-z]+ )?(?:\d{1,2},? )?(\d{4})\b")
_YEARS = re.compile(r"\((?:c\. ?|fl\. ?|active )?\d{3,4} ?[–-] ?(?:c\. ?)?(\d{4})\)")
_CENTURY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)[- ]century\b")
"""What descriptions say of somebody's time: "born 2012", "(1790–1850)", "18th-century Dutch painter"."""


def tells_of_life(statement: Statement) -> bool:
    """Whether a statement is one of those that the rules here look at."""
    told = (*IMPLY_DEATH, *BIRTH, *ACTIVE, EVENT)
    return statement.property_id in told or _ended_by_death(statement) or bool(_long_ago(statement))


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
    """The last year in which the person can have been born by what is stated, or None where nothing is.

    What somebody did before the earliest birth that is stated is an error, and proves nothing.
    """
    births = [span for each in BIRTH for span in _spans(entity, each)]
    if not births and (said := _BORN.search(entity.description)):
        births = [(int(said[1]), int(said[1]))]
    active = [end for each in ACTIVE for _, end in _spans(entity, each)]
    active += [year for each in entity.statements for year in _long_ago(each)]
    active += [int(each) for each in _YEARS.findall(entity.description) if int(each) < LONG_AGO]
    active += [100 * int(each) for each in _CENTURY.findall(entity.description) if 100 * int(each) < LONG_AGO]
    first = min((start for start, _ in births), default=None)
    possible = [year for year in active if first is None or year >= first]
    return min(([max(end for _, end in births)] if births else []) + possible, default=None)


def born_from(entity: Entity) -> int | None:
    """The first year in which the person can have been born, where only that is stated ("2011 at the earliest")."""
    earliest = [
        each.value.year
        for statement in entity.of("P569")
        if statement.rank != "deprecated"
        for each in statement.qualifiers
        if each.property_id == EARLIEST and isinstance(each.value, TimeValue) and each.value.precision >= YEAR
    ]
    return max(earliest, default=None)


def last_year(value: TimeValue) -> int | None:
    """The last year of the span that a date of its precision covers; None where it is coarser than a millennium."""
    if value.year == 0 or value.precision < MILLENNIUM:
        return None
    if value.precision >= YEAR:
        return value.year
    if value.precision == DECADE:
        return value.year // 10 * 10 + 9
    return -(-value.year // _SIZES[value.precision]) * _SIZES[value.precision]


def _spans(entity: Entity, property_id: str) -> list[tuple[int, int]]:
    """First and last year of every statement of the property that has one, an explicit latest date included."""
    spans: list[tuple[int, int]] = []
    for statement in entity.of(property_id):
        if statement.rank == "deprecated" or statement.snak == "novalue":
            continue
        about = any(each.property_id == CIRCA and each.snak != "novalue" for each in statement.qualifiers)
        own = [statement.value, *(each.value for each in statement.qualifiers if each.property_id == LATEST)]
        found = [(each, end) for each in own if isinstance(each, TimeValue) and (end := last_year(each)) is not None]
        if found:
            end = max(end for _, end in found) + (ABOUT_YEARS if about and len(found) == 1 else 0)
            start = min(end - _SIZES.get(each.precision, 1) + 1 for each, end in found)
            spans.append((start - (ABOUT_YEARS if about else 0), end))
    return spans


def _long_ago(statement: Statement) -> list[int]:
    """The years long ago in which the person had an office, a spouse or the like."""
    if statement.property_id not in DATED or statement.rank == "deprecated" or statement.snak == "novalue":
        return []
    when = (each.value for each in statement.qualifiers if each.property_id in WHEN)
    ends = (last_year(value) for value in when if isinstance(value, TimeValue))
    return [year for year in ends if year is not None and year < LONG_AGO]


def _ended_by_death(statement: Statement) -> bool:
    return any(
        each.property_id == END_CAUSE and isinstance(each.value, ItemValue) and each.value.qid in OWN_DEATH
        for each in statement.qualifiers
    )


def _is_own_death(statement: Statement) -> bool:
    return (
        statement.property_id == EVENT and isinstance(statement.value, ItemValue) and statement.value.qid in OWN_DEATH
    )
