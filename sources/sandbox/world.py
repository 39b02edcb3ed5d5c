"""The embedded world: a fictional country's people, their statements and their pictures, from two numbers alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from schemas.errors import BadInput
from schemas.storage.artifacts import digest
from sources.sandbox.commons_files import (
    CLEAN_FILE_KINDS,
    LAST_SCREENED_VIEW,
    Gallery,
    Picture,
    Plant,
    clean_title,
    file_base,
    make_gallery,
)
from sources.sandbox.people.biography import Decks, career, life, naming
from sources.sandbox.people.catalogue import BAND_CLASS, Catalogue, make_catalogue
from sources.sandbox.people.entities import PROPERTY_LABELS, Claim, Draft, Sourcing, item, text
from sources.sandbox.people.entity_json import Json, entity_json, property_json
from sources.sandbox.people.hard_cases import hard_cases
from sources.sandbox.people.occupations import BRANCH_OF
from sources.sandbox.people.private_life import GATED, beliefs, contact, make_household
from sources.sandbox.people.roster import (
    EXTRA,
    FEW_VIEWS,
    NAMESAKE,
    NO_IMAGES,
    NO_LABEL,
    NO_STATEMENTS,
    NOW,
    ODD_NAME,
    SUBJECT_SITELINKS,
    Person,
    make_roster,
)
from sources.sandbox.portraits.distinct import FaceBook
from sources.sandbox.portraits.faces import Face, make_face

__all__ = [
    "BAND",
    "DELETED",
    "EXTRA",
    "FEW_VIEWS",
    "NAMESAKE",
    "NO_IMAGES",
    "NO_LABEL",
    "NO_STATEMENTS",
    "ODD_NAME",
    "REDIRECT",
    "SUBJECT_SITELINKS",
    "World",
    "make_world",
]

VERSION = 3
"""Raised when the same arguments give another world."""
BAND = "Q903000001"
"""A musical group: no human, so no selection returns it."""
REDIRECT = "Q903000002"
"""Redirects to the subject with the most sitelinks."""
DELETED = "Q903000003"
"""Existed once, was deleted."""


@dataclass(frozen=True)
class World:
    """Everything that the embedded world's servers know. Entities are rendered and pictures drawn when asked for."""

    people: int
    seed: int
    subjects: tuple[str, ...]
    """QIDs of the people whom a selection with at least SUBJECT_SITELINKS sitelinks returns, in its order."""
    roster: Mapping[str, Person]
    """Subjects and extra people by QID."""
    drafts: Mapping[str, Draft]
    """Every entity by QID: people, relatives, value items."""
    gallery: Gallery
    faces: FaceBook = field(repr=False, compare=False)
    identity: str
    """Digest of version, size and seed, for artifact keys."""
    redirects: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset({DELETED})

    @property
    def plants(self) -> tuple[Plant, ...]:
        """Planted dirt: ground truth for tests."""
        return self.gallery.plants

    def entity_json(self, entity_id: str) -> Json | None:
        """A `wbgetentities` entity with all props and languages, or None. Redirects are not followed."""
        if entity_id in self.drafts:
            return entity_json(self.drafts[entity_id])
        return property_json(entity_id) if entity_id in PROPERTY_LABELS else None

    def face(self, index: int) -> Face:
        """The drawn identity of the person with this index in the roster."""
        return self.faces.face(index)

    def clean_pictures(self, qid: str) -> tuple[Picture, ...]:
        """The clean views of a person, 001 first; empty for a person without pictures."""
        person = self.roster[qid]
        titles = (clean_title(person, view, kind) for view in range(1, 5) for kind in CLEAN_FILE_KINDS)
        return tuple(self.gallery.pictures[title] for title in titles if title in self.gallery.pictures)


def _sourced(claims: Iterator[Claim], rng: Random) -> Iterator[Claim]:
    kinds: tuple[Sourcing, ...] = ("stated", "url", "imported", "none")
    for claim in claims:
        if claim.sourcing == "none":
            yield claim
            continue
        weights = (60, 36, 4, 0) if claim.property_id in GATED else (55, 25, 12, 8)
        yield replace(claim, sourcing=rng.choices(kinds, weights)[0])


def _claims(
    person: Person, decks: Decks, catalogue: Catalogue, name_items: Mapping[str, str], household: tuple[Claim, ...],
    gallery: Gallery, seed: int,
) -> Iterator[Claim]:  # fmt: skip
    rng = Random(f"{seed}:person:{person.index}")
    yield from life(person, decks, catalogue, rng)
    yield from naming(person, name_items[_plain(person.given)], name_items[person.family])
    yield from career(person, decks, rng)
    yield from beliefs(person, decks, rng)
    yield from household
    yield from contact(person, rng)
    for place, title in enumerate(gallery.portraits.get(person.qid, ())):
        yield Claim("P18", text(title), rank="normal", sourcing="imported" if place else "none")
    if person.qid != NO_IMAGES:
        yield Claim("P373", text(file_base(person)), sourcing="none")


def _plain(given: str) -> str:
    return given.split(' "')[0]


def _describe(person: Person, catalogue: Catalogue) -> str:
    work = " and ".join(catalogue.drafts[qid].label for qid in person.occupations)
    span = f"{person.born.year}–{person.died.year}" if person.died else f"born {person.born.year}"
    return f"{work} ({span})"


def _person_draft(person: Person, claims: tuple[Claim, ...], catalogue: Catalogue) -> Draft:
    initials = "".join(part[0] for part in _plain(person.given).split())
    aliases = [f"{initials}. {person.family}"]
    if person.given != _plain(person.given):
        aliases.append(f"{_plain(person.given)} {person.family}")
    branch = BRANCH_OF[person.occupations[0]]
    if branch == "science":
        aliases.append(f"Dr {person.name}")
    label = "" if person.qid == NO_LABEL else person.name
    labels = {"sv": person.name} if person.qid == NO_LABEL else {"de": person.name} if person.index % 2 else {}
    if person.qid == NO_STATEMENTS:
        claims = claims[:1]
    return Draft(person.qid, label, _describe(person, catalogue), tuple(aliases), person.sitelinks, claims, labels)


def _name_items(roster: tuple[Person, ...]) -> dict[str, Draft]:
    """Items of given and family names, by the name."""
    found: dict[str, Draft] = {}
    for person in roster:
        given_class = "Q11879590" if person.female else "Q12308941"
        for name, kind in ((_plain(person.given), given_class), (person.family, "Q101352")):
            if name not in found:
                what = "family name" if kind == "Q101352" else "given name"
                qid = f"Q{905_000_001 + len(found)}"
                found[name] = Draft(qid, name, what, (), 2, (Claim("P31", item(kind)),))
    return found


def _partner(person: Person, roster: tuple[Person, ...], people: int) -> Person | None:
    """Of every six subjects the fifth and the sixth are married to each other, if the world reaches so far."""
    place = person.index % 6
    if person.index >= people or place not in (4, 5):
        return None
    other = person.index + 1 if place == 4 else person.index - 1
    return roster[other] if other < people else None


def _face_book(roster: tuple[Person, ...], gallery: Gallery, seed: int, kept: Path | None) -> FaceBook:
    def make(index: int) -> Face:
        person = roster[index]
        return make_face(seed, index, female=person.female, elderly=NOW - person.born.year > 66)

    pictures = gallery.pictures.values()
    views = {(picture.owner, picture.view) for picture in pictures if 1 <= picture.view <= LAST_SCREENED_VIEW}
    return FaceBook(make, views, people=len(roster), kept=kept)


def make_world(*, people: int, seed: int, cache: Path | None = None) -> World:
    """The embedded world with so many subjects (4 to 5,000): the same arguments give the same world, byte for byte.

    `cache` is a folder in which several processes share what takes longest: how faces are told apart.
    """
    if not 4 <= people <= 5000:
        raise BadInput("embedded world", f"people = {people}", "choose between 4 and 5000")
    catalogue = make_catalogue(people=people, seed=seed)
    decks = catalogue.decks(Random(f"{seed}:decks"))
    roster = make_roster(people=people, seed=seed, occupations=decks["occupation"])
    gallery = make_gallery(roster)
    name_items = _name_items(roster)
    drafts = dict(catalogue.drafts) | {draft.qid: draft for draft in name_items.values()}
    ids = {name: draft.qid for name, draft in name_items.items()}
    taken = {person.name for person in roster}
    for person in roster:
        household = make_household(person, _partner(person, roster, people), taken)
        drafts |= {relative.qid: relative for relative in household.relatives}
        told = _claims(person, decks, catalogue, ids, household.claims, gallery, seed)
        claims = tuple(_sourced(told, Random(f"{seed}:sources:{person.index}")))
        drafts[person.qid] = _person_draft(person, claims, catalogue)
    drafts |= hard_cases(catalogue)
    drafts[BAND] = Draft(BAND, "The Salted Herons", "band", (), 48, (Claim("P31", item(BAND_CLASS)),))
    subjects = sorted(roster[:people], key=lambda person: (-person.sitelinks, person.index))
    identity = digest({"world": "sandbox", "version": VERSION, "people": people, "seed": seed})
    return World(
        people=people,
        seed=seed,
        subjects=tuple(person.qid for person in subjects),
        roster={person.qid: person for person in roster},
        drafts=drafts,
        gallery=gallery,
        faces=_face_book(roster, gallery, seed, cache / identity if cache is not None else None),
        identity=identity,
        redirects={REDIRECT: subjects[0].qid},
    )
