"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    """Return as soon as the condition holds; fails when it does not in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"still not so after {limit_s} s"
        time.sleep(0.005)
