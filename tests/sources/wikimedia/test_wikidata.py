"""Parsing of Wikidata's answers, on recorded ones and by hand, and the batching of requests for them."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from schemas.protocols.source import BrokenEntity, FetchProblem
from schemas.records.entities import Entity, ItemValue, MissingEntity, QuantityValue, TextValue, TimeValue
from sources.http_client.client import PoliteClient, Retries
from sources.wikimedia.entity_parser import parse_entity, parse_value
from sources.wikimedia.wikidata import fetch_entities, read_entities, same_name, search_people, select_people
from tests.documents import ROOT

RECORDED = ROOT.parent / "shared" / "recorded"
HOST = "www.wikidata.example"

needs_recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"{RECORDED} is absent")


def recorded(name: str) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = json.loads((RECORDED / name).read_bytes())
    return found


def entity_of(name: str, qid: str) -> Entity:
    [result] = read_entities(recorded(name), [qid]).values()
    assert isinstance(result, Entity)
    return result


def item(qid: str, *, label: str = "Ann", **more: JsonValue) -> dict[str, JsonValue]:
    return {"id": qid, "type": "item", "labels": {"en": {"language": "en", "value": label}}, **more}


def claim(value: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return {
        "id": "Q1$1",
        "rank": "normal",
        "mainsnak": {"snaktype": "value", "property": "P1", "datavalue": value},
        **more,
    }


@needs_recorded
def test_every_recorded_person_parses_with_label_and_statements() -> None:
    paths = sorted((RECORDED / "wikidata_entities").glob("*.json"))
    found = [parse_entity(json.loads(path.read_bytes()), path.stem) for path in paths]
    assert len(found) == 85
    assert all(entity.label and "Q5" in entity.items("P31") for entity in found)


@needs_recorded
def test_the_316_property_entity_keeps_every_statement() -> None:
    raw = json.loads((RECORDED / "raw_responses" / "nomenklatura_Q7747.json").read_bytes())["entities"]["Q7747"]
    entity = parse_entity(raw, "Q7747")
    assert len({statement.property_id for statement in entity.statements}) == 316
    assert len(entity.statements) == sum(len(group) for group in raw["claims"].values())
    assert entity.revision == 2483686458


@needs_recorded
def test_douglas_adams_has_his_birth_and_height() -> None:
    entity = parse_entity(recorded("wikidata_entities/Q42.json"), "Q42")
    [born], [height] = entity.of("P569"), entity.of("P2048")
    assert born.value == TimeValue(year=1952, month=3, day=11, precision=11)
    assert height.value == QuantityValue(amount=1.96, unit="Q11573")
    assert (entity.label, entity.sitelinks, entity.wikipedia_title) == ("Douglas Adams", 113, "Douglas Adams")
    assert entity.revision is None


@needs_recorded
def test_a_preferred_height_in_centimetres_keeps_its_rank() -> None:
    first = entity_of("raw_responses/nomenklatura_Q7747.json", "Q7747").of("P2048")[0]
    assert (first.rank, first.value) == ("preferred", QuantityValue(amount=170.0, unit="Q174728"))


@needs_recorded
def test_a_deleted_entity_is_missing() -> None:
    found = read_entities(recorded("raw_responses/wptools_wikidata_deleted.json"), ["Q10908976"])
    assert found == {"Q10908976": MissingEntity(requested_id="Q10908976")}


@needs_recorded
def test_a_novalue_snak_has_no_value() -> None:
    [ended] = entity_of("raw_responses/wptools_wikidata_novalue_snak.json", "Q483718").of("P576")
    assert (ended.snak, ended.value) == ("novalue", None)


@needs_recorded
def test_a_labels_only_answer_is_an_entity_without_statements() -> None:
    entity = entity_of("wikidata_labels/P26.json", "P26")
    assert (entity.label, entity.statements) == ("spouse", ())


@pytest.mark.parametrize("missing", ["", True])
def test_missing_is_understood_in_both_format_versions(missing: JsonValue) -> None:
    found = read_entities({"entities": {"Q9": {"id": "Q9", "missing": missing}}}, ["Q9"])
    assert found == {"Q9": MissingEntity(requested_id="Q9")}


def test_php_lists_stand_for_empty_objects() -> None:
    entity = parse_entity({"id": "Q1", "labels": [], "aliases": [], "claims": [], "sitelinks": []}, "Q1")
    assert entity == Entity(qid="Q1", requested_id="Q1", label="")


def test_the_label_falls_back_to_mul_then_to_british_english() -> None:
    labels: dict[str, JsonValue] = {"mul": {"value": "Mul"}, "en-gb": {"value": "British"}, "de": {"value": "Deutsch"}}
    assert parse_entity({"id": "Q1", "labels": labels}, "Q1").label == "Mul"
    del labels["mul"]
    assert parse_entity({"id": "Q1", "labels": labels}, "Q1").label == "British"
    del labels["en-gb"]
    assert parse_entity({"id": "Q1", "labels": labels}, "Q1").label == ""


def test_a_label_that_the_api_fell_back_to_is_taken() -> None:
    raw = {"id": "Q1", "labels": {"en": {"language": "mul", "for-language": "en", "value": "Ann"}}}
    assert parse_entity(raw, "Q1").label == "Ann"


def test_aliases_come_once_and_without_the_label() -> None:
    aliases = {"en": [{"value": "Annie"}, {"value": "Ann"}], "mul": [{"value": "Annie"}, {"value": "A. N."}]}
    assert parse_entity(item("Q1", aliases=aliases), "Q1").aliases == ("Annie", "A. N.")


@pytest.mark.parametrize(
    "time, precision, expected",
    [
        ("+1952-03-11T00:00:00Z", 11, (1952, 3, 11)),
        ("+1952-03-00T00:00:00Z", 10, (1952, 3, 0)),
        ("+1952-01-01T00:00:00Z", 9, (1952, 0, 0)),
        ("-0044-03-15T00:00:00Z", 11, (-44, 3, 15)),
        ("+00000001952-03-11T00:00:00Z", 11, (1952, 3, 11)),
        ("+1900-00-00T00:00:00Z", 7, (1900, 0, 0)),
    ],
)
def test_times_keep_what_their_precision_reaches(time: str, precision: int, expected: tuple[int, int, int]) -> None:
    value = {"time": time, "precision": precision, "calendarmodel": "http://www.wikidata.org/entity/Q1985727"}
    found = parse_value({"type": "time", "value": value}, "v")
    assert found == TimeValue(year=expected[0], month=expected[1], day=expected[2], precision=precision)


def test_the_julian_calendar_is_marked() -> None:
    value = {"time": "+1475-03-06T00:00:00Z", "precision": "11", "calendarmodel": "http://x/entity/Q1985786"}
    found = parse_value({"type": "time", "value": value}, "v")
    assert isinstance(found, TimeValue)
    assert found.julian


def test_quantity_bounds_are_numbers() -> None:
    value = {"amount": "+3.5", "unit": "1", "lowerBound": "+3.4", "upperBound": "+3.6"}
    assert parse_value({"type": "quantity", "value": value}, "v") == QuantityValue(amount=3.5, lower=3.4, upper=3.6)


def test_monolingual_text_keeps_its_language() -> None:
    raw: dict[str, JsonValue] = {"type": "monolingualtext", "value": {"text": "Анна", "language": "ru"}}
    assert parse_value(raw, "v") == TextValue(text="Анна", language="ru")


def test_an_item_value_of_old_answers_is_read_from_its_number() -> None:
    raw: dict[str, JsonValue] = {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": 5}}
    assert parse_value(raw, "v") == ItemValue(qid="Q5")


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "globecoordinate", "value": {"latitude": 1, "longitude": 2}},
        {"type": "wikibase-entityid", "value": {"entity-type": "property", "id": "P31"}},
        {"type": "some-future-type", "value": [1]},
    ],
)
def test_unused_value_types_are_statements_without_value(raw: dict[str, JsonValue]) -> None:
    [statement] = parse_entity(item("Q1", claims={"P1": [claim(raw)]}), "Q1").statements
    assert (statement.snak, statement.value) == ("value", None)


def test_qualifiers_come_in_the_order_of_the_source() -> None:
    def snak(kind: str) -> dict[str, JsonValue]:
        return {"snaktype": kind}

    raw = claim(
        {"type": "string", "value": "x"},
        **{
            "qualifiers": {"P582": [snak("novalue")], "P580": [snak("somevalue")]},
            "qualifiers-order": ["P580", "P582"],
        },
    )
    [statement] = parse_entity(item("Q1", claims={"P1": [raw]}), "Q1").statements
    assert [(one.property_id, one.snak) for one in statement.qualifiers] == [("P580", "somevalue"), ("P582", "novalue")]


def test_only_references_that_name_a_source_count_as_cited() -> None:
    def reference(property_id: str, kind: str = "value") -> dict[str, JsonValue]:
        return {"snaks": {property_id: [{"snaktype": kind}]}}

    references: JsonValue = [reference("P248"), reference("P854"), reference("P143"), reference("P248", "somevalue")]
    raw = claim({"type": "string", "value": "x"}, references=references)
    [statement] = parse_entity(item("Q1", claims={"P1": [raw]}), "Q1").statements
    assert (statement.references, statement.cited) == (4, 2)


@pytest.mark.parametrize(
    "raw, path",
    [
        ({"labels": {}}, "id: a string"),
        (item("Q1", claims={"P1": [{"rank": "normal"}]}), r"claims\.P1\[0\]\.mainsnak\.snaktype"),
        (item("Q1", claims={"P1": ["x"]}), r"claims\.P1\[0\]: an object"),
        (item("Q1", claims={"P1": [claim({"type": "time", "value": {"time": "today"}})]}), "'today' is no time"),
        (item("Q1", claims={"P1": [claim({"type": "quantity", "value": {"amount": "NaN"}})]}), "no finite number"),
        (item("Q1", claims={"P1": [claim({"type": "string", "value": "x"}, rank="best")]}), "'best' is no rank"),
        (item("Q1", label="\ud83d"), "lone surrogate"),
    ],
)
def test_a_malformed_piece_is_named_by_its_path(raw: dict[str, JsonValue], path: str) -> None:
    with pytest.raises(ValueError, match=path):
        parse_entity(raw, "Q1")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "labels", "en", "value", "claims", "P1", "mainsnak", "snaktype", "datavalue", "type"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "labels", "aliases", "claims", "sitelinks", "lastrevid"]), _json))
def test_any_json_is_an_entity_or_a_value_error(raw: dict[str, JsonValue]) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_entity(raw, "Q1"), Entity)


def test_a_redirect_is_found_by_its_source_and_keeps_the_requested_id() -> None:
    answer: dict[str, JsonValue] = {"entities": {"Q2": item("Q2", redirects={"from": "Q1", "to": "Q2"})}}
    [result] = read_entities(answer, ["Q1"]).values()
    assert isinstance(result, Entity)
    assert (result.requested_id, result.qid) == ("Q1", "Q2")


@pytest.mark.parametrize(
    "first, second",
    [
        ("Beyoncé", "beyonce"), ("Jean-Luc  Godard", "Jean Luc Godard"), ("luc d’arvel", "Luc d'Arvel"),
        ("Jan Wałek", "Jan Walek"), ("Odd Ødeby", "Odd Odeby"), ("Lê Đình", "Le Dinh"), ("Großmann", "GROSSMANN"),
        ("Ngũgĩ wa Thiongʿo", "Ngugi wa Thiong'o"), ("Saʿd Ǿby", "Sa'd Oby"),
        ("Ævar Þór", "Aevar Thor"), ("Əliyev", "Aliyev"), ("ŁUKASZ", "lukasz"),
        ("Conan O´Brien", "Conan OʼBrien"), ("“Weird Al” Yankovic", '"Weird Al" Yankovic'),
    ],
)  # fmt: skip
def test_names_are_the_same_but_for_case_diacritics_and_marks(first: str, second: str) -> None:
    assert same_name(first, second)


def test_a_name_without_its_apostrophe_is_another() -> None:
    assert not same_name("Luc d'Arvel", "Luc Darvel")


def client_of(server: HTTPServer) -> PoliteClient:
    return PoliteClient(
        contact=None, routes={HOST: server.url_for("").rstrip("/")}, retries=Retries(attempts=2, backoff_s=0.01)
    )


def test_entities_are_asked_for_fifty_at_a_time_and_come_in_order(httpserver: HTTPServer) -> None:
    asked: list[int] = []

    def answer(request: Request) -> Response:
        qids = request.args["ids"].split("|")
        asked.append(len(qids))
        entities = {qid: item(qid) for qid in reversed(qids)}
        return Response(json.dumps({"entities": entities}), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    qids = [f"Q{number}" for number in range(120, 0, -1)]
    with client_of(httpserver) as client:
        found = list(fetch_entities(client, qids, host=HOST))
    assert [result.requested_id for result in found] == qids
    assert asked == [50, 50, 20]


def test_one_bad_entity_costs_no_other(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        qids = request.args["ids"].split("|")
        text = json.dumps({"entities": {qid: item(qid) for qid in qids}})
        return Response(text[:-5] if "Q2" in qids else text, content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        found = list(fetch_entities(client, ["Q1", "Q2", "Q3"], host=HOST))
    assert [type(result) for result in found] == [Entity, BrokenEntity, Entity]


def test_an_id_that_the_answer_leaves_out_is_asked_for_again(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        qids = request.args["ids"].split("|")
        kept = qids if len(qids) == 1 else qids[:1]
        return Response(json.dumps({"entities": {qid: item(qid) for qid in kept}}), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        found = list(fetch_entities(client, ["Q1", "Q2"], host=HOST))
    assert [type(result) for result in found] == [Entity, Entity]


def test_an_id_that_the_api_refuses_is_missing_and_the_rest_is_not(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        qids = request.args["ids"].split("|")
        found: JsonValue = {"entities": {qid: item(qid) for qid in qids}}
        refused: JsonValue = {"error": {"code": "no-such-entity", "info": "no"}}
        return Response(json.dumps(refused if "Q999" in qids else found), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        found = list(fetch_entities(client, ["Q1", "Q999", "not an id"], host=HOST))
    assert [type(result) for result in found] == [Entity, MissingEntity, BrokenEntity]


def test_an_id_asked_for_twice_is_answered_twice(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/w/api.php").respond_with_json({"entities": {"Q1": item("Q1")}})
    with client_of(httpserver) as client:
        assert len(list(fetch_entities(client, ["Q1", "Q1"], host=HOST))) == 2


def test_a_search_keeps_those_who_bear_the_name_labels_and_aliases(httpserver: HTTPServer) -> None:
    hits = [
        {"id": "Q1", "label": "Ann Lee", "description": "one", "match": {"type": "label", "text": "Ann Lee"}},
        {"id": "Q2", "label": "Ann Leeds", "match": {"type": "label", "text": "Ann Leeds"}},
        {"id": "Q3", "label": "Anna L.", "match": {"type": "alias", "text": "Ann Lee"}, "aliases": ["Ann Lee"]},
    ]
    httpserver.expect_request("/w/api.php").respond_with_json({"search": hits, "success": 1})
    with client_of(httpserver) as client:
        found = search_people(client, "ann  lee", limit=10, host=HOST)
    assert [(match.qid, match.matched_alias) for match in found] == [("Q1", False), ("Q3", True)]


def test_a_search_for_a_name_that_nobody_bears_keeps_what_is_near(httpserver: HTTPServer) -> None:
    hit = {"id": "Q2", "label": "Ann Leeds", "match": {"type": "label", "text": "Ann Leeds"}}
    httpserver.expect_request("/w/api.php").respond_with_json({"search": [hit], "success": 1})
    with client_of(httpserver) as client:
        found = search_people(client, "Ann Lee", limit=10, host=HOST)
    assert [(match.qid, match.near, match.matched_alias) for match in found] == [("Q2", True, False)]


@pytest.mark.parametrize("language", ["en", "en-gb", "en-ca"])
def test_a_name_in_any_english_is_found_by_a_search(language: str, httpserver: HTTPServer) -> None:
    hit = {"id": "Q9", "match": {"type": "label", "language": language, "text": "Colin Grey"}}
    near = {"id": "Q2", "label": "Colin Greyson", "match": {"type": "label", "text": "Colin Greyson"}}

    def answer(request: Request) -> Response:
        hits = [near, hit] if request.args["language"] == language else [near]
        return Response(json.dumps({"search": hits, "success": 1}), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        found = search_people(client, "Colin Grey", limit=10, host=HOST)
    assert [(match.qid, match.near) for match in found] == [("Q9", False)]


def people_server(httpserver: HTTPServer, people: list[tuple[int, int]]) -> list[str]:
    """Answers the selection query over (QID number, sitelinks) as the query service would."""
    import re

    queries: list[str] = []

    def answer(request: Request) -> Response:
        query = request.args["query"]
        queries.append(query)
        [(low, high)] = re.findall(r"\?sitelinks >= (\d+) && \?sitelinks <= (\d+)", query)
        [after] = re.findall(r"\?number > (\d+)", query)
        [limit] = re.findall(r"LIMIT (\d+)", query)
        rows = sorted(
            (-links, number)
            for number, links in people
            if int(low) <= links <= int(high) and (links < int(high) or number > int(after))
        )
        bindings = [
            {"item": {"value": f"http://www.wikidata.org/entity/Q{number}"}, "sitelinks": {"value": str(-links)}}
            for links, number in rows[: int(limit)]
        ]
        return Response(json.dumps({"results": {"bindings": bindings}}), content_type="application/json")

    httpserver.expect_request("/sparql").respond_with_handler(answer)
    return queries


def test_people_come_by_sitelinks_then_number_over_pages_and_bands(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.wikimedia.wikidata.PAGE", 3)
    people = [(number, number % 7 * 20) for number in range(1, 60)]
    people_server(httpserver, people)
    with client_of(httpserver) as client:
        found = select_people(client, limit=100, min_sitelinks=20, host=HOST)
    expected = sorted((-links, number) for number, links in people if links >= 20)
    assert found == [f"Q{number}" for _, number in expected]


def test_a_selection_stops_at_its_limit(httpserver: HTTPServer) -> None:
    queries = people_server(httpserver, [(number, 300) for number in range(1, 60)])
    with client_of(httpserver) as client:
        assert select_people(client, limit=2, min_sitelinks=0, host=HOST) == ["Q1", "Q2"]
    assert len(queries) == 1


def test_a_query_service_that_repeats_a_page_ends_with_a_problem(httpserver: HTTPServer) -> None:
    row = {"item": {"value": "http://www.wikidata.org/entity/Q1"}, "sitelinks": {"value": "300"}}
    httpserver.expect_request("/sparql").respond_with_json({"results": {"bindings": [row] * 500}})
    with client_of(httpserver) as client, pytest.raises(FetchProblem, match="same page again"):
        select_people(client, limit=1000, min_sitelinks=0, host=HOST)
