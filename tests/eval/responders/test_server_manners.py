"""eval.responders.chat and eval.responders.request_pool against a scripted server: the manners of real ones, each
with what it must come to.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from eval.responders.remote import RemoteResponder
from eval.scores.score_reply import score
from schemas.errors import BadInput
from schemas.matching.thoughts import answer_of
from schemas.protocols.responder import Ask, Decoding, Reply
from tests.servers.chat_server import Body, ChatServer, Endless, Handled, Raw, answer, refuse, said, serving, text_of
from tests.worlds.reply_corpus import questions, values

GREEDY = Decoding(max_new_tokens=6)


@dataclass(frozen=True)
class Manner:
    """What a server answers, and the outcome, judged text and error (its start) that must come of it for Oslo."""

    handled: Handled
    outcome: str
    judged: str = ""
    error: str = ""
    finish: str = ""


def two(first: int, second: int) -> Handled:
    """Two choices in this order; the one of index 0 says Oslo."""
    texts = {0: "Oslo", 1: "Bergen"}
    choices = [{"index": at, "finish_reason": "stop", "message": {"content": texts[at]}} for at in (first, second)]
    return 200, {"choices": choices}, {}


def error_body(body: Body) -> Handled:
    return 200, body, {}


THOUGHT = "She might be from Bergen."
MANNERS: dict[str, Manner] = {
    "a plain answer": Manner(answer("Oslo"), "correct", "Oslo"),
    "an answer cut at the most tokens": Manner(
        said({"content": "Oslo, the"}, finish="length"), "correct", "Oslo, the", finish="length"
    ),
    "parts of content": Manner(
        said({"content": [{"type": "text", "text": "Os"}, {"type": "text", "text": "lo"}]}), "correct", "Oslo"
    ),
    "parts with a thinking part": Manner(
        said(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Bergen"}]},
                    {"type": "text", "text": "Oslo"},
                ]
            }
        ),
        "correct",
        "Oslo",
    ),
    "parts of output text": Manner(said({"content": [{"type": "output_text", "text": "Oslo"}]}), "correct", "Oslo"),
    "parts of thinking alone": Manner(
        said({"content": [{"type": "thinking", "thinking": "Oslo"}]}), "failed", error="no answer: the content is empty"
    ),
    "a refusal part": Manner(
        said({"content": [{"type": "refusal", "refusal": "I can't help with that."}]}),
        "refusal",
        "I can't help with that.",
    ),
    "a refusal field": Manner(
        said({"content": None, "refusal": "I can't identify people."}), "refusal", "I can't identify people."
    ),
    "reasoning_content of vLLM": Manner(said({"content": "Oslo", "reasoning_content": THOUGHT}), "correct", "Oslo"),
    "reasoning of vLLM and hosted servers": Manner(said({"content": "Oslo", "reasoning": THOUGHT}), "correct", "Oslo"),
    "reasoning_details of hosted servers": Manner(
        said({"content": "Oslo", "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]}), "correct", "Oslo"
    ),
    "thinking of local servers": Manner(said({"content": "Oslo", "thinking": THOUGHT}), "correct", "Oslo"),
    "reasoning that knows and content that does not": Manner(
        said({"content": "Bergen", "reasoning_content": "Oslo"}), "plausible", "Bergen"
    ),
    "reasoning that used up the tokens": Manner(
        said({"content": None, "reasoning_content": "Oslo is"}, finish="length"),
        "failed",
        error="no answer within the most tokens",
        finish="length",
    ),
    "an empty content at the most tokens": Manner(
        said({"content": ""}, finish="length"), "failed", error="no answer within the most tokens", finish="length"
    ),
    "a null content that stopped": Manner(said({"content": None}), "failed", error="no answer: the content is empty"),
    "a message without content": Manner(said({}), "failed", error="no answer: the content is empty"),
    "an empty content that stopped": Manner(said({"content": ""}), "gibberish"),
    "a thought in the content": Manner(said({"content": "<think>Oslo</think>Bergen"}), "plausible", "Bergen"),
    "a thought in the content that was cut": Manner(
        said({"content": "<think>Oslo, so"}, finish="length"), "failed", finish="length"
    ),
    "a thought whose opening stood in the prompt": Manner(
        said({"content": "Oslo?</think>Bergen"}), "plausible", "Bergen"
    ),
    "a thought without an answer": Manner(said({"content": "<think>Oslo</think>"}), "gibberish"),
    "channels in the content": Manner(
        said(
            {"content": "<|channel|>analysis<|message|>Oslo<|end|><|start|>assistant<|channel|>final<|message|>Bergen"}
        ),
        "plausible",
        "Bergen",
    ),
    "a tool call": Manner(
        said(
            {
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}],
            },
            finish="tool_calls",
        ),
        "failed",
        error="no answer: the model called a tool",
        finish="tool_calls",
    ),
    "an old function call": Manner(
        said({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, finish="function_call"),
        "failed",
        error="no answer: the model called a tool",
        finish="function_call",
    ),
    "a content filter": Manner(said({"content": ""}, finish="content_filter"), "refusal", finish="content_filter"),
    "a content filter with null": Manner(
        said({"content": None}, finish="content_filter"), "refusal", finish="content_filter"
    ),
    "a filter by another name": Manner(said({"content": None}, finish="SAFETY"), "refusal", finish="content_filter"),
    "a filter that answers with status 400": Manner(
        (400, {"error": {"message": "filtered", "code": "content_filter"}}, {}), "refusal", finish="content_filter"
    ),
    "an answer that the server broke off": Manner(
        said({"content": "Oslo"}, finish="abort"), "failed", error="no answer", finish="abort"
    ),
    "a finish reason that is null": Manner(said({"content": "Oslo"}, finish=None), "correct", "Oslo"),
    "an end of turn by another name": Manner(said({"content": "Oslo"}, finish="eos_token"), "correct", "Oslo"),
    "two choices": Manner(two(0, 1), "correct", "Oslo"),
    "two choices in another order": Manner(two(1, 0), "correct", "Oslo"),
    "half of a surrogate pair": Manner(
        (200, Raw(b'{"choices": [{"message": {"content": "Oslo \\ud83d"}}]}'), {}), "correct", "Oslo \ufffd"
    ),
    "a surrogate pair in escapes": Manner(
        (200, Raw(b'{"choices": [{"message": {"content": "Oslo \\ud83d\\ude00"}}]}'), {}), "correct", "Oslo \U0001f600"
    ),
    "a NUL": Manner(said({"content": "Oslo \0"}), "correct", "Oslo \ufffd"),
    "status 200 with an error": Manner(
        error_body({"error": {"message": "CUDA out of memory", "code": 500}}),
        "failed",
        error="the answer cannot be used (CUDA out of memory)",
    ),
    "status 200 with an error that is a text": Manner(
        error_body({"error": "model is loading"}), "failed", error="the answer cannot be used (model is loading)"
    ),
    "status 200 with a detail": Manner(
        error_body({"detail": [{"loc": ["body", "n"], "msg": "too large"}]}),
        "failed",
        error="the answer cannot be used (n: too large)",
    ),
    "status 200 with an object of errors": Manner(
        error_body({"object": "error", "message": "prompt too long"}),
        "failed",
        error="the answer cannot be used (prompt too long)",
    ),
    "a page": Manner(
        (200, Raw(b"<html>Welcome</html>", "text/html"), {}),
        "failed",
        error="the answer cannot be used (no JSON object)",
    ),
    "an endless body": Manner((200, Endless(b" " * 65536), {}), "failed", error="no answer from the server (TooLong)"),
    "a body that drips": Manner(
        (200, Endless(b" ", pause_s=0.02), {}), "failed", error="no answer from the server (TooSlow)"
    ),
    "a redirect to another host": Manner(
        (302, {}, {"Location": "http://elsewhere.invalid/v1"}),
        "failed",
        error="HTTP 302: it redirects to elsewhere.invalid",
    ),
    "an error with the words in a detail": Manner(
        (400, {"detail": "prompt too long"}, {}), "failed", error="HTTP 400: prompt too long"
    ),
    "an error with a list of details": Manner(
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, {}),
        "failed",
        error="HTTP 422: messages: field required",
    ),
    "an error with odd characters": Manner(
        (400, Raw(b'{"error": {"message": "bad \\ud83d"}}'), {}), "failed", error="HTTP 400: bad \ufffd"
    ),
    "an error in the words of a plain text": Manner(
        (400, Raw(b"prompt too long", "text/plain"), {}), "failed", error="HTTP 400: prompt too long"
    ),
    "an error that names its parameter beside its words": Manner(
        (400, {"error": {"message": "Invalid value", "param": "messages", "code": None}}, {}),
        "failed",
        error="HTTP 400: messages: Invalid value",
    ),
    "an error of llama.cpp about the context": Manner(
        (400, {"error": {"code": 400, "message": "the request exceeds the context size", "n_ctx": 256}}, {}),
        "failed",
        error="HTTP 400: the request exceeds the context size",
    ),
    "an error of one choice": Manner(
        error_body(
            {
                "choices": [
                    {
                        "finish_reason": "error",
                        "error": {"code": 502, "message": "upstream is gone"},
                        "message": {"content": ""},
                    }
                ]
            }
        ),
        "failed",
        error="no answer: upstream is gone",
        finish="error",
    ),
    "the most tokens by another name": Manner(
        said({"content": None}, finish="MAX_TOKENS"),
        "failed",
        error="no answer within the most tokens",
        finish="length",
    ),
    "an end by another name in capitals": Manner(said({"content": "Oslo"}, finish="COMPLETE"), "correct", "Oslo"),
    "a filter with its reason behind it": Manner(
        said({"content": None}, finish="content_filter: PROHIBITED_CONTENT"), "refusal", finish="content_filter"
    ),
    "a filter told by an inner code": Manner(
        (400, {"error": {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, {}),
        "refusal",
        finish="content_filter",
    ),
    "a filter that inspects": Manner(
        (400, {"error": {"message": "no", "code": "data_inspection_failed"}}, {}), "refusal", finish="content_filter"
    ),
    "a server that had no room": Manner(
        said({"content": "Os"}, finish="insufficient_system_resource"),
        "failed",
        error="no answer",
        finish="insufficient_system_resource",
    ),
    "parts that are texts": Manner(said({"content": ["Os", "lo"]}), "correct", "Oslo"),
    "one part without a list": Manner(said({"content": {"type": "text", "text": "Oslo"}}), "correct", "Oslo"),
    "a part of reasoning before the text": Manner(
        said({"content": [{"type": "reasoning", "text": "Bergen"}, {"type": "text", "text": "Oslo"}]}),
        "correct",
        "Oslo",
    ),
    "an error without words": Manner((418, Raw(b"", "text/plain"), {}), "failed", error="HTTP 418"),
}


@pytest.fixture(scope="module")
def replies() -> Iterator[dict[str, Reply]]:
    """What each manner came to, all asked of one server."""
    server = ChatServer(lambda body, number: MANNERS[text_of(body)].handled)
    with serving(server) as url:
        found: dict[str, Reply] = {}
        for name in MANNERS:  # each by a responder of its own, for broken answers in a row take a server out
            responder = RemoteResponder([url], "m", retries=0, timeout_s=1.0)
            found |= {reply.ask_id: reply for reply in responder.answer([Ask(ask_id=name, text=name)], GREEDY)}
        yield found


@pytest.mark.parametrize("name", MANNERS)
def test_a_manner_comes_to_its_outcome(name: str, replies: dict[str, Reply]) -> None:
    asked = questions()["place"]
    row = score(asked, replies[name], prompt="?", values=values(), likelihoods={}, nll=None)
    assert row.outcome == MANNERS[name].outcome, row


@pytest.mark.parametrize("name", [name for name, manner in MANNERS.items() if manner.judged])
def test_only_the_answer_of_a_manner_is_judged(name: str, replies: dict[str, Reply]) -> None:
    assert answer_of(replies[name].text).text == MANNERS[name].judged


@pytest.mark.parametrize("name", [name for name, manner in MANNERS.items() if manner.error])
def test_a_failure_is_told_in_the_servers_words_or_with_its_reason(name: str, replies: dict[str, Reply]) -> None:
    assert replies[name].error.startswith(MANNERS[name].error)


@pytest.mark.parametrize("name", MANNERS)
def test_a_finish_reason_is_kept_where_a_reply_did_not_end_by_itself(name: str, replies: dict[str, Reply]) -> None:
    assert replies[name].finish == MANNERS[name].finish


@pytest.mark.parametrize("name", MANNERS)
def test_every_reply_can_be_written_down(name: str, replies: dict[str, Reply]) -> None:
    replies[name].model_dump_json().encode()


def test_at_least_forty_manners_are_replayed() -> None:
    assert len(MANNERS) >= 40


def refusing(name: str, words: str, *, status: int = 400, in_detail: bool = False) -> ChatServer:
    """A server that refuses one parameter wherever it stands."""

    def handle(body: Body) -> Handled:
        if name not in body:
            return answer("Oslo")
        if in_detail:
            return status, {"detail": [{"loc": ["body", name], "msg": words}]}, {}
        return refuse(status, words)

    return ChatServer(lambda body, number: handle(body), check=handle)


REFUSED_PARAMETERS = {
    "temperature": ("temperature", "Unsupported value: 'temperature' does not support 0.0", 400, False),
    "temperature in a detail": ("temperature", "extra fields not permitted", 422, True),
    "seed": ("seed", "Unknown parameter: 'seed'.", 400, False),
    "top_p": ("top_p", "`temperature_` and `top_p` cannot both be specified", 400, False),
    "seed named beside the words": ("seed", "additional properties are not allowed", 422, True),
    "seed with status 200": ("seed", "seed is not supported", 200, False),
}
SAMPLED = Decoding(temperature=0.7, top_p=0.9, max_new_tokens=6, seed=3)


@pytest.mark.parametrize("name", REFUSED_PARAMETERS)
def test_a_parameter_that_a_server_refuses_is_left_out(name: str) -> None:
    parameter, words, status, in_detail = REFUSED_PARAMETERS[name]
    server = refusing(parameter, words, status=status, in_detail=in_detail)
    with serving(server) as url:
        replies = list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], SAMPLED))
    assert replies == [Reply(ask_id="a", text="Oslo")]


def test_a_parameter_that_is_left_out_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with serving(refusing("seed", "Unknown parameter: 'seed'.")) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id=name, text=name) for name in "abc"], SAMPLED))
    assert [record.message.partition(" refuses ")[2] for record in caplog.records] == [
        "seed (Unknown parameter: 'seed'.); it is asked without"
    ]


def test_a_parameter_that_is_left_out_is_part_of_the_identity() -> None:
    with serving(refusing("seed", "Unknown parameter: 'seed'.")) as url:
        responder = RemoteResponder([url], "m")
        list(responder.answer([Ask(ask_id="a", text="Who?")], SAMPLED))
    assert responder.identity == "openai:127.0.0.1#m without seed"


def thinker(body: Body) -> Handled:
    """A server whose model thinks, and uses up its tokens by it, unless its template is told otherwise."""
    told = body.get("chat_template_kwargs")
    if isinstance(told, dict) and not told["enable_thinking"]:
        return answer("Oslo")
    return said({"content": None, "reasoning_content": THOUGHT}, finish="length")


def test_a_model_that_thinks_first_is_told_not_to_and_called_so() -> None:
    server = ChatServer(lambda body, number: thinker(body), check=thinker)
    with serving(server) as url:
        responder = RemoteResponder([url], "m")
        replies = list(responder.answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert replies == [Reply(ask_id="a", text="Oslo")]
    assert responder.identity == "openai:127.0.0.1#m not thinking"


def test_a_model_that_may_think_is_let() -> None:
    server = ChatServer(lambda body, number: said({"content": "Oslo", "reasoning": THOUGHT}), check=thinker)
    with serving(server) as url:
        responder = RemoteResponder([url], "m")
        list(responder.answer([Ask(ask_id="a", text="Who?")], GREEDY.model_copy(update={"thinking": True})))
    assert server.requests[0]["chat_template_kwargs"] == {"enable_thinking": True, "thinking": True}
    assert responder.identity == "openai:127.0.0.1#m"


def test_a_server_that_cannot_be_told_to_think_is_asked_without_and_called_so() -> None:
    with serving(refusing("chat_template_kwargs", "Unrecognized request argument: chat_template_kwargs")) as url:
        responder = RemoteResponder([url], "m")
        list(responder.answer([Ask(ask_id="a", text="Who?")], GREEDY.model_copy(update={"thinking": True})))
    assert responder.identity == "openai:127.0.0.1#m without chat_template_kwargs"


def test_what_another_model_answered_is_no_answer_of_this_one() -> None:
    server = ChatServer(lambda body, number: answer("Oslo", model="m" if number == 1 else "a-smaller-m"))
    with serving(server) as url:
        responder = RemoteResponder([url], "m", concurrency=1)
        replies = list(responder.answer([Ask(ask_id=name, text=name) for name in "ab"], GREEDY))
    assert [(reply.text, reply.error) for reply in replies] == [
        ("Oslo", ""),
        ("", "the server answered as a-smaller-m, and before as m"),
    ]


def test_what_says_nothing_is_not_sent() -> None:
    server = ChatServer(lambda body, number: answer("Oslo"))
    with serving(server) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert not {"top_p", "seed", "chat_template_kwargs"} & set(server.requests[0])


def test_a_server_that_wants_more_tokens_is_asked_for_them() -> None:
    def handle(body: Body) -> Handled:
        few = int(str(body["max_tokens"])) < 16
        return refuse(400, "max_tokens must be at least 16") if few else answer("Oslo")

    server = ChatServer(lambda body, number: handle(body), check=handle)
    with serving(server) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert server.requests[0]["max_tokens"] == 16


def test_a_refusal_of_a_parameter_advises_no_other_model() -> None:
    server = ChatServer(lambda body, number: answer(""), check=lambda body: refuse(400, "parameter 'n' must be 2"))
    server.models = ["another"]
    with serving(server) as url, pytest.raises(BadInput) as caught:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert "it serves" not in str(caught.value)


def test_an_error_in_an_answer_to_the_check_is_told_in_the_servers_words() -> None:
    said_no = error_body({"error": {"message": "the engine is dead"}})
    server = ChatServer(lambda body, number: said_no, check=lambda body: said_no)
    with serving(server) as url, pytest.raises(BadInput, match="refuses a plain question .the engine is dead."):
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))


def test_the_check_warns_of_a_model_that_gives_no_text(caplog: pytest.LogCaptureFixture) -> None:
    silent = said({"content": None, "reasoning_content": "Well"}, finish="length")
    with serving(ChatServer(lambda body, number: answer("Oslo"), check=lambda body: silent)) as url:
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert "gives no answer to a plain question" in caplog.text


def test_replies_of_a_server_are_json() -> None:
    assert json.loads(Reply(ask_id="a", text="Oslo", finish="length").model_dump_json())["finish"] == "length"


def events(*pieces: str, finish: str = "stop") -> Handled:
    """A streamed answer."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return 200, Raw("".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream"), {}


def test_a_server_that_only_streams_is_asked_so() -> None:
    def handle(body: Body) -> Handled:
        return events("Os", "lo") if body.get("stream") else refuse(400, "This model only supports stream=true")

    with serving(ChatServer(lambda body, number: handle(body), check=handle)) as url:
        replies = list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert replies == [Reply(ask_id="a", text="Oslo")]


def test_a_stream_that_ends_at_the_most_tokens_says_so() -> None:
    with serving(ChatServer(lambda body, number: events("Oslo", finish="length"))) as url:
        (reply,) = RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY)
    assert (reply.text, reply.finish) == ("Oslo", "length")


def streamed(*lines: str) -> Handled:
    return 200, Raw("".join(f"data: {line}\n\n" for line in lines).encode(), "text/event-stream"), {}


OPENED = '{"choices": [{"index": 0, "delta": {"content": "Oslo"}, "finish_reason": null}]}'
BROKEN_STREAMS = {
    "an error after the first words": (
        streamed(OPENED, '{"error": {"message": "out of memory"}}'),
        "the answer cannot be used (out of memory)",
    ),
    "an end before the end": (streamed(OPENED), "the answer cannot be used (the stream broke off)"),
}


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_a_stream_that_breaks_off_is_no_answer(name: str) -> None:
    handled, error = BROKEN_STREAMS[name]
    with serving(ChatServer(lambda body, number: handled)) as url:
        (reply,) = RemoteResponder([url], "m", retries=0).answer([Ask(ask_id="a", text="Who?")], GREEDY)
    assert (reply.text, reply.error) == ("", error)


@pytest.mark.parametrize(
    "words", ["'max_tokens' is not supported with this model.", "Unknown parameter: 'max_tokens'."]
)
def test_a_server_without_the_older_name_of_the_most_tokens_is_asked_by_the_newer(words: str) -> None:
    server = refusing("max_tokens", words)
    with serving(server) as url:
        replies = list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert replies == [Reply(ask_id="a", text="Oslo")]
    assert server.requests[0]["max_completion_tokens"] == GREEDY.max_new_tokens


def test_a_quota_that_is_used_up_advises_no_other_model() -> None:
    broke = refuse(402, "Insufficient credits")
    with (
        serving(ChatServer(lambda body, number: broke, check=lambda body: broke)) as url,
        pytest.raises(BadInput) as no,
    ):
        list(RemoteResponder([url], "m").answer([Ask(ask_id="a", text="Who?")], GREEDY))
    assert "Insufficient credits" in str(no.value)
    assert "settle that" in str(no.value)


def test_an_error_in_a_stream_is_told_in_the_servers_words() -> None:
    broken = (200, Raw(b'data: {"error": {"message": "out of memory"}}\n\n', "text/event-stream"), {})
    with serving(ChatServer(lambda body, number: broken)) as url:
        (reply,) = RemoteResponder([url], "m", retries=0).answer([Ask(ask_id="a", text="Who?")], GREEDY)
    assert reply.error == "the answer cannot be used (out of memory)"
