"""The one HTTP client: identifies itself, keeps to rates and Retry-After, retries, and keeps every answer on disk."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from pydantic import JsonValue

from schemas.errors import BadInput, Unfinished
from schemas.loopback import on_loopback
from schemas.protocols.source import FetchProblem
from schemas.vocabulary import Service
from sources.http_client.cache import Answer, ResponseCache, request_key
from sources.http_client.hosts import address_of, host_of
from sources.http_client.rate_limits import LIMITS, UNLIMITED, Gate, Limit, service_of, stricter
from sources.http_client.responses import (
    BadAnswer,
    Passing,
    Patience,
    fresh_value_of,
    given_up,
    is_lasting,
    json_object,
    retry_after_seconds,
    status_line,
    value_of,
)
from sources.http_client.sessions import Sessions
from sources.http_client.user_agent import checked_contact, user_agent

log = logging.getLogger(__name__)

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
MAXLAG_S = 5
"""Replication lag in seconds above which a wiki may turn our requests away."""
LONGEST_WAIT_S = 900.0
"""A server that asks for a longer pause than this ends the request instead."""
JSON_BYTES = 128_000_000
CONNECT_TIMEOUT_S = 10.0
FILE_ATTEMPTS = 6
BROKEN_FILE_ATTEMPTS = 3
"""For a 500: a picture of which no thumbnail can be made answers it for ever."""
PATIENCE = 3
"""Attempts after which Retry-After is a least wait, not the wait."""
T = TypeVar("T")


@dataclass(frozen=True)
class _Reply:
    answer: Answer
    host: str
    location: str
    etag: str
    retry_after_s: float | None


@dataclass(frozen=True)
class Retries:
    """How often a request is made, how long each waits for its answer, and the pauses between, in seconds."""

    attempts: int = 8
    backoff_s: float = 1.0
    timeout_s: float = 60.0
    jitter: random.Random = field(default_factory=lambda: random.Random("ppubench"))


class PoliteClient:
    """GET requests to Wikimedia, or to stand-ins named in `routes` ({logical host: base URL}); thread-safe.

    Cache keys, errors and everything handed out name logical hosts, never a stand-in's port. Real hosts need
    a `contact` and are asked at Wikimedia's limits, which `limits` can only tighten; a stand-in is asked at the
    `limits` of its service, or without any. With `offline`, an answer that is not in the cache is Unfinished; after
    `stop`, from whatever thread, so is every request that is not under way.
    """

    def __init__(
        self,
        *,
        contact: str | None,
        cache: Path | None = None,
        offline: bool = False,
        routes: Mapping[str, str] | None = None,
        limits: Mapping[Service, Limit] | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contact = checked_contact(contact)
        if offline and cache is None:
            raise BadInput("source.cache", "is not set, and the build is offline", "name the cache of an earlier build")
        self._routes = dict(routes or {})
        self._cache = ResponseCache(cache, stand_in=bool(self._routes)) if cache is not None else None
        self._offline = offline
        self._limits = dict(limits or {})
        self._retries = retries or Retries()
        self._stopped = threading.Event()
        self._sleep, self._monotonic = sleep or self._stopped.wait, monotonic
        self._lock = threading.Lock()
        self._gates: dict[tuple[Service, bool], Gate] = {}
        self._sessions = Sessions(user_agent=user_agent(self._contact))
        self._sent = 0

    @property
    def requests_sent(self) -> int:
        """Requests that went out, retries and redirects included; answers from the cache are not counted."""
        return self._sent

    def stop(self) -> None:
        """Ask nothing more: requests that wait for their turn, or would be made again, end at once with Unfinished."""
        self._stopped.set()

    def close(self) -> None:
        """Close all idle connections."""
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_json(
        self, url: str, params: Mapping[str, str], *, redact: Callable[[Answer], Answer] = lambda answer: answer
    ) -> dict[str, JsonValue]:
        """The JSON object that the URL answers; for `api.php`, in format version 2 and with `maxlag`.

        `redact` takes out of an answer what is not to be kept on disk nor read.
        Raises BadAnswer for an API error or an answer that stays malformed, FetchProblem for all else.
        """

        def read(answer: Answer) -> dict[str, JsonValue]:
            return json_object(url, answer)

        patience = Patience(self._retries.attempts, self._retries.attempts)
        return self._fetch(url, params, max_bytes=JSON_BYTES, read=read, patience=patience, redact=redact)

    def get_bytes(self, url: str, *, max_bytes: int) -> bytes:
        """The body that the URL answers, at most `max_bytes` long; raises FetchProblem."""

        def read(answer: Answer) -> bytes:
            if answer.status != HTTPStatus.OK:
                raise BadAnswer(url, status_line(answer.status), code=str(answer.status))
            return answer.body

        patience = Patience(
            min(self._retries.attempts, FILE_ATTEMPTS), min(self._retries.attempts, BROKEN_FILE_ATTEMPTS)
        )
        return self._fetch(url, {}, max_bytes=max_bytes, read=read, patience=patience, redact=lambda answer: answer)

    def _fetch(
        self, url: str, params: Mapping[str, str], *, max_bytes: int, read: Callable[[Answer], T], patience: Patience,
        redact: Callable[[Answer], Answer],
    ) -> T:  # fmt: skip
        key = request_key(url, params)
        kept = self._cache.get(key, redact=redact) if self._cache is not None else None
        if kept is not None:
            try:
                return value_of(url, kept, read, patience)
            except FetchProblem as refusal:
                # What failed for a reason that may pass is asked for again, except where nothing can be asked.
                if self._offline or (isinstance(refusal, BadAnswer) and is_lasting(refusal)):
                    raise
        if self._offline:
            asked = f"{url}?{urlencode(params)}" if params else url
            advice = "run it once without --offline"
            raise Unfinished(f"{asked[:300]}: is not in the cache, and the build is offline; {advice}")
        for attempt in range(patience.attempts):
            host, reply = host_of(url), None
            try:
                reply = self._follow(url, _sent_params(url, params), max_bytes)
                host, reply = reply.host, replace(reply, answer=redact(reply.answer))
                value = fresh_value_of(reply.answer, read)
            except Passing as passing:
                self._require_going()
                if attempt + 1 >= patience.attempts_for(passing):
                    self._keep(key, url, reply)
                    raise given_up(url, passing, patience) from passing
                passing.retry_after_s = reply.retry_after_s if reply is not None else None
                self._pause(url, host, passing, attempt)
            except BadAnswer:
                self._keep(key, url, reply)
                raise
            else:
                self._keep(key, url, reply)
                return value
        raise FetchProblem(url, "was not asked for")

    def _wait(self, seconds: float) -> None:
        self._sleep(seconds)
        self._require_going()

    def _require_going(self) -> None:
        if self._stopped.is_set():
            raise Unfinished("the source is no longer asked, since the build is ending")

    def _keep(self, key: str, url: str, reply: _Reply | None) -> None:
        """Keep the last answer, good or bad: an offline build must meet the same failures."""
        if self._cache is not None and reply is not None:
            retrieved = datetime.now(UTC).isoformat(timespec="seconds")
            self._cache.put(key, reply.answer, url=url, etag=reply.etag, retrieved=retrieved)

    def _pause(self, url: str, host: str, passing: Passing, attempt: int) -> None:
        with self._lock:
            backoff = min(60.0, self._retries.backoff_s * 2.0**attempt) * (0.5 + self._retries.jitter.random())
        wished = passing.retry_after_s
        if wished is not None and wished > LONGEST_WAIT_S:
            raise FetchProblem(url, f"{passing.problem}; the server asks to wait {wished:.0f} s, so try again later")
        if wished is not None and attempt < PATIENCE:
            log.info("%s: %s; the server asks to wait %.0f s", url, passing.problem, wished)
            return  # The gate holds since the answer came, to the second.
        log.info("%s: %s; asking again in %.1f s", url, passing.problem, backoff)
        if passing.hold:
            self._gate(host).hold(backoff)
        else:
            self._wait(backoff)

    def _follow(self, url: str, params: Mapping[str, str], max_bytes: int) -> _Reply:
        target = f"{url}?{urlencode(params)}" if params else url
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._send(target, max_bytes)
            if reply.answer.status not in REDIRECTS or not reply.location:
                return reply
            target = urljoin(target, reply.location)
        raise FetchProblem(url, f"more than {MAX_REDIRECTS} redirects")

    def _send(self, url: str, max_bytes: int) -> _Reply:
        host = host_of(url)
        address = address_of(url, self._routes)
        if host not in self._routes and self._contact is None:
            raise BadInput(
                "source.contact", f"is missing, and {host} requires it", "name an e-mail address or user page"
            )
        gate = self._gate(host)
        with gate.slot():
            self._require_going()
            with self._lock:
                self._sent += 1
            try:
                with (
                    self._sessions.session(direct=on_loopback(address)) as session,
                    session.get(
                        address,
                        headers={"Host": host},
                        stream=True,
                        allow_redirects=False,
                        timeout=(min(CONNECT_TIMEOUT_S, self._retries.timeout_s), self._retries.timeout_s),
                    ) as response,
                ):
                    headers = response.headers
                    wished_s = retry_after_seconds(headers, now=time.time())
                    if wished_s is not None:
                        gate.hold(min(wished_s, LONGEST_WAIT_S))  # Before anyone else gets this connection.
                    body = b"".join(self._body(url, response, max_bytes))
            except requests.Timeout as error:
                raise Passing(f"no answer within {self._retries.timeout_s:g} s") from error
            except requests.RequestException as error:
                if isinstance(error, ValueError):  # InvalidURL and the like: asking again cannot help.
                    raise FetchProblem(url, f"cannot be asked for ({type(error).__name__})") from error
                raise Passing(f"the connection failed ({type(error).__name__})") from error
        gate.spend_bytes(len(body))
        return _Reply(
            answer=Answer(status=response.status_code, content_type=headers.get("Content-Type", ""), body=body),
            host=host,
            location=headers.get("Location", ""),
            etag=headers.get("ETag", ""),
            retry_after_s=wished_s,
        )

    def _body(self, url: str, response: requests.Response, max_bytes: int) -> Iterator[bytes]:
        """The decoded body in blocks; raises FetchProblem past `max_bytes`, Passing if it dries up or is cut."""
        started, received = self._monotonic(), 0
        for block in response.iter_content(1 << 16):
            received += len(block)
            self._require_going()
            if received > max_bytes:
                raise FetchProblem(url, f"is larger than {max_bytes} bytes")
            if self._monotonic() - started > 10 * self._retries.timeout_s:
                raise Passing(f"the body did not end within {10 * self._retries.timeout_s:g} s")
            yield block
        stated = response.headers.get("Content-Length", "")
        if stated.isdigit() and "Content-Encoding" not in response.headers and int(stated) != received:
            raise Passing("the connection was cut in mid-body")

    def _gate(self, host: str) -> Gate:
        service, routed = service_of(host), host in self._routes
        with self._lock:
            if (service, routed) not in self._gates:
                limit = self._limits.get(service, UNLIMITED)
                limit = limit if routed else stricter(limit, LIMITS[service])
                self._gates[service, routed] = Gate(limit, monotonic=self._monotonic, sleep=self._wait)
            return self._gates[service, routed]


def _sent_params(url: str, params: Mapping[str, str]) -> dict[str, str]:
    if urlsplit(url).path.endswith("/api.php"):
        return {**params, "format": "json", "formatversion": "2", "maxlag": str(MAXLAG_S)}
    return dict(params)
