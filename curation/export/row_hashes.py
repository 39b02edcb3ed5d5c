"""Hashes of the rows of a release, by config: two copies of a release are equal if these are, whatever their files."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.dataset.folder import config_files, config_names, damaged
from schemas.storage.tables import Record


class ConfigHash(Record):
    """Rows of a config and the sha256 over the sha256 of each, in order."""

    rows: int
    sha256: str


def hash_rows(folder: Path) -> dict[str, ConfigHash]:
    """The hash of every config of a dataset folder. Every cell counts, pictures by their bytes.

    Raises BadInput, naming the file, for one that is damaged.
    """
    return {config: _hash_config(config_files(folder, config)) for config in config_names(folder)}


def _hash_config(files: list[Path]) -> ConfigHash:
    total, count = hashlib.sha256(), 0
    for path in files:
        try:
            for line in _file_lines(path):
                total.update(hashlib.sha256(line).digest())
                count += 1
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error
    return ConfigHash(rows=count, sha256=total.hexdigest())


def _file_lines(path: Path) -> Iterator[bytes]:
    with pq.ParquetFile(path, read_dictionary=_byte_columns(path)) as file:
        for number in range(file.num_row_groups):
            yield from _lines(file.read_row_group(number))


def _byte_columns(path: Path) -> list[str]:
    """Leaf columns of bytes, which are read as dictionaries: a repeated picture is hashed once, not once a row."""
    schema = pq.read_schema(path)
    return [f"{field.name}.bytes" for field in schema if pa.types.is_struct(field.type)]


def _lines(table: pa.Table) -> list[bytes]:
    """Each row as canonical JSON, with a digest in the place of bytes."""
    columns = [_cells(table.column(name).combine_chunks()) for name in table.column_names]
    names = table.column_names
    return [
        json.dumps(dict(zip(names, row, strict=True)), sort_keys=True, ensure_ascii=False).encode()
        for row in zip(*columns, strict=True)
    ]


def _cells(column: pa.Array) -> list[object]:
    if pa.types.is_struct(column.type):
        parts = {field.name: _cells(column.field(field.name)) for field in column.type}
        shown = column.is_valid().to_pylist()
        return [
            {name: values[index] for name, values in parts.items()} if there else None
            for index, there in enumerate(shown)
        ]
    if pa.types.is_dictionary(column.type):
        digests = [_digest(value) for value in column.dictionary.to_pylist()]
        return [None if index is None else digests[index] for index in column.indices.to_pylist()]
    if pa.types.is_binary(column.type):
        return [_digest(value) for value in column.to_pylist()]
    return list(column.to_pylist())


def _digest(value: object) -> str | None:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else None
