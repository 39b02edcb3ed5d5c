"""Review file: a CSV that a reader filled in, as their spreadsheet saved it, read into marks line by line."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput
from schemas.records.review import Opinion, ReviewSample
from schemas.storage.csv_text import cell_text

NEEDED = ("verdict", "sample_id", "sample", "shown")
DELIMITERS = (",", ";", "\t")
WORDS: Mapping[str, Opinion] = {
    "accept": "accept", "accepted": "accept", "a": "accept",
    "reject": "reject", "rejected": "reject", "r": "reject",
}  # fmt: skip
AS_WRITTEN = "save the file that `ppubench review` wrote, with all its columns, as CSV"
_CELL = 10_000_000


@dataclass(frozen=True)
class Mark:
    """One judged line."""

    line: int
    sample_id: str
    verdict: Opinion
    reason: str
    sample: ReviewSample
    shown: str


@dataclass(frozen=True)
class Marks:
    """What a review file says."""

    judged: tuple[Mark, ...]
    """Each fact once, in the order of the file."""
    open: int
    """Lines without a verdict."""
    repeated: int
    """Lines that say of a fact what another line said before."""


def read_marks(path: Path) -> Marks:
    """The verdicts of a file with any of the usual separators, line ends, encodings and orders of columns.

    A line without a verdict says nothing. Raises BadInput for a file that is no review, for a verdict that is neither
    accept nor reject, and for a fact that is accepted on one line and rejected on another.
    """
    judged: dict[str, Mark] = {}
    unjudged = repeated = 0
    for line, cells in _lines(path):
        where, said = f"{path}, line {line}", " ".join(cells["verdict"].split()).casefold()
        sample_id = cell_text(cells["sample_id"])
        if not said:
            unjudged += 1
            continue
        if said not in WORDS:
            raise BadInput(where, f"has the verdict {said[:40]!r}", "write accept or reject, or leave it empty")
        try:
            sample = ReviewSample.parse(cells["sample"])
        except BadInput as problem:
            raise BadInput(where, f"column sample: {problem.found}", problem.advice) from None
        reason = " ".join(cell_text(cells.get("reason", "")).split())
        mark = Mark(line, sample_id, WORDS[said], reason, sample, cells["shown"].strip())
        before = judged.setdefault(sample_id, mark)
        if before.verdict != mark.verdict:
            found = f"says {mark.verdict} of {sample_id}, and line {before.line} says {before.verdict}"
            raise BadInput(where, found, "decide which of the two it is")
        repeated += before is not mark
    return Marks(tuple(judged.values()), unjudged, repeated)


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, cells by column) of every line with anything in it."""
    text = _text(path)
    rows, header = _table(path, text)
    names = [name.strip().casefold() for name in header]
    twice = sorted({name for name in names if name in NEEDED and names.count(name) > 1})
    if twice:
        raise BadInput(str(path), f"has the column {twice[0]} twice", "leave one of them")
    found = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if any(cell.strip() for cell in row[len(names) :]):
            said = f"has {len(row)} cells, and the header {len(names)}"
            raise BadInput(f"{path}, line {line}", said, AS_WRITTEN)
        found.append((line, dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False))))
    return found


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "name the CSV that holds the verdicts") from None
    except IsADirectoryError:
        raise BadInput(str(path), "is a folder", "name the CSV that holds the verdicts") from None
    except PermissionError:
        raise BadInput(str(path), "may not be read", "change its mode") from None
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadInput(str(path), "is a spreadsheet's own format, not CSV", "save it as CSV (UTF-8)")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"is not UTF-8 text (byte {error.start})"
        raise BadInput(str(path), found, "save it as 'CSV UTF-8', so that names stay whole") from error


def _table(path: Path, text: str) -> tuple[list[tuple[int, list[str]]], Sequence[str]]:
    """The lines after the header and the header, by the separator with which the header has what is needed."""
    missing: Sequence[str] = NEEDED
    for delimiter in DELIMITERS:
        rows = _rows(path, text, delimiter)
        if rows and rows[0][1] and rows[0][1][0].casefold().startswith("sep="):
            rows = rows[1:]  # said for spreadsheets alone
        header = rows[0][1] if rows else []
        lacks = [name for name in NEEDED if name not in {cell.strip().casefold() for cell in header}]
        if not lacks:
            return rows[1:], header
        missing = min(missing, lacks, key=len)
    found = f"is no review file: it lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    raise BadInput(str(path), found, AS_WRITTEN)


def _rows(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Rows with the number of the line on which each begins."""
    before = csv.field_size_limit(_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}, line {line}", f"is not CSV ({error})", AS_WRITTEN) from error
    finally:
        csv.field_size_limit(before)
    return rows
