"""The protocol of a place that subjects, statements and pictures come from."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from schemas.records.build_rows import Licence, Subject
from schemas.records.entities import Entity, MissingEntity
from schemas.storage.tables import Record


class BrokenEntity(Record):
    """An id whose answer could not be parsed; `problem` says what was wrong."""

    requested_id: str
    problem: str


class PersonMatch(Record):
    """One hit of a search by name."""

    qid: str
    label: str
    description: str
    matched_alias: bool
    """The name matched an alias, not the label."""
    near: bool = False
    """Neither is the name: the search offers it for a name that begins so. Only to be shown."""


class PeopleFilter(Record):
    """Whom a selection asks for, besides being human; empty: everybody."""

    occupations: tuple[str, ...] = ()
    """QIDs, one of which P106 must name."""
    countries: tuple[str, ...] = ()
    """QIDs, one of which P27 must name."""
    born_from: int | None = None
    born_to: int | None = None
    """Years of birth, both included."""
    living: Literal["any", "living", "dead"] = "any"


EVERYBODY = PeopleFilter()


class CommonsFile(Record):
    """A candidate picture before it is downloaded."""

    title: str
    """Without "File:"."""
    origin: Literal["portrait", "category", "depicts"]
    page_id: int
    source_url: str
    thumb_url: str
    """As imageinfo gave it for an allowed width; "" where the original is smaller than that."""
    description_url: str
    description: str
    width: int
    height: int
    mime: str
    sha1: str
    timestamp: str
    licence: Licence


class FetchProblem(RuntimeError):
    """A request that failed for good: after all retries, or at once where a retry cannot help."""

    def __init__(self, url: str, problem: str) -> None:
        self.url, self.problem = url, problem
        super().__init__(f"{url}: {problem}")


class Source(Protocol):
    """Where a build gets its people from. Implementations: sources/wikimedia/source.py,
    sources/wikimedia/recorded.py.
    """

    @property
    def identity(self) -> str:
        """Goes into artifact keys: which world or which API this is."""
        ...

    def entities(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        """One result per id, in the order given; redirects are followed and show in `requested_id`."""
        ...

    def leads(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        """Where ids lead now, cheaply: as `entities`, of which only the ids may be used."""
        ...

    def search(self, name: str) -> list[PersonMatch]:
        """Entities whose label or alias is the name, best first."""
        ...

    def people(self, *, limit: int, min_sitelinks: int, wanted: PeopleFilter = EVERYBODY) -> list[str]:
        """QIDs of humans by a SPARQL selection, most sitelinks first, ties by QID number."""
        ...

    def pageviews(self, title: str, *, year: int) -> int:
        """How often people opened an English Wikipedia article in a year; raises FetchProblem, BadInput."""
        ...

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        """Candidate pictures (portrait, then category, then depicts; no title twice) and titles that are missing."""
        ...

    def download(self, file: CommonsFile) -> bytes:
        """The thumbnail's bytes, or the original's where there is no thumbnail; raises FetchProblem."""
        ...
