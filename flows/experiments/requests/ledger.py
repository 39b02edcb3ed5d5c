"""The ledger: one file in which every request stands with its run, written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from schemas.errors import BadInput, first_line
from schemas.records.requests import Ledger, LedgerEntry
from schemas.storage.artifacts import write_json


def read_ledger(path: Path, *, dataset: str) -> Ledger:
    """The ledger of a dataset; an empty one where there is no file yet. Raises BadInput for one of another dataset."""
    try:
        found = Ledger.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Ledger(dataset=dataset)
    except (OSError, ValueError, ValidationError) as error:
        raise BadInput(str(path), f"is no ledger ({first_line(error)})", "name another file") from error
    if found.dataset != dataset:
        raise BadInput(str(path), "is the ledger of another dataset", "name the build that its requests were served on")
    return found


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Nobody else changes the ledger meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        yield


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write all of it, atomically."""
    write_json(path, ledger.model_dump(mode="json"))


def standing(ledger: Ledger, request_id: str) -> LedgerEntry | None:
    """The entry of a request that has been served and not been lifted since."""
    return next((each for each in ledger.entries if each.request.id == request_id and not each.undone), None)


def with_entry(ledger: Ledger, entry: LedgerEntry) -> Ledger:
    """The ledger with an entry; one of the same request and run is replaced, as by a run that was gone on with."""
    kept = [each for each in ledger.entries if (each.request.id, each.run) != (entry.request.id, entry.run)]
    return ledger.model_copy(update={"entries": (*kept, entry)})


def seen_from(path: Path, folder: Path) -> str:
    """A run's folder as a ledger names it."""
    return Path(os.path.relpath(folder.resolve(), path.resolve().parent)).as_posix()


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
