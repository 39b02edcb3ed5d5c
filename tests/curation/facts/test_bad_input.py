"""Inputs that are not as they should be: every case with each field missing, doubled or of another type, and more."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.facts.facts import facts_of, is_extra
from curation.facts.linked_entities import further_places, further_values, needed_values
from curation.facts.properties import load_properties
from curation.questions.distractors import distractor_pool
from curation.questions.questions import questions_of
from curation.subjects.selection import not_a_subject, private_reason, subject_of
from schemas.protocols.source import BrokenEntity
from schemas.records.entities import Entity, MissingEntity
from sources.wikimedia.recorded import Moved, read_recorded
from tests.worlds.case_build import CASES, claim, needs_cases, person, thing

OTHER_TYPES: tuple[object, ...] = (None, "", "x", -1.5, True, [None], {"x": None})
YEAR = 2026
Place = tuple[str | int, ...]


def places(value: object, place: Place = ()) -> Iterator[Place]:
    """The place of every value within a JSON document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*place, key)
        yield from places(part, (*place, key))


def kind_of_place(place: Place) -> tuple[str, ...]:
    """A place without ids and numbers: what stands there is read by the same lines of code."""
    return tuple("*" if isinstance(key, int) or key[1:].isdigit() or key.endswith("wiki") else key for key in place)


def changed(document: Any, place: Place, change: str, value: object) -> Any:
    """The document with the value at a place gone, doubled (in a list, or as a list of two), or another."""
    other = copy.deepcopy(document)
    inner = other
    for key in place[:-1]:
        inner = inner[key]
    if change == "missing":
        del inner[place[-1]]
    elif change == "doubled" and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[place[-1]]))  # type: ignore[arg-type]
    else:
        inner[place[-1]] = [inner[place[-1]]] * 2 if change == "doubled" else value
    return other


def asked(document: Any, path: Path) -> int:
    """Facts of a document, read as the pipeline does, up to the questions. Each statement is accounted for."""
    path.write_text(json.dumps(document))
    found = read_recorded(path)
    assert all(isinstance(each, Entity | MissingEntity | BrokenEntity | Moved) for _, each in found)
    entities = {name: each for name, each in found if isinstance(each, Entity)}
    table = load_properties()
    further_values(entities, table), further_places(entities.values(), entities, table)
    number = 0
    for entity in entities.values():
        needed_values(entity, table)
        if not_a_subject(entity) or private_reason(entity, year=YEAR):
            continue
        subject = subject_of(entity, ["weaver"], subject_id="001", year=YEAR)
        facts, drops = facts_of(
            subject, entity, entities, table, gated="separate", sensitive=("health",), exclude=(),
            third_party_sitelinks=5,
        )  # fmt: skip
        main = [fact for fact in facts if "/" not in fact.property_id]
        assert len(entity.statements) == len(main) + sum(not is_extra(drop) for drop in drops)
        questions, left = questions_of(subject, facts, distractor_pool(facts), table, paraphrases=3, seed=7)
        assert len(questions) == 6 * (len(facts) - len(left))
        number += len(facts)
    return number


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad") / "a.json"


@needs_cases
def test_no_field_of_a_case_that_is_missing_doubled_or_of_another_type_stops_the_pipeline(scratch: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    tried = 0
    for case in sorted(CASES.glob("*.json")):
        document = json.loads(case.read_text())
        if "entities" not in document:
            continue
        assert asked(document, scratch) >= 0
        for place in places(document):
            if kind_of_place(place) in seen:
                continue
            seen.add(kind_of_place(place))
            asked(changed(document, place, "missing", None), scratch)
            asked(changed(document, place, "doubled", None), scratch)
            for value in OTHER_TYPES:
                asked(changed(document, place, "other", value), scratch)
            tried += 1
    assert tried > 50


def qualified(**qualifiers: object) -> Any:
    """Somebody with one office, one award and one marriage that have these qualifiers."""
    claims = [claim(name, value, **qualifiers) for name, value in (("P39", "Q20"), ("P166", "Q21"), ("P26", "Q3"))]
    people = [person("Q1", "Ada Marlow", claim("P569", 1950), *claims), person("Q3", "Bo Ek", claim("P569", 1951))]
    return {
        "entities": {
            each["id"]: each for each in (*people, thing("Q20", "mayor of Arnvik"), thing("Q21", "Heron Prize"))
        }
    }


@pytest.mark.parametrize(
    "property_id", ["P580", "P582", "P585", "P1365", "P768", "P1686", "P1480", "P2868", "P9999999"]
)
@pytest.mark.parametrize("value", [None, "novalue", [None, "novalue"], "x", 12.5, (0, 9), (-44, 9), (2000, 14)])
def test_a_qualifier_without_or_with_another_value_is_survived(property_id: str, value: object, scratch: Path) -> None:
    assert asked(qualified(**{property_id: value}), scratch) >= 1


def test_a_qualifier_list_that_is_empty_or_out_of_order_is_survived(scratch: Path) -> None:
    document = qualified(P580=2001)
    for group in document["entities"]["Q1"]["claims"].values():
        for statement in group:
            if "qualifiers" in statement:
                statement["qualifiers"]["P582"] = []
                statement["qualifiers-order"] = ["P582", "P582", "P1"]
    assert asked(document, scratch) >= 1


@pytest.mark.parametrize("up", ["P31", "P279", "P361", "P131", "P17", "P749"])
@pytest.mark.parametrize("length", [1, 2, 40])
def test_values_that_lie_in_or_descend_from_each_other_in_a_circle_end(up: str, length: int, scratch: Path) -> None:
    ring = [thing(f"Q{100 + at}", f"Ring {at}", claim(up, f"Q{100 + (at + 1) % length}")) for at in range(length)]
    claims = [claim(name, "Q100") for name in ("P19", "P106", "P27", "P39", "P69", "P463")]
    document = {"entities": {each["id"]: each for each in (person("Q1", "Ada Marlow", *claims), *ring)}}
    assert asked(document, scratch) >= 1


def test_ten_thousand_statements_of_one_property_with_qualifiers_are_read_in_one_go(scratch: Path) -> None:
    claims = [claim("P39", f"Q{100 + at % 50}", P580=1960 + at % 60, P582=1961 + at % 60) for at in range(5000)]
    claims += [claim("P26", f"Q{2000 + at}", P580=1950 + at % 60) for at in range(5000)]
    offices = [thing(f"Q{100 + at}", f"mayor of Town {at}") for at in range(50)]
    one = person("Q1", "Ada Marlow", claim("P569", 1930), *claims)
    assert asked({"entities": {each["id"]: each for each in (one, *offices)}}, scratch) >= 1


@pytest.mark.parametrize(
    "name", ["A", "O", "Ib", "X" * 200, "Ann " * 50, "محمد بن سلمان", "דוד בן־גוריון", "\u202eadA\u202c", "Lê", "李",
             "é", "{s}", "[is|was]", "<a|b>"],
)  # fmt: skip
def test_a_name_of_any_length_and_script_is_asked_about_as_it_stands(name: str, scratch: Path) -> None:
    one = person("Q1", name, claim("P569", 1950), claim("P39", "Q20", P580=2001), claim("P1477", f"{name} Ek"))
    assert asked({"entities": {"Q1": one, "Q20": thing("Q20", "mayor of Arnvik")}}, scratch) >= 2
