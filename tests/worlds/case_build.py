"""A build, up to its questions, of people in the form of recorded answers: written by a test, or a case file."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.building import build as building
from schemas.records.build_rows import Drop, Fact, Question, Subject
from schemas.storage.tables import read_records
from tests.documents import ROOT
from tests.worlds.growing_build import without_prefect

CASES = ROOT.parent / "shared" / "cases" / "data"
RECORDED = CASES.parents[1] / "recorded"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")

RECIPE = """
name = "cases"
[source]
kind = "recorded"
folder = "{folder}"
[select]
min_sitelinks = {links}
[facts]
gated = "separate"
[screen]
min_views = 0
[probe]
responder = "openai:http://127.0.0.1:9/v1#nobody"
"""
Json = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """The tables of a build up to its questions."""

    subjects: dict[str, Subject]
    """By QID."""
    facts: list[Fact]
    questions: list[Question]
    drops: list[Drop]

    def of(self, qid: str, property_id: str) -> list[Fact]:
        """The facts of a person about one property."""
        subject = self.subjects.get(qid)
        return [
            fact
            for fact in self.facts
            if subject and fact.subject_id == subject.subject_id and fact.property_id == property_id
        ]

    def options(self, fact: Fact) -> list[str]:
        """The options of a fact's classification question, sorted."""
        return next(
            (sorted(each.options) for each in self.questions if each.fact_id == fact.fact_id and each.options), []
        )

    def texts(self, qid: str, property_id: str) -> list[str]:
        """The generation questions in text about one property of a person."""
        ids = {fact.fact_id for fact in self.of(qid, property_id)}
        return [
            each.text
            for each in self.questions
            if each.fact_id in ids and each.task == "generation" and each.modality == "qa"
        ]

    def reasons(self, item: str) -> list[str]:
        """Why an item was left out: a QID, or the beginning of a statement's id or of a drop's detail."""
        return [drop.reason for drop in self.drops if drop.item == item or drop.detail.split(" ")[0] == item]


def build_of(folder: Path, *entities: Json, links: int = 10) -> Built:
    """What becomes of these entities."""
    source = folder / "recorded"
    source.mkdir()
    for entity in entities:
        (source / f"{entity['id']}.json").write_text(json.dumps(entity))
    return _built(folder, source, links=links)


def build_of_case(folder: Path, name: str) -> Built:
    """What becomes of a case file of ../shared."""
    source = folder / "recorded"
    source.mkdir()
    (source / name).write_bytes((CASES / name).read_bytes())
    return _built(folder, source)


def build_of_recorded(folder: Path, *, links: int) -> Built:
    """What becomes of the recorded people who have so many sitelinks."""
    return _built(folder, RECORDED, links=links)


def _built(folder: Path, source: Path, *, links: int = 10) -> Built:
    recipe = folder / "cases.toml"
    recipe.write_text(RECIPE.format(folder=source, links=links))
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        building.build(recipe, folder / "build", until="questions")
    tables: defaultdict[str, list[Any]] = defaultdict(list)
    for stage, table, record in _tables():
        for path in sorted((folder / "build" / stage / "0").glob(f"{table}-*.parquet")):
            tables[table.split("-")[0]] += read_records(path, record)
    subjects = {one.qid: one for one in tables["subjects"]}
    return Built(subjects, tables["facts"], tables["questions"], tables["drops"])


def _tables() -> Iterator[tuple[str, str, Any]]:
    yield "select", "subjects", Subject
    yield "facts", "facts", Fact
    yield "questions", "questions", Question
    for stage in ("select", "facts", "questions"):
        yield stage, "drops", Drop


def person(qid: str, label: str, *claims: Json, links: int = 12, description: str = "") -> Json:
    """A person as an answer has it."""
    return thing(qid, label, claim("P31", "Q5"), *claims, links=links, description=description)


def thing(
    qid: str, label: str, *claims: Json, links: int = 0, description: str = "", aliases: Sequence[str] = ()
) -> Json:
    """An item as an answer has it; "" for the label gives none."""
    by_property: dict[str, list[Json]] = {}
    for number, each in enumerate(claims):
        each = {**each, "id": f"{qid}${number:04d}"}
        by_property.setdefault(each["mainsnak"]["property"], []).append(each)
    return {
        "type": "item",
        "id": qid,
        "labels": {"en": {"language": "en", "value": label}} if label else {},
        "descriptions": {"en": {"language": "en", "value": description}} if description else {},
        "aliases": {"en": [{"language": "en", "value": each} for each in aliases]} if aliases else {},
        "claims": by_property,
        "sitelinks": {f"w{number}wiki": {"site": f"w{number}wiki", "title": label} for number in range(links)},
    }


def claim(property_id: str, value: object, *, rank: str = "normal", cited: bool = False, **qualifiers: object) -> Json:
    """A statement: a QID, a year, (year, precision), a number with its unit, a text, or None for an unknown value.

    Qualifiers are named by their properties; a list gives several values of one.
    """
    made: Json = {"type": "statement", "rank": rank, "mainsnak": snak(property_id, value)}
    if qualifiers:
        made["qualifiers"] = {
            name: [snak(name, each) for each in (value if isinstance(value, list) else [value])]
            for name, value in qualifiers.items()
        }
        made["qualifiers-order"] = list(qualifiers)
    if cited:
        made["references"] = [{"snaks": {"P854": [snak("P854", "https://example.org/x")]}}]
    return made


def snak(property_id: str, value: object) -> Json:
    """One snak."""
    if value is None or value == "novalue":
        return {"snaktype": "somevalue" if value is None else "novalue", "property": property_id}
    return {"snaktype": "value", "property": property_id, "datavalue": _datavalue(value)}


def _datavalue(value: object) -> Json:
    if isinstance(value, str) and value[:1] == "Q" and value[1:].isdigit():
        return {"type": "wikibase-entityid", "value": {"entity-type": "item", "id": value}}
    if isinstance(value, int):
        value = (value, 9)
    if isinstance(value, tuple):
        year, precision, *rest = value
        month, day = (*rest, 0, 0)[:2]
        time = f"{'-' if year < 0 else '+'}{abs(year):04d}-{month:02d}-{day:02d}T00:00:00Z"
        model = "http://www.wikidata.org/entity/Q1985727"
        return {"type": "time", "value": {"time": time, "precision": precision, "calendarmodel": model}}
    if isinstance(value, float):
        return {"type": "quantity", "value": {"amount": f"+{value}", "unit": "http://www.wikidata.org/entity/Q174728"}}
    return {"type": "string", "value": str(value)}
