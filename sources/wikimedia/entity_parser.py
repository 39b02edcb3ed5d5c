"""From the JSON of a Wikibase entity, in any of the shapes of the last ten years, to an Entity record."""

import math
import re
from collections.abc import Mapping
from typing import get_args

from pydantic import JsonValue

from schemas.records.entities import (
    Entity,
    ItemValue,
    Qualifier,
    QuantityValue,
    Rank,
    SnakType,
    Statement,
    TextValue,
    TimeValue,
    Value,
)
from sources.wikimedia.typed_json import as_int, as_list, as_object, as_text, folded, text_at

LANGUAGES = ("en", "mul", "en-gb", "en-ca")
"""Where English labels, descriptions and aliases are looked for, in this order; all that
is asked for or kept. With `languagefallback` the API puts its own under "en"."""
JULIAN = "Q1985786"
NAMED_SOURCE = frozenset({"P248", "P854"})
"""Reference properties that name a source: stated in, reference URL."""

QID = re.compile(r"Q[1-9][0-9]{0,17}")
"""An item's id as a whole. Wikidata's have at most ten digits; eighteen fit the integers of a database."""
_ENTITY_ID = re.compile(r"[A-Z][1-9][0-9]{0,17}")
BARE_UNITS = ("", "1")
"""What stands for "no unit"."""

_RANKS: Mapping[str, Rank] = {rank: rank for rank in get_args(Rank)}
_SNAKS: Mapping[str, SnakType] = {snak: snak for snak in get_args(SnakType)}
_TIME = re.compile(r"^([+-]?)(\d{1,16})-(\d{2})-(\d{2})T")


def is_missing(raw: Mapping[str, JsonValue]) -> bool:
    """Whether the answer says that there is no such entity (`missing` is "" in format version 1, true in 2)."""
    return "missing" in raw and raw["missing"] is not False


def parse_entity(raw: Mapping[str, JsonValue], requested_id: str) -> Entity:
    """The Entity of an API answer or dump line; labels-only answers give an Entity without statements.

    Raises ValueError, naming the path, for anything that has not the documented shape. Values of types that
    the project does not use (coordinates, properties, lexemes, schemas), and items and units whose id is no QID, become
    statements without value, which count as of the wrong type.
    """
    qid = as_text(raw.get("id"), "id")
    if not _ENTITY_ID.fullmatch(qid):
        raise ValueError(f"id: {qid[:40]!r} is no item and no other entity")
    label = _text(raw, "labels")
    sitelinks = site_titles(raw)
    revision = raw.get("lastrevid")
    return Entity(
        qid=qid,
        requested_id=requested_id,
        label=label,
        aliases=_aliases(as_object(raw.get("aliases"), "aliases"), label),
        description=_text(raw, "descriptions"),
        sitelinks=len(sitelinks),
        wikipedia_title=sitelinks.get("enwiki"),
        revision=None if revision is None else as_int(revision, "lastrevid"),
        statements=tuple(_statements(as_object(raw.get("claims"), "claims"))),
    )


def _text(raw: Mapping[str, JsonValue], part: str) -> str:
    found = as_object(raw.get(part), part)
    for language in LANGUAGES:
        if language in found and (text := _words(found[language], f"{part}.{language}")):
            return text
    return ""


def _words(found: JsonValue, path: str) -> str:
    """A label, description or alias; some re-serialised dumps give the text without its language."""
    return folded(as_text(found if isinstance(found, str) else as_object(found, path).get("value"), path))


def _aliases(found: Mapping[str, JsonValue], label: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for language in LANGUAGES:
        for number, alias in enumerate(as_list(found.get(language), f"aliases.{language}")):
            names[_words(alias, f"aliases.{language}[{number}]")] = None
    return tuple(name for name in names if name and name != label)


def site_titles(raw: Mapping[str, JsonValue]) -> dict[str, str]:
    """Title by site of an entity's links: objects by site, or bare titles, or a list of objects that name the site."""
    found = raw.get("sitelinks")
    links: dict[str, JsonValue] = {}
    for link in found if isinstance(found, list) else ():
        one = as_object(link, "sitelinks")
        links[as_text(one.get("site"), "sitelinks.site")] = one
    titles: dict[str, str] = {}
    for site, link in (links or as_object(found, "sitelinks")).items():
        one = {"title": link} if isinstance(link, str) else as_object(link, f"sitelinks.{site}")
        titles[site] = as_text(one.get("title", one.get("name")), f"sitelinks.{site}.title")
    return titles


def _statements(claims: Mapping[str, JsonValue]) -> list[Statement]:
    found = []
    for property_id, group in claims.items():
        for number, raw in enumerate(as_list(group, f"claims.{property_id}")):
            path = f"claims.{property_id}[{number}]"
            found.append(_statement(as_object(raw, path), property_id, path))
    return found


def _statement(raw: Mapping[str, JsonValue], property_id: str, path: str) -> Statement:
    rank = as_text(raw.get("rank", "normal"), f"{path}.rank")
    if rank not in _RANKS:
        raise ValueError(f"{path}.rank: {rank[:40]!r} is no rank")
    snak, value = _snak(as_object(raw.get("mainsnak"), f"{path}.mainsnak"), f"{path}.mainsnak")
    references = as_list(raw.get("references"), f"{path}.references")
    return Statement(
        statement_id=as_text(raw.get("id"), f"{path}.id"),
        property_id=property_id,
        rank=_RANKS[rank],
        snak=snak,
        value=value,
        qualifiers=tuple(_qualifiers(raw, path)),
        references=len(references),
        cited=sum(_names_source(reference, f"{path}.references") for reference in references),
    )


def _qualifiers(raw: Mapping[str, JsonValue], path: str) -> list[Qualifier]:
    found = as_object(raw.get("qualifiers"), f"{path}.qualifiers")
    order = [as_text(name, path) for name in as_list(raw.get("qualifiers-order"), f"{path}.qualifiers-order")]
    order += [name for name in found if name not in order]
    qualifiers = []
    for property_id in order:
        for number, snak in enumerate(as_list(found.get(property_id), f"{path}.qualifiers.{property_id}")):
            where = f"{path}.qualifiers.{property_id}[{number}]"
            kind, value = _snak(as_object(snak, where), where)
            qualifiers.append(Qualifier(property_id=property_id, snak=kind, value=value))
    return qualifiers


def _names_source(reference: JsonValue, path: str) -> bool:
    snaks = as_object(as_object(reference, path).get("snaks"), f"{path}.snaks")
    return any(
        as_object(snak, path).get("snaktype") == "value"
        for property_id in NAMED_SOURCE & snaks.keys()
        for snak in as_list(snaks[property_id], f"{path}.snaks.{property_id}")
    )


def _snak(raw: Mapping[str, JsonValue], path: str) -> tuple[SnakType, Value | None]:
    kind = as_text(raw.get("snaktype"), f"{path}.snaktype")
    if kind not in _SNAKS:
        raise ValueError(f"{path}.snaktype: {kind[:40]!r} is no snak type")
    if kind != "value":
        return _SNAKS[kind], None
    if "datavalue" not in raw:
        raise ValueError(f"{path}.datavalue: is missing")
    return "value", parse_value(as_object(raw["datavalue"], f"{path}.datavalue"), f"{path}.datavalue")


def parse_value(raw: Mapping[str, JsonValue], path: str) -> Value | None:
    """The value of a `datavalue` object, or None for one that `parse_entity` says is not used. Raises ValueError."""
    kind = as_text(raw.get("type"), f"{path}.type")
    if kind == "string":
        return TextValue(text=as_text(raw.get("value"), f"{path}.value"))
    if kind not in ("wikibase-entityid", "time", "quantity", "monolingualtext"):
        return None
    value = as_object(raw.get("value"), f"{path}.value")
    where = f"{path}.value"
    if kind == "wikibase-entityid":
        return _item(value, where)
    if kind == "time":
        return _time(value, where)
    if kind == "quantity":
        return _quantity(value, where)
    return TextValue(
        text=as_text(value.get("text"), f"{where}.text"), language=text_at(value, "language", where) or None
    )


def _item(value: Mapping[str, JsonValue], path: str) -> ItemValue | None:
    if value.get("id"):
        qid = as_text(value["id"], f"{path}.id")
    elif value.get("entity-type") == "item":  # Before 2017 only the number was given.
        qid = f"Q{as_int(value.get('numeric-id'), f'{path}.numeric-id')}"
    else:
        raise ValueError(f"{path}.id: is missing")
    return ItemValue(qid=qid) if QID.fullmatch(qid) else None


def _time(value: Mapping[str, JsonValue], path: str) -> TimeValue:
    text = as_text(value.get("time"), f"{path}.time")
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"{path}.time: {text[:40]!r} is no time")
    sign, year, month, day = match.groups()
    precision = as_int(value.get("precision"), f"{path}.precision")
    return TimeValue(
        year=-int(year) if sign == "-" else int(year),
        month=int(month) if precision >= 10 else 0,
        day=int(day) if precision >= 11 else 0,
        precision=precision,
        julian=text_at(value, "calendarmodel", path).endswith("/" + JULIAN),
    )


def _quantity(value: Mapping[str, JsonValue], path: str) -> QuantityValue | None:
    unit = text_at(value, "unit", path).rsplit("/", 1)[-1]
    if unit not in BARE_UNITS and not QID.fullmatch(unit):
        return None
    return QuantityValue(
        amount=_number(value.get("amount"), f"{path}.amount"),
        unit=None if unit in BARE_UNITS else unit,
        lower=None if value.get("lowerBound") is None else _number(value["lowerBound"], f"{path}.lowerBound"),
        upper=None if value.get("upperBound") is None else _number(value["upperBound"], f"{path}.upperBound"),
    )


def _number(value: JsonValue, path: str) -> float:
    text = as_text(value, path)
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{path}: {text[:40]!r} is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{path}: {text[:40]!r} is no finite number")
    return number
