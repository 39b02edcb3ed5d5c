"""Idle connections, handed out one thread at a time; this machine is reached without proxies, nobody with .netrc."""

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
    def session(self, *, direct: bool) -> Iterator[requests.Session]:
        """An idle session, or a new one; `direct`: without the proxies that the environment names."""
        with self._lock:
            idle = self._idle[direct]
            session = idle.pop() if idle else None
        if session is None:
            session = requests.Session()
            session.trust_env = not direct
            session.auth = _without_credentials
            session.headers.update({"User-Agent": self._user_agent, "Accept-Encoding": "gzip"})
        try:
            yield session
        finally:
            with self._lock:
                self._idle[direct].append(session)

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            sessions = [session for idle in self._idle.values() for session in idle]
            self._idle = {True: [], False: []}
        for session in sessions:
            session.close()


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
