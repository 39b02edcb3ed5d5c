"""One small request before the first question: does the address answer, the key open, the model exist and look?"""

import base64
import logging
import re
from dataclasses import replace
from json import JSONDecodeError
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import JsonValue

from eval.responders.chat import (
    Dialect,
    NoAnswer,
    Refused,
    completion_of,
    request_body,
)
from eval.responders.chat import without_credentials as shown
from eval.responders.openai_client import (
    PATH,
    blocking_client,
    error_line,
    reason,
    request_options,
    speaks_json,
    words_of,
)
from eval.responders.request_pool import refused_key
from schemas.errors import BadInput
from schemas.matching.thoughts import answer_of
from schemas.protocols.responder import Ask, Completion, Decoding

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

log = logging.getLogger(__name__)

QUESTION = Ask(ask_id="check", text="Reply with the word yes.")
BEGUN = QUESTION.model_copy(update={"prefix": "a"})
"""The same with one token of an answer."""
TINY = Decoding(max_new_tokens=4)
PARAMETERS = ("temperature", "top_p", "seed", "chat_template_kwargs")
"""What is left out where a server refuses it."""
GREY = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAYElEQVR4nO3PQQ0AIBDAMED5SUcEj4ZkVbDtmVk/OzrgVQNaA1oDWgNaA1oD"
    "WgNaA1oDWgNaA1oDWgNaA1oDWgNaA1oDWgNaA1oDWgNaA1oDWgNaA1oDWgNaA1oDWgPaBaIsAgBhHc02AAAAAElFTkSuQmCC"
)
"""A grey PNG of 64 x 64 pixels."""
SCHEMA: JsonValue = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
_LEAST = re.compile(
    r"token.*?(?:at least|minimum(?: value)?(?: of| is)?|greater than(?: or equal to)?|>=|no less than)\D{0,20}(\d+)"
)
"""Where a server wants a longer answer to be asked for."""
_OTHER_LENGTH = re.compile(
    r"max_tokens\b.*\b(?:unsupported|(?:not|isn't|is no longer) (?:supported|permitted|allowed|accepted)|deprecated"
    r"|extra|un(?:known|recogni[sz]ed|expected))|\b(?:unsupported|un(?:known|recogni[sz]ed|expected)|extra)\b.*max_tokens\b"
)
"""Where a server does not know the older name of the most tokens."""
_UNPAID = re.compile(r"\b(?:quota|credits?|billing|balance|payment|subscription)\b")
MOST_LEAST = 1024
PLACE = "name the address of its API, which often ends in /v1"


def check_server(
    base_url: str,
    model: str,
    *,
    images: bool,
    schemas: bool,
    timeout_s: float,
    required: bool,
    decoding: Decoding | None = None,
) -> Dialect | None:
    """Find out by one to four small requests what the server takes, or a few more where it refuses parameters.

    `images`, `schemas`, `decoding` (None: greedy): what it will be asked for. Raises BadInput, in one line, where
    it is no OpenAI-compatible server, wants another key, has no such model or takes no pictures; and where it does not
    answer, if `required`. None: it does not answer, or only that it is busy, so nothing is known.
    """
    import openai

    with blocking_client(base_url, timeout_s=timeout_s) as client:
        try:
            return _check(_Visit(client, base_url, model, decoding or TINY), images=images, schemas=schemas)
        except openai.APIConnectionError as error:
            if required:
                advice = "start the server or mend the address"
                raise BadInput(shown(base_url), f"does not answer ({reason(error)})", advice) from None
            log.warning("%s does not answer (%s); the other servers are asked", shown(base_url), reason(error))
            return None


def goes_on(base_url: str, model: str, *, dialect: Dialect, timeout_s: float) -> bool:
    """Whether the server goes on with an answer that is begun for its model.

    One that does counts one token more for a prompt with one token of an answer; one that opens a new turn behind it
    counts its frame too, and of one that counts none, refuses it or does not answer it cannot be known.
    """
    import openai

    with blocking_client(base_url, timeout_s=timeout_s) as client:
        visit = _Visit(client, base_url, model, TINY)
        visit.dialect = dialect
        try:
            plain, begun = visit.ask(), visit.ask(BEGUN)
        except (openai.APIStatusError, openai.APIConnectionError, NoAnswer):
            return False
    return plain.tokens_in > 0 and 0 < begun.tokens_in <= plain.tokens_in + 1 and begun.tokens_in != plain.tokens_in


class _Visit:
    """A live resource: one server, and how it is spoken to."""

    def __init__(self, client: "OpenAI", base_url: str, model: str, decoding: Decoding) -> None:
        self.client, self.base_url, self.model, self.dialect = client, base_url, model, Dialect()
        self.decoding = decoding.model_copy(update={"max_new_tokens": TINY.max_new_tokens})

    @property
    def place(self) -> str:
        return shown(self.base_url)

    def ask(self, asked: Ask = QUESTION, *, image: bool = False, schema: JsonValue = None) -> Completion:
        """Raises NoAnswer, and what the client raises."""
        from openai.types.chat import ChatCompletion

        uri = f"data:image/png;base64,{base64.b64encode(GREY).decode()}" if image else None
        body = request_body(asked, self.decoding, model=self.model, dialect=self.dialect, uri=uri, schema=schema)
        try:
            found = self.client.post(PATH, cast_to=ChatCompletion, content=body, options=request_options())
        except (JSONDecodeError, UnicodeDecodeError):
            raise NoAnswer("no JSON") from None
        return completion_of(QUESTION.ask_id, found)


def _check(visit: _Visit, *, images: bool, schemas: bool) -> Dialect | None:
    import openai

    try:
        plain = _plain(visit)
    except openai.APIStatusError as error:
        if error.status_code in (408, 409, 429) or error.status_code >= 500:
            log.warning("%s: %s; it is asked all the same", visit.place, error_line(error))
            return None
        raise _refusal(visit, error) from None
    except Refused as error:
        raise BadInput(visit.place, f"refuses a plain question ({error})", _advice(visit, str(error))) from None
    except NoAnswer as error:
        raise BadInput(visit.place, f"is no OpenAI-compatible server ({error})", PLACE) from None
    if not visit.decoding.thinking and _thought(plain):
        plain = _quietened(visit, plain)
    if plain.error and not (visit.decoding.thinking and plain.finish == "length"):
        told = "%s: model %s gives no answer to a plain question (%s)"
        log.warning(told, visit.place, visit.model, plain.error)
    if images:
        _check_images(visit, plain)
    if schemas:
        _check_schemas(visit)
    return visit.dialect


def _thought(found: Completion) -> bool:
    """Whether an answer of a few tokens never left its thought."""
    return (bool(found.error) and found.finish == "length") or answer_of(found.text).cut


def _quietened(visit: _Visit, plain: Completion) -> Completion:
    """The answer of a model that is told not to think, if that helps; else the answer as it was."""
    import openai

    before, visit.dialect = visit.dialect, replace(visit.dialect, quiet=True)
    try:
        found = visit.ask()
    except (openai.APIStatusError, NoAnswer):
        found = plain
    if _thought(found):
        visit.dialect = before
        return plain
    log.warning("%s: model %s thinks first; it is told not to (--thinking lets it)", visit.place, visit.model)
    return found


def _plain(visit: _Visit) -> Completion:
    """The answer to a question without a picture, without the parameters that the server refuses, each told once."""
    import openai

    while True:
        try:
            return visit.ask()
        except (openai.BadRequestError, openai.UnprocessableEntityError, Refused) as error:
            words = str(error) if isinstance(error, Refused) else words_of(error)
            dialect = _without(visit.dialect, words)
            if dialect == visit.dialect:
                raise
            if dialect.left_out != visit.dialect.left_out:
                left = next(name for name in dialect.left_out if name not in visit.dialect.left_out)
                log.warning("%s refuses %s (%s); it is asked without", visit.place, left, words)
            visit.dialect = dialect


def _without(dialect: Dialect, words: str) -> Dialect:
    """The dialect without what the server's words object to; the same one where they name nothing of ours."""
    said = words.casefold()
    least = _LEAST.search(said)
    if least and dialect.least < int(least[1]) <= MOST_LEAST:
        return replace(dialect, least=int(least[1]))
    if dialect.length == "max_tokens" and ("max_completion_tokens" in said or _OTHER_LENGTH.search(said)):
        return replace(dialect, length="max_completion_tokens")
    for name in PARAMETERS:
        if re.search(rf"\b{name}\b", said) and name not in dialect.left_out:
            return replace(dialect, left_out=tuple(sorted((*dialect.left_out, name))))
    if re.search(r"\bstream", said) and not dialect.stream:
        return replace(dialect, stream=True)
    return dialect


def _refusal(visit: _Visit, error: "APIStatusError") -> BadInput:
    """What is wrong where a plain question is refused."""
    status = error.status_code
    if status in (401, 403):
        return refused_key(visit.base_url, status)
    if error.response.is_redirect:
        return BadInput(visit.place, f"is not the server ({words_of(error)})", "name the address it redirects to")
    if status in (404, 405):
        return _not_found(visit, error)
    return BadInput(visit.place, f"refuses a plain question ({error_line(error)})", _advice(visit, words_of(error)))


def _not_found(visit: _Visit, error: "APIStatusError") -> BadInput:
    """What a 404 means: no such model, or no such address."""
    served = _models(visit.client)
    if served:
        return BadInput(visit.place, f"does not have model {visit.model!r}", f"it serves {_listed(served)}")
    below = visit.base_url + "/v1"
    if not urlsplit(visit.base_url).path.rstrip("/").endswith("/v1") and _models(visit.client.copy(base_url=below)):
        return BadInput(visit.place, f"is not the address of the API (HTTP {error.status_code})", "add /v1 to it")
    if speaks_json(error):
        found = f"does not have model {visit.model!r} ({error_line(error)})"
        return BadInput(visit.place, found, "name one it serves")
    return BadInput(visit.place, f"is no OpenAI-compatible server (HTTP {error.status_code})", PLACE)


def _advice(visit: _Visit, words: str) -> str:
    """What to do about a refused question; what a server says of a parameter is not about its model."""
    if re.search(
        r"\b(?:parameter|argument|field|stream\w*|temperature|top_p|seed|max\w*tokens?|extra|n)\b", words.casefold()
    ):
        return "change what the server takes, or ask another one"
    if _UNPAID.search(words.casefold()):
        return "settle that with who runs it, or ask another server"
    served = _models(visit.client)
    return f"it serves {_listed(served)}" if served and visit.model not in served else "name a model that chats"


def _models(client: "OpenAI") -> list[str]:
    """Models that the server lists; nothing where it does not say."""
    import openai

    try:
        found: object = client.get("/models", cast_to=object, options=request_options())
        return sorted(str(each["id"]) for each in found["data"]) if isinstance(found, dict) else []
    except (openai.OpenAIError, ValueError, LookupError, TypeError):
        return []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_images(visit: _Visit, plain: Completion) -> None:
    """Refuse a model that takes no pictures; tell of one that seems to overlook them."""
    import openai

    try:
        looked = visit.ask(image=True)
    except (openai.APIStatusError, NoAnswer) as error:
        if isinstance(error, openai.APIStatusError) and error.status_code in (408, 409, 429):
            return
        found = str(error) if isinstance(error, NoAnswer) else error_line(error)
        advice = "choose a model that looks at pictures"
        raise BadInput(visit.place, f"model {visit.model!r} takes no pictures ({found})", advice) from None
    if plain.tokens_in and looked.tokens_in == plain.tokens_in:
        log.warning(
            "%s: model %s counts no tokens for a picture; it may not look at it at all", visit.place, visit.model
        )


def _check_schemas(visit: _Visit) -> None:
    """Note it where the server takes no JSON schemas."""
    import openai

    try:
        visit.ask(schema=SCHEMA)
    except NoAnswer:
        pass  # it takes them, and what four tokens make of one does not matter
    except openai.APIStatusError:
        log.info("%s takes no JSON schemas; answers are read and checked all the same", visit.place)
        visit.dialect = replace(visit.dialect, schemas=False)
