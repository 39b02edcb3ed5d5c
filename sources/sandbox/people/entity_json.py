"""Drafts rendered as the JSON of `wbgetentities`: snaks with hashes, statements with references, sitelinks."""

import hashlib
import json
from collections.abc import Sequence
from urllib.parse import quote

from pydantic import JsonValue

from schemas.records.entities import ItemValue, QuantityValue, SnakType, TextValue, TimeValue, Value
from sources.sandbox.people.entities import PROPERTY_LABELS, Claim, Draft, date, item, text

Json = dict[str, JsonValue]

ENTITY_URI = "http://www.wikidata.org/entity/"
GREGORIAN, JULIAN = "Q1985727", "Q1985786"
WIKIPEDIA = "Q328"
ARCHIVE = "Q919000001"
"""The national archive that most statements are stated in."""
MODIFIED = "2026-01-15T08:00:00Z"
RETRIEVED = date(2025, 11, 3)
SITES = (
    "enwiki", "dewiki", "frwiki", "eswiki", "itwiki", "plwiki", "ptwiki", "nlwiki", "svwiki", "jawiki", "ruwiki",
    "cswiki", "dawiki", "fiwiki", "huwiki", "nowiki", "rowiki", "trwiki", "ukwiki", "zhwiki", "arwiki", "cawiki",
    "elwiki", "etwiki", "euwiki", "glwiki", "hewiki", "hrwiki", "iswiki", "ltwiki", "lvwiki", "skwiki", "slwiki",
    "srwiki", "eowiki", "cywiki", "gawiki", "fywiki", "lbwiki", "rmwiki", "scnwiki", "vecwiki", "warwiki", "yiwiki",
    "zawiki", "zuwiki", "viwiki", "uzwiki", "urwiki", "tgwiki", "tewiki", "tawiki", "swwiki", "sqwiki", "simplewiki",
)  # fmt: skip
"""Wikis in the order in which sitelinks are handed out; no entity of the world has more."""


def _sha1(value: JsonValue) -> str:
    content = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()


def _datavalue(value: Value) -> Json:
    match value:
        case ItemValue(qid=qid):
            return {
                "value": {"entity-type": "item", "numeric-id": int(qid[1:]), "id": qid},
                "type": "wikibase-entityid",
            }
        case TimeValue():
            sign = "-" if value.year < 0 else "+"
            stamp = f"{sign}{abs(value.year):04d}-{value.month:02d}-{value.day:02d}T00:00:00Z"
            return {
                "value": {
                    "time": stamp,
                    "timezone": 0,
                    "before": 0,
                    "after": 0,
                    "precision": value.precision,
                    "calendarmodel": ENTITY_URI + (JULIAN if value.julian else GREGORIAN),
                },
                "type": "time",
            }
        case QuantityValue():
            amount = f"{value.amount:+g}" if abs(value.amount) < 1e5 else f"{value.amount:+.0f}"
            return {
                "value": {"amount": amount, "unit": ENTITY_URI + value.unit if value.unit else "1"},
                "type": "quantity",
            }
        case TextValue(language=None):
            return {"value": value.text, "type": "string"}
        case _:
            return {"value": {"text": value.text, "language": value.language}, "type": "monolingualtext"}


def snak_json(property_id: str, value: Value | None, snak: SnakType = "value") -> Json:
    """A snak; its datatype comes from the property."""
    found: Json = {"snaktype": snak, "property": property_id}
    if value is not None:
        found["datavalue"] = _datavalue(value)
    found["datatype"] = PROPERTY_LABELS[property_id][1]
    found["hash"] = _sha1(found)
    return found


def _grouped(pairs: Sequence[tuple[str, Value]]) -> tuple[Json, list[JsonValue]]:
    snaks: dict[str, list[JsonValue]] = {}
    for property_id, value in pairs:
        snaks.setdefault(property_id, []).append(snak_json(property_id, value))
    order: list[JsonValue] = list(snaks)
    return dict(snaks), order


def _reference(claim: Claim, qid: str) -> tuple[tuple[str, Value], ...]:
    match claim.sourcing:
        case "stated":
            return (("P248", item(ARCHIVE)), ("P813", RETRIEVED))
        case "url":
            return (("P854", text(f"https://archive.example/{qid}/{claim.property_id}")), ("P813", RETRIEVED))
        case "imported":
            return (("P143", item(WIKIPEDIA)),)
        case "none":
            return ()


def _statement(claim: Claim, qid: str, number: int) -> Json:
    token = hashlib.sha256(f"{qid}/{claim.property_id}/{number}".encode()).hexdigest().upper()
    guid = f"{token[:8]}-{token[8:12]}-{token[12:16]}-{token[16:20]}-{token[20:32]}"
    found: Json = {
        "mainsnak": snak_json(claim.property_id, claim.value, claim.snak),
        "type": "statement",
        "id": f"{qid}${guid}",
        "rank": claim.rank,
    }
    if claim.qualifiers:
        found["qualifiers"], found["qualifiers-order"] = _grouped(claim.qualifiers)
    reference = _reference(claim, qid)
    if reference:
        snaks, order = _grouped(reference)
        found["references"] = [{"hash": _sha1(snaks), "snaks": snaks, "snaks-order": order}]
    return found


def _claims(draft: Draft) -> Json:
    groups: dict[str, list[JsonValue]] = {}
    for number, claim in enumerate(draft.claims):
        groups.setdefault(claim.property_id, []).append(_statement(claim, draft.qid, number))
    return dict(groups)


def _sitelinks(draft: Draft) -> Json:
    links: Json = {}
    name = draft.label or next(iter(draft.labels.values()), draft.qid)
    for site in SITES[: draft.sitelinks]:
        path = quote(name.replace(" ", "_"), safe="")
        url = f"https://{site.removesuffix('wiki')}.wikipedia.example/wiki/{path}"
        links[site] = {"site": site, "title": name, "badges": [], "url": url}
    return dict(sorted(links.items()))


def entity_json(draft: Draft) -> Json:
    """The entity as `wbgetentities` gives it with all props and languages."""
    number = int(draft.qid[1:])
    labels: Json = {language: {"language": language, "value": label} for language, label in draft.labels.items()}
    if draft.label:
        labels["en"] = {"language": "en", "value": draft.label}
    descriptions: Json = {"en": {"language": "en", "value": draft.description}} if draft.description else {}
    aliases: Json = {"en": [{"language": "en", "value": alias} for alias in draft.aliases]} if draft.aliases else {}
    return {
        "pageid": number % 1_000_000_000,
        "ns": 0,
        "title": draft.qid,
        "lastrevid": 2_000_000_000 + number % 1_000_000,
        "modified": MODIFIED,
        "type": "item",
        "id": draft.qid,
        "labels": dict(sorted(labels.items())),
        "descriptions": descriptions,
        "aliases": aliases,
        "claims": _claims(draft),
        "sitelinks": _sitelinks(draft),
    }


def property_json(property_id: str) -> Json:
    """A property's entity: its label and datatype."""
    label, datatype = PROPERTY_LABELS[property_id]
    return {
        "pageid": int(property_id[1:]),
        "ns": 120,
        "title": f"Property:{property_id}",
        "lastrevid": 2_000_000_000,
        "modified": MODIFIED,
        "type": "property",
        "datatype": datatype,
        "id": property_id,
        "labels": {"en": {"language": "en", "value": label}},
        "descriptions": {},
        "aliases": {},
        "claims": {},
    }
