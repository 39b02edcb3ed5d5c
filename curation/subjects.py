"""Who becomes a subject: from an entity to a Subject row, or the reason why not."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from schemas.entities import Entity, TextValue, TimeValue
from schemas.records import Drop, Subject

HUMAN = "Q5"
TOLD_OF_SUBJECTS = frozenset({"P31", "P106", "P569", "P570", "P18", "P373"})
"""The properties that a Subject row is made of: a caller that holds many people may let go of all others."""
ADULT_AT = 18
LONGEST_LIFE_YEARS = 115
"""Without a date of death, someone born longer ago than this counts as dead."""


@cache
def _groups() -> Mapping[str, tuple[str, ...]]:
    content = tomllib.loads(files("curation").joinpath("occupations.toml").read_text("utf-8"))
    return {group: tuple(entry["words"]) for group, entry in content.items()}


def occupation_group(occupations: Sequence[str]) -> str:
    """Group of the first occupation that has one, by curation/occupations.toml; "other" if none has."""
    for occupation in occupations:
        words = f" {occupation.casefold()} "
        for group, endings in _groups().items():
            if any(f"{ending} " in words for ending in endings):
                return group
    return "other"


def _year(entity: Entity, property_id: str) -> int | None:
    """Year of the best-ranked value that is at least year-precise."""
    ranked = sorted(entity.of(property_id), key=lambda statement: statement.rank != "preferred")
    for statement in ranked:
        value = statement.value
        if statement.rank != "deprecated" and isinstance(value, TimeValue) and value.precision >= 9:
            return value.year
    return None


def _texts(entity: Entity, property_id: str) -> tuple[str, ...]:
    ranked = sorted(entity.of(property_id), key=lambda statement: statement.rank != "preferred")
    return tuple(
        statement.value.text
        for statement in ranked
        if statement.rank != "deprecated" and isinstance(statement.value, TextValue)
    )


def not_a_subject(entity: Entity) -> tuple[str, str] | None:
    """(reason, detail) if the entity cannot be a subject, else None."""
    if HUMAN not in entity.items("P31"):
        kinds = ", ".join(entity.items("P31")[:3]) or "nothing"
        return "not_human", f"{entity.qid} is an instance of {kinds}"
    if not entity.label.strip():
        return "no_label", f"{entity.qid} has no English label"
    return None


def may_be_minor(subject: Subject, *, year: int) -> bool:
    """Whether a living person may be under 18 in that year; a year of birth that nobody states proves nothing."""
    return subject.living and subject.birth_year is not None and year - subject.birth_year <= ADULT_AT


def subject_of(
    entity: Entity, occupations: Sequence[str], *, subject_id: str, year: int, complete_rank: int | None = None
) -> Subject:
    """The Subject row of a person; `year` is the year by which age is judged, `occupations` are English labels."""
    birth, death = _year(entity, "P569"), _year(entity, "P570")
    # Someone with a date of death of any precision, even unknown, is dead.
    dead = any(statement.rank != "deprecated" and statement.snak != "novalue" for statement in entity.of("P570"))
    too_old = birth is not None and year - birth >= LONGEST_LIFE_YEARS
    categories = _texts(entity, "P373")
    return Subject(
        subject_id=subject_id,
        qid=entity.qid,
        name=entity.label.strip(),
        aliases=entity.aliases,
        description=entity.description,
        occupations=tuple(occupations),
        occupation_group=occupation_group(occupations),
        living=not dead and not too_old,
        birth_year=birth,
        death_year=death,
        sitelinks=entity.sitelinks,
        portrait_titles=_texts(entity, "P18"),
        commons_category=categories[0] if categories else None,
        revision=entity.revision,
        complete_rank=complete_rank,
    )


def drop_of(asked: str, reason: str, detail: str) -> Drop:
    """The drop row of someone who was asked for and did not become a subject."""
    return Drop(stage="select", subject_id="", item=asked, reason=reason, detail=detail)
