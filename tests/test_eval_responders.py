"""eval.responders: a local model and a real OpenAI-compatible server on a loopback port behind one protocol."""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from tiny_models import BUILDERS, picture
from torch.nn.functional import log_softmax

from eval.local import LocalResponder
from eval.remote import RemoteResponder
from eval.responders import ResponderSpec, parse_spec
from flows.responders import load_local, open_responder
from schemas.problems import BadInput
from schemas.responders import Ask, Decoding, Reply
from unlearn.models import add_lora, digest_of_weights, load_model, save_adapter

GREEDY = Decoding(max_new_tokens=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    return {name: build(home / name) for name, build in BUILDERS.items()}


def asks(count: int) -> list[Ask]:
    """Questions of rising length, every other one with a picture."""
    return [
        Ask(
            ask_id=f"ask-{number}",
            text="Where was Ada Lovelace born?" + " London" * number,
            image=picture(number) if number % 2 else None,
        )
        for number in range(count)
    ]


def texts(replies: Iterator[Reply]) -> dict[str, str]:
    return {reply.ask_id: reply.text for reply in replies}


def test_specs_are_taken_apart(tmp_path: Path) -> None:
    assert parse_spec("hf:org/model") == ResponderSpec(kind="hf", model="org/model")
    assert parse_spec("hf:base+runs/a") == ResponderSpec(kind="hf", model="base", adapter=Path("runs/a"))
    assert parse_spec("openai:http://127.0.0.1:8000/v1#m") == ResponderSpec(
        kind="openai", model="m", base_url="http://127.0.0.1:8000/v1"
    )
    (tmp_path / "a+b").mkdir()
    assert parse_spec(f"hf:{tmp_path / 'a+b'}") == ResponderSpec(kind="hf", model=str(tmp_path / "a+b"))


@pytest.mark.parametrize("spec", ["", "hf:", "model", "openai:http://host/v1", "openai:host#m", "vllm:x"])
def test_other_specs_are_refused(spec: str) -> None:
    with pytest.raises(BadInput, match="responder"):
        parse_spec(spec)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_every_ask_gets_one_reply(folders: dict[str, Path], family: str) -> None:
    responder = open_responder(f"hf:{folders[family]}", batch=3)
    replies = list(responder.answer(asks(8), GREEDY))
    assert sorted(reply.ask_id for reply in replies) == sorted(ask.ask_id for ask in asks(8))
    assert not any(reply.error for reply in replies)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_batches_answer_as_single_asks_do(folders: dict[str, Path], family: str) -> None:
    responder = open_responder(f"hf:{folders[family]}", batch=4)
    together = texts(responder.answer(asks(6), GREEDY))
    alone = {ask.ask_id: texts(responder.answer([ask], GREEDY))[ask.ask_id] for ask in asks(6)}
    assert together == alone


def test_the_same_asks_give_the_same_samples_and_another_seed_others(folders: dict[str, Path]) -> None:
    responder = open_responder(f"hf:{folders['qwen3_vl']}", batch=4)
    first = texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=1)))
    torch.rand(3)
    assert texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=1))) == first
    assert texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=2))) != first


def test_replies_come_batch_by_batch(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    calls: list[int] = []
    generate = local.model.generate

    def counted(**inputs: torch.Tensor) -> torch.Tensor:
        calls.append(len(inputs["input_ids"]))
        return generate(**inputs)

    monkeypatch.setattr(local.model, "generate", counted)
    replies = LocalResponder(local, batch=2).answer(asks(6), GREEDY)
    next(replies)
    assert calls == [2]
    assert len(list(replies)) == 5
    assert calls == [2, 1, 2, 1]  # three image prompts, then three text prompts


def test_a_picture_that_does_not_decode_is_an_error_reply(folders: dict[str, Path]) -> None:
    responder = open_responder(f"hf:{folders['qwen3_vl']}", batch=4)
    broken = Ask(ask_id="broken", text="Who?", image=b"no picture")
    replies = {reply.ask_id: reply for reply in responder.answer([*asks(2), broken], GREEDY)}
    assert "does not decode" in replies["broken"].error
    assert not replies["ask-1"].error


def test_the_adapter_is_really_loaded(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["qwen3_vl"]
    loaded = load_model(base)
    adapted = add_lora(loaded.model, loaded.family, rank=4, alpha=64, dropout=0.0, seed=1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(generator=torch.Generator().manual_seed(0))
    save_adapter(adapted, tmp_path / "adapter", base_digest=digest_of_weights(base))
    plain, moved = open_responder(f"hf:{base}"), open_responder(f"hf:{base}+{tmp_path / 'adapter'}")
    assert moved.identity.startswith(plain.identity + "+")
    assert texts(moved.answer(asks(4), GREEDY)) != texts(plain.answer(asks(4), GREEDY))


def test_identity_names_the_weights_and_no_folder(folders: dict[str, Path]) -> None:
    identity = open_responder(f"hf:{folders['qwen3_vl']}").identity
    assert identity == f"hf:qwen3_vl@{digest_of_weights(folders['qwen3_vl'])}"


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_log_likelihood_is_the_mean_over_the_continuation(folders: dict[str, Path], family: str) -> None:
    local = load_local(str(folders[family]), None)
    pairs = [(ask, text) for ask in asks(3) for text in ("London", "in Vienna")]
    found = list(LocalResponder(local, batch=2).log_likelihood(pairs))
    assert [name for name, _ in found] == [ask.ask_id for ask, _ in pairs]
    # The first ask has no picture: its score by hand, one token after another.
    user = {"role": "user", "content": [{"type": "text", "text": pairs[0][0].text}]}
    prompt = local.processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    gap = " " if family == "llava" else ""
    special = family == "llava"
    ids = local.processor.tokenizer(prompt + gap + "London", add_special_tokens=special, return_tensors="pt")[
        "input_ids"
    ]
    start = len(local.processor.tokenizer(prompt, add_special_tokens=special)["input_ids"])
    with torch.no_grad():
        logits = log_softmax(local.model(input_ids=ids).logits[0].float(), dim=-1)
    by_hand = [float(logits[place - 1, ids[0, place]]) for place in range(start, ids.shape[1])]
    assert found[0][1] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)


@dataclass(frozen=True)
class Raw:
    """A body as it is, with its type."""

    body: bytes
    kind: str = "application/json"


Handled = tuple[int, dict[str, object] | Raw, dict[str, str]]
"""Status, body and further headers of an answer."""


class Server:
    """An OpenAI-compatible chat server that answers with the first words it was asked."""

    def __init__(self, handle: Callable[[dict[str, object], int], Handled]) -> None:
        self.handle, self.requests = handle, list[dict[str, object]]()
        self.keys, self.lock, self.open_now, self.most_open = list[str](), threading.Lock(), 0, 0
        self.port = 0


def answer(text: str) -> Handled:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}, {}


def refuse(status: int, message: str, **headers: str) -> Handled:
    return status, {"error": {"message": message, "type": "x", "code": None}}, headers


def two_asks() -> list[Ask]:
    return [Ask(ask_id="a", text="Who?"), Ask(ask_id="b", text="When?")]


def second_ask(handle: Callable[[], Handled]) -> Callable[[dict[str, object], int], Handled]:
    """The first request is answered, all others are handled."""
    return lambda body, number: answer("ok") if number == 1 else handle()


@contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.requests.append(body)
                server.keys.append(self.headers["Authorization"] or "")
                number = len(server.requests)
                server.open_now += 1
                server.most_open = max(server.most_open, server.open_now)
            status, content, headers = server.handle(body, number)
            with server.lock:
                server.open_now -= 1
            raw = content if isinstance(content, Raw) else Raw(json.dumps(content).encode())
            self.send_response(status)
            self.send_header("Content-Type", raw.kind)
            self.send_header("Content-Length", str(len(raw.body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(raw.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def text_of(body: dict[str, object]) -> str:
    messages = body["messages"]
    assert isinstance(messages, list)
    content = messages[0]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def test_a_server_gets_the_prompt_and_its_decoding() -> None:
    server = Server(lambda body, number: answer(f" {text_of(body)}! "))
    with serving(server) as url:
        replies = list(
            RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?")], Decoding(max_new_tokens=9, seed=4))
        )
    assert replies == [Reply(ask_id="a", text="Who?!")]
    body = server.requests[0]
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("m", 0.0, 9, 4)


def test_a_picture_travels_as_a_data_address_before_the_text() -> None:
    server = Server(lambda body, number: answer("ok"))
    with serving(server) as url:
        list(RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?", image=picture(1))], GREEDY))
    messages = server.requests[0]["messages"]
    assert isinstance(messages, list)
    shown, text = messages[0]["content"]
    head, _, data = shown["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == picture(1)
    assert text == {"type": "text", "text": "Who?"}


def test_requests_run_at_once_up_to_the_bound() -> None:
    def slow(body: dict[str, object], number: int) -> Handled:
        time.sleep(0.05)
        return answer(text_of(body))

    server = Server(slow)
    questions = [Ask(ask_id=str(number), text=f"q{number}") for number in range(20)]
    with serving(server) as url:
        replies = list(RemoteResponder(url, "m", concurrency=4).answer(questions, GREEDY))
    assert {reply.ask_id: reply.text for reply in replies} == {ask.ask_id: ask.text for ask in questions}
    assert 2 <= server.most_open <= 4


def test_replies_are_handed_on_as_they_arrive() -> None:
    release = threading.Event()

    def handle(body: dict[str, object], number: int) -> Handled:
        if text_of(body) == "late":
            release.wait(10)
        return answer(text_of(body))

    with serving(Server(handle)) as url:
        questions = [Ask(ask_id=text, text=text) for text in ("first", "late", "early")]
        replies = RemoteResponder(url, "m", concurrency=2).answer(iter(questions), GREEDY)
        assert [next(replies).text, next(replies).text] == ["first", "early"]
        release.set()
        assert [reply.text for reply in replies] == ["late"]


def test_busy_servers_are_asked_again_after_their_time() -> None:
    def handle(body: dict[str, object], number: int) -> Handled:
        return refuse(429, "slow down", Retry_After="0.05") if number <= 2 else answer("ok")

    server = Server(handle)
    with serving(server) as url:
        replies = list(RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert replies == [Reply(ask_id="a", text="ok")]
    assert len(server.requests) == 3


def test_an_ask_that_keeps_failing_is_an_error_reply_and_the_rest_goes_on() -> None:
    def handle(body: dict[str, object], number: int) -> Handled:
        return refuse(500, "broken", Retry_After="0.01") if text_of(body) == "bad" else answer("ok")

    with serving(Server(handle)) as url:
        questions = [Ask(ask_id=text, text=text) for text in ("good", "bad", "fine")]
        replies = {r.ask_id: r for r in RemoteResponder(url, "m", retries=1).answer(questions, GREEDY)}
    assert replies["bad"] == Reply(ask_id="bad", text="", error="HTTP 500: Error code: 500 - broken")
    assert replies["good"].text == replies["fine"].text == "ok"


def test_a_missing_server_is_bad_input() -> None:
    responder = RemoteResponder("http://127.0.0.1:9/v1", "m", retries=0)
    with pytest.raises(BadInput, match="does not answer"):
        list(responder.answer([Ask(ask_id="a", text="Who?")], GREEDY))


def test_an_unknown_model_is_bad_input_after_one_request() -> None:
    server = Server(lambda body, number: refuse(404, "no such model"))
    with serving(server) as url, pytest.raises(BadInput, match="does not have model 'm'"):
        list(RemoteResponder(url, "m").answer([Ask(ask_id=str(n), text="Who?") for n in range(9)], GREEDY))
    assert len(server.requests) == 1


def test_a_refused_key_is_bad_input_and_is_neither_shown_nor_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    caplog.set_level(logging.DEBUG)
    server = Server(lambda body, number: refuse(401, "Incorrect API key provided: sk-very-secret"))
    with serving(server) as url, pytest.raises(BadInput, match="refuses the key") as caught:
        list(RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert server.keys == ["Bearer sk-very-secret"]
    assert "secret" not in str(caught.value)
    assert "secret" not in caplog.text


def test_a_key_repeated_in_an_error_is_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with serving(Server(second_ask(lambda: refuse(400, "bad request with sk-very-secret")))) as url:
        _, reply = RemoteResponder(url, "m").answer(two_asks(), GREEDY)
    assert "***" in reply.error
    assert "secret" not in reply.error


def test_a_first_question_that_is_refused_is_bad_input_in_the_servers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server = Server(lambda body, number: refuse(400, "m is not a multimodal model, sk-very-secret"))
    with serving(server) as url, pytest.raises(BadInput, match="HTTP 400.*m is not a multimodal model") as caught:
        list(RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?", image=picture(1))], GREEDY))
    assert "with pictures" in caught.value.advice
    assert caught.value.where == url
    assert "secret" not in str(caught.value)


def test_a_server_that_stays_busy_is_no_bad_input() -> None:
    with serving(Server(lambda body, number: refuse(429, "slow down", Retry_After="0.01"))) as url:
        (reply,) = RemoteResponder(url, "m", retries=1).answer([Ask(ask_id="a", text="Who?")], GREEDY)
    assert reply.error.startswith("HTTP 429")


NO_COMPLETIONS: dict[str, Raw | dict[str, object]] = {
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
def test_a_server_that_answers_no_completion_is_bad_input_after_one_request(content: Raw | dict[str, object]) -> None:
    server = Server(lambda body, number: (200, content, {}))
    with serving(server) as url, pytest.raises(BadInput, match="is no OpenAI-compatible server") as caught:
        list(RemoteResponder(url, "m", retries=0).answer(two_asks(), GREEDY))
    assert caught.value.where == url
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS)
def test_a_later_answer_that_is_no_completion_is_an_error_reply(content: Raw | dict[str, object]) -> None:
    with serving(Server(second_ask(lambda: (200, content, {})))) as url:
        good, bad = RemoteResponder(url, "m", retries=0).answer(two_asks(), GREEDY)
    assert good == Reply(ask_id="a", text="ok")
    assert bad.error.startswith("the answer cannot be used (")


def test_a_message_without_content_is_an_empty_answer() -> None:
    message = {"role": "assistant", "content": None}
    with serving(Server(lambda body, number: (200, {"choices": [{"message": message}]}, {}))) as url:
        assert list(RemoteResponder(url, "m").answer([Ask(ask_id="a", text="Who?")], GREEDY)) == [
            Reply(ask_id="a", text="")
        ]


def test_identity_of_a_server_has_no_port() -> None:
    assert RemoteResponder("http://127.0.0.1:8123/v1", "m").identity == "openai:127.0.0.1#m"
