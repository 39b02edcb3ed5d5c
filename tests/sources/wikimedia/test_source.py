"""The real clients against the embedded world's server: selection, entities, search, pictures, faults, cache."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from flows.building.dump import extract
from schemas.errors import Unfinished
from schemas.protocols.source import Source
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, MissingEntity, TextValue
from sources.dump.entity_filter import PeopleRule
from sources.dump.store import FILE
from sources.http_client.cache import Answer, ResponseCache
from sources.http_client.client import PoliteClient, Retries
from sources.sandbox.server.server import COMMONS_HOST, QUERY_HOST, WIKIDATA_HOST, Faults, RunningServer, serve
from sources.sandbox.world import DELETED, NO_IMAGES, REDIRECT, World, make_world
from sources.wikimedia.redaction import CONTACT, without_contact
from sources.wikimedia.source import WikimediaSource
from tests.servers.waiting import patient

STORM = Faults(
    rate_limited=0.1,
    server_error=0.1,
    cut_body=0.1,
    malformed_json=0.1,
    maxlag=0.1,
    slow_s=600.0,
    forced={
        "wbgetentities": ("slow", "cut_body", "maxlag"),
        "/sparql": ("rate_limited", "malformed_json"),
        "/wikipedia/commons/": ("cut_body", "server_error"),
    },
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=6, seed=7)


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[RunningServer]:
    with serve(world) as found:
        yield found


def client_of(running: RunningServer, *, cache: Path | None = None, offline: bool = False) -> PoliteClient:
    return PoliteClient(
        contact=None,
        routes=running.routes,
        cache=cache,
        offline=offline,
        retries=Retries(backoff_s=0.01, timeout_s=patient(0.6)),
    )


def source_over(client: PoliteClient, world: World) -> WikimediaSource:
    return WikimediaSource(
        client,
        width=330,
        wikidata_host=WIKIDATA_HOST,
        commons_host=COMMONS_HOST,
        query_host=QUERY_HOST,
        identity=world.identity,
    )


@pytest.fixture(scope="module")
def source(running: RunningServer, world: World) -> Iterator[WikimediaSource]:
    # No time-out that a busy machine could meet: only the storm needs a short one.
    with PoliteClient(contact=None, routes=running.routes) as client:
        yield source_over(client, world)


def subject_of(entity: Entity) -> Subject:
    texts = {
        name: tuple(one.value.text for one in entity.of(name) if isinstance(one.value, TextValue))
        for name in ("P18", "P373")
    }
    return Subject(
        subject_id="001",
        qid=entity.qid,
        name=entity.label,
        aliases=entity.aliases,
        description=entity.description,
        occupations=(),
        occupation_group="other",
        living=True,
        birth_year=None,
        death_year=None,
        sitelinks=entity.sitelinks,
        portrait_titles=texts["P18"],
        commons_category=next(iter(texts["P373"]), None),
        revision=entity.revision,
        complete_rank=None,
    )


def entity_of(source: WikimediaSource, qid: str) -> Entity:
    [found] = source.entities([qid])
    assert isinstance(found, Entity)
    return found


def everything(source: WikimediaSource) -> list[object]:
    """All that a build asks of two subjects, as values that can be compared."""
    qids = source.people(limit=10, min_sitelinks=10)
    found: list[object] = [qids, *source.entities([*qids, REDIRECT, DELETED])]
    for qid in qids[:2]:
        entity = entity_of(source, qid)
        files, missing = source.files(subject_of(entity), limit=6)
        found += [source.search(entity.label), files, missing, *(source.download(file) for file in files[:3])]
    return found


def test_it_is_a_source_with_the_worlds_identity(source: WikimediaSource, world: World) -> None:
    accepted: Source = source
    assert accepted.identity == world.identity


def test_the_selection_returns_the_worlds_subjects_in_order(source: WikimediaSource, world: World) -> None:
    assert source.people(limit=100, min_sitelinks=10) == list(world.subjects)


def test_every_subject_parses_with_its_label_and_statements(source: WikimediaSource, world: World) -> None:
    found = list(source.entities(world.subjects))
    assert [result.requested_id for result in found] == list(world.subjects)
    assert all(isinstance(result, Entity) and result.label and result.of("P569") for result in found)


def test_a_redirect_is_followed_and_a_deleted_entity_is_missing(source: WikimediaSource, world: World) -> None:
    moved, gone = source.entities([REDIRECT, DELETED])
    assert isinstance(moved, Entity)
    assert (moved.requested_id, moved.qid) == (REDIRECT, world.subjects[0])
    assert gone == MissingEntity(requested_id=DELETED)


def test_where_ids_lead_is_told_without_what_is_stated_of_them(source: WikimediaSource, world: World) -> None:
    moved, gone, stays = source.leads([REDIRECT, DELETED, world.subjects[1]])
    assert isinstance(moved, Entity)
    assert isinstance(stays, Entity)
    assert (moved.requested_id, moved.qid) == (REDIRECT, world.subjects[0])
    assert (stays.requested_id, stays.qid) == (world.subjects[1], world.subjects[1])
    assert gone == MissingEntity(requested_id=DELETED)
    assert not moved.statements
    assert not stays.label


def test_a_subject_is_found_by_name(source: WikimediaSource, world: World) -> None:
    entity = entity_of(source, world.subjects[0])
    assert entity.qid in [match.qid for match in source.search(entity.label)]


def test_pictures_begin_with_the_portrait_and_come_once(source: WikimediaSource, world: World) -> None:
    subject = subject_of(entity_of(source, world.subjects[0]))
    files, _ = source.files(subject, limit=24)
    titles = [file.title for file in files]
    assert files[0].origin == "portrait"
    assert files[0].title == subject.portrait_titles[0]
    assert len(titles) == len(set(titles)) > 4
    order = {"portrait": 0, "category": 1, "depicts": 2}
    assert [order[file.origin] for file in files] == sorted(order[file.origin] for file in files)


def test_pictures_state_their_licence_and_name_no_port(source: WikimediaSource, world: World) -> None:
    files, _ = source.files(subject_of(entity_of(source, world.subjects[0])), limit=24)
    assert any(file.licence.code for file in files)
    assert not any("127.0.0.1" in file.model_dump_json() for file in files)


def test_the_limit_on_pictures_is_kept(source: WikimediaSource, world: World) -> None:
    files, _ = source.files(subject_of(entity_of(source, world.subjects[0])), limit=2)
    assert len(files) == 2


def test_a_portrait_downloads_as_a_picture(source: WikimediaSource, world: World) -> None:
    [first, *_], _ = source.files(subject_of(entity_of(source, world.subjects[0])), limit=24)
    assert source.download(first)[:4] in (b"\xff\xd8\xff\xe0", b"\x89PNG", b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xdb")


def test_a_person_without_pictures_has_none(source: WikimediaSource) -> None:
    assert source.files(subject_of(entity_of(source, NO_IMAGES)), limit=24)[0] == []


def test_a_storm_of_faults_changes_nothing(source: WikimediaSource, world: World) -> None:
    with serve(world, faults=STORM) as stormy, client_of(stormy) as client:
        assert everything(source_over(client, world)) == everything(source)
        assert client.requests_sent > len(set(stormy.requests)) + 6


def test_a_second_run_offline_gives_the_same_without_a_request(
    running: RunningServer, world: World, tmp_path: Path
) -> None:
    with PoliteClient(contact=None, routes=running.routes, cache=tmp_path) as client:
        first = everything(source_over(client, world))
    before = len(running.requests)
    with PoliteClient(
        contact=None, routes=dict.fromkeys(running.routes, "http://127.0.0.1:9"), cache=tmp_path, offline=True
    ) as client:
        assert everything(source_over(client, world)) == first
        assert client.requests_sent == 0
    assert len(running.requests) == before


def test_the_cache_names_no_port(running: RunningServer, world: World, tmp_path: Path) -> None:
    with PoliteClient(contact=None, routes=running.routes, cache=tmp_path) as client:
        source_over(client, world).people(limit=3, min_sitelinks=10)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 1
    assert not any(b"127.0.0.1" in content for content in kept)


def test_what_was_not_cached_is_a_problem_offline(running: RunningServer, world: World, tmp_path: Path) -> None:
    with client_of(running, cache=tmp_path, offline=True) as client, pytest.raises(Unfinished, match="offline"):
        list(source_over(client, world).entities(world.subjects))


def test_contact_data_is_neither_kept_nor_read_and_its_statements_are_accounted_for(
    running: RunningServer, world: World, tmp_path: Path
) -> None:
    told = [
        (qid, claim.property_id, claim.value.text)
        for qid, draft in world.drafts.items()
        for claim in draft.claims
        if claim.property_id in CONTACT and isinstance(claim.value, TextValue)
    ]
    assert told
    with PoliteClient(contact=None, routes=running.routes, cache=tmp_path) as client:
        for qid, property_id, _ in told:
            [statement] = entity_of(source_over(client, world), qid).of(property_id)
            assert (statement.snak, statement.value) == ("somevalue", None)
    kept = b"".join(_body(path) for path in tmp_path.rglob("*") if path.is_file() and path.name != "cache-version")
    assert b"P968" in kept
    assert not any(text.encode() in kept for _, _, text in told)


def _body(path: Path) -> bytes:
    return zlib.decompress(path.read_bytes().partition(b"\n")[2])


def test_contact_data_of_a_qualifier_is_blotted_out_too() -> None:
    snak: dict[str, JsonValue] = {"snaktype": "value", "property": "P968", "datavalue": {"value": "mailto:a@b.example"}}
    body = json.dumps({"claims": {"P108": [{"qualifiers": {"P968": [snak]}}]}}).encode()
    found = without_contact(Answer(200, "application/json", body)).body
    assert b"a@b.example" not in found
    assert b'"snaktype":"somevalue"' in found


def test_an_answer_without_contact_data_stays_as_it_is() -> None:
    body = b'{"claims": {}, "entities": broken'
    assert without_contact(Answer(200, "application/json", body)).body == body


def test_an_answer_that_is_no_json_ends_before_its_first_contact_data() -> None:
    body = b'{"claims": {"P968": broken'
    assert without_contact(Answer(200, "application/json", body)).body == b'{"claims": {'


def private_entity(property_id: str) -> dict[str, JsonValue]:
    """A person with a marked value of the property as a statement, a qualifier and a reference, and beside a home."""

    def snak(name: str, text: str) -> dict[str, JsonValue]:
        return {"snaktype": "value", "property": name, "datavalue": {"type": "string", "value": text}}

    home: dict[str, JsonValue] = {
        "snaktype": "value", "property": "P551",
        "datavalue": {"type": "wikibase-entityid", "value": {"entity-type": "item", "id": "Q64"}},
    }  # fmt: skip
    point: JsonValue = {
        "snaktype": "value",
        "property": "P9999",
        "datavalue": {"type": "globecoordinate", "value": {"latitude": "SECRET point"}},
    }
    beside: JsonValue = {
        property_id: [snak(property_id, "SECRET qualifier"), {"snaktype": "value", "datavalue": {"value": "SECRET"}}],
        "P1810": [snak("P1810", "SECRET beside a home")],
        "P9999": [point],
    }
    human = home | {"property": "P31", "datavalue": {"type": "wikibase-entityid", "value": {"id": "Q5"}}}
    claims: JsonValue = {
        "P31": [{"id": "Q1$0", "rank": "normal", "mainsnak": human}],
        property_id: [{"id": "Q1$1", "rank": "normal", "mainsnak": snak(property_id, "SECRET value")}],
        "P551": [
            {
                "id": "Q1$2", "rank": "normal", "mainsnak": home, "qualifiers": beside,
                "references": [{"snaks": {property_id: [snak(property_id, "SECRET source")]}}],
            }
        ],
    }  # fmt: skip
    return {"id": "Q1", "type": "item", "labels": {"en": {"language": "en", "value": "Ann"}}, "claims": claims}


@pytest.mark.parametrize("property_id", sorted(CONTACT))
def test_no_part_of_an_address_stays_in_an_answer(property_id: str) -> None:
    body = json.dumps({"entities": {"Q1": private_entity(property_id)}}).encode()
    assert b"SECRET" not in without_contact(Answer(200, "application/json", body)).body


@pytest.mark.parametrize("property_id", sorted(CONTACT))
@pytest.mark.parametrize("broken", [False, True])
def test_no_part_of_an_address_stays_in_an_extraction(property_id: str, broken: bool, tmp_path: Path) -> None:
    raw = private_entity(property_id)
    content = json.dumps({"claims": {property_id: raw["claims"][property_id]}} | raw)  # type: ignore[index,call-overload]
    good = json.dumps(private_entity(property_id))
    (tmp_path / "all.json").write_text(f"{good}\n{content[:-1] if broken else content}\n")
    extract(tmp_path / "all.json", tmp_path / "out", rule=PeopleRule())
    assert extracted_bytes(tmp_path / "out").count(b'"Q1"') >= 1
    assert b"SECRET" not in extracted_bytes(tmp_path / "out")


def extracted_bytes(folder: Path) -> bytes:
    """All bytes of an extraction, those of its store inflated."""
    plain = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    with sqlite3.connect(folder / FILE) as store:
        bodies = b"".join(zlib.decompress(body) for (body,) in store.execute("SELECT body FROM entity"))
        heads = b"".join(head for (head,) in store.execute("SELECT head FROM bad_line"))
    return plain + bodies + heads


def test_an_address_that_an_older_version_kept_goes_when_it_is_read(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path, stand_in=True)
    body = json.dumps(private_entity("P670")).encode()
    cache.put("ab", Answer(200, "application/json", body), url="u", etag="", retrieved="")
    found = cache.get("ab", redact=without_contact)
    assert found is not None
    assert b"SECRET" not in found.body + _body(tmp_path / "ab" / "ab")


def test_the_entity_of_a_contact_property_keeps_its_label() -> None:
    body = b'{"entities":{"P968":{"id":"P968","labels":{"en":{"value":"e-mail address"}}}}}'
    assert json.loads(without_contact(Answer(200, "application/json", body)).body) == json.loads(body)
