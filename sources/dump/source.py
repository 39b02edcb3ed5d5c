"""A Source over the folder that `ppubench dump` makes of Wikidata's dump; pictures come from another source, if any."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from schemas.errors import BadInput
from schemas.protocols.source import (
    EVERYBODY,
    BrokenEntity,
    CommonsFile,
    FetchProblem,
    PeopleFilter,
    PersonMatch,
    Source,
)
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, MissingEntity
from sources.dump.extract import MANIFEST, read_manifest
from sources.dump.store import DumpStore, Stored
from sources.wikimedia.entity_parser import parse_entity
from sources.wikimedia.recorded import is_wanted
from sources.wikimedia.redaction import blot
from sources.wikimedia.typed_json import as_object
from sources.wikimedia.wikidata import ENTITY_ID, match_of

BATCH = 500
"""Entities read at once."""

Result = Entity | MissingEntity | BrokenEntity


class DumpSource:
    """Implements schemas.protocols.source.Source. Raises BadInput unless the folder holds a finished extraction."""

    def __init__(self, folder: Path, *, pictures: Source | None = None) -> None:
        if folder.is_file():
            raise BadInput(str(folder), "is a file", "extract the dump first: `ppubench dump FILE --out FOLDER`")
        manifest = read_manifest(folder)
        if manifest is None:
            found = "is an unfinished extraction" if folder.is_dir() else "is no folder"
            raise BadInput(str(folder), f"{found} (no {MANIFEST})", "run `ppubench dump FILE --out FOLDER` to its end")
        self._store = DumpStore(folder, writing=False)
        self._pictures = pictures
        self._identity = manifest.identity

    @property
    def identity(self) -> str:
        """A digest of everything that was kept, and of where pictures come from."""
        return self._identity if self._pictures is None else f"{self._identity}+{self._pictures.identity}"

    def entities(self, qids: Sequence[str]) -> Iterator[Result]:
        """One result per id, in the order given; what the extraction does not hold is missing."""
        for start in range(0, len(qids), BATCH):
            batch = qids[start : start + BATCH]
            items = {qid: int(qid[1:]) for qid in batch if ENTITY_ID.match(qid) and qid.startswith("Q")}
            found = self._store.entities(list(items.values()))
            for qid in batch:
                stored = found.get(items[qid]) if qid in items else None
                yield MissingEntity(requested_id=qid) if stored is None else read_stored(stored)

    def leads(self, qids: Sequence[str]) -> Iterator[Result]:
        """Where ids lead."""
        return self.entities(qids)

    def search(self, name: str) -> list[PersonMatch]:
        """Extracted people whose label or alias is the name: by label first, then by sitelinks."""
        found = [
            match_of(entity, name)
            for entity in self.entities([f"Q{number}" for number in self._store.named(name)])
            if isinstance(entity, Entity)
        ]
        return sorted(found, key=lambda match: match.matched_alias)

    def people(self, *, limit: int, min_sitelinks: int, wanted: PeopleFilter = EVERYBODY) -> list[str]:
        """QIDs of the extracted people, most sitelinks first, ties by QID number; then of the broken ones."""
        chosen: list[str] = []
        numbers = self._store.people(min_sitelinks=min_sitelinks)
        for start in range(0, len(numbers), BATCH):
            people = [f"Q{number}" for number in numbers[start : start + BATCH]]
            if wanted.occupations or wanted.countries:
                found = zip(people, self.entities(people), strict=True)
                people = [qid for qid, one in found if not isinstance(one, Entity) or is_wanted(one, wanted)]
            chosen += people
            if len(chosen) >= limit:
                break
        return chosen[:limit]

    def pageviews(self, title: str, *, year: int) -> int:
        """What the source of pictures says; raises BadInput without one: a dump holds no pageviews."""
        if self._pictures is not None:
            return self._pictures.pageviews(title, year=year)
        raise BadInput("[select] rank_by", "a dump holds no pageviews", "rank by sitelinks, or name [source.commons]")

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        """What the source of pictures has; without one, all of the subject's portraits are missing."""
        if self._pictures is not None:
            return self._pictures.files(subject, limit=limit)
        return [], list(subject.portrait_titles)[:limit]

    def download(self, file: CommonsFile) -> bytes:
        """Raises FetchProblem, always if there is no source of pictures: a dump holds none."""
        if self._pictures is not None:
            return self._pictures.download(file)
        raise FetchProblem(file.source_url, "a dump holds no pictures; name [source.commons] in the recipe")


def read_stored(stored: Stored) -> Entity | BrokenEntity:
    """The entity of a row of the store."""
    if stored.problem:
        return BrokenEntity(requested_id=stored.qid, problem=stored.problem)
    try:
        raw: JsonValue = json.loads(stored.body)
        blot(raw)
        return parse_entity(as_object(raw, "entity"), stored.qid)
    except ValueError as error:
        return BrokenEntity(requested_id=stored.qid, problem=str(error))
