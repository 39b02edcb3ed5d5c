"""Contact data and addresses are blotted out of answers before anything is kept or read of them."""

import json
import re

from pydantic import JsonValue

from sources.http_client.cache import Answer

CONTACT = frozenset({
    "P968", "P1329", "P2900",  # e-mail address, telephone number, fax number
    "P6375", "P969", "P669", "P670", "P4856", "P5423",
    # street address (and its old form), street, house number, conscription number, floor
    "P281", "P4595", "P1945", "P2918", "P2795",  # postal code, post town, street key, post office box, directions
    "P625", "P1259", "P9149",  # coordinates: of a place, of a point of view, of what is depicted
    "P402", "P10689", "P11693",  # OpenStreetMap's relation, way and node: a house on the map
})  # fmt: skip
"""Properties whose values say how somebody is reached or where a door is, as statements and as qualifiers."""
DWELLING = frozenset({"P551", "P263", "P937"})
"""Residence, official residence, work location: a text, number or point beside their values may be the address."""
_BESIDE = frozenset({"P276"})
"""Location: beside a residence it is the house."""
_SOURCES = frozenset({"P854", "P248", "P813", "P143", "P577", "P1476", "P2699", "P304", "P4656"})
"""What names a source, and where in it: its address, title, day and page."""
_COORDINATES = "globecoordinate"
_SAID_OF_A_DWELLING = frozenset({"wikibase-entityid", "time"})
"""Types of values that may stand beside a residence: since when, in which country."""
_LINKS = ("mailto:", "tel:", "sms:", "geo:")
"""How a link begins that reaches somebody, in whichever property it stands."""
_TOLD = re.compile(
    f'"(?:(?:{"|".join(sorted({*CONTACT, *DWELLING, _COORDINATES}))})"|(?i:{"|".join(_LINKS)}))'.encode()
)


def without_contact(answer: Answer) -> Answer:
    """The answer, with contact data and addresses said to have an unknown value, as statements and as qualifiers.

    The statements stay, so that they are accounted for. What is not JSON, and so will be refused by its reader, ends
    before the first mention of such a property.
    """
    first = _TOLD.search(answer.body)
    if first is None:
        return answer
    try:
        found: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError):
        return Answer(status=answer.status, content_type=answer.content_type, body=answer.body[: first.start()])
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
    said = datavalue.get("value") if isinstance(datavalue, dict) else None
    reaches = isinstance(said, str) and said.casefold().startswith(_LINKS)
    return kind == _COORDINATES or ("datavalue" in snak and (told or reaches))


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
    """Of a residence: what is no item and no time may be the address, as value, qualifier or quotation of a source."""
    if not isinstance(statement, dict):
        return
    references = statement.get("references")
    said = [("", statement.get("mainsnak"))]
    groups = [statement.get("qualifiers"), *(
        each.get("snaks") for each in (references if isinstance(references, list) else ()) if isinstance(each, dict)
    )]  # fmt: skip
    for at, snaks in enumerate(groups):
        for name, group in snaks.items() if isinstance(snaks, dict) else ():
            if at == 0 or name not in _SOURCES:
                said += [(name, snak) for snak in (group if isinstance(group, list) else ())]
    for name, snak in said:
        datavalue = snak.get("datavalue") if isinstance(snak, dict) else None
        kind = datavalue.get("type") if isinstance(datavalue, dict) else None
        harmless = isinstance(kind, str) and kind in _SAID_OF_A_DWELLING and name not in _BESIDE
        if isinstance(snak, dict) and "datavalue" in snak and not harmless:
            _empty(snak, name)
