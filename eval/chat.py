"""Chat completions: a question to the body of a request, what the client hands on to its text, an error to one line."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue

from schemas.responders import Ask, Completion, Decoding

if TYPE_CHECKING:
    from openai import APIStatusError

KEY_VARIABLE = "OPENAI_API_KEY"  # the name of an environment variable
HERE = "<picture>"
"""Stands for the address of the picture while the rest of a body is encoded."""


@dataclass(frozen=True)
class Dialect:
    """What differs between servers; found out by eval.server_check."""

    length: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name by which the server takes the most tokens of an answer."""
    schemas: bool = True
    """It takes `response_format` with a JSON schema."""


class NoAnswer(ValueError):
    """The server's answer is no chat completion, or holds no message."""


def request_body(
    ask: Ask, decoding: Decoding, *, model: str, dialect: Dialect, uri: str | None, schema: JsonValue = None
) -> bytes:
    """The body of a chat completion: one user turn, its picture (`uri`, a data: address) before the text."""
    content: JsonValue = ask.text
    if uri is not None:
        content = [{"type": "image_url", "image_url": {"url": HERE}}, {"type": "text", "text": ask.text}]
    body: dict[str, JsonValue] = {
        "messages": [{"role": "user", "content": content}],  # first, so that nothing else can stand before HERE
        "model": model,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        dialect.length: decoding.max_new_tokens,
        "seed": decoding.seed,
    }
    if schema is not None and dialect.schemas:
        form: JsonValue = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    encoded = json.dumps(body)
    # The address needs no escapes, and looking for some in it takes longer than all the rest.
    return (encoded if uri is None else encoded.replace(HERE, uri, 1)).encode()


def completion_of(ask_id: str, found: object) -> Completion:
    """The answer as the client hands it on, which is unchecked; raises NoAnswer for what is no chat completion."""
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

    if not isinstance(found, ChatCompletion):
        raise NoAnswer("no JSON object")
    choices: object = found.choices
    if not isinstance(choices, list) or not choices:
        raise NoAnswer("no choices")
    said: object = getattr(choices[0], "message", None)
    if not isinstance(said, ChatCompletionMessage):
        raise NoAnswer("no message")
    text: object = said.content or said.refusal or ""
    if not isinstance(text, str):
        raise NoAnswer("no message with a text")
    model: object = found.model
    usage = found.usage if isinstance(found.usage, CompletionUsage) else None
    return Completion(
        ask_id=ask_id,
        text=text.strip(),
        model=plain_model(model) if isinstance(model, str) else "",
        tokens_in=_count(usage.prompt_tokens) if usage else 0,
        tokens_out=_count(usage.completion_tokens) if usage else 0,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def error_line(error: "APIStatusError") -> str:
    """Status and the start of the server's own words, without the key if the server repeats it."""
    return f"HTTP {error.status_code}: {words_of(error)}".removesuffix(": ")


def words_of(error: "APIStatusError") -> str:
    """The server's own words about what is wrong, at most 200 characters; "" if it has none that are meant for us."""
    response = error.response
    if response.is_redirect:
        return f"it redirects to {urlsplit(response.headers.get('Location', '')).netloc or 'another path'}"
    found = error.body if speaks_json(error) else None
    for name in ("message", "detail"):
        while isinstance(found, dict) and name in found:
            found = found[name]
    words = " ".join(found.split()) if isinstance(found, str) else ""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return (words.replace(key, "***") if key else words)[:200]


def speaks_json(error: "APIStatusError") -> bool:
    """Whether an error comes from an API, and not from whatever web server happens to be there."""
    return "json" in error.response.headers.get("Content-Type", "")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After asks to wait, given as seconds or as a date; None if there is none, or nonsense."""
    given = headers.get("Retry-After", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        # Against the server's own clock: ours may differ from it.
        return max(0.0, (parsedate_to_datetime(given) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None


def plain_model(name: str) -> str:
    """A model's name without the folders before it: a served folder is called by its path on that machine."""
    return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", "~", "./", "../")) else name


def without_credentials(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
