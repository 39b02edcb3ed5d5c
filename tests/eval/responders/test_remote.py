"""eval.responders.remote: real OpenAI-shaped servers on loopback ports, asked many questions at once."""

import base64
import logging
import re
import threading
import time
from collections.abc import Iterator

import pytest

from eval.responders.remote import RemoteResponder, model_name, served_model
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding, Reply
from tests.servers.chat_server import Body, ChatServer, Handled, Raw, answer, refuse, serving, shows_picture, text_of
from tests.servers.ports import own_port
from tests.servers.waiting import patient, wait_for
from tests.worlds.tiny_models import picture

GREEDY = Decoding(max_new_tokens=6)


def two_asks() -> list[Ask]:
    return [Ask(ask_id="a", text="Who?"), Ask(ask_id="b", text="When?")]


def test_a_server_gets_the_prompt_and_its_decoding() -> None:
    server = ChatServer(lambda body, number: answer(f" {text_of(body)}! "))
    with serving(server) as url:
        replies = list(
            RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], Decoding(max_new_tokens=9, seed=4))
        )
    assert replies == [Reply(ask_id="a", text="Who?!")]
    body = server.requests[0]
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("m", 0.0, 9, 4)


def test_a_picture_travels_as_a_data_address_before_the_text() -> None:
    server = ChatServer(lambda body, number: answer("ok"))
    with serving(server) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?", image=picture(1))], GREEDY))
    messages = server.requests[0]["messages"]
    assert isinstance(messages, list)
    shown, text = messages[0]["content"]
    head, _, data = shown["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == picture(1)
    assert text == {"type": "text", "text": "Who?"}


def test_words_that_look_like_the_place_of_a_picture_stay_as_they_are() -> None:
    server = ChatServer(lambda body, number: answer("ok"))
    asks = [Ask(ask_id=name, text="a <picture> of?", image=image) for name, image in (("a", picture(1)), ("b", None))]
    with serving(server) as url:
        list(RemoteResponder([url], "<picture>", concurrency=1).answer(asks, GREEDY))
    assert [text_of(body) for body in server.requests] == ["a <picture> of?"] * 2
    assert [body["model"] for body in server.requests] == ["<picture>"] * 2


def test_requests_run_at_once_up_to_the_bound() -> None:
    def slow(body: Body, number: int) -> Handled:
        wait_for(lambda: server.most_open >= 4)
        return answer(text_of(body))

    server = ChatServer(slow)
    questions = [Ask(ask_id=str(number), text=f"q{number}") for number in range(20)]
    with serving(server) as url:
        replies = list(RemoteResponder([url], "m", concurrency=4).answer(questions, GREEDY))
    assert {reply.ask_id: reply.text for reply in replies} == {ask.ask_id: ask.text for ask in questions}
    assert server.most_open == 4


def test_replies_are_handed_on_as_they_arrive() -> None:
    release = threading.Event()

    def handle(body: Body, number: int) -> Handled:
        if text_of(body) == "late":
            release.wait(patient(60))
        return answer(text_of(body))

    with serving(ChatServer(handle)) as url:
        questions = [Ask(ask_id=text, text=text) for text in ("first", "late", "early")]
        replies = RemoteResponder([url], "m", concurrency=2).answer(iter(questions), GREEDY)
        assert [next(replies).text, next(replies).text] == ["first", "early"]
        release.set()
        assert [reply.text for reply in replies] == ["late"]


def test_busy_servers_are_asked_again_after_their_time() -> None:
    def handle(body: Body, number: int) -> Handled:
        return refuse(429, "slow down", Retry_After="0.05") if number <= 2 else answer("ok")

    server = ChatServer(handle)
    with serving(server) as url:
        replies = list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert replies == [Reply(ask_id="a", text="ok")]
    assert len(server.requests) == 3


def test_an_ask_that_keeps_failing_is_an_error_reply_and_the_rest_goes_on() -> None:
    def handle(body: Body, number: int) -> Handled:
        return refuse(500, "broken", Retry_After="0.01") if text_of(body) == "bad" else answer("ok")

    with serving(ChatServer(handle)) as url:
        questions = [Ask(ask_id=text, text=text) for text in ("good", "bad", "fine")]
        replies = {r.ask_id: r for r in RemoteResponder([url], "m", retries=1).answer(questions, GREEDY)}
    assert replies["bad"] == Reply(ask_id="bad", text="", error="HTTP 500: broken")
    assert replies["good"].text == replies["fine"].text == "ok"


def ask_of(url: str, *, image: bytes | None = None, retries: int = 0) -> list[Reply]:
    ask = Ask(ask_id="a", text="Who?", image=image)
    return list(RemoteResponder([url], "m", retries=retries).answer([ask], GREEDY))


def unasked(body: Body, number: int) -> Handled:
    raise AssertionError("no question may follow a check that failed")


def test_a_missing_server_is_bad_input() -> None:
    with own_port() as silent:
        said = f"http://127.0.0.1:{silent}/v1: does not answer .ConnectError.; start the server"
        with pytest.raises(BadInput, match=said):
            ask_of(f"http://127.0.0.1:{silent}/v1")


def test_an_unknown_model_is_bad_input_after_one_request() -> None:
    server = ChatServer(unasked, check=lambda body: refuse(404, "no such model"))
    with serving(server) as url, pytest.raises(BadInput, match="does not have model 'm'"):
        ask_of(url)
    assert len(server.checks) == 1


def test_an_unknown_model_is_told_which_models_there_are() -> None:
    server = ChatServer(unasked, check=lambda body: refuse(404, "no such model"))
    server.models = ["qwen", "llava"]
    with serving(server) as url, pytest.raises(BadInput, match="does not have model 'm'; it serves llava, qwen"):
        ask_of(url)


def test_an_address_without_v1_is_told_so() -> None:
    server = ChatServer(unasked)
    server.models = ["m"]
    with serving(server) as url, pytest.raises(BadInput, match="is not the address of the API .HTTP 404.; add /v1"):
        ask_of(url.removesuffix("/v1"))


def test_a_web_server_is_no_openai_compatible_server() -> None:
    with serving(ChatServer(unasked)) as url, pytest.raises(BadInput, match="is no OpenAI-compatible server .HTTP 404"):
        ask_of(url + "/deeper")


def test_a_redirect_is_not_followed() -> None:
    server = ChatServer(unasked, check=lambda body: refuse(308, "", Location="http://elsewhere.example/v1"))
    with serving(server) as url, pytest.raises(BadInput, match="redirects to elsewhere.example"):
        ask_of(url)


def test_a_refused_key_is_bad_input_and_is_neither_shown_nor_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    caplog.set_level(logging.DEBUG)
    server = ChatServer(unasked, check=lambda body: refuse(401, "Incorrect API key provided: sk-very-secret"))
    with serving(server) as url, pytest.raises(BadInput, match="refuses the key") as caught:
        ask_of(url)
    assert server.keys == ["Bearer sk-very-secret"]
    assert "secret" not in str(caught.value)
    assert "secret" not in caplog.text


def test_a_missing_key_is_told_from_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = ChatServer(unasked, check=lambda body: refuse(401, "no key"))
    with serving(server) as url, pytest.raises(BadInput, match="needs a key, and OPENAI_API_KEY is not set"):
        ask_of(url)
    assert server.keys == [""]


def test_a_key_that_cannot_be_sent_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-“quoted”")
    with pytest.raises(BadInput, match="OPENAI_API_KEY: has characters that no key has") as caught:
        ask_of("http://127.0.0.1:9/v1")
    assert "quoted" not in str(caught.value)


def test_a_key_repeated_in_an_error_is_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with serving(ChatServer(lambda body, number: refuse(400, "bad request with sk-very-secret"))) as url:
        (reply,) = ask_of(url)
    assert reply.error == "HTTP 400: bad request with ***"


def test_a_key_in_a_long_error_is_struck_out_before_the_error_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with serving(ChatServer(lambda body, number: refuse(400, "x" * 190 + " sk-very-secret"))) as url:
        (reply,) = ask_of(url)
    assert reply.error == "HTTP 400: " + "x" * 190 + " ***"


def test_a_key_that_is_refused_later_on_ends_the_asking() -> None:
    with serving(ChatServer(lambda body, number: refuse(401, "expired"))) as url, pytest.raises(BadInput, match="key"):
        ask_of(url)


def test_an_answer_that_takes_too_long_is_an_error_reply() -> None:
    over = threading.Event()

    def slow(body: Body, number: int) -> Handled:
        over.wait(patient(60))
        return answer("late")

    with serving(ChatServer(slow)) as url:
        responder = RemoteResponder([url], "m", timeout_s=patient(0.5), retries=0)
        responder.check(images=False)
        (reply,) = responder.answer([Ask(ask_id="a", text="Who?")], GREEDY)
        over.set()
    assert reply.error == "no answer from the server (ReadTimeout)"


def test_a_redirect_later_on_is_not_followed() -> None:
    elsewhere = ChatServer(lambda body, number: answer("ok"))
    with serving(elsewhere) as other:
        moved = refuse(308, "", Location=f"{other}/chat/completions")
        with serving(ChatServer(lambda body, number: moved)) as url:
            (reply,) = ask_of(url)
    assert reply.error == f"HTTP 308: it redirects to {other.removeprefix('http://').removesuffix('/v1')}"
    assert elsewhere.requests == []


def test_an_address_that_is_none_is_bad_input() -> None:
    with pytest.raises(BadInput, match="is no address"):
        ask_of("http://127.0.0.1:80a/v1")


def test_credentials_in_an_address_are_not_shown() -> None:
    with own_port() as silent, pytest.raises(BadInput) as caught:
        ask_of(f"http://user:secret@127.0.0.1:{silent}/v1")
    assert "secret" not in str(caught.value)


def test_a_plain_question_that_is_refused_is_bad_input_in_the_servers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server = ChatServer(unasked, check=lambda body: refuse(400, "m is an embedding model, sk-very-secret"))
    with serving(server) as url, pytest.raises(BadInput, match="HTTP 400: m is an embedding model") as caught:
        ask_of(url)
    assert caught.value.where == url
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 422, 500, 501])
def test_a_model_that_takes_no_pictures_is_bad_input_before_any_question_with_one(status: int) -> None:
    def check(body: Body) -> Handled:
        return refuse(status, "not a multimodal model") if shows_picture(body) else answer("yes")

    server = ChatServer(unasked, check=check)
    with serving(server) as url, pytest.raises(BadInput, match=f"'m' takes no pictures .HTTP {status}: not a multi"):
        ask_of(url, image=picture(1))
    assert server.requests == []


def test_a_model_that_counts_no_tokens_for_a_picture_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with serving(ChatServer(lambda body, number: answer("ok"))) as url:
        ask_of(url, image=picture(1))
    assert "counts no tokens for a picture" in caplog.text


def test_a_server_is_checked_once_before_many_questions() -> None:
    server = ChatServer(lambda body, number: answer("ok"))
    with serving(server) as url:
        responder = RemoteResponder([url], "m")
        responder.check(images=True)
        for _ in range(2):
            list(responder.answer(two_asks(), GREEDY))
    assert [shows_picture(body) for body in server.checks] == [False, True]


def test_text_and_picture_are_checked_together_if_the_first_question_has_a_picture() -> None:
    server = ChatServer(lambda body, number: answer("ok"))
    with serving(server) as url:
        ask_of(url, image=picture(1))
    assert [shows_picture(body) for body in server.checks] == [False, True]


def test_where_there_is_nothing_to_ask_no_server_is_needed() -> None:
    assert list(RemoteResponder(["http://127.0.0.1:9/v1"], "m").answer([], GREEDY)) == []


def test_a_server_that_wants_max_completion_tokens_gets_them() -> None:
    def check(body: Body) -> Handled:
        told = "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead."
        return refuse(400, told) if "max_tokens" in body else answer("yes")

    server = ChatServer(lambda body, number: answer("ok"), check=check)
    with serving(server) as url:
        ask_of(url)
    assert server.requests[0]["max_completion_tokens"] == 6


def test_a_server_that_stays_busy_is_no_bad_input() -> None:
    busy = refuse(429, "slow down", Retry_After="0.01")
    with serving(ChatServer(lambda body, number: busy, check=lambda body: busy)) as url:
        (reply,) = ask_of(url, retries=1)
    assert reply.error.startswith("HTTP 429")


def test_a_server_that_asks_for_an_hour_is_not_waited_for() -> None:
    with serving(ChatServer(lambda body, number: refuse(429, "quota", Retry_After="3600"))) as url:
        (reply,) = ask_of(url, retries=5)
    assert reply.error == "HTTP 429: quota (it asks to wait 3600 s)"


NO_COMPLETIONS: dict[str, Raw | Body] = {
    "a page": Raw(b"<html>Welcome</html>", "text/html"),
    "a page that says it is JSON": Raw(b"<html>Welcome</html>"),
    "a cut answer": Raw(b'{"id": "x", "choices": [{"index": 0, "mess'),
    "text in another encoding": Raw(b'{"choices": "\xff\xfe"}'),
    "a JSON list": Raw(b"[1, 2]"),
    "a JSON string": Raw(b'"Paris"'),
    "null": Raw(b"null"),
    "an empty body": Raw(b""),
    "an object of another kind": {"answer": "Paris"},
    "no choices": {"choices": []},
    "choices of another kind": {"choices": ["Paris"]},
    "a choice without a message": {"choices": [{"index": 0, "text": "Paris"}]},
    "a message without a text": {"choices": [{"message": {"role": "assistant", "content": [{"text": "Paris"}]}}]},
}


@pytest.mark.parametrize("content", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS)
def test_a_server_that_answers_no_completion_is_bad_input_after_one_request(content: Raw | Body) -> None:
    server = ChatServer(unasked, check=lambda body: (200, content, {}))
    with serving(server) as url, pytest.raises(BadInput, match="is no OpenAI-compatible server") as caught:
        ask_of(url)
    assert caught.value.where == url
    assert len(server.checks) == 1


@pytest.mark.parametrize("content", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS)
def test_a_later_answer_that_is_no_completion_is_an_error_reply(content: Raw | Body) -> None:
    handle = {"Who?": answer("ok"), "When?": (200, content, {})}
    with serving(ChatServer(lambda body, number: handle[text_of(body)])) as url:
        replies = {r.ask_id: r for r in RemoteResponder([url], "m", retries=0).answer(two_asks(), GREEDY)}
    assert replies["a"] == Reply(ask_id="a", text="ok")
    assert replies["b"].error.startswith("the answer cannot be used (")


def test_an_answer_that_is_no_completion_once_is_asked_for_again() -> None:
    handle = iter([(200, Raw(b"<html>"), {}), answer("ok")])
    with serving(ChatServer(lambda body, number: next(handle))) as url:
        assert ask_of(url, retries=1) == [Reply(ask_id="a", text="ok")]


def test_a_message_with_an_empty_content_is_an_empty_answer() -> None:
    message = {"role": "assistant", "content": ""}
    with serving(ChatServer(lambda body, number: (200, {"choices": [{"message": message}]}, {}))) as url:
        assert ask_of(url) == [Reply(ask_id="a", text="")]


def test_a_picture_that_cannot_be_scaled_is_an_error_reply() -> None:
    with serving(ChatServer(lambda body, number: answer("ok"))) as url:
        responder = RemoteResponder([url], "m", image_side=32)
        asks = [Ask(ask_id="a", text="Who?", image=b"no picture"), Ask(ask_id="b", text="Who?")]
        replies = {reply.ask_id: reply for reply in responder.answer(asks, GREEDY)}
    assert replies["a"].error == "the picture cannot be sent (UnidentifiedImageError)"
    assert replies["b"].text == "ok"


def test_identity_of_servers_has_hosts_and_size_but_no_port_and_no_folder() -> None:
    urls = ["http://127.0.0.1:8123/v1", "https://user:key@a.example/v1", "http://127.0.0.1:8124/v1"]
    assert RemoteResponder(urls, "/models/qwen").identity == "openai:127.0.0.1,a.example#qwen"
    assert RemoteResponder(urls[:1], "m", image_side=512).identity == "openai:127.0.0.1#m@512px"


def test_a_served_model_is_told_by_every_port_and_its_whole_name_and_tells_no_secret() -> None:
    urls = ["http://Me:Key@A.example:8124/v1", "http://a.example:8123/v1/?api_key=secret"]
    assert served_model(urls, "org/m") == "openai:a.example:8123,a.example:8124#org/m"
    assert served_model(urls[::-1], "org/m") == served_model(urls, "org/m")
    gateway = served_model(["https://a.example/token/one/v1"], "m")
    assert gateway != served_model(["https://a.example/token/two/v1"], "m")
    assert "token" not in gateway


@pytest.mark.parametrize("name", ["/home/me/runs/a/final", "~/runs/a/final", "../runs/a/final", "C:\\runs\\a\\final"])
def test_a_served_folder_is_called_by_two_parts_of_its_path_and_a_digest_of_the_whole(name: str) -> None:
    found = model_name(name)
    assert re.fullmatch(r"a/final~[0-9a-f]{8}", found)
    assert model_name(f"{name}x") != found
    assert model_name(name.replace("runs", "sums"))[-8:] != found[-8:]


def test_a_model_is_named_with_its_answer_and_its_tokens() -> None:
    with serving(ChatServer(lambda body, number: answer("ok", model="m-2026-01", tokens=(7, 3)))) as url:
        (found,) = RemoteResponder([url], "m").complete([Ask(ask_id="a", text="Who?")], GREEDY)
    assert (found.model, found.tokens_in, found.tokens_out) == ("m-2026-01", 7, 3)


def test_several_servers_are_asked_in_turn() -> None:
    servers = [ChatServer(lambda body, number: answer("ok")) for _ in range(2)]
    asks = [Ask(ask_id=str(number), text=f"q{number}") for number in range(20)]
    with serving(servers[0]) as one, serving(servers[1]) as two:
        replies = list(RemoteResponder([one, two], "m", concurrency=1).answer(asks, GREEDY))
    assert len(replies) == 20
    assert min(len(server.requests) for server in servers) >= 5


def test_a_server_that_is_down_at_the_start_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    server = ChatServer(lambda body, number: answer("ok"))
    with own_port() as silent, serving(server) as url:
        responder = RemoteResponder([f"http://127.0.0.1:{silent}/v1", url], "m", concurrency=2)
        replies = list(responder.answer([Ask(ask_id=str(n), text="q") for n in range(12)], GREEDY))
    assert [reply.error for reply in replies] == [""] * 12
    assert f"127.0.0.1:{silent}/v1 does not answer (ConnectError); the other servers are asked" in caplog.text


def test_a_server_that_dies_is_taken_out_and_comes_back() -> None:
    asked = [Ask(ask_id=str(number), text=f"q{number}") for number in range(10_000)]

    def slowly(body: Body, number: int) -> Handled:
        time.sleep(0.01)
        return answer("ok")

    stays, goes, back = ChatServer(slowly), ChatServer(slowly), ChatServer(slowly)
    with serving(stays) as one, own_port() as port:
        with serving(goes, port=port) as two:
            replies = RemoteResponder([one, two], "m", concurrency=2).answer(asked, GREEDY)
            first = [next(replies) for _ in range(40)]
        second = [next(replies) for _ in range(40)]
        with serving(back, port=port):
            third = []
            while not back.requests and len(third) < 9000:
                third.append(next(replies))
        replies.close()  # type: ignore[attr-defined]
    assert goes.requests
    assert back.requests
    assert not any(reply.error for reply in first + second + third)


def test_when_every_server_is_gone_all_asks_end_with_an_error_soon() -> None:
    asks = [Ask(ask_id=str(number), text="q") for number in range(200)]
    with serving(ChatServer(lambda body, number: answer("ok"))) as url:
        responder = RemoteResponder([url], "m", concurrency=4, retries=1)
        responder.check(images=False)
    started = time.monotonic()
    replies = list(responder.answer(asks, GREEDY))
    assert len(replies) == 200
    assert all("no answer from the server" in reply.error for reply in replies)
    assert time.monotonic() - started < patient(5)  # each of the 200 would be tried anew for seconds


def test_concurrency_falls_to_what_a_server_bears_and_everything_is_answered() -> None:
    at_once, lock, most = [0], threading.Lock(), [0]

    def handle(body: Body, number: int) -> Handled:
        with lock:
            at_once[0] += 1
            allowed = at_once[0] <= 3
            most[0] = max(most[0], at_once[0])
        time.sleep(0.01)
        with lock:
            at_once[0] -= 1
        return answer("ok") if allowed else refuse(429, "too many", Retry_After="0.05")

    server = ChatServer(handle)
    asks = [Ask(ask_id=str(number), text=f"q{number}") for number in range(150)]
    with serving(server) as url:
        replies = list(RemoteResponder([url], "m", concurrency=16, retries=2).answer(asks, GREEDY))
    assert len({reply.ask_id for reply in replies}) == 150
    assert not any(reply.error for reply in replies)
    assert len(server.requests) < 300  # without falling back most requests would be refused


def test_retry_after_is_waited_for() -> None:
    times: list[float] = []

    def handle(body: Body, number: int) -> Handled:
        times.append(time.monotonic())
        return refuse(429, "slow down", Retry_After="1") if number == 1 else answer("ok")

    with serving(ChatServer(handle)) as url:
        ask_of(url, retries=3)
    assert times[1] - times[0] >= 1.0


def test_requests_a_minute_are_evenly_spaced() -> None:
    asks = [Ask(ask_id=str(number), text="q") for number in range(4)]
    with serving(ChatServer(lambda body, number: answer("ok"))) as url:
        responder = RemoteResponder([url], "m", requests_per_minute=600)
        responder.check(images=False)
        started = time.monotonic()
        list(responder.answer(asks, GREEDY))
    assert time.monotonic() - started >= 0.3  # three gaps of a tenth of a second, however late an answer is


def test_asks_are_drawn_as_there_is_room_for_them() -> None:
    drawn: list[int] = []

    def asks() -> Iterator[Ask]:
        for number in range(1000):
            drawn.append(number)
            yield Ask(ask_id=str(number), text="q")

    with serving(ChatServer(lambda body, number: answer("ok"))) as url:
        replies = RemoteResponder([url], "m", concurrency=4).answer(asks(), GREEDY)
        next(replies)
        assert len(drawn) <= 8
        replies.close()  # type: ignore[attr-defined]


def test_a_storm_of_faults_loses_no_ask_and_waits_as_it_is_told() -> None:
    told: list[float] = []
    early: list[float] = []
    faults = {3: refuse(500, "broken"), 7: (200, Raw(b'{"choices": [{"ind'), {}), 11: refuse(503, "full")}

    def handle(body: Body, number: int) -> Handled:
        now = time.monotonic()
        if told and number % 20 == 14 and now < told[-1]:
            early.append(told[-1] - now)
        if number % 20 == 13:
            told.append(now + 0.05)
            return refuse(429, "slow down", Retry_After="0.05")
        return faults.get(number % 20) or answer(text_of(body))

    asks = [Ask(ask_id=str(number), text=f"q{number}") for number in range(80)]
    with serving(ChatServer(handle)) as url:
        replies = list(RemoteResponder([url], "m", concurrency=1).answer(asks, GREEDY))
    assert {reply.ask_id: reply.text for reply in replies} == {ask.ask_id: ask.text for ask in asks}
    assert len(told) >= 4
    assert early == []


def test_a_begun_answer_travels_as_a_turn_that_is_to_be_continued() -> None:
    server = ChatServer(lambda body, number: answer("in Oslo"))
    with serving(server) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Where?", prefix="She was born ")], GREEDY))
    (body,) = server.requests
    assert isinstance(messages := body["messages"], list)
    assert messages[1:] == [{"role": "assistant", "content": "She was born"}]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_samples_of_one_ask_have_seeds_of_their_own() -> None:
    server = ChatServer(lambda body, number: answer("Oslo"))
    asks = [Ask(ask_id=f"a{number}", text="Where?", sample=number) for number in (1, 2, 3)]
    with serving(server) as url:
        list(RemoteResponder([url], "m", concurrency=1).answer(asks, Decoding(temperature=1.0, seed=10)))
    assert [body["seed"] for body in server.requests] == [11, 12, 13]


@pytest.mark.parametrize(
    ("counted", "goes_on"),
    [
        pytest.param(11, True, id="one token more"),
        pytest.param(14, False, id="a new turn behind it"),
        pytest.param(10, False, id="the begun answer is left out"),
        pytest.param(0, False, id="it counts no tokens"),
    ],
)
def test_whether_a_server_goes_on_with_a_begun_answer_is_counted_in_tokens(counted: int, goes_on: bool) -> None:
    def check(body: Body) -> Handled:
        return answer("yes", tokens=(counted if "continue_final_message" in body else 10, 1))

    with serving(ChatServer(lambda body, number: answer("Oslo"), check=check)) as url:
        assert RemoteResponder([url], "m").goes_on() is goes_on


def test_a_server_that_refuses_a_begun_answer_does_not_go_on_with_it() -> None:
    def check(body: Body) -> Handled:
        begun = "continue_final_message" in body
        return refuse(400, "Unrecognized request argument: continue_final_message") if begun else answer("yes")

    with serving(ChatServer(lambda body, number: answer("Oslo"), check=check)) as url:
        assert not RemoteResponder([url], "m").goes_on()


def test_a_server_that_refuses_a_temperature_gives_no_samples() -> None:
    def check(body: Body) -> Handled:
        return refuse(400, "temperature is not supported") if "temperature" in body else answer("yes")

    with serving(ChatServer(lambda body, number: answer("Oslo"), check=check)) as url:
        assert not RemoteResponder([url], "m").samples()
    with serving(ChatServer(lambda body, number: answer("Oslo"))) as url:
        assert RemoteResponder([url], "m").samples()
