"""Rows of a benchmark's configs, streamed from Parquet, JSON and JSON lines, with the place that messages name."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from schemas.dataset.folder import damaged, undecodable
from schemas.errors import BadInput
from sources.benchmarks.literals import parse_literal
from sources.hub.published_layout import data_configs, data_suffix

SUFFIXES = frozenset({".parquet", ".json", ".jsonl", ".json.gz", ".jsonl.gz"})
_BATCH = 50
_AGAIN = "fetch the benchmark again, or check its version"


@dataclass(frozen=True)
class RawRow:
    """One row with its file and number. The readers ask it for a column in the kind that they need."""

    where: str
    cells: Mapping[str, object]

    def bad(self, column: str, found: str) -> BadInput:
        """The problem of a cell."""
        return BadInput(f"{self.where}, column {column}", found, _AGAIN)

    def text(self, column: str) -> str:
        """A cell as text without blanks around it; "" where it is null. Raises BadInput where the column is missing."""
        value = self._cell(column)
        if isinstance(value, Mapping | list | tuple | bytes):
            raise self.bad(column, f"holds a {type(value).__name__} where a text is expected")
        return "" if value is None else str(value).strip()

    def mapping(self, column: str) -> Mapping[str, object]:
        """A cell that is a dictionary, or spells one; empty where it is null."""
        value = self._literal(column)
        if value is None or value == "":
            return {}
        if not isinstance(value, Mapping):
            raise self.bad(column, f"holds a {type(value).__name__} where a dictionary is expected")
        return {str(name): each for name, each in value.items()}

    def listed(self, column: str) -> list[object]:
        """A cell that is a list or tuple, or spells one; a single value is a list of one, null one of none."""
        value = self._literal(column) if column in self.cells else self._cell(column)
        if value is None or value == "":
            return []
        return list(value) if isinstance(value, list | tuple) else [value]

    def has(self, column: str) -> bool:
        """Whether the row has a value in that column."""
        return self.cells.get(column) not in (None, "")

    def _cell(self, column: str) -> object:
        if column not in self.cells:
            raise BadInput(f"{self.where}, column {column}", f"is missing (it has {', '.join(self.cells)})", _AGAIN)
        return self.cells[column]

    def _literal(self, column: str) -> object:
        value = self._cell(column)
        if not isinstance(value, str):
            return value
        if not value.strip().startswith(("{", "[", "(")):
            return value
        try:
            return parse_literal(value)
        except ValueError as error:
            raise self.bad(column, str(error)) from None


class BenchmarkFolder:
    """A clone or folder of a benchmark: its configs by name, whatever place and format their files have."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput where there is no folder, or no data file in it."""
        if not path.is_dir():
            raise BadInput(str(path), "is not a folder", "name a clone of a benchmark, or its id on the Hub")
        self.path = path
        named: dict[str, list[Path]] = {}
        for file in sorted(path.rglob("*")):
            suffix = data_suffix(file)
            if suffix in SUFFIXES and ".git" not in file.parts:
                stem = file.name.removesuffix(suffix)
                named.setdefault(file.parent.name if suffix == ".parquet" else stem, []).append(file)
        self._files = {**named, **data_configs(path, SUFFIXES)}
        if not self._files:
            raise BadInput(str(path), "holds no Parquet, JSON or JSON lines file", "name a clone of a benchmark")

    @property
    def configs(self) -> list[str]:
        """Names, sorted."""
        return sorted(self._files)

    def rows(self, config: str, columns: Sequence[str] | None = None) -> Iterator[RawRow]:
        """The rows of a config in order; of Parquet only `columns` are read. Raises BadInput where it is missing."""
        if config not in self._files:
            raise BadInput(f"{self.path}, config {config}", "is missing", f"it has {', '.join(self.configs)}")
        for file in self._files[config]:
            yield from _parquet(file, columns) if file.suffix == ".parquet" else _json(file)

    def picture(self, row: RawRow, column: str, value: object) -> bytes | None:
        """An encoded picture: bytes, a struct with bytes or path, or a path in the folder. URLs are not fetched.

        None where the cell is null, or a struct of nulls alone.
        """
        if value is None or (isinstance(value, Mapping) and not any(value.values())):
            return None
        content = value.get("bytes") if isinstance(value, Mapping) else value
        path = value.get("path") if isinstance(value, Mapping) else value
        if not isinstance(content, bytes) and isinstance(path, str) and path:
            content = self._file(row, column, path)
        if not isinstance(content, bytes) or not content:
            raise row.bad(column, "holds no picture")
        if reason := undecodable(content):
            raise row.bad(column, f"holds a picture that does not decode ({reason})")
        return content

    def _file(self, row: RawRow, column: str, path: str) -> bytes:
        if "://" in path:
            advice = "download the pictures into the folder, and put their paths in the column"
            raise BadInput(f"{row.where}, column {column}", f"names a picture by its URL ({path[:80]})", advice)
        file = (self.path / path).resolve()
        if not file.is_relative_to(self.path.resolve()):
            raise row.bad(column, f"names a picture outside the folder ({path[:80]})")
        if not file.is_file():
            raise row.bad(column, f"names a picture that is not there ({path[:80]})")
        return file.read_bytes()


def _parquet(file: Path, columns: Sequence[str] | None) -> Iterator[RawRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            present = opened.schema_arrow.names
            wanted = None if columns is None else [name for name in columns if name in present]
            number = 0
            for batch in opened.iter_batches(batch_size=_BATCH, columns=wanted):
                for cells in batch.to_pylist():
                    yield RawRow(f"{file}, row {number}", cells)
                    number += 1
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(file, error) from error


def _json(file: Path) -> Iterator[RawRow]:
    """Rows of a JSON list, or of JSON lines: the first character tells which. Compressed files are read as they are."""
    zipped = file.suffix == ".gz"
    try:
        with gzip.open(file, "rt", encoding="utf-8-sig") if zipped else file.open(encoding="utf-8-sig") as opened:
            yield from _json_rows(file, opened)
    except UnicodeDecodeError as error:
        raise BadInput(str(file), f"is not UTF-8 ({error.reason} at byte {error.start})", "save it as UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(str(file), f"does not decompress ({error})", _AGAIN) from error


def _json_rows(file: Path, opened: TextIO) -> Iterator[RawRow]:
    head = opened.read(1)
    while head.isspace():
        head = opened.read(1)
    opened.seek(0)
    if head == "[":
        try:
            content = json.load(opened)
        except json.JSONDecodeError as error:
            raise BadInput(str(file), f"is no JSON ({error})", _AGAIN) from error
        for number, cells in enumerate(content):
            yield _json_row(f"{file}, item {number}", cells)
        return
    for number, line in enumerate(opened, start=1):
        if line.strip():
            try:
                cells = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadInput(f"{file}, line {number}", f"is no JSON ({error})", _AGAIN) from error
            yield _json_row(f"{file}, line {number}", cells)


def _json_row(where: str, cells: object) -> RawRow:
    if not isinstance(cells, dict):
        raise BadInput(where, f"is a {type(cells).__name__}, not an object", _AGAIN)
    return RawRow(where, cells)
