"""Waiting for what another thread or process does, with time-outs that only a hang meets: they grow with the machine.

No test may fail because a machine is slow or busy. So every time-out in the tests is a multiple of what a quiet machine
needs, times how long a fixed piece of work takes here and now; PPUBENCH_TEST_PATIENCE multiplies them further.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from typing import Protocol

_WORK, _QUIET_S = 400_000, 0.016
"""Rounds of the fixed piece of work, and the seconds that they take on a quiet machine of 2024."""


@cache
def _slowness() -> float:
    """How many times as long as on a quiet machine work takes here, by the wall's clock; at least 1. Measured once."""
    began, total = time.perf_counter(), 0
    for number in range(_WORK):
        total += number
    return max(1.0, (time.perf_counter() - began) / _QUIET_S)


def patient(seconds: float) -> float:
    """A time-out of so many seconds on a quiet machine, as long as this machine needs it to be."""
    return seconds * _slowness() * float(os.environ.get("PPUBENCH_TEST_PATIENCE", "1"))


def wait_for(condition: Callable[[], object], *, limit_s: float = 60.0) -> None:
    """Return as soon as the condition holds; fails when it still does not after the (patient) limit."""
    end = time.monotonic() + patient(limit_s)
    while not condition():
        assert time.monotonic() < end, f"still not so after {patient(limit_s):.0f} s"
        time.sleep(0.005)


class Running(Protocol):
    """A process: subprocess.Popen, or Forked."""

    def poll(self) -> int | None: ...


def wait_while_running(process: Running, condition: Callable[[], object]) -> bool:
    """Wait for a condition that a process is to bring about; whether it still runs then. Fails as `wait_for` does."""
    wait_for(lambda: process.poll() is not None or condition(), limit_s=300)
    return process.poll() is None
