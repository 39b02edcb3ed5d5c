"""Which of several servers is asked next: in turn, no more at once than each bears, none before its time is up."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

FIRST_REST_S = 0.5
"""How long a server is left alone after its first refusal in a row; doubled with each further one."""
LONGEST_REST_S = 30.0
FAULTS_IN_A_ROW = 3
"""So many broken answers one after the other are the server's fault and not the questions'."""


@dataclass
class Server:
    """What is known about one server at the moment. Times are of the monotonic clock, in seconds."""

    base_url: str
    ceiling: int
    limit: float
    """Most open requests at present: halved by a refusal, raised by one over about as many answers as it allows."""
    open: int = 0
    not_before: float = 0.0
    """It is not asked earlier: it said so, or it does not answer, or its requests per minute are used up."""
    resting_since: float = 0.0
    """When it was last given a rest; what was sent before says nothing new."""
    rounds: int = 0
    """Refusals, each after a rest, since it last answered. While there are any, it gets one request at a time."""
    faults: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random("rest"))

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    def has_room(self) -> bool:
        return self.open < (1 if self.rounds else int(self.limit))


class Servers:
    """The servers behind one model. Belongs to one event loop; at most one coroutine waits in `take`."""

    def __init__(
        self,
        base_urls: Sequence[str],
        *,
        concurrency: int,
        requests_per_minute: int = 0,
        retries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`concurrency` and `requests_per_minute` (0: unlimited) hold for each server."""
        self.all = [Server(url, ceiling=concurrency, limit=float(concurrency)) for url in base_urls]
        self._spacing_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._retries, self._clock = retries, clock
        self._next = 0
        self._changed = asyncio.Event()

    def hopeless(self) -> bool:
        """Every server has refused or not answered more than `retries` times in a row, with rests between."""
        return all(server.rounds > self._retries for server in self.all)

    async def take(self) -> Server | None:
        """The next server in turn that has room, waited for if need be; None once it is hopeless to wait."""
        while not self.hopeless():
            now = self._clock()
            for step in range(len(self.all)):
                server = self.all[(self._next + step) % len(self.all)]
                if server.has_room() and server.not_before <= now:
                    self._next = (self._next + step + 1) % len(self.all)
                    server.open += 1
                    if self._spacing_s:
                        server.not_before = now + self._spacing_s
                    return server
            soonest = min((one.not_before for one in self.all if one.has_room()), default=None)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), None if soonest is None else max(0.0, soonest - now))
            except TimeoutError:
                continue
        return None

    def _freed(self, server: Server) -> None:
        server.open -= 1
        self._changed.set()

    def answered(self, server: Server) -> None:
        """It answered as it should."""
        if server.rounds:
            log.info("%s answers again", server.name)
        server.rounds = server.faults = 0
        server.limit = min(server.ceiling, server.limit + 1 / server.limit)
        self._freed(server)

    def refused(self, server: Server, *, sent_at: float, rest_s: float | None, why: str) -> None:
        """It is busy, or not there: it is asked half as much, and not before `rest_s` (None: a growing time) is over.

        Of several requests that were open at the same time, one counts.
        """
        now = self._clock()
        if sent_at >= server.resting_since:
            server.rounds += 1
            server.resting_since = now
            server.limit = max(1.0, server.limit / 2)
            grown_s = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (server.rounds - 1)) * server.rng.uniform(0.75, 1.25)
            server.not_before = max(server.not_before, now + grown_s if rest_s is None else 0.0)
            # Further refusals in a row are told of no more: it is out until it answers.
            if server.rounds == 1:
                log.info("%s: %s; at most %d requests at once from now on", server.name, why, int(server.limit))
        if rest_s is not None:
            server.not_before = max(server.not_before, now + rest_s)
        self._freed(server)

    def broke(self, server: Server, *, sent_at: float, why: str) -> None:
        """It answered what cannot be used (5xx, cut off, too late); several times in a row and it is given a rest."""
        server.faults += 1
        if server.faults >= FAULTS_IN_A_ROW:
            server.faults = 0
            self.refused(server, sent_at=sent_at, rest_s=None, why=why)
        else:
            self._freed(server)

    def done(self, server: Server) -> None:
        """It answered that this question will not do; that says nothing about the server."""
        server.rounds = server.faults = 0
        self._freed(server)
