"""No part of an address in the recorded answers stays anywhere: a search over all bytes of cache, extract and build."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import JsonValue

from flows.building.dump import extract
from sources.dump.store import DumpStore
from sources.http_client.cache import Answer
from sources.wikimedia.redaction import CONTACT, without_contact
from tests.worlds.case_build import RECORDED, build_of_recorded

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="../shared/recorded is not there")
_LEAST_LETTERS = 4
"""A shorter value, such as the house number 12, is no evidence: it stands in many other places."""


def text(property_id: str, value: str) -> dict[str, JsonValue]:
    return {"snaktype": "value", "property": property_id, "datavalue": {"type": "string", "value": value}}


@pytest.mark.parametrize(
    "statement",
    [
        {"mainsnak": text("P551", "12 SECRET Row")},
        {"mainsnak": text("P2918", "SECRET")},
        {"mainsnak": text("P2795", "behind SECRET")},
        {"mainsnak": text("P973", "tel:SECRET")},
        {"mainsnak": text("P108", "x"), "qualifiers": {"P2699": [text("P2699", "MailTo:SECRET")]}},
        {"mainsnak": text("P551", "x"), "references": [{"snaks": {"P1683": [text("P1683", "lives in SECRET Row")]}}]},
        {"mainsnak": text("P551", "x"), "qualifiers": {"P3749": [text("P3749", "SECRET")]}},
    ],
    ids=["text of a residence", "box", "directions", "tel", "mailto", "quotation", "map"],
)
def test_an_address_or_number_in_an_odd_place_goes(statement: dict[str, JsonValue]) -> None:
    property_id = statement["mainsnak"]["property"]  # type: ignore[index,call-overload]
    body = json.dumps({"entities": {"Q1": {"claims": {property_id: [statement]}}}}).encode()
    assert b"SECRET" not in without_contact(Answer(status=200, content_type="application/json", body=body)).body


def told(value: JsonValue) -> Iterator[str]:
    """What the snaks of contact properties say, at any depth of a document."""
    if isinstance(value, dict):
        datavalue = value.get("datavalue")
        if value.get("property") in CONTACT and isinstance(datavalue, dict):
            said = datavalue.get("value")
            parts = [said.get(key) for key in ("text", "id", "latitude")] if isinstance(said, dict) else [said]
            yield from (str(part) for part in parts if part is not None and len(str(part)) >= _LEAST_LETTERS)
    parts_of = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts_of:
        yield from told(part)


@pytest.fixture(scope="module")
def answers() -> dict[Path, JsonValue]:
    return {path: json.loads(path.read_bytes()) for path in sorted(RECORDED.rglob("*.json"))}


@pytest.fixture(scope="module")
def secrets(answers: dict[Path, JsonValue]) -> set[str]:
    found = {each for document in answers.values() for each in told(document)}
    assert {"Dresden, Radeberger Straße 101", "Q4030641"} <= found
    return found


def kept(secrets: set[str], content: bytes) -> list[str]:
    """The secrets that stand in some bytes, as text or as JSON writes it."""
    return sorted(each for each in secrets if each.encode() in content or json.dumps(each)[1:-1].encode() in content)


def test_the_search_finds_what_was_recorded(answers: dict[Path, JsonValue], secrets: set[str]) -> None:
    assert kept(secrets, b"".join(path.read_bytes() for path in answers)) == sorted(secrets)


def test_no_address_stays_in_the_cache(answers: dict[Path, JsonValue], secrets: set[str]) -> None:
    for path in answers:
        answer = without_contact(Answer(status=200, content_type="application/json", body=path.read_bytes()))
        assert (path.name, kept(secrets, answer.body)) == (path.name, [])


def test_no_address_stays_in_an_extract(answers: dict[Path, JsonValue], secrets: set[str], tmp_path: Path) -> None:
    lines: dict[str, str] = {}
    for document in answers.values():
        entities = document.get("entities", {"": document}) if isinstance(document, dict) else {}
        for raw in entities.values() if isinstance(entities, dict) else ():
            if isinstance(raw, dict) and raw.get("claims") and str(raw.get("id")).startswith("Q"):
                lines[str(raw["id"])] = json.dumps({"type": "item", **raw}, ensure_ascii=False)
    (tmp_path / "all.json").write_text("\n".join(lines.values()) + "\n", encoding="utf-8")
    extract(tmp_path / "all.json", tmp_path / "out", qids=frozenset(lines))
    store = DumpStore(tmp_path / "out", writing=False)
    bodies = "".join(each.body for each in store.entities(store.numbers()).values())
    store.close()
    assert len(bodies) > 100_000
    assert kept(secrets, bodies.encode()) == []
    assert kept(secrets, b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())) == []


def test_no_address_stays_in_a_build(secrets: set[str], tmp_path: Path) -> None:
    built = build_of_recorded(tmp_path, links=0)
    assert "Q7747" in built.subjects  # whose addresses are recorded
    for path in (tmp_path / "build").rglob("*"):
        if path.is_file():
            cells = json.dumps(pq.read_table(path).to_pylist(), default=str) if path.suffix == ".parquet" else ""
            assert (path.name, kept(secrets, path.read_bytes() + cells.encode())) == (path.name, [])
