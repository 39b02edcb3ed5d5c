"""A Source that reads a folder of recorded `wbgetentities` answers and entity files; it has no pictures."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from schemas.errors import BadInput
from schemas.protocols.source import EVERYBODY, BrokenEntity, CommonsFile, FetchProblem, PeopleFilter, PersonMatch
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, MissingEntity
from schemas.storage.artifacts import digest
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer_file
from schemas.storage.tables import Record, file_sha256
from sources.wikimedia.entity_parser import is_missing, parse_entity
from sources.wikimedia.redaction import blot
from sources.wikimedia.typed_json import as_object
from sources.wikimedia.wikidata import match_of, same_name

log = logging.getLogger(__name__)

HUMAN = "Q5"
_ENTITY_ID = re.compile(r"[QP][1-9]\d*")

Result = Entity | MissingEntity | BrokenEntity


class Moved(Record):
    """An item that is said to have been merged into another, and nothing else."""

    to: str
    by_file: bool = False
    """Only the file's name says so, so whatever is recorded under the id counts more."""


class RecordedSource:
    """Implements schemas.protocols.source.Source over all `*.json` files below a folder.

    Where several files have the same entity, the one with the most statements wins (a whole entity over its label
    alone), then the newest revision, then the first path. A file that is not JSON counts as a broken entity
    of the id in its name. Raises BadInput if the folder has no entity, or a Git LFS pointer in a file's place.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BadInput(str(folder), "is no folder", "name a folder of recorded answers in source.folder")
        paths = sorted(path for path in folder.rglob("*.json") if path.is_file())
        self._results: dict[str, Result] = {}
        self._moved: dict[str, str] = {}
        by_file: dict[str, str] = {}
        for path in paths:
            for asked, result in read_recorded(path):
                if isinstance(result, Moved):
                    (by_file if result.by_file else self._moved)[asked] = result.to
                    continue
                requested_id = result.qid if isinstance(result, Entity) else asked
                if requested_id != asked:
                    self._moved[asked] = requested_id
                kept = self._results.get(requested_id)
                if kept is None or _richness(result) > _richness(kept):
                    self._results[requested_id] = result
        self._moved |= {name: to for name, to in by_file.items() if name not in {*self._moved, *self._results}}
        for merged in self._moved:
            if self._target(merged) in self._results.keys() - {merged}:
                self._results.pop(merged, None)  # recorded before it was merged
        self._entities = sorted(
            (result for result in self._results.values() if isinstance(result, Entity)), key=_most_linked_first
        )
        if not self._entities:
            raise BadInput(str(folder), "has no recorded entity", "put wbgetentities answers (*.json) into it")
        names: dict[str, JsonValue] = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
        self._identity = f"recorded:{digest(names)}"

    @property
    def identity(self) -> str:
        """A digest of the names and contents of the folder's files."""
        return self._identity

    def entities(self, qids: Sequence[str]) -> Iterator[Result]:
        """One result per id, in the order given; what was not recorded is missing."""
        for qid in qids:
            yield self._result(qid)

    def _result(self, qid: str) -> Result:
        """What is recorded under an id; for one that was merged into another, what is recorded of that."""
        found = self._results.get(self._target(qid)) or self._results.get(qid, MissingEntity(requested_id=qid))
        return found.model_copy(update={"requested_id": qid})

    def _target(self, qid: str) -> str:
        """Where an id leads over all merges; a circle ends before it comes round."""
        target, seen = qid, {qid}
        while target in self._moved and self._moved[target] not in seen:
            target = self._moved[target]
            seen.add(target)
        return target

    def leads(self, qids: Sequence[str]) -> Iterator[Result]:
        """Where ids lead."""
        return self.entities(qids)

    def search(self, name: str) -> list[PersonMatch]:
        """Recorded items whose label or alias is the name: by label first, then by sitelinks."""
        found = [
            match_of(entity, name)
            for entity in self._entities
            if entity.qid.startswith("Q") and any(same_name(text, name) for text in (entity.label, *entity.aliases))
        ]
        return sorted(found, key=lambda match: match.matched_alias)

    def pageviews(self, title: str, *, year: int) -> int:
        """Raises BadInput: pageviews are not recorded."""
        raise BadInput("[select] rank_by", "recorded answers hold no pageviews", "rank by sitelinks")

    def people(self, *, limit: int, min_sitelinks: int, wanted: PeopleFilter = EVERYBODY) -> list[str]:
        """QIDs of the recorded humans, most sitelinks first, ties by QID number; then of the broken entities.

        Nobody can see whether a broken entity is a person, so it is named: what reads it can say that it is broken.
        """
        humans = (entity for entity in self._entities if HUMAN in entity.items("P31") and is_wanted(entity, wanted))
        known = [entity.qid for entity in humans if entity.sitelinks >= min_sitelinks]
        broken = (name for name, result in self._results.items() if isinstance(result, BrokenEntity) and name[0] == "Q")
        return list(dict.fromkeys([*known, *sorted(broken, key=lambda name: int(name[1:]))]))[:limit]

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        """No picture is recorded: all of the subject's portraits are missing."""
        return [], list(subject.portrait_titles)[:limit]

    def download(self, file: CommonsFile) -> bytes:
        """Raises FetchProblem: recorded answers hold no pictures."""
        raise FetchProblem(file.source_url, "recorded answers hold no pictures")


def is_wanted(entity: Entity, wanted: PeopleFilter) -> bool:
    """Whether the items asked for are stated; years and life are for the caller to see from the statements."""
    return all(
        not qids or set(qids) & set(entity.items(property_id))
        for property_id, qids in (("P106", wanted.occupations), ("P27", wanted.countries))
    )


def read_recorded(path: Path) -> list[tuple[str, Result | Moved]]:
    """(id, result) for every entity that a file holds, a merged one under both ids; none for a file of another kind.

    A file that is not JSON gives one BrokenEntity if its name has an entity id. A file that is named by one item's id
    and holds another alone is the answer that `Special:EntityData` gives for an item that was merged into it.
    """
    try:
        content: JsonValue = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        if is_pointer_file(path):
            raise BadInput(str(path), FOUND, ADVICE) from None
        log.warning("%s: is not JSON (%s)", path, error)
        named = _ENTITY_ID.search(path.stem)
        problem = f"{path.name}: is not JSON ({type(error).__name__})"
        return [(named[0], BrokenEntity(requested_id=named[0], problem=problem))] if named else []
    if not isinstance(content, dict):
        return []
    blot(content)
    if isinstance(content.get("entity"), str) and isinstance(content.get("redirect"), str):
        content = {"entities": {str(content["entity"]): content}}
    if isinstance(content.get("id"), str) and "labels" in content:
        content = {"entities": {str(content["id"]): content}}
    try:
        listed = content.get("entities")
        if isinstance(listed, list):
            unkeyed = [as_object(raw, "entities") for raw in listed]
            listed = {str(raw.get("id")): raw for raw in unkeyed}
        raws = as_object(listed, "entities")
        found = _results(raws, path)
        own_id = path.stem if path.stem[:1] == "Q" and _ENTITY_ID.fullmatch(path.stem) else ""
        only = found[0][1] if len(raws) == 1 and found else None
        if own_id and isinstance(only, Entity) and only.qid[0] == "Q" and own_id not in dict(found):
            found.append((own_id, Moved(to=only.qid, by_file=True)))
        return found
    except ValueError as error:
        log.warning("%s: %s", path, error)
        return []


def _results(raws: dict[str, JsonValue], path: Path) -> list[tuple[str, Result | Moved]]:
    found: list[tuple[str, Result | Moved]] = []
    for requested_id, raw in raws.items():
        if not _ENTITY_ID.fullmatch(requested_id):
            continue
        try:
            entity = as_object(raw, f"entities.{requested_id}")
            target = entity.get("redirect")
            if isinstance(target, str) and _ENTITY_ID.fullmatch(target):
                found.append((requested_id, Moved(to=target)))
            elif is_missing(entity):
                found.append((requested_id, MissingEntity(requested_id=requested_id)))
            else:
                parsed = parse_entity(entity, requested_id)
                redirect = entity.get("redirects")
                merged = redirect.get("from") if isinstance(redirect, dict) else None
                names = [name for name in (requested_id, merged) if isinstance(name, str)]
                found += [(name, parsed) for name in dict.fromkeys(names) if _ENTITY_ID.fullmatch(name)]
        except ValueError as error:
            log.warning("%s: %s", path, error)
            found.append((requested_id, BrokenEntity(requested_id=requested_id, problem=f"{path.name}: {error}")))
    return found


def _richness(result: Result) -> tuple[int, int, int]:
    if isinstance(result, Entity):
        return (2, len(result.statements), result.revision or 0)
    return (1, 0, 0) if isinstance(result, BrokenEntity) else (0, 0, 0)


def _most_linked_first(entity: Entity) -> tuple[int, str, int]:
    return (-entity.sitelinks, entity.qid[0], int(entity.qid[1:]))
