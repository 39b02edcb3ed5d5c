"""Contact data and addresses are blotted out of answers before anything is kept or read of them."""

import json

from pydantic import JsonValue

from sources.http_client.cache import Answer

CONTACT = frozenset({
    "P968", "P1329", "P2900",  # e-mail address, telephone number, fax number
    "P6375", "P969", "P669", "P670", "P4856", "P5423",
    # street address (and its old form), street, house number, conscription number, floor
    "P281", "P4595", "P1945",  # postal code, post town, street key
    "P625", "P1259", "P9149",  # coordinates: of a place, of a point of view, of what is depicted
    "P402", "P10689", "P11693",  # OpenStreetMap's relation, way and node: a house on the map
})  # fmt: skip
"""Properties whose values say how somebody is reached or where a door is, as statements and as qualifiers."""
DWELLING = frozenset({"P551", "P263", "P937"})
"""Residence, official residence, work location: a text, number or point beside their values may be the address."""
_BESIDE = frozenset({"P276"})
"""Location: beside a residence it is the house."""
_COORDINATES = "globecoordinate"
_SAID_OF_A_DWELLING = frozenset({"wikibase-entityid", "time"})
"""Types of values that may stand beside a residence: since when, in which country."""
_TOLD = tuple(f'"{name}"'.encode() for name in sorted({*CONTACT, *DWELLING, _COORDINATES}))


def without_contact(answer: Answer) -> Answer:
    """The answer, with contact data and addresses said to have an unknown value, as statements and as qualifiers.

    The statements stay, so that they are accounted for. What is not JSON, and so will be refused by its reader, ends
    before the first mention of such a property.
    """
    first = min((place for told in _TOLD if (place := answer.body.find(told)) >= 0), default=None)
    if first is None:
        return answer
    try:
        found: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError):
        return Answer(status=answer.status, content_type=answer.content_type, body=answer.body[:first])
    blot(found)
    body = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=answer.status, content_type=answer.content_type, body=body)


def before_claims(head: bytes) -> bytes:
    """Of the first bytes of an entity's line, those before its statements, whatever the order of its keys."""
    return head.partition(b'"claims"')[0]


def blot(value: JsonValue) -> None:
    """Blot contact data and addresses out of an answer or entity, in place."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if _is_private(part):
                _empty(part, str(part.get("property", "")))
            for name, group in part.items():
                if name in CONTACT:
                    part[name] = _blotted(group, name)
                elif name in DWELLING and isinstance(group, list):
                    for statement in group:
                        _blot_beside(statement)
            waiting += part.values()


def _is_private(snak: dict[str, JsonValue]) -> bool:
    datavalue = snak.get("datavalue")
    kind = datavalue.get("type") if isinstance(datavalue, dict) else None
    named = snak.get("property")
    names = named if isinstance(named, list) else [named]
    told = any(isinstance(name, str) and name in CONTACT for name in names)
    return kind == _COORDINATES or ("datavalue" in snak and told)


def _empty(snak: dict[str, JsonValue], property_id: str) -> None:
    snak.pop("datavalue", None)
    snak["snaktype"] = "somevalue"
    if property_id:
        snak["property"] = property_id


def _blotted(group: JsonValue, property_id: str) -> JsonValue:
    """What stands under a property's id: statements or snaks, which may lack their own property; nothing else stays."""
    if isinstance(group, dict) and not {"snaktype", "datavalue", "mainsnak"} & group.keys():
        return group  # the property itself, as an entity
    kept: list[JsonValue] = []
    for one in group if isinstance(group, list) else [group]:
        if not isinstance(one, dict):
            kept.append({"snaktype": "somevalue", "property": property_id})
            continue
        if isinstance(main := one.get("mainsnak"), dict):
            _empty(main, property_id)
        elif "snaktype" in one or "datavalue" in one:
            _empty(one, property_id)
        kept.append(one)
    return kept


def _blot_beside(statement: JsonValue) -> None:
    """Of a residence: qualifiers that are no item and no time may be the address."""
    qualifiers = statement.get("qualifiers") if isinstance(statement, dict) else None
    for name, group in qualifiers.items() if isinstance(qualifiers, dict) else ():
        for snak in group if isinstance(group, list) else ():
            datavalue = snak.get("datavalue") if isinstance(snak, dict) else None
            kind = datavalue.get("type") if isinstance(datavalue, dict) else None
            harmless = isinstance(kind, str) and kind in _SAID_OF_A_DWELLING and name not in _BESIDE
            if isinstance(snak, dict) and "datavalue" in snak and not harmless:
                _empty(snak, name)
