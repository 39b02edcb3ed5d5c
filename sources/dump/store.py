"""What was kept of a dump, in one SQLite file: entities by number, names, bad lines, and how far the reading got.

Rows and progress are written in one transaction, so that a killed extraction goes on exactly where it was.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from schemas.errors import BadInput
from schemas.storage.tables import Record
from sources.dump.entity_filter import Kept
from sources.dump.lines import BadLine
from sources.wikimedia.redaction import before_claims
from sources.wikimedia.wikidata import name_key

FILE = "entities.sqlite"
_AT_ONCE = 500
"""Numbers in one query."""
_TABLES = """
CREATE TABLE IF NOT EXISTS entity (
    number INTEGER PRIMARY KEY, round INTEGER NOT NULL, person INTEGER NOT NULL, sitelinks INTEGER NOT NULL,
    problem TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS entity_person ON entity (sitelinks DESC, number) WHERE person;
CREATE TABLE IF NOT EXISTS name (key TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (key, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bad_line (place INTEGER PRIMARY KEY, problem TEXT NOT NULL, head BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Stored(Record):
    """An entity as it lies in the store: its JSON, or what is wrong with it."""

    qid: str
    body: str
    problem: str


class DumpStore:
    """A live resource: an open store. Safe to read from several threads; only one process writes."""

    def __init__(self, folder: Path, *, writing: bool) -> None:
        """Raises BadInput if there is no store to read, or if the file is no store."""
        path = folder / FILE
        if not writing and not path.is_file():
            raise BadInput(str(folder), "holds no extracted dump", "make it with `ppubench dump FILE --out FOLDER`")
        if writing:
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        mode = "rwc" if writing else "ro"
        try:
            self._database = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}", uri=True, check_same_thread=False
            )
            if writing:
                self._database.executescript(_TABLES)
            self._database.execute("SELECT count(*) FROM state").fetchone()
        except sqlite3.Error as error:
            raise BadInput(str(path), f"cannot be used ({error})", "delete the folder and extract again") from error

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def state(self, name: str) -> str | None:
        """What was noted under a name."""
        found = self._database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def write(self, kept: Iterable[Kept], bad: Iterable[BadLine], state: dict[str, str], *, round_: int) -> None:
        """Entities, bad lines and notes in one transaction. What is kept already is not kept again."""
        with self._lock, self._database:
            for entity in kept:
                number = int(entity.qid[1:])
                row = (
                    number,
                    round_,
                    entity.is_person and round_ == 1,
                    entity.sitelinks,
                    entity.problem,
                    zlib.compress(entity.body.encode(), 3),
                )
                self._database.execute("INSERT OR IGNORE INTO entity VALUES (?, ?, ?, ?, ?, ?)", row)
                if round_ == 1:
                    names = [(name_key(name), number) for name in entity.names]
                    self._database.executemany("INSERT OR IGNORE INTO name VALUES (?, ?)", names)
            rows = [(line.offset, line.problem, before_claims(line.head)) for line in bad]
            self._database.executemany("INSERT OR IGNORE INTO bad_line VALUES (?, ?, ?)", rows)
            self._database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", sorted(state.items()))

    def clear(self) -> None:
        """Forget everything: an extraction that starts again."""
        with self._lock, self._database:
            for table in ("entity", "name", "bad_line", "state"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - one of our tables

    def entities(self, numbers: Sequence[int]) -> dict[int, Stored]:
        """The kept ones of some entities, by number."""
        found: dict[int, Stored] = {}
        for start in range(0, len(numbers), _AT_ONCE):
            part = list(numbers[start : start + _AT_ONCE])
            marks = ",".join("?" * len(part))
            query = f"SELECT number, body, problem FROM entity WHERE number IN ({marks})"  # noqa: S608 - only marks
            with self._lock:
                rows = self._database.execute(query, part).fetchall()
            for number, body, problem in rows:
                found[number] = Stored(qid=f"Q{number}", body=zlib.decompress(body).decode(), problem=problem)
        return found

    def numbers(self, *, round_: int | None = None, after: int = 0, limit: int = -1) -> list[int]:
        """Numbers of the kept entities (of one round) above `after`, rising; all of them, or `limit`."""
        query = "SELECT number FROM entity WHERE number > ? AND round = coalesce(?, round) ORDER BY number LIMIT ?"
        with self._lock:
            return [row[0] for row in self._database.execute(query, (after, round_, limit))]

    def discard_kept(self, numbers: set[int], *, before: int) -> None:
        """Take out of the numbers those that a round before this one has kept; there may be millions, so in place."""
        rising = sorted(numbers)
        query = "SELECT number FROM entity WHERE number BETWEEN ? AND ? AND round < ?"
        for start in range(0, len(rising), _AT_ONCE):
            part = rising[start : start + _AT_ONCE]
            with self._lock:
                numbers.difference_update(row[0] for row in self._database.execute(query, (part[0], part[-1], before)))

    def people(self, *, min_sitelinks: int) -> list[int]:
        """Numbers of those who may become subjects, most sitelinks first, then by number; broken ones at the end."""
        query = """SELECT number FROM entity WHERE person AND (sitelinks >= ? OR problem <> '')
                   ORDER BY problem <> '', sitelinks DESC, number"""
        with self._lock:
            return [row[0] for row in self._database.execute(query, (min_sitelinks,))]

    def named(self, name: str) -> list[int]:
        """Numbers of the people with this label or alias, most sitelinks first."""
        query = """SELECT number FROM name JOIN entity USING (number) WHERE key = ?
                   ORDER BY sitelinks DESC, number"""
        with self._lock:
            return [row[0] for row in self._database.execute(query, (name_key(name),))]

    def bad_lines(self) -> list[BadLine]:
        """The lines that are no entity, in the dump's order."""
        rows = self._database.execute("SELECT place, problem, head FROM bad_line ORDER BY place")
        return [BadLine(*row) for row in rows]

    def count(self, *, round_: int) -> int:
        """How many entities a round has kept."""
        return int(self._database.execute("SELECT count(*) FROM entity WHERE round = ?", (round_,)).fetchone()[0])

    def digest(self) -> str:
        """A digest of all that is kept, whatever the order in which it was written."""
        running = hashlib.sha256()
        for number, round_, problem, body in self._rows():
            running.update(f"{number} {round_} {problem}\n".encode() + zlib.decompress(body) + b"\n")
        return running.hexdigest()[:32]

    def _rows(self) -> Iterator[tuple[int, int, str, bytes]]:
        yield from self._database.execute("SELECT number, round, problem, body FROM entity ORDER BY number")
