"""What several tests need is made once for all workers of a run, by the first that needs it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of that name which all workers share; nobody changes what is in it, but takes a copy."""
    own = factory.getbasetemp()
    top = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, done = top / "made_once" / name, top / "made_once" / f"{name}.done"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            folder.mkdir()  # a maker that failed half-way fails here at the next worker, too
            make(folder)
            done.touch()
    return folder
