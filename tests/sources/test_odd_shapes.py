"""Recorded answers and dumps of odd ages and shapes: merged items, English of other countries, old dump lines."""

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from flows.building.dump import extract
from schemas.errors import BadInput
from schemas.records.entities import Entity
from sources.dump.entity_filter import PeopleRule, may_be_kept, number_of
from sources.dump.source import DumpSource
from sources.wikimedia.commons import parse_file
from sources.wikimedia.recorded import RecordedSource
from tests.documents import ROOT

CASES = ROOT.parent / "shared" / "cases" / "data"


def case(name: str) -> str:
    if not (CASES / name).is_file():
        pytest.skip(f"{CASES / name} is absent")
    return (CASES / name).read_text()


def person(**changes: JsonValue) -> dict[str, JsonValue]:
    """A human on a line of a dump, in the order of Wikidata's own; its class is given by number alone."""
    value = {"entity-type": "item", "numeric-id": 5}
    snak = {"snaktype": "value", "property": "P31", "datavalue": {"type": "wikibase-entityid", "value": value}}
    claim = {"id": "Q7$1", "rank": "normal", "mainsnak": snak}
    links = {site: {"site": site, "title": "Ann"} for site in ("enwiki", "dewiki")}
    raw: dict[str, JsonValue] = {
        "type": "item", "id": "Q7", "labels": {"en": {"language": "en", "value": "Ann"}}, "descriptions": {},
        "aliases": {}, "claims": {"P31": [claim]}, "sitelinks": links,
    }  # type: ignore[dict-item]  # fmt: skip
    return raw | changes


def extracted(folder: Path, raw: dict[str, JsonValue], **chosen: object) -> Entity:
    (folder / "all.json").write_text(json.dumps(raw, separators=(",", ":")) + "\n")
    wanted = chosen or {"rule": PeopleRule(min_sitelinks=2)}
    extract(folder / "all.json", folder / "out", **wanted)  # type: ignore[arg-type]
    [found] = DumpSource(folder / "out").entities(["Q7"])
    assert isinstance(found, Entity)
    return found


def test_a_merged_item_is_found_under_both_ids(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(case("redirect.json"))
    old, new = RecordedSource(tmp_path).entities(["Q9000171", "Q9000172"])
    assert isinstance(old, Entity)
    assert isinstance(new, Entity)
    assert (old.qid, old.requested_id, old.label) == ("Q9000172", "Q9000171", "Merged City")
    assert (new.qid, new.requested_id) == ("Q9000172", "Q9000172")


def test_a_merged_item_that_is_keyed_by_its_new_id_is_found_under_both(tmp_path: Path) -> None:
    raw = person() | {"redirects": {"from": "Q3", "to": "Q7"}}
    (tmp_path / "a.json").write_text(json.dumps({"entities": {"Q7": raw}}))
    assert [found.requested_id for found in RecordedSource(tmp_path).entities(["Q3", "Q7"])] == ["Q3", "Q7"]


def test_someone_recorded_before_and_after_a_merge_is_one_person(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"entities": {"Q3": person(id="Q3")}}))
    (tmp_path / "b.json").write_text(json.dumps({"entities": {"Q3": person()}}))
    assert RecordedSource(tmp_path).people(limit=9, min_sitelinks=0) == ["Q7"]


@pytest.mark.parametrize("language", ["en", "mul", "en-gb", "en-ca"])
def test_a_label_in_any_english_is_the_label_recorded_and_extracted(language: str, tmp_path: Path) -> None:
    raw = person(labels={language: {"language": language, "value": "Colin Grey"}})
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "a.json").write_text(json.dumps({"entities": {"Q7": raw}}))
    [recorded] = RecordedSource(tmp_path / "recorded").entities(["Q7"])
    assert isinstance(recorded, Entity)
    assert recorded.label == extracted(tmp_path, raw).label == "Colin Grey"


def test_the_recorded_case_of_british_english_alone_has_its_label(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(case("en_gb_only.json"))
    [found] = RecordedSource(tmp_path).entities(["Q9000191"])
    assert isinstance(found, Entity)
    assert found.label == "Colin Grey"


def test_the_recorded_line_of_an_old_dump_is_one_person(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(case("dump_numeric_id.ndjson"))
    extract(tmp_path / "all.json", tmp_path / "out", rule=PeopleRule(min_sitelinks=10))
    assert DumpSource(tmp_path / "out").people(limit=9, min_sitelinks=0) == ["Q9000203"]


@pytest.mark.parametrize("order", [("claims", "id", "type"), ("sitelinks", "labels", "claims"), ("aliases", "claims")])
def test_the_order_of_keys_does_not_matter(order: tuple[str, ...], tmp_path: Path) -> None:
    raw = person()
    turned = {name: raw[name] for name in order} | raw
    assert extracted(tmp_path, turned, qids=frozenset({"Q7"})).label == "Ann"
    assert number_of(json.dumps(turned).encode()) == 7


def test_the_id_of_a_statement_or_value_is_not_taken_for_the_items(tmp_path: Path) -> None:
    raw = {"claims": {"P1": [{"id": "Q8", "mainsnak": {"datavalue": {"value": {"id": "Q9"}}}}]}, "id": "Q7"}
    assert number_of(json.dumps(raw).encode(), {7, 9}) == 7
    assert number_of(json.dumps(raw).encode(), {10}) == -1


@pytest.mark.parametrize(
    "links",
    [
        {"enwiki": "Ann", "dewiki": "Ann"},
        {"enwiki": {"title": "Ann"}, "dewiki": {"title": "Ann"}},
        {"enwiki": {"name": "Ann", "badges": []}, "dewiki": {"name": "Ann", "badges": []}},
        [{"site": "enwiki", "title": "Ann"}, {"site": "dewiki", "title": "Ann"}],
    ],
)
def test_links_of_every_age_are_counted(links: JsonValue, tmp_path: Path) -> None:
    found = extracted(tmp_path, person(sitelinks=links))
    assert (found.sitelinks, found.wikipedia_title) == (2, "Ann")


def test_words_without_their_language_and_lists_with_gaps_are_read(tmp_path: Path) -> None:
    found = extracted(
        tmp_path, person(labels={"en": "Ann"}, aliases={"en": {"1": {"value": "Annie"}}}, descriptions=[])
    )
    assert (found.label, found.aliases, found.description) == ("Ann", ("Annie",), "")


def test_a_number_that_only_begins_like_that_of_humans_is_another_class() -> None:
    line = json.dumps(person()).replace('"numeric-id": 5', '"numeric-id": 55').encode()
    assert not may_be_kept(line, PeopleRule())


def test_an_address_of_a_picture_has_no_tracking() -> None:
    page = json.loads(case("imageinfo_2026.json"))["query"]["pages"][0]
    found = parse_file(page, "portrait", width=960)
    assert found is not None
    assert found.source_url == "https://upload.wikimedia.org/wikipedia/commons/a/ab/Sample_person.jpg"
    assert "?" not in found.thumb_url + found.description_url


def test_an_address_keeps_the_part_of_its_query_that_names_the_page() -> None:
    url = "https://commons.wikimedia.org/w/index.php?title=File:A.jpg&utm_source=x&uselang=de#filelinks"
    page: JsonValue = {
        "title": "File:A.jpg",
        "imageinfo": [{"url": "//upload.example/a.jpg?x=1", "descriptionurl": url}],
    }
    found = parse_file(page, "portrait", width=960)  # type: ignore[arg-type]
    assert found is not None
    assert found.source_url == "https://upload.example/a.jpg"
    assert found.description_url == "https://commons.wikimedia.org/w/index.php?title=File%3AA.jpg"


def test_a_bare_redirect_leads_to_the_item(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"entity": "Q3", "redirect": "Q7"}))
    (tmp_path / "b.json").write_text(json.dumps({"entities": {"Q7": person()}}))
    [found] = RecordedSource(tmp_path).entities(["Q3"])
    assert isinstance(found, Entity)
    assert (found.qid, found.requested_id) == ("Q7", "Q3")


def test_a_file_of_a_merged_item_that_holds_its_target_is_found_under_both(tmp_path: Path) -> None:
    (tmp_path / "Q3.json").write_text(json.dumps({"entities": {"Q7": person()}}))
    source = RecordedSource(tmp_path)
    assert [getattr(found, "qid", "") for found in source.entities(["Q3", "Q7"])] == ["Q7", "Q7"]
    assert source.people(limit=9, min_sitelinks=0) == ["Q7"]


def test_a_file_by_another_name_takes_nothing_from_an_item_that_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "Q3.json").write_text(json.dumps({"entities": {"Q7": person()}}))
    (tmp_path / "b.json").write_text(json.dumps({"entities": {"Q3": person(id="Q3")}}))
    assert [getattr(found, "qid", "") for found in RecordedSource(tmp_path).entities(["Q3", "Q7"])] == ["Q3", "Q7"]


def test_merges_in_a_circle_lose_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"entities": {"Q7": person()}}))
    for number, (old, new) in enumerate([("Q3", "Q7"), ("Q7", "Q3")]):
        (tmp_path / f"{number}.json").write_text(json.dumps({"entity": old, "redirect": new}))
    assert [getattr(found, "qid", "") for found in RecordedSource(tmp_path).entities(["Q3", "Q7"])] == ["Q7", "Q7"]


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


@pytest.mark.parametrize("name", ["answers.json", "Q7.json"])
def test_a_git_lfs_pointer_among_recorded_answers_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(BadInput, match=f"{name}.*git lfs pull"):
        RecordedSource(tmp_path)


def test_a_git_lfs_pointer_in_the_place_of_a_dump_is_named(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_bytes(POINTER)
    with pytest.raises(BadInput, match=r"all\.json.*git lfs pull"):
        extract(tmp_path / "all.json", tmp_path / "out", rule=PeopleRule(min_sitelinks=2))
