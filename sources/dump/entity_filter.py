"""Which lines of a dump are kept, by tests cheap enough for a terabyte, and what is kept of an entity."""

import json
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue

from schemas.storage.tables import Record
from sources.wikimedia.entity_parser import ALIAS_LANGUAGES, NAMED_SOURCE, QID, parse_entity
from sources.wikimedia.typed_json import as_list, as_object

HUMAN = "Q5"
LANGUAGES = {"labels": ("en", "mul"), "descriptions": ("en",), "aliases": ALIAS_LANGUAGES}
"""What the action API is asked for, with its fallback from English to `mul`."""
PLAIN_KEYS = ("type", "id", "lastrevid")
_ID = re.compile(rb'"id"\s*:\s*"(?:Q([1-9][0-9]{0,17})"|)')
"""The first id of a line, whatever it is; with a group if it is a QID."""


class PeopleRule(Record):
    """Which humans are kept."""

    min_sitelinks: Annotated[int, Field(ge=0)] = 0
    occupations: tuple[str, ...] = ()
    """QIDs, of which one must be among the values of P106; empty: any."""


class Kept(Record):
    """What is kept of a line: the entity as the API would give it, or what is wrong with it."""

    qid: str
    body: str = ""
    """JSON; "" for a broken entity."""
    problem: str = ""
    is_person: bool = False
    """It may become a subject: a human, or broken, when nobody can see what it is."""
    sitelinks: int = 0
    names: tuple[str, ...] = ()
    """English label and aliases."""


def number_of(line: bytes) -> int:
    """Number of the item on a line, without reading the line: its id stands before its statements. -1 for others."""
    found = _ID.search(line)
    return int(found[1]) if found and found[1] else -1


def may_be_kept(line: bytes, rule: PeopleRule) -> bool:
    """Whether the line may be a person of the rule: the words that it would have are there."""
    return (
        b'"Q5"' in line
        and (not rule.min_sitelinks or line.count(b'"site"') >= rule.min_sitelinks)
        and (not rule.occupations or any(b'"%s"' % qid.encode() in line for qid in rule.occupations))
    )


def read_line(line: bytes, blanked: frozenset[str], rule: PeopleRule | None) -> Kept | None:
    """What is kept of an entity's line, or None if it is no item or the rule does not want it.

    Of statements of the properties in `blanked`, only that there is one is kept. Raises ValueError, saying what is
    wrong, if the line is not the JSON of an item.
    """
    raw: JsonValue = json.loads(line)
    found = as_object(raw, "line")
    if found.get("type") in ("property", "lexeme"):
        return None
    body = as_the_api_gives_it(found, blanked)
    entity = parse_entity(body, str(body.get("id")))
    if not QID.fullmatch(entity.qid):
        raise ValueError(f"id: {entity.qid[:40]!r} is no item")
    is_person = HUMAN in entity.items("P31")
    if rule is not None:
        busy = not rule.occupations or not set(rule.occupations).isdisjoint(entity.items("P106"))
        if not (is_person and busy and entity.sitelinks >= rule.min_sitelinks):
            return None
    return Kept(
        qid=entity.qid,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        is_person=is_person,
        sitelinks=entity.sitelinks,
        names=(entity.label, *entity.aliases) if entity.label else entity.aliases,
    )


def as_the_api_gives_it(raw: Mapping[str, JsonValue], blanked: frozenset[str]) -> dict[str, JsonValue]:
    """A dump's entity with the languages, links and statements that `wbgetentities` is asked for. Raises ValueError.

    References keep only the snaks that name a source. A statement of a blanked property becomes one of unknown value
    without qualifiers and references, and a qualifier of such a property is left out: their values are stored nowhere.
    """
    kept: dict[str, JsonValue] = {key: raw[key] for key in PLAIN_KEYS if key in raw}
    for part, languages in LANGUAGES.items():
        words = as_object(raw.get(part), part)
        kept[part] = {language: words[language] for language in languages if language in words}
    kept["claims"] = {
        property_id: [
            _statement(as_object(statement, path), property_id, path, blanked) for statement in as_list(group, path)
        ]
        for property_id, group in as_object(raw.get("claims"), "claims").items()
        for path in (f"claims.{property_id}",)
    }
    links = as_object(raw.get("sitelinks"), "sitelinks")
    kept["sitelinks"] = {site: {"title": as_object(link, "sitelinks").get("title")} for site, link in links.items()}
    return kept


def _statement(
    statement: Mapping[str, JsonValue], property_id: str, path: str, blanked: frozenset[str]
) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {key: statement[key] for key in ("id", "rank") if key in statement}
    if property_id in blanked:
        return kept | {"mainsnak": {"snaktype": "somevalue", "property": property_id}}
    kept["mainsnak"] = _snak(statement.get("mainsnak"), path)
    qualifiers = as_object(statement.get("qualifiers"), path)
    if qualifiers:
        kept["qualifiers"] = {
            name: [_snak(snak, path) for snak in as_list(group, path)]
            for name, group in qualifiers.items()
            if name not in blanked
        }
        kept["qualifiers-order"] = [
            name for name in as_list(statement.get("qualifiers-order"), path) if name not in blanked
        ]
    kept["references"] = [
        {"snaks": _sources(as_object(as_object(reference, path).get("snaks"), path), path)}
        for reference in as_list(statement.get("references"), path)
    ]
    return kept


def _sources(snaks: Mapping[str, JsonValue], path: str) -> dict[str, JsonValue]:
    return {
        name: [_snak(snak, path) for snak in as_list(snaks[name], path)] for name in sorted(NAMED_SOURCE & snaks.keys())
    }


def _snak(snak: JsonValue, path: str) -> JsonValue:
    """A snak without its hash and datatype."""
    return {key: value for key, value in as_object(snak, path).items() if key in ("snaktype", "property", "datavalue")}
