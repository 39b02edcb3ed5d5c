"""The openai package as we use it: one client for each server, with no retries of its own and no redirects followed."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from eval.responders.chat import FILTERED, KEY_VARIABLE, words_in
from eval.responders.chat import without_credentials as shown
from schemas.errors import BadInput
from schemas.loopback import on_loopback

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx2 import Response
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAI, RequestOptions

PATH = "/chat/completions"
NO_KEY = "none"
"""The package insists on a key; this one is never sent."""


def blocking_client(base_url: str, *, timeout_s: float) -> "OpenAI":
    """The client of one server for a few requests, one after the other. Raises BadInput for an address that is none."""
    import openai
    from httpx2 import InvalidURL

    with _proxies_understood():
        http = openai.DefaultHttpxClient(
            follow_redirects=False,
            verify=_trusted(),
            trust_env=not on_loopback(base_url),
            event_hooks={"response": [partial(_bound, timeout_s=timeout_s)]},
        )
    try:
        return openai.OpenAI(
            base_url=base_url, api_key=_key() or NO_KEY, timeout=timeout_s, max_retries=0, http_client=http
        )
    except InvalidURL:
        raise BadInput(shown(base_url), "is no address", "mend it") from None


def client(base_url: str, *, timeout_s: float) -> "AsyncOpenAI":
    """The client of one server for as many requests at once as it is given; it belongs to one event loop."""
    import openai
    from httpx2 import Limits

    # How many are open at once is for eval.responders.load_balancer to say, and a connection is kept for each.
    limits = Limits(max_connections=None, max_keepalive_connections=None)
    with _proxies_understood():
        http = openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            verify=_trusted(),
            trust_env=not on_loopback(base_url),
            limits=limits,
            event_hooks={"response": [partial(_bound_async, timeout_s=timeout_s)]},
        )
    return openai.AsyncOpenAI(
        base_url=base_url, api_key=_key() or NO_KEY, timeout=timeout_s, max_retries=0, http_client=http
    )


@contextmanager
def _proxies_understood() -> Iterator[None]:
    """Raise BadInput for a proxy that the package cannot speak to, which it finds out when a client is made."""
    from httpx2 import InvalidURL

    try:
        yield
    except (ImportError, InvalidURL, ValueError) as error:  # their words hide a password that the address has
        advice = "name an HTTP proxy in HTTPS_PROXY and unset ALL_PROXY; for socks5:// `pip install socksio`"
        raise BadInput("the proxy of the environment", f"cannot be used ({error})", advice) from None


def request_options() -> "RequestOptions":
    """What goes with every request: without a key, no header for one, so that a server says what it needs."""
    from openai import Omit

    return {} if _key() else {"headers": {"Authorization": Omit()}}


def never_arrived(error: "APIConnectionError") -> bool:
    """Whether the connection was not even made: the server is gone, whatever the question is."""
    from httpx2 import ConnectError, ConnectTimeout

    return isinstance(error.__cause__, ConnectError | ConnectTimeout)


def reason(error: "APIConnectionError") -> str:
    """The kind of failure, such as ReadTimeout: the package's own words are the same for all of them."""
    return type(error.__cause__ or error).__name__


def _bound(response: "Response", *, timeout_s: float) -> None:
    """Cut off a body that does not end: it may be neither too long nor take longer than the timeout."""
    from eval.responders.bounded import BoundedStream

    response.stream = BoundedStream(response, timeout_s=timeout_s)


async def _bound_async(response: "Response", *, timeout_s: float) -> None:
    _bound(response, timeout_s=timeout_s)


def _key() -> str:
    """The key, read anew each time; "" for none. Raises BadInput for one that cannot be sent."""
    found = os.environ.get(KEY_VARIABLE, "").strip()
    if not (found.isascii() and found.isprintable()):
        raise BadInput(KEY_VARIABLE, "has characters that no key has", "set it to the key alone")
    return found


@cache
def _trusted() -> "SSLContext":
    """The certificates that are trusted; reading them takes a tenth of a second, so it is done once for all clients."""
    from httpx2 import create_ssl_context

    return create_ssl_context()


def error_line(error: "APIStatusError") -> str:
    """Status and the start of the server's own words, without the key if the server repeats it."""
    return f"HTTP {error.status_code}: {words_of(error)}".removesuffix(": ")


def words_of(error: "APIStatusError") -> str:
    """The server's own words about what is wrong, at most 200 characters; "" if it has none that are meant for us."""
    response = error.response
    if response.is_redirect:
        return f"it redirects to {urlsplit(response.headers.get('Location', '')).netloc or 'another path'}"
    if speaks_json(error):
        return words_in(error.body)
    plain = response.headers.get("Content-Type", "").startswith("text/plain")
    return words_in(error.body) if plain and not str(error.body).lstrip().startswith("<") else ""


def is_filtered(error: "APIStatusError") -> bool:
    """Whether the server's filter withheld the answer, or the question."""
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("innererror")
    said = [body.get(name) for name in ("code", "type", "finish_reason")]
    said += [inner.get("code")] if isinstance(inner, dict) else []
    return error.status_code in (400, 403, 451) and any(str(each).casefold() in FILTERED for each in said)


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
