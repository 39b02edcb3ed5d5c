"""eval.responders.load_balancer and eval.responders.remote: which server is next, worked by hand on a clock that
the test moves.
"""

import asyncio
import base64
import io

import pytest
from PIL import Image

from eval.responders.load_balancer import Server, Servers
from eval.responders.openai_client import retry_after_s
from eval.responders.remote import DataUris, data_uri, scaled
from tests.servers.waiting import patient
from tests.worlds.tiny_models import picture


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def servers(clock: Clock, *urls: str, concurrency: int = 8, retries: int = 2) -> Servers:
    return Servers(urls or ("http://a/v1",), concurrency=concurrency, retries=retries, clock=clock)


def take(some: Servers) -> Server:
    found = asyncio.run(asyncio.wait_for(some.take(), patient(10)))
    assert found is not None
    return found


def test_servers_are_taken_in_turn() -> None:
    some = servers(Clock(), "http://a/v1", "http://b/v1", "http://c/v1")
    assert [take(some).name for _ in range(5)] == ["a", "b", "c", "a", "b"]


def test_a_server_without_room_is_passed_over() -> None:
    some = servers(Clock(), "http://a/v1", "http://b/v1", concurrency=1)
    first, second = take(some), take(some)
    some.answered(second)
    assert take(some) is second
    assert first.open == 1


def test_a_refusal_halves_the_limit_and_rests_the_server() -> None:
    clock = Clock()
    some = servers(clock)
    server = take(some)
    some.refused(server, sent_at=clock.now, rest_s=7.0, why="busy")
    assert (server.limit, server.not_before, server.rounds) == (4.0, 107.0, 1)


def test_of_requests_that_were_open_together_one_refusal_counts() -> None:
    clock = Clock()
    some = servers(clock)
    open_now = [take(some) for _ in range(8)]
    clock.now = 101.0
    for server in open_now:
        some.refused(server, sent_at=100.0, rest_s=1.0, why="busy")
    assert (open_now[0].limit, open_now[0].rounds) == (4.0, 1)


def test_the_limit_grows_by_one_over_as_many_answers_as_it_allows_and_no_further_than_it_began() -> None:
    clock = Clock()
    some = servers(clock, concurrency=4)
    server = take(some)
    some.refused(server, sent_at=clock.now, rest_s=0.0, why="busy")
    assert server.limit == 2.0
    limits = []
    for _ in range(12):
        some.answered(take(some))
        limits.append(server.limit)
    assert limits[0] == 2.5
    assert limits[1] == pytest.approx(2.9)
    assert limits[-1] == 4.0


def test_rests_without_a_stated_time_double_up_to_half_a_minute() -> None:
    clock = Clock()
    some = servers(clock, retries=99)
    rests = []
    for _ in range(9):
        server = take(some)
        clock.now += 1000
        some.refused(server, sent_at=clock.now, rest_s=None, why="gone")
        rests.append(server.not_before - clock.now)
        clock.now = server.not_before
    for number, rest in enumerate(rests):
        assert rest == pytest.approx(min(30.0, 0.5 * 2**number), rel=0.25)


def test_a_server_that_refused_gets_one_request_at_a_time_until_it_answers() -> None:
    clock = Clock()
    some = servers(clock)
    some.refused(take(some), sent_at=clock.now, rest_s=0.0, why="gone")
    trial = take(some)
    assert not trial.has_room()
    some.answered(trial)
    assert trial.has_room()
    assert trial.rounds == 0


def test_servers_are_hopeless_once_all_have_refused_more_often_than_the_retries() -> None:
    clock = Clock()
    some = servers(clock, "http://a/v1", "http://b/v1", retries=1)
    for number in range(4):
        assert not some.hopeless()
        server = take(some)
        clock.now += 100
        some.refused(server, sent_at=clock.now, rest_s=0.0, why=f"refusal {number}")
    assert some.hopeless()
    assert asyncio.run(some.take()) is None


def test_three_broken_answers_in_a_row_are_the_servers_fault() -> None:
    clock = Clock()
    some = servers(clock)
    for _ in range(2):
        server = take(some)
        some.broke(server, sent_at=clock.now, why="HTTP 500")
    assert server.rounds == 0
    some.broke(take(some), sent_at=clock.now, why="HTTP 500")
    assert server.rounds == 1


def test_an_answer_between_broken_ones_clears_the_server() -> None:
    clock = Clock()
    some = servers(clock)
    for _ in range(5):
        some.broke(take(some), sent_at=clock.now, why="HTTP 500")
        some.answered(take(some))
    assert some.all[0].rounds == 0


def test_a_wait_ends_when_a_request_is_freed() -> None:
    async def run() -> Server | None:
        some = servers(Clock(), concurrency=1)
        first = await some.take()
        assert first is not None
        asyncio.get_running_loop().call_later(0.01, some.answered, first)
        return await asyncio.wait_for(some.take(), patient(10))

    assert asyncio.run(run()) is not None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "Sat, 21 Nov 2026 06:00:20 GMT", "Date": "Sat, 21 Nov 2026 06:00:00 GMT"}, 20.0),
        ({"Retry-After": "Sat, 21 Nov 2026 06:00:20 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_by_the_servers_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def jpeg(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 50)).save(out, "JPEG")
    return out.getvalue()


def test_a_large_picture_is_sent_at_the_stated_size() -> None:
    with Image.open(io.BytesIO(scaled(jpeg(800, 600), side=200))) as small:
        assert (small.size, small.format) == ((200, 150), "JPEG")


def test_a_small_picture_is_sent_as_it_is() -> None:
    content = jpeg(200, 150)
    assert scaled(content, side=200) == content


def test_a_picture_lying_on_its_side_is_set_upright_before_it_is_scaled() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400)).save(out, "JPEG", exif=exif)
    with Image.open(io.BytesIO(scaled(out.getvalue(), side=200))) as small:
        assert small.size == (100, 200)


def test_a_picture_is_encoded_once() -> None:
    uris, content = DataUris(side=100), jpeg(300, 300)
    first = uris.of(content)
    assert uris.of(bytes(bytearray(content))) is first


def test_remembered_pictures_stay_within_their_bound() -> None:
    uris = DataUris(capacity_mb=1)
    for number in range(100):
        uris.of(b"\xff\xd8" + bytes([number]) * 100_000)
    assert uris.held <= 2**20


def test_an_address_names_the_kind_of_picture() -> None:
    head, _, data = data_uri(picture(1)).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == picture(1)
    assert data_uri(b"\xff\xd8rest").startswith("data:image/jpeg;")
