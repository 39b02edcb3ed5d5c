"""Faults that the embedded world's server can be told to serve, so that clients are tested against a bad network."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Literal

FaultKind = Literal["rate_limited", "server_error", "cut_body", "malformed_json", "slow", "maxlag"]


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong. Probabilities are per request; at most `most_per_url` faults hit one URL by chance.

    `forced` gives, by a part of the URL (path and query, still percent-encoded), the faults of the first requests
    that contain it; later ones are answered as usual.
    """

    seed: int = 0
    rate_limited: float = 0.0
    server_error: float = 0.0
    cut_body: float = 0.0
    malformed_json: float = 0.0
    slow: float = 0.0
    maxlag: float = 0.0
    slow_s: float = 0.2
    retry_after_s: int = 0
    retry_after_on_5xx: bool = True
    """Whether a server error says when to come again, as some do."""
    most_per_url: int = 2
    forced: Mapping[str, tuple[FaultKind, ...]] = field(default_factory=dict)


class FaultPlan:
    """Decides request by request; what hits one URL depends on the seed and that URL's earlier requests alone."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._lock = Lock()
        self._asked: Counter[str] = Counter()
        self._hit: Counter[str] = Counter()
        self._forced: Counter[str] = Counter()

    def next(self, url: str) -> FaultKind | None:
        """The fault with which the next request for a URL (path and query) is answered, or None."""
        with self._lock:
            for part, kinds in self.faults.forced.items():
                if part in url and self._forced[part] < len(kinds):
                    self._forced[part] += 1
                    return kinds[self._forced[part] - 1]
            self._asked[url] += 1
            if self._hit[url] >= self.faults.most_per_url:
                return None
            kind = self._drawn(Random(f"{self.faults.seed}:{self._asked[url]}:{url}").random())
            self._hit[url] += kind is not None
            return kind

    def _drawn(self, chance: float) -> FaultKind | None:
        shares: dict[FaultKind, float] = {
            "rate_limited": self.faults.rate_limited,
            "server_error": self.faults.server_error,
            "cut_body": self.faults.cut_body,
            "malformed_json": self.faults.malformed_json,
            "slow": self.faults.slow,
            "maxlag": self.faults.maxlag,
        }
        for kind, share in shares.items():
            if chance < share:
                return kind
            chance -= share
        return None
