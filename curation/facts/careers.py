"""Careers: which have ended, and dates that cannot be (before the birth, after the death, in the future, too early)."""

from collections.abc import Sequence

from curation.facts.accepted_answers import YEAR
from curation.facts.qualifier_roles import load_qualifiers
from curation.facts.spells import END
from curation.facts.statements import START
from curation.subjects.lifespans import LONGEST_LIFE_YEARS, is_dead
from schemas.records.build_rows import AcceptedAnswer, Subject
from schemas.records.entities import Entity, TimeValue

WORK_START, BORN, DIED = "P2031", "P569", "P570"
WORK_END = "P2032"
WORKING = frozenset({"P106", "P641", "P413", "P118", "P1532", "P101", "P136", "P1303"})
"""What is said of somebody's working life, and in the past once it is over."""
WORKING_AT = 14
STAGE_GROUPS = frozenset({"music", "film_and_stage", "sport"})
"""Occupation groups in which children are known to begin."""
LIVED = frozenset({"P2031", "P2032", "P1317"})
"""What nobody does after death; awards and nominations may come later."""


def has_retired(entity: Entity, *, latest_year: int) -> bool:
    """Whether a work period is said to have ended before `latest_year`, at a known time or not."""
    stated = [each for each in entity.of(WORK_END) if each.rank != "deprecated" and each.snak != "novalue"]
    limited = any(load_qualifiers().doubt(each, many_items=False) for each in stated)
    return bool(stated) and not limited and max(_years(entity, WORK_END), default=0) < latest_year


def impossible_date(
    property_id: str, accepted: Sequence[AcceptedAnswer], entity: Entity, subject: Subject, *, latest_year: int
) -> str:
    """What is wrong with the years of a fact by the subject's birth and death; "" if nothing is, or it has none."""
    years = [each.year for each in accepted if each.kind == "date"]
    if not years:
        return ""
    born, died = _earliest(entity, BORN), _latest(entity, DIED)
    qualifier = property_id.partition("/")[2]
    if max(years) > latest_year and (property_id in (BORN, DIED) or not qualifier or qualifier == START):
        return f"{max(years)} has not come yet"
    if property_id in (BORN, DIED):
        wrong = born is not None and died is not None and not 0 <= died - born <= LONGEST_LIFE_YEARS + 8
        return f"a life from {born} to {died}" if wrong else ""
    if born is not None and min(years) < born:
        return f"{min(years)} lies before the birth in {born}"
    child = property_id == WORK_START and born is not None and min(years) - born < WORKING_AT
    if child and subject.occupation_group not in STAGE_GROUPS:
        return f"work begun in {min(years)}, born in {born}"
    after = died is not None and is_dead(entity, year=latest_year) and max(years) > died
    if after and (property_id in LIVED or qualifier in (START, END)):
        return f"{max(years)} lies after the death in {died}"
    return ""


def _years(entity: Entity, property_id: str) -> list[int]:
    return [
        each.value.year
        for each in entity.of(property_id)
        if each.rank != "deprecated" and isinstance(each.value, TimeValue) and each.value.precision >= YEAR
    ]


def _earliest(entity: Entity, property_id: str) -> int | None:
    return min(_years(entity, property_id), default=None)


def _latest(entity: Entity, property_id: str) -> int | None:
    return max(_years(entity, property_id), default=None)
