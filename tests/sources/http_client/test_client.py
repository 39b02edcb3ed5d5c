"""The polite client against a real loopback server that plays a script of raw answers."""

import gzip
import json
import random
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadInput, Unfinished
from schemas.protocols.source import FetchProblem
from schemas.vocabulary import Service
from sources.http_client.client import PoliteClient, Retries
from sources.http_client.hosts import address_of, is_wikimedia
from sources.http_client.rate_limits import LIMITS, UNLIMITED, Gate, Limit, service_of, stricter
from sources.http_client.responses import BadAnswer, retry_after_seconds
from sources.http_client.user_agent import user_agent
from tests.servers.waiting import patient, wait_for

HOST = "www.wikidata.example"
URL = f"https://{HOST}/w/api.php"
FILE = f"https://{HOST}/picture.jpg"


def reply(status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> bytes:
    """A raw HTTP answer; header names are given with underscores."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(value: object) -> bytes:
    return reply(200, json.dumps(value).encode(), Content_Type="application/json")


@dataclass
class Script:
    """Answers in turn, the last one again and again; remembers what was asked."""

    answers: list[bytes | None] = field(default_factory=list)
    """None: no answer at all, the connection stays open until the test ends."""
    requests: list[str] = field(default_factory=list)
    base: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, head: str) -> bytes | None:
        with self.lock:
            self.requests.append(head)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def script() -> Iterator[Script]:
    playing = Script()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            answer = playing.take(head.decode())
            if answer is None:
                playing.over.wait(patient(60))
            else:
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        playing.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield playing
        playing.over.set()
        server.shutdown()
        thread.join()


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds
            self.slept.append(seconds)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client_of(
    script: Script,
    clock: Clock,
    *,
    cache: Path | None = None,
    offline: bool = False,
    attempts: int = 4,
    timeout_s: float = 60.0,
    limits: dict[Service, Limit] | None = None,
) -> PoliteClient:
    return PoliteClient(
        contact=None,
        routes={HOST: script.base},
        cache=cache,
        offline=offline,
        limits=limits,
        retries=Retries(attempts=attempts, timeout_s=timeout_s, jitter=random.Random("test")),
        sleep=clock.sleep,
        monotonic=clock.monotonic,
    )


def test_a_good_answer_is_returned_at_once(script: Script, clock: Clock) -> None:
    script.answers = [ok({"success": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {"action": "x"}) == {"success": 1}
    assert clock.slept == []


def test_the_action_api_is_asked_in_format_version_2_with_maxlag(script: Script, clock: Clock) -> None:
    script.answers = [ok({})]
    with client_of(script, clock) as client:
        client.get_json(URL, {"action": "x"})
    assert script.requests[0].startswith("GET /w/api.php?action=x&format=json&formatversion=2&maxlag=5 ")


def test_the_logical_host_is_sent_in_the_host_header(script: Script, clock: Clock) -> None:
    script.answers = [ok({})]
    with client_of(script, clock) as client:
        client.get_json(URL, {})
    assert f"Host: {HOST}\r\n" in script.requests[0]


def test_the_user_agent_names_tool_contact_and_library() -> None:
    tool, contact, library = user_agent("me@example.org").split(" ")
    assert tool.startswith("ppubench/")
    assert contact == "(me@example.org)"
    assert library.startswith("requests/2.")


def test_a_404_is_not_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [reply(404)]
    with client_of(script, clock) as client, pytest.raises(FetchProblem, match="404 Not Found"):
        client.get_bytes(FILE, max_bytes=100)
    assert len(script.requests) == 1


def test_retry_after_of_a_429_is_honoured_to_the_second(script: Script, clock: Clock) -> None:
    script.answers = [reply(429, Retry_After="17"), ok({"a": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}
    assert sum(clock.slept) == pytest.approx(17.0)


def test_retry_after_as_a_date_is_measured_against_the_servers_own_clock() -> None:
    headers = {"Retry-After": "Fri, 21 Nov 2025 10:00:30 GMT", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"}
    assert retry_after_seconds(headers, now=0.0) == 30.0


def test_a_retry_after_that_is_neither_number_nor_date_is_ignored() -> None:
    assert retry_after_seconds({"Retry-After": "soon"}, now=0.0) is None


def test_a_retry_after_of_a_day_ends_the_request(script: Script, clock: Clock) -> None:
    script.answers = [reply(429, Retry_After="86400")]
    with client_of(script, clock) as client, pytest.raises(FetchProblem, match="asks to wait 86400 s"):
        client.get_json(URL, {})
    assert len(script.requests) == 1


def test_a_5xx_is_asked_for_again_with_growing_waits(script: Script, clock: Clock) -> None:
    script.answers = [reply(503), reply(500), ok({"a": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}
    first, second = clock.slept
    assert 0.5 <= first < 1.5  # 1 s, jittered by half
    assert 1.0 <= second < 3.0


def test_a_5xx_that_stays_is_a_fetch_problem_without_a_port(script: Script, clock: Clock) -> None:
    script.answers = [reply(502)]
    with client_of(script, clock) as client, pytest.raises(FetchProblem) as caught:
        client.get_json(URL, {})
    assert str(caught.value) == f"{URL}: 502 Bad Gateway, 4 times over"
    assert not isinstance(caught.value, BadAnswer)


def test_a_timeout_is_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [None, ok({"a": 1})]
    with client_of(script, clock, timeout_s=patient(0.3)) as client:
        assert client.get_json(URL, {}) == {"a": 1}


def test_a_body_cut_in_the_middle_is_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [reply(200, b"half", length=1000), reply(200, b"whole")]
    with client_of(script, clock) as client:
        assert client.get_bytes(FILE, max_bytes=10_000) == b"whole"


def test_a_connection_closed_without_an_answer_is_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [b"", ok({"a": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}


def test_malformed_json_is_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [reply(200, b'{"entities": {'), ok({"a": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}


def test_json_that_stays_malformed_is_a_bad_answer(script: Script, clock: Clock) -> None:
    script.answers = [reply(200, b"<html>")]
    with client_of(script, clock) as client, pytest.raises(BadAnswer, match="is not JSON, 4 times over"):
        client.get_json(URL, {})


def test_maxlag_is_waited_for_as_long_as_the_server_says(script: Script, clock: Clock) -> None:
    lag = json.dumps({"error": {"code": "maxlag", "info": "Waiting for db1", "lag": 7}}).encode()
    script.answers = [reply(200, lag, Retry_After="5"), ok({"a": 1})]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}
    assert sum(clock.slept) == pytest.approx(5.0)


def test_an_api_error_for_good_is_not_asked_for_again(script: Script, clock: Clock) -> None:
    script.answers = [ok({"error": {"code": "no-such-entity", "info": "Q0"}})]
    with client_of(script, clock) as client, pytest.raises(BadAnswer) as caught:
        client.get_json(URL, {})
    assert caught.value.code == "no-such-entity"
    assert len(script.requests) == 1


def test_gzip_is_undone(script: Script, clock: Clock) -> None:
    script.answers = [reply(200, gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")]
    with client_of(script, clock) as client:
        assert client.get_json(URL, {}) == {"a": 1}


def test_a_body_past_the_limit_is_refused_also_when_it_is_compressed(script: Script, clock: Clock) -> None:
    script.answers = [reply(200, gzip.compress(bytes(5_000_000)), Content_Encoding="gzip")]
    with client_of(script, clock) as client, pytest.raises(FetchProblem, match="larger than 1000 bytes"):
        client.get_bytes(FILE, max_bytes=1000)


def test_a_redirect_within_the_allowed_hosts_is_followed(script: Script, clock: Clock) -> None:
    script.answers = [reply(301, Location="/moved.jpg"), reply(200, b"here")]
    with client_of(script, clock) as client:
        assert client.get_bytes(FILE, max_bytes=100) == b"here"
    assert script.requests[1].startswith("GET /moved.jpg ")


@pytest.mark.parametrize(
    "target", ["https://evil.example/x", "http://127.0.0.1:1/x", "http://169.254.169.254/", "file:///etc"]
)
def test_a_redirect_to_another_host_is_refused(script: Script, clock: Clock, target: str) -> None:
    script.answers = [reply(302, Location=target)]
    with client_of(script, clock) as client, pytest.raises(FetchProblem):
        client.get_bytes(FILE, max_bytes=100)
    assert len(script.requests) == 1


def test_redirects_in_a_circle_end(script: Script, clock: Clock) -> None:
    script.answers = [reply(302, Location=FILE)]
    with client_of(script, clock) as client, pytest.raises(FetchProblem, match="more than 5 redirects"):
        client.get_bytes(FILE, max_bytes=100)
    assert len(script.requests) == 6


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:80/", "http://[::1]/", "http://10.0.0.1/", "http://localhost:8000/"]
)
def test_private_addresses_are_refused_unless_they_are_routed(address: str) -> None:
    with pytest.raises(FetchProblem, match="private or loopback"):
        address_of(address, {})


def test_a_host_that_only_ends_like_wikimedia_is_not_wikimedia() -> None:
    assert not is_wikimedia("evilwikidata.org")
    assert is_wikimedia("www.wikidata.org")


def test_a_real_host_without_contact_is_bad_input() -> None:
    with PoliteClient(contact=None, routes={}) as client, pytest.raises(BadInput, match=r"source\.contact: is missing"):
        client.get_json("https://wikidata.org/w/api.php", {})


@pytest.mark.parametrize("contact", ["nobody", "a@b.org\r\nX-Evil: 1", "mé@example.org"])
def test_a_contact_that_reaches_nobody_is_bad_input(contact: str) -> None:
    with pytest.raises(BadInput):
        PoliteClient(contact=contact)


def test_a_cached_answer_makes_no_request(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [ok({"a": 1})]
    with client_of(script, clock, cache=tmp_path) as client:
        assert client.get_json(URL, {"b": "2", "a": "1"}) == client.get_json(URL, {"a": "1", "b": "2"})
        assert client.requests_sent == 1


def test_the_cache_serves_another_port_and_offline(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [reply(200, b"picture", Content_Type="image/jpeg", ETag='"1"')]
    with client_of(script, clock, cache=tmp_path) as client:
        client.get_bytes(FILE, max_bytes=100)
    script.base = "http://127.0.0.1:9"
    with client_of(script, clock, cache=tmp_path, offline=True) as client:
        assert client.get_bytes(FILE, max_bytes=100) == b"picture"


def test_a_404_is_remembered_offline(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [reply(404)]
    for offline in (False, True):
        with (
            client_of(script, clock, cache=tmp_path, offline=offline) as client,
            pytest.raises(FetchProblem, match="404"),
        ):
            client.get_bytes(FILE, max_bytes=100)
    assert len(script.requests) == 1


def test_a_403_is_not_remembered(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [reply(403), ok({"a": 1})]
    with client_of(script, clock, cache=tmp_path) as client:
        with pytest.raises(BadAnswer, match="403 Forbidden"):
            client.get_json(URL, {})
        assert client.get_json(URL, {}) == {"a": 1}


def test_an_offline_miss_says_so(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [ok({})]
    with (
        client_of(script, clock, cache=tmp_path, offline=True) as client,
        pytest.raises(Unfinished, match="not in the cache, and the build is offline"),
    ):
        client.get_json(URL, {})
    assert script.requests == []


@pytest.mark.parametrize(
    ("answer", "line"),
    [(503, "503 Service Unavailable, 4 times over"), (500, "500 Internal Server Error, 3 times over"), (403, "403")],
)
def test_a_failure_is_asked_again_online_and_met_again_offline(
    script: Script, clock: Clock, tmp_path: Path, answer: int, line: str
) -> None:
    script.answers = [reply(answer)]
    with client_of(script, clock, cache=tmp_path) as client, pytest.raises(FetchProblem, match=line) as online:
        client.get_bytes(FILE, max_bytes=100)
    with (
        client_of(script, clock, cache=tmp_path, offline=True) as client,
        pytest.raises(FetchProblem, match=line) as offline,
    ):
        client.get_bytes(FILE, max_bytes=100)
    assert str(offline.value) == str(online.value)
    script.answers = [reply(200, b"picture")]
    with client_of(script, clock, cache=tmp_path) as client:
        assert client.get_bytes(FILE, max_bytes=100) == b"picture"


def test_an_answer_that_is_no_json_is_met_again_offline(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [reply(200, b"<html>")]
    for offline in (False, True):
        with (
            client_of(script, clock, cache=tmp_path, offline=offline) as client,
            pytest.raises(BadAnswer, match="the answer is not JSON, 4 times over"),
        ):
            client.get_json(URL, {})
    assert len(script.requests) == 4


def test_a_damaged_cache_file_counts_as_absent(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [ok({"a": 1})]
    with client_of(script, clock, cache=tmp_path) as client:
        client.get_json(URL, {})
        [kept] = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "cache-version"]
        kept.write_bytes(kept.read_bytes()[:-3])
        assert client.get_json(URL, {}) == {"a": 1}
    assert len(script.requests) == 2


def test_a_cache_of_another_version_is_bad_input(script: Script, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "cache-version").write_text("99\n")
    with pytest.raises(BadInput, match="version '99', not '1 of a stand-in'"):
        client_of(script, clock, cache=tmp_path)


def test_a_folder_that_is_no_cache_is_not_written_to(script: Script, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match="no response cache"):
        client_of(script, clock, cache=tmp_path)


def test_no_more_connections_are_open_at_once_than_the_limit(script: Script) -> None:
    gate = Gate(Limit(connections=2))
    inside, most, lock = 0, 0, threading.Lock()

    def ask() -> None:
        nonlocal inside, most
        with gate.slot():
            with lock:
                inside += 1
                most = max(most, inside)
            wait_for(lambda: most >= 2)
            threading.Event().wait(0.01)  # in which a third would come in
            with lock:
                inside -= 1

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


@given(st.lists(st.floats(0, 20), min_size=250, max_size=500), st.integers(1, 20))
def test_no_minute_sees_more_requests_than_the_limit(pauses: list[float], burst: int) -> None:
    clock, starts = Clock(), []
    gate = Gate(Limit(per_minute=60, burst=burst), monotonic=clock.monotonic, sleep=clock.sleep)
    for pause in pauses:
        clock.now += pause if pause > 18 else 0.0  # mostly as fast as it goes, sometimes idle
        with gate.slot():
            starts.append(clock.now)
    assert all(later - first > 59.99 for first, later in zip(starts, starts[60:], strict=False))


def test_a_hold_keeps_everybody_waiting(clock: Clock) -> None:
    gate = Gate(Limit(), monotonic=clock.monotonic, sleep=clock.sleep)
    gate.hold(30)
    with gate.slot():
        assert clock.now == 1030.0


def test_bytes_are_limited_after_the_burst(clock: Clock) -> None:
    gate = Gate(Limit(bytes_per_second=1000), monotonic=clock.monotonic, sleep=clock.sleep)
    gate.spend_bytes(8000)  # eight seconds' worth, of which five may be owed
    with gate.slot():
        assert clock.now == pytest.approx(1003.0)


def stopped_while(client: PoliteClient, script: Script, *, asked: int) -> list[Unfinished]:
    """What a thread gets that asks, and is stopped once the server was asked so often."""
    got: list[Unfinished] = []

    def ask() -> None:
        try:
            client.get_json(URL, {"action": "x"})
        except Unfinished as problem:
            got.append(problem)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    wait_for(lambda: len(script.requests) == asked)
    client.stop()
    thread.join(timeout=patient(60))
    assert not thread.is_alive()
    return got


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(503), id="before-it-asks-again"),
        pytest.param(reply(429, Retry_After="600"), id="while-it-is-told-to-wait"),
    ],
)
def test_a_stopped_client_waits_for_nothing(script: Script, answer: bytes) -> None:
    script.answers = [answer]
    with PoliteClient(contact=None, routes={HOST: script.base}, retries=Retries(backoff_s=600)) as client:
        assert len(stopped_while(client, script, asked=1)) == 1
    assert len(script.requests) == 1


def test_a_stopped_client_does_not_wait_for_its_turn(script: Script) -> None:
    script.answers = [ok({"success": 1})]
    limits: dict[Service, Limit] = {"action": Limit(per_minute=1, burst=1)}
    with PoliteClient(contact=None, routes={HOST: script.base}, limits=limits) as client:
        assert client.get_json(URL, {"action": "x"}) == {"success": 1}
        assert len(stopped_while(client, script, asked=1)) == 1
    assert len(script.requests) == 1


def test_a_stopped_client_asks_nothing_but_has_what_it_kept(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [ok({"success": 1})]
    with client_of(script, clock, cache=tmp_path) as client:
        client.get_json(URL, {"action": "x"})
        client.stop()
        assert client.get_json(URL, {"action": "x"}) == {"success": 1}
        with pytest.raises(Unfinished, match="no longer asked"):
            client.get_json(URL, {"action": "y"})
    assert len(script.requests) == 1


def test_pictures_and_wikis_have_their_own_limits() -> None:
    assert service_of("upload.wikimedia.org") == service_of("thumb.wikimedia.org") == "media"
    assert service_of("commons.wikimedia.org") == service_of("www.wikidata.org") == "action"
    assert (LIMITS["media"].connections, LIMITS["query"].connections, LIMITS["pageviews"].connections) == (2, 1, 1)
    assert (LIMITS["action"].per_minute, LIMITS["action"].connections) == (200, 3)


def test_a_recipe_can_tighten_a_limit_and_not_widen_it() -> None:
    both = stricter(Limit(per_minute=200, burst=10, connections=3), Limit(per_minute=900, burst=50, connections=1))
    assert both == Limit(per_minute=200, burst=10, connections=1)
    assert stricter(LIMITS["media"], UNLIMITED) == LIMITS["media"]


def test_a_stand_in_is_asked_at_the_limit_of_its_service(script: Script, clock: Clock) -> None:
    script.answers = [ok({"a": 1})]
    with client_of(script, clock, limits={"action": Limit(per_minute=2, burst=1)}) as client:
        for number in range(3):
            client.get_json(URL, {"n": str(number)})
    assert clock.now >= 1000 + 2 * 60  # one at once, then one a minute


def test_a_jump_of_the_wall_clock_shortens_no_wait(
    script: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [reply(429, Retry_After="7"), ok({"a": 1})]
    jumping = iter(range(10**9, 10**9 + 10**7, 10**5))
    monkeypatch.setattr("sources.http_client.client.time.time", lambda: float(next(jumping)))
    with client_of(script, clock) as client:
        client.get_json(URL, {})
    assert clock.now == pytest.approx(1007.0)


def test_a_stand_ins_answers_are_kept_apart_from_the_real_ones(script: Script, clock: Clock, tmp_path: Path) -> None:
    script.answers = [ok({"a": 1})]
    with client_of(script, clock, cache=tmp_path) as client:
        client.get_json(URL, {})
    with pytest.raises(BadInput, match="of a stand-in', not '1'"):
        PoliteClient(contact="a@b.example", cache=tmp_path)
