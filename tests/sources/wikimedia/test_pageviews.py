"""Pageviews: summed over the months, nothing counted is 0, another shape is a problem."""

import re

import pytest
from pytest_httpserver import HTTPServer

from sources.http_client.client import PoliteClient, Retries
from sources.http_client.responses import BadAnswer
from sources.wikimedia.source import yearly_pageviews

HOST, ANY = "wikimedia.example", re.compile(".*")


def views(httpserver: HTTPServer, title: str) -> int:
    with PoliteClient(contact=None, routes={HOST: httpserver.url_for("")}, retries=Retries(attempts=1)) as client:
        return yearly_pageviews(client, title, year=2025, host=HOST)


def test_months_are_summed_under_the_escaped_title(httpserver: HTTPServer) -> None:
    path = (
        "/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/AC/DC_(band)"
        "/monthly/2025010100/2025123100"
    )
    httpserver.expect_request(path).respond_with_json({"items": [{"views": 40}, {"views": "2"}]})
    assert views(httpserver, "AC/DC (band)") == 42


def test_an_article_that_nothing_was_counted_for_has_none(httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_data("", status=404)
    assert views(httpserver, "Nobody") == 0


@pytest.mark.parametrize("answer", [{"items": [{}]}, {"items": "many"}, {"items": [{"views": "many"}]}])
def test_another_shape_is_a_bad_answer(httpserver: HTTPServer, answer: dict[str, object]) -> None:
    httpserver.expect_request(ANY).respond_with_json(answer)
    with pytest.raises(BadAnswer, match="another shape"):
        views(httpserver, "Ann")
