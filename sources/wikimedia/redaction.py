"""Contact data is blotted out of answers before anything is kept or read of them."""

import json

from pydantic import JsonValue

from sources.http_client.cache import Answer

CONTACT = frozenset({"P968", "P1329", "P2900", "P6375", "P281"})
"""E-mail address, telephone and fax number, street address, postal code."""


def without_contact(answer: Answer) -> Answer:
    """The answer, with contact properties said to have an unknown value, as statements and as qualifiers.

    The statements stay, so that they are accounted for; what is not JSON stays as it is, to be refused by its reader.
    """
    if not any(f'"{property_id}"'.encode() in answer.body for property_id in CONTACT):
        return answer
    try:
        found: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError):
        return answer
    _blot(found)
    body = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=answer.status, content_type=answer.content_type, body=body)


def _blot(value: JsonValue) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("property") in CONTACT and "datavalue" in part:
                del part["datavalue"]
                part["snaktype"] = "somevalue"
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
