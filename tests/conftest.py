"""Settings and shared fixtures of all tests: one thread a process, since threads that wait for each other cost most."""

import os

# Before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from forked import end_forks
from small_build import cache, finished, home, lone_home, made, prefect_database, use_cache

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
    """Remember what was collected, before anything is left out or put into another order."""
    config.stash[COLLECTED] = [item.nodeid for item in items]


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[str]:
    """The ids of all tests that this process collected, in their order."""
    return pytestconfig.stash[COLLECTED]
