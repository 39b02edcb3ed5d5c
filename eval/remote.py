"""An OpenAI-compatible server as a responder: some requests at a time, retried, answers handed on as they arrive."""

import base64
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schemas.problems import BadInput
from schemas.responders import Ask, Decoding, Reply

if TYPE_CHECKING:
    import openai
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam

log = logging.getLogger(__name__)

KEY_VARIABLE = "OPENAI_API_KEY"  # the name of an environment variable
_BUSY = (408, 409, 429)
"""4xx that say "later", not "no"."""
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))


class RemoteResponder:
    """Asks a server. The key is read from OPENAI_API_KEY when asking starts, and is neither kept nor logged."""

    def __init__(
        self, base_url: str, model: str, *, concurrency: int = 16, timeout_s: float = 120.0, retries: int = 5
    ) -> None:
        self._base_url, self._model = base_url, model
        self._concurrency, self._timeout_s, self._retries = concurrency, timeout_s, retries

    @property
    def identity(self) -> str:
        """`openai:<host>#<model>`; the port does not enter."""
        return f"openai:{urlsplit(self._base_url).hostname}#{self._model}"

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask, in order of arrival. The first ask goes alone: a bad server is found out by one request.

        Raises BadInput if no server answers, or it refuses the key or does not have the model, and if the first ask is
        refused (4xx) or answered with anything but a chat completion; later asks become replies with an error then.
        Connection errors, 408, 409, 429 and 5xx are retried, after the Retry-After of the answer where it has one.
        """
        queue = iter(asks)
        client = self._client()
        try:
            for ask in islice(queue, 1):
                yield self._ask(client, ask, decoding, first=True)
            yield from self._many(client, queue, decoding)
        finally:
            client.close()

    def _client(self) -> "OpenAI":
        from openai import OpenAI

        # Local servers take any key, but the client insists on one.
        key = os.environ.get(KEY_VARIABLE) or "none"
        return OpenAI(base_url=self._base_url, api_key=key, timeout=self._timeout_s, max_retries=self._retries)

    def _many(self, client: "OpenAI", queue: Iterator[Ask], decoding: Decoding) -> Iterator[Reply]:
        pool = ThreadPoolExecutor(max_workers=self._concurrency, thread_name_prefix="ask")
        open_asks: set[Future[Reply]] = set()
        try:
            while True:
                for ask in islice(queue, self._concurrency - len(open_asks)):
                    open_asks.add(pool.submit(self._ask, client, ask, decoding, first=False))
                if not open_asks:
                    return
                finished, open_asks = wait(open_asks, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, client: "OpenAI", ask: Ask, decoding: Decoding, *, first: bool) -> Reply:
        import openai

        try:
            completion: object = client.chat.completions.create(
                model=self._model,
                messages=[_message(ask)],
                temperature=decoding.temperature,
                top_p=decoding.top_p,
                max_tokens=decoding.max_new_tokens,
                seed=decoding.seed,
            )
            return Reply(ask_id=ask.ask_id, text=_text_of(completion))
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            # The server's text may repeat the key, so it is not passed on.
            advice = f"set {KEY_VARIABLE} to a key that the server takes"
            raise BadInput(self._base_url, f"refuses the key (HTTP {error.status_code})", advice) from None
        except openai.NotFoundError as error:
            raise BadInput(
                self._base_url, f"does not have model {self._model!r} (HTTP {error.status_code})", "name one it serves"
            ) from None
        except openai.APIConnectionError as error:
            if first:
                advice = "start the server or mend the address"
                raise BadInput(self._base_url, f"does not answer ({type(error).__name__})", advice) from None
            return Reply(ask_id=ask.ask_id, text="", error=f"no answer from the server ({type(error).__name__})")
        except openai.APIStatusError as error:
            if first and 400 <= error.status_code < 500 and error.status_code not in _BUSY:
                advice = f"choose a model that takes such questions{' with pictures' if ask.image else ''}"
                raise BadInput(self._base_url, f"refuses the first question ({_said(error)})", advice) from None
            return Reply(ask_id=ask.ask_id, text="", error=_said(error))
        except (openai.APIError, ValueError) as error:
            # Only our own reasons are told: others quote the answer, which may repeat the key.
            reason = str(error) if isinstance(error, _NoAnswer) else f"unreadable: {type(error).__name__}"
            if first:
                advice = "name the address of its API, which often ends in /v1"
                raise BadInput(self._base_url, f"is no OpenAI-compatible server ({reason})", advice) from None
            return Reply(ask_id=ask.ask_id, text="", error=f"the answer cannot be used ({reason})")


class _NoAnswer(ValueError):
    """The server's answer is no chat completion, or holds no message."""


def _text_of(completion: object) -> str:
    """The text of a chat completion. The client hands on what is none, unchecked; raises _NoAnswer for it."""
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

    if not isinstance(completion, ChatCompletion):
        raise _NoAnswer("no JSON object")
    choices: object = completion.choices
    if not isinstance(choices, list) or not choices:
        raise _NoAnswer("no choices")
    said: object = getattr(choices[0], "message", None)
    text: object = (said.content or said.refusal or "") if isinstance(said, ChatCompletionMessage) else None
    if not isinstance(text, str):
        raise _NoAnswer("no message with a text")
    return text.strip()


def _said(error: "openai.APIStatusError") -> str:
    """Status and the start of the server's message, without the key if the server repeats it."""
    text = " ".join(str(error.message).split())[:200]
    key = os.environ.get(KEY_VARIABLE)
    return f"HTTP {error.status_code}: {text.replace(key, '***') if key else text}"


def _message(ask: Ask) -> "ChatCompletionMessageParam":
    if ask.image is None:
        return {"role": "user", "content": ask.text}
    return {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": data_uri(ask.image)}},
            {"type": "text", "text": ask.text},
        ],
    }


def data_uri(content: bytes) -> str:
    """An encoded picture as a data: address, its type read from its first bytes."""
    kind = next((mime for magic, mime in _MAGIC if content.startswith(magic)), "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
