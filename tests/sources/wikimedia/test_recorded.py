"""The source that reads a folder of recorded answers."""

import json
from pathlib import Path

import pytest

from schemas.errors import BadInput
from schemas.protocols.source import BrokenEntity, Source
from schemas.records.entities import Entity, MissingEntity
from sources.wikimedia.recorded import RecordedSource
from tests.documents import ROOT

RECORDED = ROOT.parent / "shared" / "recorded"


@pytest.fixture(scope="module")
def source() -> RecordedSource:
    if not RECORDED.is_dir():
        pytest.skip(f"{RECORDED} is absent")
    return RecordedSource(RECORDED)


def write_item(
    folder: Path, name: str, *, qid: str = "Q1", label: str = "Ann", claims: int = 0, links: int = 0
) -> None:
    statement = {
        "rank": "normal",
        "mainsnak": {"snaktype": "value", "datavalue": {"type": "wikibase-entityid", "value": {"id": "Q5"}}},
    }
    raw = {
        "id": qid,
        "labels": {"en": {"value": label}},
        "claims": {"P31": [statement | {"id": f"{qid}${number}"} for number in range(claims)]},
        "sitelinks": {f"{number}wiki": {"title": "x"} for number in range(links)},
    }
    (folder / name).write_text(json.dumps({"entities": {qid: raw}}))


def test_recorded_answers_serve_as_a_source(source: RecordedSource) -> None:
    accepted: Source = source
    assert accepted.identity.startswith("recorded:")


def test_all_recorded_people_are_selected_most_sitelinks_first(source: RecordedSource) -> None:
    people = source.people(limit=1000, min_sitelinks=0)
    assert len(people) == 89  # 85 entity files, and four humans among the raw answers
    assert people[:2] == ["Q2831", "Q42"]


def test_a_whole_entity_wins_over_a_shorter_answer(source: RecordedSource) -> None:
    [entity] = source.entities(["Q42"])
    assert isinstance(entity, Entity)
    assert len({statement.property_id for statement in entity.statements}) == 209


def test_a_deleted_and_an_unrecorded_entity_are_missing(source: RecordedSource) -> None:
    found = list(source.entities(["Q10908976", "Q1"]))
    assert found == [MissingEntity(requested_id="Q10908976"), MissingEntity(requested_id="Q1")]


def test_five_people_of_one_name_are_all_found(source: RecordedSource) -> None:
    found = [match.qid for match in source.search("Steve Clark")]
    assert {"Q367617", "Q1370741", "Q3431192", "Q7612215"} <= set(found)


def test_labels_alone_do_not_displace_statements(tmp_path: Path) -> None:
    write_item(tmp_path, "a.json", claims=2, label="Ann")
    write_item(tmp_path, "b.json", label="Annie")
    [entity] = RecordedSource(tmp_path).entities(["Q1"])
    assert isinstance(entity, Entity)
    assert entity.label == "Ann"


def test_people_of_equal_sitelinks_come_by_number(tmp_path: Path) -> None:
    for number in (10, 9, 2):
        write_item(tmp_path, f"{number}.json", qid=f"Q{number}", claims=1, links=3)
    write_item(tmp_path, "11.json", qid="Q11", claims=1, links=1)
    assert RecordedSource(tmp_path).people(limit=10, min_sitelinks=2) == ["Q2", "Q9", "Q10"]


def test_a_truncated_file_is_a_broken_entity_and_the_rest_is_read(tmp_path: Path) -> None:
    write_item(tmp_path, "Q1.json")
    (tmp_path / "Q2.json").write_text('{"entities": {"Q2": {')
    first, second = RecordedSource(tmp_path).entities(["Q1", "Q2"])
    assert isinstance(first, Entity)
    assert second == BrokenEntity(requested_id="Q2", problem="Q2.json: is not JSON (JSONDecodeError)")


def test_broken_entities_are_among_the_people_after_the_good_ones(tmp_path: Path) -> None:
    write_item(tmp_path, "Q20.json", qid="Q20", claims=1)
    for name in ("recorded_Q10", "Q9", "P31"):
        (tmp_path / f"{name}.json").write_text('{"entities": {')
    source = RecordedSource(tmp_path)
    assert source.people(limit=10, min_sitelinks=0) == ["Q20", "Q9", "Q10"]
    assert source.people(limit=2, min_sitelinks=0) == ["Q20", "Q9"]


def test_a_broken_copy_of_a_good_entity_is_not_named_again(tmp_path: Path) -> None:
    write_item(tmp_path, "a.json", claims=1)
    (tmp_path / "b_Q1.json").write_text("{")
    assert RecordedSource(tmp_path).people(limit=10, min_sitelinks=0) == ["Q1"]


def test_the_identity_changes_with_a_byte_and_not_with_the_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        write_item(folder, "a.json")
    same = RecordedSource(one).identity == RecordedSource(two).identity
    write_item(two, "a.json", label="Anne")
    assert same
    assert RecordedSource(one).identity != RecordedSource(two).identity


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_entities_is_bad_input(tmp_path: Path, exists: bool) -> None:
    with pytest.raises(BadInput):
        RecordedSource(tmp_path if exists else tmp_path / "absent")
