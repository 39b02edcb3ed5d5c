"""Selection: who becomes a subject or why not, ranked by sitelinks and pageviews, balanced over occupations."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from curation.subjects.lifespans import ADULT_AT, born_by, born_from, is_dead, tells_of_life
from schemas.protocols.source import PeopleFilter
from schemas.records.build_rows import Drop, Subject
from schemas.records.entities import Entity, Statement, TextValue, TimeValue

HUMAN = "Q5"

PUBLIC_ROLE = frozenset({
    "P106", "P39", "P97", "P54", "P641", "P413", "P800", "P166", "P1411", "P1344", "P264", "P1303", "P412", "P410",
    "P241", "P607", "P3602", "P6087", "P598", "P101", "P136", "P135", "P1441",
})  # fmt: skip
"""Statements that say what a person is known for: an occupation, an office, a title, a team, a work, an award, …"""

KIN = frozenset({"P22", "P25", "P3373", "P1038"})

RELATIVE_OF = re.compile(
    r"\b(?:son|daughter|child|brother|sister|sibling|wife|husband|spouse|widow|widower|mother|father|parent|cousin|nephew"
    r"|niece|grandson|granddaughter|grandchild|stepson|stepdaughter|relative|girlfriend|boyfriend|partner)s? of\b",
    re.IGNORECASE,
)
BEFALLEN = re.compile(
    r"\b(?:(?:murder|crime|accident|kidnapping|abduction|rape|stabbing|shooting) (?:victim|survivor)"
    r"|(?:victim|survivor) of|missing (?:child|girl|boy|person|man|woman|teenager)|hostage)\b",
    re.IGNORECASE,
)
"""Descriptions of people who are known for what others did to them."""

_TOLD = frozenset({"P31", "P106", "P18", "P373"}) | KIN


@cache
def _groups() -> Mapping[str, tuple[str, ...]]:
    content = tomllib.loads(files("curation.subjects").joinpath("occupations.toml").read_text("utf-8"))
    return {group: tuple(entry["words"]) for group, entry in content.items()}


def occupation_group(occupations: Sequence[str]) -> str:
    """Group of the first occupation that has one, by curation/subjects/occupations.toml; "other" if none has."""
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
        if statement.rank != "deprecated" and isinstance(value, TimeValue) and value.precision >= 9 and value.year:
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
    if entity.qid[:1] != "Q" or HUMAN not in entity.items("P31"):
        kinds = ", ".join(entity.items("P31")[:3]) or "nothing"
        return "not_human", f"{entity.qid} is an instance of {kinds}"
    if not entity.label.strip():
        return "no_label", f"{entity.qid} has no English label"
    return None


def told_of_subjects(entity: Entity) -> tuple[Statement, ...]:
    """The statements that Subject rows are made of, and by which people are kept out: a caller that holds many people
    may let go of all others."""
    roles: set[str] = set()
    kept = []
    for statement in entity.statements:
        named = statement.property_id in _TOLD or tells_of_life(statement)
        if named or (statement.property_id in PUBLIC_ROLE and statement.property_id not in roles):
            kept.append(statement)
            roles |= {statement.property_id} if _stands(statement) else set()
    return tuple(kept)


def _stands(statement: Statement) -> bool:
    return statement.rank != "deprecated" and statement.snak != "novalue"


def private_reason(entity: Entity, *, year: int) -> tuple[str, str] | None:
    """(reason, detail) of a living person who is no public figure for a benchmark, else None.

    Who may be under 18 in `year` is kept out (a birth that nobody states proves nothing), and so is who is stated to be
    somebody's relative or victim and nothing else.
    """
    if is_dead(entity, year=year):
        return None
    latest = born_by(entity)
    if latest is not None and year - latest <= ADULT_AT:
        return "minor", f"born in {latest} at the latest"
    earliest = born_from(entity)
    if earliest is not None and year - earliest <= ADULT_AT:
        return "minor", f"born in {earliest} at the earliest"
    stated = {statement.property_id for statement in entity.statements if _stands(statement)}
    related = stated & KIN or RELATIVE_OF.search(entity.description) or BEFALLEN.search(entity.description)
    if related and not stated & PUBLIC_ROLE:
        return "relative_only", "no occupation, office, work or award is stated"
    return None


def subject_of(
    entity: Entity, occupations: Sequence[str], *, subject_id: str, year: int, complete_rank: int | None = None
) -> Subject:
    """The Subject row of a person; `year` is the year by which age is judged, `occupations` are English labels."""
    birth, death = _year(entity, "P569"), _year(entity, "P570")
    categories = _texts(entity, "P373")
    return Subject(
        subject_id=subject_id,
        qid=entity.qid,
        name=entity.label.strip(),
        aliases=entity.aliases,
        description=entity.description,
        occupations=tuple(occupations),
        occupation_group=occupation_group(occupations),
        living=not is_dead(entity, year=year),
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


def as_wanted(subject: Subject, wanted: PeopleFilter) -> str | None:
    """Why somebody whom the source selected is not who was asked for, by the statements at hand, or None."""
    if wanted.living != "any" and subject.living != (wanted.living == "living"):
        return "counts as living" if subject.living else "counts as dead"
    born = subject.birth_year
    for bound, outside in ((wanted.born_from, -1), (wanted.born_to, 1)):
        if bound is not None and (born is None or (born - bound) * outside > 0):
            return "no year of birth is stated" if born is None else f"born {born}"
    return None


def ranked(subjects: Sequence[Subject], pageviews: Mapping[str, int] | None) -> list[Subject]:
    """Best known first: by the sum of the places in sitelinks and in pageviews (by QID), or by sitelinks alone.

    People with the same count share a place; ties go by sitelinks, then by QID number.
    """
    links = _places({subject.qid: subject.sitelinks for subject in subjects})
    views = _places(pageviews) if pageviews is not None else {}
    return sorted(
        subjects,
        key=lambda one: (links[one.qid] + views.get(one.qid, 0), -one.sitelinks, int(one.qid[1:])),
    )


def _places(counts: Mapping[str, int]) -> dict[str, int]:
    order = {count: place for place, count in enumerate(sorted(set(counts.values()), reverse=True))}
    return {qid: order[count] for qid, count in counts.items()}


def balanced(subjects: Sequence[Subject], *, limit: int) -> list[Subject]:
    """At most `limit` subjects, in their order, as evenly over the occupation groups as the groups' sizes allow.

    No group has two more than another that has somebody left.
    """
    groups: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[subject.occupation_group].append(subject)
    # Whoever comes first in a group is taken before anybody's second; in a round, the better known come first.
    place = {subject.qid: number for number, subject in enumerate(subjects)}
    rounds = {member.qid: number for members in groups.values() for number, member in enumerate(members)}
    taken = sorted(subjects, key=lambda subject: (rounds[subject.qid], place[subject.qid]))[:limit]
    return sorted(taken, key=lambda subject: place[subject.qid])
