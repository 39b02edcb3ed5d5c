"""What a build asks of memory management: freed pages given back, garbage looked for less often."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.vocabulary import Stage

OF_PYTHON = (700, 10, 10)
"""Thresholds at which Python 3.11 and 3.12 start (gc.set_threshold)."""
COLLECT_AFTER = (10_000, 20, 100)
"""The same while shards are done."""
WITH_MODELS: frozenset[Stage] = frozenset({"probe"})


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    Shards run in short-lived threads, each with a heap of its own in glibc; without this, freed pages stay and a
    build's memory grows with the number of shards.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def collect_for(stage: Stage) -> None:
    """Have this process look for reference cycles as often as suits a stage.

    A shard makes a hundred thousand records, which have no cycles and are gone with it; at Python's own thresholds the
    collector walks through them, and through a large world beside them, for a tenth of the time. Where a model
    answers, cycles may hold its tensors: nothing is changed there.
    """
    gc.set_threshold(*(OF_PYTHON if stage in WITH_MODELS else COLLECT_AFTER))


@contextmanager
def collecting_for(stage: Stage) -> Iterator[None]:
    """`collect_for` a stage as long as the context lasts."""
    before = gc.get_threshold()
    if stage not in WITH_MODELS:
        collect_for(stage)
    try:
        yield
    finally:
        gc.set_threshold(*before)
