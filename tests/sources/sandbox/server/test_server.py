"""The embedded world's server, asked with plain requests: shapes, limits, paging, downloads and faults."""

import gzip
import hashlib
import io
import json
import logging
import socket
import struct
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image
from pydantic import JsonValue

from sources.sandbox.server.server import HOSTS, Faults, RunningServer, serve
from sources.sandbox.world import BAND, DELETED, EXTRA, NAMESAKE, REDIRECT, World, make_world
from tests.servers.waiting import patient, wait_for

IMAGEINFO = {
    "action": "query",
    "prop": "imageinfo",
    "iiprop": "url|size|mime|mediatype|sha1|timestamp|user|extmetadata",
}
SELECT = """SELECT ?item ?sitelinks WHERE {{ ?item wikibase:sitelinks ?sitelinks . ?item wdt:P31 wd:Q5 .
  FILTER(?sitelinks >= {low} && ?sitelinks <= {high}) FILTER(?sitelinks < {high} || ?number > {after}) }}
ORDER BY DESC(?sitelinks) ?number LIMIT {limit}"""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=8, seed=5)


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[RunningServer]:
    with serve(world) as found:
        yield found


def get(running: RunningServer, path: str, **params: str | int) -> requests.Response:
    return requests.get(running.routes["www.wikidata.example"] + path, params=params, timeout=patient(60))


def api(running: RunningServer, **params: str | int) -> dict[str, JsonValue]:
    found = get(running, "/w/api.php", format="json", formatversion=2, **params).json()
    assert isinstance(found, dict)
    return found


def pages(answer: dict[str, JsonValue]) -> list[dict[str, JsonValue]]:
    query = answer["query"]
    assert isinstance(query, dict)
    found = query["pages"]
    assert isinstance(found, list)
    return [page for page in found if isinstance(page, dict)]


def info(page: dict[str, JsonValue]) -> dict[str, JsonValue]:
    found = page["imageinfo"]
    assert isinstance(found, list)
    assert isinstance(found[0], dict)
    return found[0]


def select(running: RunningServer, **numbers: int) -> list[tuple[int, int]]:
    found = get(running, "/sparql", format="json", query=SELECT.format(**numbers)).json()["results"]["bindings"]
    return [(int(row["sitelinks"]["value"]), int(row["item"]["value"].rpartition("/Q")[2])) for row in found]


def test_every_logical_host_has_a_loopback_route(running: RunningServer) -> None:
    assert set(running.routes) == set(HOSTS)
    assert all(urlsplit(base).hostname == "127.0.0.1" for base in running.routes.values())


def test_entities_come_by_requested_id_with_redirect_and_missing(running: RunningServer, world: World) -> None:
    entities = api(running, action="wbgetentities", ids=f"{world.subjects[1]}|{REDIRECT}|{DELETED}")["entities"]
    assert isinstance(entities, dict)
    moved = entities[REDIRECT]
    assert isinstance(moved, dict)
    assert list(entities) == [world.subjects[1], REDIRECT, DELETED]
    assert moved["id"] == world.subjects[0]
    assert moved["redirects"] == {"from": REDIRECT, "to": world.subjects[0]}
    assert entities[DELETED] == {"id": DELETED, "missing": ""}


def test_props_and_languages_are_respected(running: RunningServer, world: World) -> None:
    answer = api(running, action="wbgetentities", ids=world.subjects[0], props="labels", languages="en")
    name = world.drafts[world.subjects[0]].label
    expected = {"type": "item", "id": world.subjects[0], "labels": {"en": {"language": "en", "value": name}}}
    assert answer == {"entities": {world.subjects[0]: expected}, "success": 1}


def test_more_than_fifty_ids_are_too_many(running: RunningServer) -> None:
    response = get(running, "/w/api.php", action="wbgetentities", ids="|".join(f"Q{n}" for n in range(1, 52)))
    assert response.status_code == 200
    assert response.headers["MediaWiki-API-Error"] == "toomanyvalues"
    assert response.json()["error"]["limit"] == 50


def test_a_malformed_id_is_no_such_entity(running: RunningServer) -> None:
    error = api(running, action="wbgetentities", ids="Ωmega")["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["id"]) == ("no-such-entity", "Ωmega")


def test_a_name_of_two_people_gives_both_and_exact_matches_first(running: RunningServer, world: World) -> None:
    hits = api(running, action="wbsearchentities", search=world.drafts[NAMESAKE].label, language="en", limit=20)[
        "search"
    ]
    assert isinstance(hits, list)
    assert {hit["id"] for hit in hits if isinstance(hit, dict)} == {NAMESAKE, "Q900000004"}


def test_search_finds_aliases_and_says_so(running: RunningServer, world: World) -> None:
    hits = api(running, action="wbsearchentities", search="odile marchbanks", language="en")["search"]
    assert isinstance(hits, list)
    assert isinstance(hits[0], dict)
    assert hits[0]["match"] == {"type": "alias", "language": "en", "text": "Odile Marchbanks"}


def test_the_selection_returns_subjects_first_and_no_band(running: RunningServer, world: World) -> None:
    rows = select(running, low=10, high=1_000_000, after=0, limit=500)
    assert [f"Q{number}" for _, number in rows] == list(world.subjects)
    everybody = {f"Q{number}" for _, number in select(running, low=0, high=1_000_000, after=0, limit=5000)}
    assert BAND not in everybody
    assert not everybody & set(EXTRA)
    assert len(everybody) > len(world.subjects)


def test_keyset_paging_gives_every_row_once(running: RunningServer) -> None:
    whole = select(running, low=0, high=1_000_000, after=0, limit=5000)
    paged: list[tuple[int, int]] = []
    high, after = 1_000_000, 0
    while page := select(running, low=0, high=high, after=after, limit=7):
        paged += page
        high, after = page[-1]
    assert paged == whole


def test_another_query_is_malformed(running: RunningServer) -> None:
    response = get(running, "/sparql", query="SELECT * WHERE { ?s ?p ?o }")
    assert response.status_code == 400
    assert "MalformedQueryException" in response.text


def test_imageinfo_normalises_titles_and_marks_missing_files(running: RunningServer, world: World) -> None:
    title = world.clean_pictures(world.subjects[0])[0].title
    asked = f"file:{title.replace(' ', '_')}"
    answer = api(running, titles=f"{asked}|File:No such.jpg", **IMAGEINFO)
    query = answer["query"]
    assert isinstance(query, dict)
    assert query["normalized"] == [{"fromencoded": False, "from": asked, "to": f"File:{title}"}]
    missing = pages(answer)[1]
    assert (missing["title"], missing["missing"]) == ("File:No such.jpg", True)


def test_stated_sha1_size_and_url_are_those_of_the_download(running: RunningServer, world: World) -> None:
    title = world.clean_pictures(world.subjects[0])[1].title
    stated = info(pages(api(running, titles=f"File:{title}", **IMAGEINFO))[0])
    address = urlsplit(str(stated["url"]))
    assert (address.hostname, address.port) == ("upload.wikimedia.example", None)
    content = get(running, address.path).content
    assert (stated["sha1"], stated["size"]) == (hashlib.sha1(content).hexdigest(), len(content))


def test_a_thumbnail_has_the_allowed_width_that_was_asked_for(running: RunningServer, world: World) -> None:
    title = world.clean_pictures(world.subjects[0])[0].title
    stated = info(pages(api(running, titles=f"File:{title}", iiurlwidth=330, **IMAGEINFO))[0])
    with Image.open(io.BytesIO(get(running, urlsplit(str(stated["thumburl"])).path).content)) as image:
        assert image.size == (stated["thumbwidth"], stated["thumbheight"]) == (330, 412)


def test_a_thumbnail_wider_than_the_original_is_the_original(running: RunningServer, world: World) -> None:
    title = world.clean_pictures(world.subjects[0])[0].title
    stated = info(pages(api(running, titles=f"File:{title}", iiurlwidth=960, **IMAGEINFO))[0])
    assert (stated["thumburl"], stated["thumbwidth"]) == (stated["url"], 512)


def test_a_width_off_the_list_is_refused(running: RunningServer, world: World) -> None:
    title = world.clean_pictures(world.subjects[0])[0].title
    stated = info(pages(api(running, titles=f"File:{title}", iiurlwidth=330, **IMAGEINFO))[0])
    odd = urlsplit(str(stated["thumburl"])).path.replace("330px-", "333px-")
    assert get(running, odd).status_code == 400


def test_licence_metadata_is_there_only_for_licensed_files(running: RunningServer, world: World) -> None:
    bare = next(plant.title for plant in world.plants if plant.kind == "unlicensed")
    clean = world.clean_pictures(world.subjects[0])[0].title
    found = [info(page)["extmetadata"] for page in pages(api(running, titles=f"File:{bare}|File:{clean}", **IMAGEINFO))]
    without, with_licence = ([*keys] if isinstance(keys, dict) else [] for keys in found)
    assert "Artist" in without
    assert not {"License", "LicenseShortName", "UsageTerms"} & set(without)
    assert {"License", "LicenseShortName", "UsageTerms"} <= set(with_licence)


def test_category_members_page_to_the_end(running: RunningServer, world: World) -> None:
    name = max(world.gallery.categories, key=lambda each: len(world.gallery.categories[each]))
    params = {"generator": "categorymembers", "gcmtitle": f"Category:{name}", "gcmtype": "file", "gcmlimit": "2"}
    titles: list[str] = []
    more: dict[str, str] = {}
    while True:
        answer = api(running, **IMAGEINFO, **params, **more)
        titles += [str(page["title"]).removeprefix("File:") for page in pages(answer)]
        rest = answer.get("continue")
        if not isinstance(rest, dict):
            break
        more = {key: str(value) for key, value in rest.items()}
    assert sorted(titles) == sorted(world.gallery.categories[name])
    assert running.count("gcmcontinue") >= 1


def test_an_unknown_category_and_an_empty_search_have_no_pages(running: RunningServer) -> None:
    unknown = api(running, generator="categorymembers", gcmtitle="Category:Nobody", gcmlimit=50, **IMAGEINFO)
    nothing = api(running, generator="search", gsrsearch="haswbstatement:P180=Q1", gsrlimit=50, **IMAGEINFO)
    assert unknown == nothing == {"batchcomplete": True}


def test_pictures_of_a_person_are_found_by_depicts(running: RunningServer, world: World) -> None:
    qid, titles = next(iter(world.gallery.depicts.items()))
    answer = api(
        running, generator="search", gsrsearch=f"haswbstatement:P180={qid} filetype:bitmap", gsrlimit=50, **IMAGEINFO
    )
    assert sorted(str(page["title"]) for page in pages(answer)) == sorted(f"File:{title}" for title in titles)


def test_no_answer_names_a_port(running: RunningServer, world: World) -> None:
    port = str(urlsplit(running.routes[HOSTS[0]]).port)
    title = world.clean_pictures(world.subjects[0])[0].title
    answers = [
        api(running, action="wbgetentities", ids=world.subjects[0]),
        api(running, titles=f"File:{title}", **IMAGEINFO),
    ]
    assert not any(f":{port}" in json.dumps(answer) for answer in answers)


def test_json_is_compressed_only_for_those_who_accept_it(running: RunningServer, world: World) -> None:
    url = f"{running.routes[HOSTS[0]]}/w/api.php?action=wbgetentities&ids={world.subjects[0]}"
    with requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=patient(60)) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(response.raw.read()))["success"] == 1
    with requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=patient(60)) as response:
        assert "Content-Encoding" not in response.headers


def test_a_post_is_answered_like_a_get(running: RunningServer, world: World) -> None:
    form = {"action": "wbgetentities", "ids": world.subjects[0], "props": "labels"}
    posted = requests.post(running.routes[HOSTS[0]] + "/w/api.php", data=form, timeout=patient(60)).json()
    assert posted == get(running, "/w/api.php", **form).json()


def test_an_unknown_path_and_action_are_answered(running: RunningServer) -> None:
    assert get(running, "/nowhere").status_code == 404
    error = api(running, action="edit")["error"]
    assert isinstance(error, dict)
    assert error["code"] == "badvalue"


def test_the_server_is_gone_after_its_context(world: World) -> None:
    with serve(world) as short:
        base = short.routes[HOSTS[0]]
    with pytest.raises(requests.ConnectionError):
        requests.get(base, timeout=patient(60))


def test_forced_faults_hit_the_first_requests_and_then_stop(world: World) -> None:
    faults = Faults(forced={"wbgetentities": ("rate_limited", "server_error", "maxlag", "malformed_json")})
    with serve(world, faults=faults) as broken:
        answers = [get(broken, "/w/api.php", action="wbgetentities", ids=world.subjects[0]) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 503, 200, 200, 200]
    assert answers[0].headers["Retry-After"] == "0"
    assert answers[2].json()["error"]["code"] == "maxlag"
    with pytest.raises(requests.JSONDecodeError):
        answers[3].json()
    assert answers[4].json()["success"] == 1


def test_a_cut_body_ends_before_its_stated_length(world: World) -> None:
    broken_off = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    with serve(world, faults=Faults(forced={"api.php": ("cut_body",)})) as broken, pytest.raises(broken_off):
        get(broken, "/w/api.php", action="wbgetentities", ids=world.subjects[0]).json()


def test_a_client_that_breaks_off_is_not_told_of(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(world) as server, caplog.at_level(logging.DEBUG, logger="sources.sandbox.server.server"):
        connection = HTTPConnection(urlsplit(server.routes[HOSTS[0]]).netloc)
        connection.request("GET", "/nowhere")
        assert b"Not found" in connection.getresponse().read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset at its end
        connection.close()
        wait_for(lambda: "broke off" in caplog.text)
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert capfd.readouterr().err == ""


def test_seeded_faults_are_the_same_every_time_and_end(world: World) -> None:
    faults = Faults(seed=4, server_error=0.7, most_per_url=2)

    def statuses() -> list[int]:
        with serve(world, faults=faults) as broken:
            return [get(broken, "/w/api.php", action="wbgetentities", ids=qid).status_code
                    for qid in world.subjects for _ in range(6)]  # fmt: skip

    first = statuses()
    assert first == statuses()
    assert 5 < first.count(503) <= 2 * len(world.subjects)
