"""Commons files and licences from recorded imageinfo, and paging over titles, categories and depicts statements."""

import json

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sources.http_client.client import PoliteClient, Retries
from sources.wikimedia.commons import (
    file_title,
    files_by_title,
    files_depicting,
    files_in_category,
    parse_file,
    parse_licence,
)
from sources.wikimedia.commons_html import plain_text
from tests.documents import ROOT

RECORDED = ROOT.parent / "shared" / "recorded" / "commons"
HOST = "commons.wikimedia.example"

needs_recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"{RECORDED} is absent")


def recorded_page(name: str) -> dict[str, JsonValue]:
    pages = json.loads((RECORDED / name).read_bytes())["query"]["pages"]
    first: dict[str, JsonValue] = pages[0] if isinstance(pages, list) else next(iter(pages.values()))
    return first


def page(title: str, **info: JsonValue) -> dict[str, JsonValue]:
    address = f"https://upload.wikimedia.example/{title}"
    found: dict[str, JsonValue] = {"url": address, "width": 2000, "height": 1000, "mime": "image/jpeg", **info}
    return {"title": f"File:{title}", "pageid": 7, "imageinfo": [found]}


def client_of(server: HTTPServer) -> PoliteClient:
    return PoliteClient(
        contact=None, routes={HOST: server.url_for("").rstrip("/")}, retries=Retries(attempts=2, backoff_s=0.01)
    )


@needs_recorded
def test_the_recorded_portrait_has_its_licence_and_author() -> None:
    file = parse_file(recorded_page("wptools_Q42_imageinfo.json"), "portrait", width=960)
    assert file is not None
    assert file.title == "Douglas adams portrait cropped.jpg"
    assert (file.width, file.height, file.thumb_url) == (333, 386, "")
    assert (file.licence.short_name, file.licence.code) == ("CC BY-SA 2.0", "cc-by-sa-2.0")
    assert file.licence.url == "https://creativecommons.org/licenses/by-sa/2.0"
    assert file.licence.artist.startswith("Douglas_adams_portrait.jpg: michael hughes from berlin, germany derivative")
    assert file.licence.attribution_required
    assert not file.licence.non_free


@needs_recorded
@pytest.mark.parametrize("name, code", [("wmc_pretty1.json", "pd"), ("wmc_pretty4.json", "cc-by-sa-3.0-es")])
def test_recorded_answers_of_format_version_1_parse(name: str, code: str) -> None:
    file = parse_file(recorded_page(name), "category", width=960)
    assert file is not None
    assert file.licence.code == code
    assert "<" not in file.licence.artist


@needs_recorded
def test_a_missing_licence_url_is_empty() -> None:
    info = json.loads((RECORDED / "image_info_missing_license_url.json").read_bytes())
    licence = parse_licence(info["extmetadata"])
    assert licence.url == ""
    assert licence.attribution == "Photo by PtrQs"


@pytest.mark.parametrize(
    "html, text",
    [
        ("<ul>\n<li><a href='//x'>One</a></li><li>Two</li></ul>", "One Two"),
        ("A &amp; B&nbsp;C &lt;3", "A & B C <3"),
        ('Unknown author<span style="display: none;">Unknown author</span>', "Unknown author"),
        ("<script>alert(1)</script>safe", "safe"),
        ("Jo<b>h</b>n<br>Doe", "John Doe"),
        ("plain   text", "plain text"),
        ("open <b>tag", "open tag"),
        ('<span style="display:none"><img src=x>hidden<br></span>shown', "shown"),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_a_thumbnail_is_taken_where_the_original_is_wider() -> None:
    file = parse_file(page("A.jpg", thumburl="//thumb.example/960px-A.jpg"), "portrait", width=960)
    assert file is not None
    assert file.thumb_url == "https://thumb.example/960px-A.jpg"


def test_a_small_jpeg_is_taken_as_it_is() -> None:
    file = parse_file(page("A.jpg", width=960, thumburl="https://thumb.example/A.jpg"), "portrait", width=960)
    assert file is not None
    assert file.thumb_url == ""


def test_a_small_tiff_is_taken_as_its_rendering() -> None:
    raw = page("A.tif", width=300, mime="image/tiff", thumburl="https://thumb.example/A.tif.jpg")
    file = parse_file(raw, "portrait", width=960)
    assert file is not None
    assert file.thumb_url == "https://thumb.example/A.tif.jpg"


def test_numbers_as_strings_are_understood() -> None:
    file = parse_file(page("A.jpg", width="2000", height="1000"), "portrait", width=960)
    assert file is not None
    assert (file.width, file.height) == (2000, 1000)


def test_a_page_without_url_is_a_value_error_with_its_path() -> None:
    with pytest.raises(ValueError, match=r"imageinfo\[0\]\.url"):
        parse_file(page("A.jpg", url=None), "portrait", width=960)


def test_nonfree_and_restrictions_are_kept() -> None:
    licence = parse_licence({"NonFree": {"value": "true"}, "Restrictions": {"value": "personality"}})
    assert licence.non_free
    assert licence.restrictions == "personality"


def test_titles_have_one_normal_form() -> None:
    assert file_title("File:foo_bar .jpg") == "Foo bar .jpg"


def test_titles_are_matched_through_normalisation_and_redirects_and_missing_ones_are_told(
    httpserver: HTTPServer,
) -> None:
    query = {
        "redirects": [{"from": "File:Old.jpg", "to": "File:New.jpg"}],
        "pages": [page("New.jpg"), page("Plain name.jpg"), {"title": "File:Gone.jpg", "missing": True}],
    }
    httpserver.expect_request("/w/api.php").respond_with_json({"batchcomplete": True, "query": query})
    titles = ["plain_name.jpg", "Gone.jpg", "Old.jpg", "bad|name.jpg"]
    with client_of(httpserver) as client:
        found, missing = files_by_title(client, titles, width=960, host=HOST)
    assert [file.title for file in found] == ["Plain name.jpg", "New.jpg"]
    assert missing == ["Gone.jpg", "bad|name.jpg"]


def test_a_category_is_paged_until_its_end(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        start = int(request.args.get("gcmcontinue", "0"))
        pages = [page(f"{number:02}.jpg") for number in range(start, start + 2)]
        found: dict[str, JsonValue] = {"query": {"pages": pages[::-1]}}
        if start < 4:
            found["continue"] = {"gcmcontinue": str(start + 2), "continue": "gcmcontinue||"}
        return Response(json.dumps(found), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        everything, _ = files_in_category(client, "Ann", limit=100, width=960, host=HOST)
        three, _ = files_in_category(client, "Ann", limit=3, width=960, host=HOST)
    assert [file.title for file in everything] == ["00.jpg", "01.jpg", "02.jpg", "03.jpg", "04.jpg", "05.jpg"]
    assert [file.title for file in three] == ["00.jpg", "01.jpg", "02.jpg"]


def test_a_page_that_the_server_cut_short_is_completed(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        cut: JsonValue = {
            "query": {"pages": [page("A.jpg"), {"title": "File:B.jpg", "pageid": 8}]},
            "continue": {"iicontinue": "B.jpg", "continue": "||"},
        }
        rest: JsonValue = {"query": {"pages": [{"title": "File:A.jpg", "pageid": 7}, page("B.jpg")]}}
        return Response(json.dumps(rest if "iicontinue" in request.args else cut), content_type="application/json")

    httpserver.expect_request("/w/api.php").respond_with_handler(answer)
    with client_of(httpserver) as client:
        found, missing = files_in_category(client, "Ann", limit=10, width=960, host=HOST)
    assert [file.title for file in found] == ["A.jpg", "B.jpg"]
    assert missing == []


def test_an_older_revision_that_could_follow_is_not_asked_for(httpserver: HTTPServer) -> None:
    answer = {"query": {"pages": [page("A.jpg")]}, "continue": {"iistart": "2010-04-16T22:53:21Z", "continue": "||"}}
    httpserver.expect_request("/w/api.php").respond_with_json(answer)
    with client_of(httpserver) as client:
        files_by_title(client, ["A.jpg"], width=960, host=HOST)
        assert client.requests_sent == 1


def test_depicted_files_come_in_the_order_of_the_search(httpserver: HTTPServer) -> None:
    pages = [page("A.jpg") | {"index": 2}, page("B.jpg") | {"index": 1}]
    httpserver.expect_request("/w/api.php", query_string=None).respond_with_json({"query": {"pages": pages}})
    with client_of(httpserver) as client:
        found, _ = files_depicting(client, "Q76", limit=10, width=960, host=HOST)
    assert [file.title for file in found] == ["B.jpg", "A.jpg"]
    [(request, _)] = httpserver.log
    assert request.args["gsrsearch"] == "haswbstatement:P180=Q76 filetype:bitmap"
    assert request.args["iiurlwidth"] == "960"


def test_an_empty_category_has_no_files(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/w/api.php").respond_with_json({"batchcomplete": True})
    with client_of(httpserver) as client:
        assert files_in_category(client, "Nobody", limit=10, width=960, host=HOST) == ([], [])


def test_a_category_page_without_a_readable_file_is_told(httpserver: HTTPServer) -> None:
    pages = [page("A.jpg"), page("B.jpg", url=5.5), page("C.jpg", width="wide")]
    httpserver.expect_request("/w/api.php").respond_with_json({"query": {"pages": pages}})
    with client_of(httpserver) as client:
        found, missing = files_in_category(client, "Ann", limit=10, width=960, host=HOST)
    assert missing == ["C.jpg"]
    assert len(found) == 2
