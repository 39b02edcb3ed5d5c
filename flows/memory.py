"""What a build asks of memory management: freed pages given back, garbage looked for less often."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (10_000, 20, 100)
"""Thresholds of Python's collector (gc.set_threshold) while shards are done; its defaults are (700, 10, 10)."""


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    Shards run in short-lived threads, each with a heap of its own in glibc; without this, freed pages stay and a
    build's memory grows with the number of shards.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def collect_less() -> None:
    """Have this process look for reference cycles less often.

    A shard makes a hundred thousand records, which have no cycles and are gone with it; at the default thresholds the
    collector walks through them, and through a large world beside them, for a tenth of the time.
    """
    gc.set_threshold(*COLLECT_AFTER)


@contextmanager
def fewer_collections() -> Iterator[None]:
    """`collect_less` for as long as the context lasts."""
    before = gc.get_threshold()
    collect_less()
    try:
        yield
    finally:
        gc.set_threshold(*before)
