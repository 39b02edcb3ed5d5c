"""How often and how widely each service may be asked: token buckets, connection counts and Retry-After holds.

The numbers are those of Wikimedia's rate limits (2026), its robot policy and the query service's rules.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from schemas.vocabulary import Service

BYTES_BURST_S = 5.0
"""Seconds' worth of bytes that may be taken at once under a bandwidth limit."""


@dataclass(frozen=True)
class Limit:
    """What one service allows one client. None means no limit of that kind."""

    per_minute: float | None = None
    """Requests that may start in any 60 seconds."""
    burst: int = 10
    """Of these, how many at once; the rest is spread evenly."""
    connections: int | None = None
    bytes_per_second: float | None = None


UNLIMITED = Limit()
ACTION_API = Limit(per_minute=200, burst=10, connections=3)
QUERY_SERVICE = Limit(per_minute=30, burst=1, connections=1)
MEDIA = Limit(connections=2, bytes_per_second=2_000_000)
"""The robot policy allows 25 Mbit/s over ten seconds; this is about two thirds of it."""
PAGEVIEWS = Limit(per_minute=100, burst=1, connections=1)
"""Its policy names no rate but asks for one request after the other."""
LIMITS: Mapping[Service, Limit] = {
    "action": ACTION_API, "query": QUERY_SERVICE, "media": MEDIA, "pageviews": PAGEVIEWS,
}  # fmt: skip


def service_of(host: str) -> Service:
    """The service behind a host, of Wikimedia or of a stand-in. Wikis share one allowance, so they are one service."""
    if host.startswith("query"):
        return "query"
    if host.startswith(("upload.", "thumb.")):
        return "media"
    return "pageviews" if host.startswith("wikimedia.") else "action"


def stricter(first: Limit, second: Limit) -> Limit:
    """What both limits allow."""

    def least(one: float | None, other: float | None) -> float | None:
        return min((value for value in (one, other) if value is not None), default=None)

    connections = least(first.connections, second.connections)
    return Limit(
        per_minute=least(first.per_minute, second.per_minute),
        burst=min(first.burst, second.burst),
        connections=None if connections is None else int(connections),
        bytes_per_second=least(first.bytes_per_second, second.bytes_per_second),
    )


class Gate:
    """Lets requests to one service through when its limit allows; shared by threads.

    Waits are measured on `monotonic`, so that a jump of the wall clock changes nothing.
    """

    def __init__(
        self,
        limit: Limit,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit, self._monotonic, self._sleep = limit, monotonic, sleep
        self._lock = threading.Lock()
        self._connections = threading.Semaphore(limit.connections) if limit.connections else None
        self._tokens = float(limit.burst)
        self._counted_at = monotonic()
        self._held_until = float("-inf")
        self._bytes_paid_at = float("-inf")

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a free connection and for the rate, then hold the connection."""
        if self._connections is None:
            self._await_turn()
            yield
            return
        with self._connections:
            self._await_turn()
            yield

    def hold(self, seconds: float) -> None:
        """Nobody starts a request for so many seconds from now (Retry-After)."""
        with self._lock:
            self._held_until = max(self._held_until, self._monotonic() + seconds)

    def spend_bytes(self, count: int) -> None:
        """Count a received body against the bandwidth limit."""
        if self._limit.bytes_per_second is None:
            return
        with self._lock:
            start = max(self._bytes_paid_at, self._monotonic())
            self._bytes_paid_at = start + count / self._limit.bytes_per_second

    def _await_turn(self) -> None:
        while True:
            with self._lock:
                wait = self._seconds_to_turn(self._monotonic())
                if wait <= 0:
                    self._tokens -= 1
                    return
            self._sleep(wait)

    def _seconds_to_turn(self, now: float) -> float:
        wait = max(self._held_until - now, self._bytes_paid_at - BYTES_BURST_S - now)
        if self._limit.per_minute is not None:
            # Burst and refill together stay within the limit in any window of a minute.
            refill_per_s = max(self._limit.per_minute - self._limit.burst, 1.0) / 60
            self._tokens = min(self._limit.burst, self._tokens + max(0.0, now - self._counted_at) * refill_per_s)
            self._counted_at = now
            wait = max(wait, (1 - self._tokens) / refill_per_s)
        return 0.0 if wait < 1e-6 else max(wait, 1e-3)
