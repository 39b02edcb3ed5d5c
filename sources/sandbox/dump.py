"""The embedded world as Wikidata's dump would have it: an array with one entity a line, in every language."""

import json
from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from sources.sandbox.people.entity_json import Json
from sources.sandbox.world import World
from sources.wikimedia.typed_json import as_object


def dump_entity(entity: Json) -> Json:
    """An entity in the layout of the dumps: type and id first, no page, no address in sitelinks."""
    links = as_object(entity.get("sitelinks"), "sitelinks")
    named: Json = {
        site: {key: value for key, value in as_object(link, site).items() if key != "url"}
        for site, link in links.items()
    }
    kept: Json = {key: entity[key] for key in ("type", "id", "labels", "descriptions", "aliases", "claims")}
    return kept | {"sitelinks": named, "lastrevid": entity["lastrevid"]}


def world_entities(world: World) -> Iterator[Json]:
    """Every item of the world as its dump has it, by rising number; redirects and deleted items are in no dump."""
    for qid in sorted(world.drafts, key=lambda qid: int(qid[1:])):
        found = world.entity_json(qid)
        if found is not None:
            yield dump_entity(found)


def dump_lines(entities: Iterable[JsonValue]) -> Iterator[bytes]:
    """The lines of the array, with their ends."""
    yield b"[\n"
    before = b""
    for entity in entities:
        yield before + json.dumps(entity, separators=(",", ":")).encode()
        before = b",\n"
    yield b"\n]\n"
