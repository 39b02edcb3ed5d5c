"""Which lines of a dump are kept, by tests cheap enough for a terabyte, and what is kept of an entity."""

import json
import re
from collections.abc import Mapping, Set
from typing import Annotated

from pydantic import Field, JsonValue

from schemas.storage.tables import Record
from sources.wikimedia.entity_parser import LANGUAGES, NAMED_SOURCE, QID, parse_entity, site_titles
from sources.wikimedia.redaction import blot
from sources.wikimedia.typed_json import as_list, as_object

HUMAN = "Q5"
WORDS = ("labels", "descriptions", "aliases")
PLAIN_KEYS = ("type", "id", "lastrevid")
_PLAIN_MEMBER = rb'\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|-?[0-9]+|true|false|null)\s*,'
_LEADING_ID = re.compile(rb'\{(?:%s)*?\s*"id"\s*:\s*"(?:Q([1-9][0-9]{0,17})"|)' % _PLAIN_MEMBER)
"""The id where only plain members stand before it, as in Wikidata's own dumps; with a group if it is a QID."""
_ANY_ID = re.compile(rb'"id"\s*:\s*"Q([1-9][0-9]{0,17})"')
_NUMBER = re.compile(rb'"numeric-id"\s*:\s*"?([0-9]+)')


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


def number_of(line: bytes, wanted: Set[int] | None = None) -> int:
    """Number of the item on a line, -1 for others. A line that does not begin with its id is read for it.

    With `wanted`, only lines that name one of these numbers are read: others cannot be wanted, and give -1.
    """
    found = _LEADING_ID.match(line)
    if found is not None:
        return int(found[1]) if found[1] else -1
    if wanted is not None and not any(int(one) in wanted for one in _ANY_ID.findall(line)):
        return -1
    try:
        raw: JsonValue = json.loads(line)
    except (ValueError, RecursionError):
        return -1
    name = raw.get("id") if isinstance(raw, dict) else None
    return int(name[1:]) if isinstance(name, str) and QID.fullmatch(name) else -1


def may_be_kept(line: bytes, rule: PeopleRule) -> bool:
    """Whether the line may be a person of the rule: the words that it would have are there."""
    return (
        _names(line, HUMAN)
        and (not rule.min_sitelinks or b'"site"' not in line or line.count(b'"site"') >= rule.min_sitelinks)
        and (not rule.occupations or any(_names(line, qid) for qid in rule.occupations))
    )


def _names(line: bytes, qid: str) -> bool:
    """Whether the line has the item's id, or its number as dumps before 2017 give it."""
    return b'"%s"' % qid.encode() in line or qid[1:].encode() in _NUMBER.findall(line)


def read_line(line: bytes, blanked: frozenset[str], rule: PeopleRule | None) -> Kept | None:
    """What is kept of an entity's line, or None if it is no item or the rule does not want it.

    Of statements of the properties in `blanked`, only that there is one is kept. Raises ValueError, saying what is
    wrong, if the line is not the JSON of an item.
    """
    raw: JsonValue = json.loads(line)
    found = as_object(raw, "line")
    if found.get("type") in ("property", "lexeme"):
        return None
    blot(found.get("claims"))
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
    for part in WORDS:
        words = as_object(raw.get(part), part)
        kept[part] = {language: words[language] for language in LANGUAGES if language in words}
    kept["claims"] = {
        property_id: [
            _statement(as_object(statement, path), property_id, path, blanked) for statement in as_list(group, path)
        ]
        for property_id, group in as_object(raw.get("claims"), "claims").items()
        for path in (f"claims.{property_id}",)
    }
    kept["sitelinks"] = {site: {"title": title} for site, title in site_titles(raw).items()}
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
