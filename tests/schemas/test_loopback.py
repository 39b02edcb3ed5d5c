"""Which hosts are this machine itself, and how NO_PROXY says so without losing what the user named there."""

import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest
from requests.utils import get_environ_proxies

from schemas.loopback import is_loopback, on_loopback, opened, spare_loopback, without_proxies

NOWHERE = "http://127.0.0.1:9"
OURS = "localhost,127.0.0.1,::1,127.0.0.0/8"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost.", "a.localhost", "127.0.0.1", "127.3.2.1", "::1", "[::1]", "0.0.0.0",
     "::ffff:127.0.0.1"],
)  # fmt: skip
def test_loopback_names_and_addresses_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "localhost.example", "notlocalhost", "127.example.org", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1",
     "www.wikidata.org"],
)  # fmt: skip
def test_any_other_host_is_another_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/v1", "http://[::1]:9/", "http://u:p@localhost/", "localhost:1"])
def test_a_url_of_a_loopback_host_is_of_this_machine(url: str) -> None:
    assert on_loopback(url)


@pytest.mark.parametrize("url", ["http://example.org/127.0.0.1", "http://127.0.0.1@example.org/", "http://[::1/", ""])
def test_a_url_of_another_host_or_of_none_is_not_of_this_machine(url: str) -> None:
    assert not on_loopback(url)


@pytest.mark.parametrize(
    ("given", "lower", "upper"),
    [
        ({}, OURS, OURS),
        ({"NO_PROXY": ""}, OURS, OURS),
        ({"NO_PROXY": "*"}, "*", "*"),
        ({"no_proxy": "a.example, *"}, "*", "*"),
        ({"NO_PROXY": "a.example,.b.example"}, f"a.example,.b.example,{OURS}", f"a.example,.b.example,{OURS}"),
        ({"no_proxy": "localhost, a.example"}, "localhost,a.example,127.0.0.1,::1,127.0.0.0/8",
         "localhost,a.example,127.0.0.1,::1,127.0.0.0/8"),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, f"a.example,{OURS}", f"b.example,{OURS}"),
        ({"no_proxy": "", "NO_PROXY": "b.example"}, OURS, f"b.example,{OURS}"),
    ],
)  # fmt: skip
def test_no_proxy_keeps_what_the_user_named(given: dict[str, str], lower: str, upper: str) -> None:
    environment = dict(given)
    spare_loopback(environment)
    assert environment == {"no_proxy": lower, "NO_PROXY": upper}


def test_sparing_twice_changes_nothing() -> None:
    once = {"NO_PROXY": "a.example"}
    spare_loopback(once)
    twice = dict(once)
    spare_loopback(twice)
    assert twice == once


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a user with a proxy, as the commands leave it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    environment = {"NO_PROXY": "intranet.example"}
    spare_loopback(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "[::1]", "intranet.example"])
def test_requests_asks_this_machine_and_excepted_hosts_without_the_proxy(proxied: None, host: str) -> None:
    assert get_environ_proxies(f"http://{host}:8000/v1") == {}


def test_requests_asks_real_hosts_through_the_proxy(proxied: None) -> None:
    assert get_environ_proxies("https://www.wikidata.org/")["https"] == NOWHERE


@pytest.mark.parametrize(("host", "direct"), [("127.0.0.1", True), ("[::1]", True), ("www.wikidata.org", False)])
def test_the_hub_client_asks_only_this_machine_directly(proxied: None, host: str, direct: bool) -> None:
    with httpx2.Client() as client:
        transport = client._transport_for_url(httpx2.URL(f"http://{host}:8000/"))
    assert (transport is client._transport) is direct


def test_a_child_that_speaks_only_to_this_machine_gets_no_proxy() -> None:
    given = {"HTTP_PROXY": NOWHERE, "all_proxy": "socks://a", "NO_PROXY": "b", "PATH": "/bin"}
    assert without_proxies(given) == {"PATH": "/bin"}


class _Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def test_a_server_of_this_machine_is_opened_past_a_proxy_that_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("no_proxy", "intranet.example")
    assert urllib.request.getproxies()["http"] == NOWHERE
    with ThreadingHTTPServer(("127.0.0.1", 0), _Greeting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with opened(f"http://127.0.0.1:{server.server_port}/health", timeout_s=20) as answer:
            assert answer.read() == b"/health"
        server.shutdown()
