"""Chat completions: a question to the body of a request, what the client hands on to its text, an error to one line."""

import json
import os
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue

from schemas.protocols.responder import CONTENT_FILTER, Ask, Completion, Decoding

_BY_ITSELF = ("stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn", "complete", "completed")
"""Finish reasons, in lower case, of a reply that ended as it should."""
_AT_THE_MOST = ("length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit")
"""Those of a reply that was cut at the most tokens."""
FILTERED = (
    "content_filter",
    "content_filtered",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "datainspectionfailed",
    "safety",
    "image_safety",
    "moderation",
    "moderation_blocked",
    "prohibited_content",
    "recitation",
    "blocklist",
    "blocked",
    "spii",
    "refusal",
    "guardrail_intervened",
    "sensitive",
)
"""Those of a reply that a filter withheld, and codes of errors that say so."""
_BROKEN = (
    "abort",
    "aborted",
    "error",
    "cancelled",
    "tool_calls",
    "tool_use",
    "function_call",
    "malformed_function_call",
    "timeout",
    "insufficient_system_resource",
    "network_error",
)
"""Those of a reply whose text is no answer."""
KEY_VARIABLE = "OPENAI_API_KEY"  # the name of an environment variable
_DEEPEST = 8
"""Levels of an error's body that are looked into for its words."""
_EVENT = re.compile(r"^\s*data:[ \t]*(.*)$", re.MULTILINE)
_DONE = re.compile(r"^\s*data:\s*\[DONE\]", re.MULTILINE)
HERE = "<picture>"
"""Stands for the address of the picture while the rest of a body is encoded."""


@dataclass(frozen=True)
class Dialect:
    """What differs between servers; found out by eval.responders.server_check."""

    length: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name by which the server takes the most tokens of an answer."""
    schemas: bool = True
    """It takes `response_format` with a JSON schema."""
    left_out: tuple[str, ...] = ()
    """Parameters that it refuses, sorted; answers depend on them, so they are part of the identity."""
    stream: bool = False
    """It answers in events only."""
    least: int = 0
    """Fewest tokens of an answer that it can be asked for."""
    quiet: bool = False
    """Its model thinks unless it is told not to, which it is."""

    @property
    def said(self) -> str:
        """What is left out and told besides, for an identity; "" for nothing."""
        without = f" without {','.join(self.left_out)}" if self.left_out else ""
        return without + (" not thinking" if self.quiet else "")


class NoAnswer(ValueError):
    """The server's answer is no chat completion, or holds no message."""


class Refused(NoAnswer):
    """The server says in an answer with status 200 that it refuses; the text is its own words."""


def request_body(
    ask: Ask, decoding: Decoding, *, model: str, dialect: Dialect, uri: str | None, schema: JsonValue = None
) -> bytes:
    """The body of a chat completion: one user turn, its picture (`uri`, a data: address) before the text.

    An answer that the ask begins stands as a turn of the model's that vLLM, SGLang and their like go on with.
    """
    content: JsonValue = ask.text
    if uri is not None:
        content = [{"type": "image_url", "image_url": {"url": HERE}}, {"type": "text", "text": ask.text}]
    begun: list[JsonValue] = [{"role": "assistant", "content": ask.prefix.rstrip()}] if ask.prefix else []
    body: dict[str, JsonValue] = {
        "messages": [{"role": "user", "content": content}, *begun],  # first, so that nothing else stands before HERE
        "model": model,
        "temperature": decoding.temperature,
        dialect.length: max(decoding.max_new_tokens, dialect.least),
    }
    # What says nothing is not sent, for there are servers that refuse it.
    if decoding.top_p < 1:
        body["top_p"] = decoding.top_p
    if decoding.temperature > 0 or decoding.seed:
        body["seed"] = decoding.seed + ask.sample
    if begun:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if decoding.thinking or dialect.quiet:  # vLLM, SGLang and llama.cpp hand this on to the model's template
        body["chat_template_kwargs"] = dict.fromkeys(("enable_thinking", "thinking"), decoding.thinking)
    for name in dialect.left_out:
        body.pop(name, None)
    if dialect.stream:
        body["stream"] = True
    if schema is not None and dialect.schemas:
        form: JsonValue = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    encoded = json.dumps(body)
    # The address needs no escapes, and looking for some in it takes longer than all the rest.
    return (encoded if uri is None else encoded.replace(HERE, uri, 1)).encode()


def completion_of(ask_id: str, found: object) -> Completion:
    """The answer as the client hands it on, which is unchecked; raises NoAnswer for what is no chat completion.

    Only the content is the answer; what servers put beside it of a model's thoughts is not read. A reply without
    content did not answer and is an error with its reason, unless the server's filter withheld it.
    """
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

    if isinstance(found, str) and _EVENT.match(found):
        found = ChatCompletion.construct(None, **_joined_events(found))
    if not isinstance(found, ChatCompletion):
        raise NoAnswer("no JSON object")
    choices: object = found.choices if hasattr(found, "choices") else None
    if not isinstance(choices, list) or not choices:
        words = words_in(found.model_extra or {})
        raise Refused(words) if words else NoAnswer("no choices")
    text, finish, error = _said(_first(choices))
    model: object = found.model if hasattr(found, "model") else ""
    usage = found.usage if isinstance(getattr(found, "usage", None), CompletionUsage) else None
    return Completion(
        ask_id=ask_id,
        text=text.strip(),
        error=error,
        finish=finish,
        model=plain_model(readable(model)) if isinstance(model, str) else "",
        tokens_in=_count(usage.prompt_tokens) if usage else 0,
        tokens_out=_count(usage.completion_tokens) if usage else 0,
    )


def _joined_events(text: str) -> dict[str, JsonValue]:
    """The body that the events of a streamed answer add up to; events that are no JSON are left out.

    Raises Refused for an error among them, and NoAnswer where they end before the answer does.
    """
    body: dict[str, JsonValue] = {}
    said: list[str] = []
    finish: JsonValue = None
    for hit in _EVENT.finditer(text):
        try:
            event: object = json.loads(hit[1])
        except ValueError:  # "[DONE]", and whatever was cut off
            continue
        if not isinstance(event, dict):
            continue
        if words := words_in(event.get("error")):
            raise Refused(words)
        body |= {name: value for name, value in event.items() if name != "choices" and value is not None}
        for choice in event.get("choices") or ():
            if not isinstance(choice, dict) or choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or choice.get("message")
            content = delta.get("content") if isinstance(delta, dict) else None
            said += [content] if isinstance(content, str) else []
            finish = choice.get("finish_reason") or finish
            body["choices"] = []
    if "choices" in body:
        if not finish and not _DONE.search(text):
            raise NoAnswer("the stream broke off")
        message: JsonValue = {"role": "assistant", "content": "".join(said) if said else None}
        body["choices"] = [{"index": 0, "finish_reason": finish, "message": message}]
    return body


def _first(choices: list[object]) -> object:
    """The choice of index 0, in whatever order they came."""
    return min(choices, key=lambda choice: at if isinstance(at := getattr(choice, "index", 0), int) else 0)


def _said(choice: object) -> tuple[str, str, str]:
    """The text of a choice, why it ended if not by itself, and why it is no answer."""
    from openai.types.chat import ChatCompletionMessage

    message: object = getattr(choice, "message", None)
    if not isinstance(message, ChatCompletionMessage):
        raise NoAnswer("no message")
    given: object = getattr(choice, "finish_reason", None)
    finish = _finish(given) if isinstance(given, str) else ""
    content: object = getattr(message, "content", None)
    refusal: object = getattr(message, "refusal", None)
    content = [content] if isinstance(content, dict) else content
    text = _joined(content) if isinstance(content, list) else content
    text = text or (refusal if isinstance(refusal, str) else text)
    if not isinstance(text, str | None):
        raise NoAnswer("no message with a text")
    said = readable(text or "")
    if finish == CONTENT_FILTER or (said.strip() and finish.casefold() not in _BROKEN):
        return said, finish, ""
    if words := words_in(getattr(choice, "error", None)):
        return "", finish, f"no answer: {words}"
    if text is None or finish:
        return "", finish, _why_none(finish, calls=bool(getattr(message, "tool_calls", None)))
    return said, finish, ""


def _finish(given: str) -> str:
    """Why a reply ended, in one name for each reason; "" if by itself."""
    said = given.casefold().strip()
    if said in _BY_ITSELF:
        return ""
    if said in _AT_THE_MOST:
        return "length"
    return CONTENT_FILTER if re.split(r"[:\s]", said)[0] in FILTERED else readable(given)[:40]


def _why_none(finish: str, *, calls: bool) -> str:
    """Why there is no answer, for the line about a failed question."""
    if calls or finish in ("tool_calls", "function_call"):
        return "no answer: the model called a tool instead"
    if finish == "length":
        return (
            "no answer within the most tokens (finish reason length); raise --max-new-tokens if the model thinks first"
        )
    return f"no answer: the content is empty (finish reason {finish or 'stop'})"


def _joined(parts: list[object]) -> str | None:
    """The text of content that comes in parts; parts of thinking are left out. Raises NoAnswer for other parts."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        cells = part if isinstance(part, dict) else getattr(part, "__dict__", {})
        kind, text = cells.get("type"), cells.get("text")
        if kind in ("text", "output_text") and isinstance(text, str):
            texts.append(text)
        elif kind == "refusal" and isinstance(cells.get("refusal"), str):
            texts.append(cells["refusal"])
        elif not isinstance(kind, str):
            raise NoAnswer("no message with a text")
    return "".join(texts) if texts else None


def readable(text: str) -> str:
    """The text without what no file can hold: halves of a surrogate pair are joined or replaced, NULs replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def words_in(body: object) -> str:
    """The server's own words in the body of an error, at most 200 characters, without the key if it repeats that."""
    found = body
    place = ""
    for _ in range(_DEEPEST):
        if isinstance(found, list):
            found = found[0] if found else None
        elif isinstance(found, dict):
            where = found.get("loc")
            place = str(where[-1]) if isinstance(where, list) and where else place
            place = param if isinstance(param := found.get("param"), str) else place
            found = next(
                (found[name] for name in ("error", "message", "detail", "msg", "errors") if found.get(name)), None
            )
        else:
            break
    words = " ".join(readable(found).split()) if isinstance(found, str) else ""
    words = f"{place}: {words}" if words and place and place not in words else words
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return (words.replace(key, "***") if key else words)[:200]


def plain_model(name: str) -> str:
    """A model's name without the folders before it: a served folder is called by its path on that machine."""
    return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", "~", "./", "../")) else name


def without_credentials(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
