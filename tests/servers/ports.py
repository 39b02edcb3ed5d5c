"""Loopback ports that nobody else is given: no test takes a port that merely was free a moment ago."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_port() -> Iterator[int]:
    """A port that is ours while the context lasts: nothing listens on it but a server of our own that is told of it.

    It is bound and never listened on, so the system gives it to nobody; a server that sets SO_REUSEADDR, as servers do,
    may bind it too and listen, end, and listen again.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
