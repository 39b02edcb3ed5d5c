"""Settings and shared fixtures of all tests: one thread a process, since threads that wait for each other cost most."""

import os
from collections import Counter

# Before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

from tests.servers.forked import end_forks
from tests.worlds.small_build import cache, finished, home, lone_home, made, prefect_database, use_cache

__all__ = ["cache", "end_forks", "finished", "home", "lone_home", "made", "prefect_database", "use_cache"]
"""Fixtures of all tests, made here and elsewhere."""

COLLECTED = pytest.StashKey[list[str]]()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes get written ids: what they hold may come from a clock or from chance, and is no sentence anyway."""
    if isinstance(val, bytes):
        raise ValueError(f"{argname}: is bytes, which need an id: pytest.param(…, id=…)")
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files with most slow tests begin, so that no worker idles long at the end (`--no-loadscope-reorder` has xdist
    keep that order); what was collected is remembered before anything is left out."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    config.stash[COLLECTED] = [item.nodeid for item in items]


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[str]:
    """The ids of all tests that this process collected, in their order."""
    return pytestconfig.stash[COLLECTED]
