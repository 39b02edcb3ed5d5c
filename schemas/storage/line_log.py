"""An append-only file of records, one JSON line each: what was saved survives the death of the process."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import ValidationError

from schemas.storage.tables import Record

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)
_CHUNK = 4096
"""Bytes read at a time; most lines are shorter."""


class LineLog(Generic[R]):
    """Open it as a context manager, in one process at a time. Memory holds where each row stands, not the rows.

    The first line holds the key of what the rows depend on: a file with another key is begun anew. A last line cut off
    by a kill is removed. Of several rows with one name the last counts.
    """

    def __init__(self, path: Path, record: type[R], *, key: str, name_of: Callable[[R], str]) -> None:
        self._path, self._record, self._name_of = path, record, name_of
        self._places: dict[str, int] = {}
        header = json.dumps({"key": key}).encode() + b"\n"
        intact = self._read(header)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("r+b" if intact else "w+b")
        self._handle.truncate(intact)
        self._handle.seek(intact)
        self._end = intact
        if not intact:
            self._append(header)

    def _read(self, header: bytes) -> int:
        """Take in the rows of an existing file; returns how many of its bytes are intact, 0 to begin anew."""
        if not self._path.exists():
            return 0
        intact = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines):
                if number == 0 and line != header:
                    log.warning("%s holds answers to other prompts or of another target; asking again", self._path)
                    return 0
                if number > 0:
                    row = self._parsed(line)
                    if row is None:
                        log.info("%s: line %d is cut off; asking again from there", self._path, number + 1)
                        break
                    self._places[self._name_of(row)] = intact
                intact += len(line)
        return intact

    def _parsed(self, line: bytes) -> R | None:
        try:
            return self._record.model_validate_json(line) if line.endswith(b"\n") else None
        except ValidationError:
            return None

    def _append(self, line: bytes) -> None:
        self._handle.write(line)
        self._handle.flush()
        self._end += len(line)

    def get(self, name: str) -> R | None:
        """The last row of that name, read from the file."""
        place = self._places.get(name)
        if place is None:
            return None
        line = b""
        while not line.endswith(b"\n"):
            more = os.pread(self._handle.fileno(), _CHUNK, place + len(line))
            if not more:
                raise OSError(f"{self._path} was cut while it was in use")
            line = (line + more).partition(b"\n")[0] + (b"\n" if b"\n" in more else b"")
        return self._record.model_validate_json(line)

    def save(self, row: R) -> None:
        """Append the row and hand it to the operating system: it survives the death of this process."""
        line = row.model_dump_json().encode() + b"\n"
        self._places[self._name_of(row)] = self._end
        self._append(line)

    def rows(self) -> Iterator[R]:
        """The rows that count, in the order in which their names were first saved."""
        for name in self._places:
            row = self.get(name)
            if row is not None:
                yield row

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()
