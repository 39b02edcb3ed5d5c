"""Idle connections, handed out one thread at a time; stand-ins are reached without proxies, nobody with .netrc."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests


class Sessions:
    """A live resource: as many sessions as threads ask at once, kept for the next ones."""

    def __init__(self, *, user_agent: str) -> None:
        self._user_agent = user_agent
        self._lock = threading.Lock()
        self._idle: dict[bool, list[requests.Session]] = {True: [], False: []}

    @contextmanager
    def session(self, *, routed: bool) -> Iterator[requests.Session]:
        """An idle session, or a new one; `routed` says that a stand-in is asked."""
        with self._lock:
            idle = self._idle[routed]
            session = idle.pop() if idle else None
        if session is None:
            session = requests.Session()
            session.trust_env = not routed
            session.auth = _without_credentials
            session.headers.update({"User-Agent": self._user_agent, "Accept-Encoding": "gzip"})
        try:
            yield session
        finally:
            with self._lock:
                self._idle[routed].append(session)

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            sessions = [session for idle in self._idle.values() for session in idle]
            self._idle = {True: [], False: []}
        for session in sessions:
            session.close()


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
