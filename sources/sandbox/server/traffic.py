"""What the embedded world's server saw: how many requests at once, how many in a span, and who came too early."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from time import monotonic

from schemas.vocabulary import Service

GRACE_S = 0.3
"""Requests that were on their way when Retry-After was sent arrive within this time."""


def service_of_path(path: str) -> Service:
    """The service whose path this is."""
    if path.startswith("/sparql"):
        return "query"
    if path.startswith("/wikipedia/commons/"):
        return "media"
    return "pageviews" if path.startswith("/api/rest_v1/") else "action"


@dataclass
class Visit:
    """One request, in seconds of the monotonic clock."""

    service: Service
    came: float
    went: float = 0.0
    """When it had its whole answer but for a last byte, or hung up; 0 before that."""
    held: tuple[float, float] | None = None
    """From when until when its answer asked everybody to wait."""

    def told_to_wait(self, seconds: float) -> None:
        """Its answer, which is about to be sent, has a Retry-After."""
        if seconds > 0:
            self.held = (monotonic(), monotonic() + seconds)

    def over(self, *, ago_s: float = 0.0) -> None:
        """It ends now, or ended some time ago; the first call counts."""
        self.went = self.went or monotonic() - ago_s


class Traffic:
    """A record of visits, kept by the server's threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._visits: list[Visit] = []

    @contextmanager
    def visit(self, path: str) -> Iterator[Visit]:
        """Count a request from now until the context ends."""
        seen = Visit(service_of_path(path), monotonic())
        with self._lock:
            self._visits.append(seen)
        try:
            yield seen
        finally:
            seen.over()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._visits = []

    def count(self, service: Service) -> int:
        """Requests to a service."""
        return len(self._of(service))

    def most_at_once(self, service: Service) -> int:
        """The largest number of requests that were being answered at one moment."""
        visits = self._of(service)
        events = sorted([(visit.came, 1) for visit in visits] + [(visit.went, -1) for visit in visits if visit.went])
        return max(accumulate(change for _, change in events), default=0)

    def most_within(self, service: Service, seconds: float) -> int:
        """The largest number of requests that came within any span of so many seconds."""
        came = sorted(visit.came for visit in self._of(service))
        most = first = 0
        for last, moment in enumerate(came):
            while moment - came[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def too_early(self, service: Service) -> int:
        """Requests that came while an answer's Retry-After was still running."""
        visits = sorted(self._of(service), key=lambda visit: visit.came)
        holds = sorted(visit.held for visit in visits if visit.held is not None)
        early, following = 0, 0
        running: list[tuple[float, float]] = []
        for visit in visits:
            while following < len(holds) and holds[following][0] <= visit.came:
                running.append(holds[following])
                following += 1
            running = [hold for hold in running if hold[1] > visit.came]
            early += any(start + GRACE_S < visit.came for start, _ in running)
        return early

    def _of(self, service: Service) -> list[Visit]:
        with self._lock:
            return [visit for visit in self._visits if visit.service == service]
