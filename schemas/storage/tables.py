"""From one pydantic record to its Arrow schema and `datasets` Features, and Parquet files read and written by it."""

import hashlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import TableProblem
from schemas.storage.atomic_files import replacing
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer_file

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features

ROW_GROUP_ROWS = 1000
"""Rows per Parquet row group of an internal table."""
PICTURE_GROUP_ROWS = 32
"""The same for tables that hold pictures, so that a group stays some megabytes."""


@cache
def _scalars() -> "Mapping[type, pa.DataType]":
    """Arrow is imported where tables are at hand, so that a list or a refusal is said at once."""
    import pyarrow as pa

    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


class Record(BaseModel):
    """A frozen row. Its annotations are the only definition: Arrow schema and Features are derived from them."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class EncodedImage(Record):
    """An image as the Hub stores it: encoded bytes and a file name. Becomes a `datasets.Image` feature."""

    bytes: bytes
    path: str


R = TypeVar("R", bound=Record)


def _unwrap(annotation: object) -> tuple[object, bool]:
    """The annotation without `Annotated` and `| None`, and whether None is allowed."""
    if get_origin(annotation) is Annotated:
        return _unwrap(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"{annotation}: a column has one type, and None at most")
        return _unwrap(inner[0])[0], True
    return annotation, False


def _arrow_type(annotation: object) -> "pa.DataType":
    import pyarrow as pa

    kind, _ = _unwrap(annotation)
    if get_origin(kind) is Literal:
        return _scalars()[type(get_args(kind)[0])]
    if get_origin(kind) is tuple:
        item, ellipsis = get_args(kind)
        if ellipsis is not Ellipsis:
            raise TypeError(f"{annotation}: only tuple[X, ...] becomes a list column")
        return pa.list_(_arrow_type(item))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return pa.struct(list(_arrow_fields(kind, nested=True)))
    if isinstance(kind, type) and kind in _scalars():
        return _scalars()[kind]
    raise TypeError(f"{annotation}: no Arrow type is defined for it")


def _arrow_fields(record: type[BaseModel], *, nested: bool) -> "Iterator[pa.Field]":
    import pyarrow as pa

    for name, info in record.model_fields.items():
        # Nested fields are nullable to Arrow, as `datasets` writes them; pydantic checks them on reading.
        yield pa.field(name, _arrow_type(info.annotation), nullable=nested or _unwrap(info.annotation)[1])


def arrow_schema(record: type[Record]) -> "pa.Schema":
    """The Arrow schema of a record; the record's name is kept in the schema metadata."""
    import pyarrow as pa

    return pa.schema(list(_arrow_fields(record, nested=False)), metadata={"ppubench.record": record.__name__})


def hub_features(record: type[Record]) -> "Features":
    """The `datasets.Features` of a record, in column order; EncodedImage columns become `Image()`."""
    from datasets import Features

    return Features({name: _feature(info.annotation) for name, info in record.model_fields.items()})


def _feature(annotation: object) -> object:
    from datasets import Image, List, Value

    kind, _ = _unwrap(annotation)
    if kind is EncodedImage:
        return Image()
    if get_origin(kind) is tuple:
        return List(_feature(get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: _feature(info.annotation) for name, info in kind.model_fields.items()}
    return Value(str(_arrow_type(kind)).replace("double", "float64"))


def _group_rows(record: type[Record]) -> int:
    holds_bytes = any(_unwrap(info.annotation)[0] is bytes for info in record.model_fields.values())
    return PICTURE_GROUP_ROWS if holds_bytes else ROW_GROUP_ROWS


def write_records(path: Path, records: Iterable[Record], record: type[Record]) -> int:
    """Write the rows as zstd Parquet through a temporary file and a rename; returns the number of rows.

    Streams one row group at a time, so the rows may be a generator. The same rows give the same bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(record)
    count, rows_per_group = 0, _group_rows(record)
    with replacing(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        group: list[dict[str, object]] = []
        for row in records:
            group.append(row.model_dump())
            count += 1
            if len(group) >= rows_per_group:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        if group or count == 0:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return count


def _check_columns(path: Path, found: "pa.Schema", record: type[Record], columns: Sequence[str] | None) -> None:
    for field in arrow_schema(record):
        if columns is not None and field.name not in columns:
            continue
        index = found.get_field_index(field.name)
        if index < 0 and columns is None and not record.model_fields[field.name].is_required():
            continue  # of an older ppubench, which did not say it: the rows get the default
        if index < 0:
            raise TableProblem(f"{path}, column {field.name}", "is missing", f"a {record.__name__} table has it")
        if found.field(index).type != field.type:
            raise TableProblem(
                f"{path}, column {field.name}", f"has type {found.field(index).type}", f"it must be {field.type}"
            )


def read_records(path: Path, record: type[R]) -> Iterator[R]:
    """Rows of a Parquet file as validated records, one row group in memory at a time.

    A column that is not there takes the record's default, if it has one, so that builds of older versions can be read.
    Raises TableProblem naming file, row (from 0) and column of the first thing that is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error, "cannot be read") from error
    with file:
        _check_columns(path, file.schema_arrow, record, None)
        extra = [name for name in file.schema_arrow.names if name not in record.model_fields]
        if extra:
            raise TableProblem(f"{path}, column {extra[0]}", "is not known", f"a {record.__name__} has no such column")
        row_number = 0
        for batch in _batches(path, file, _group_rows(record)):
            for row in batch.to_pylist():
                try:
                    yield record.model_validate(row)
                except ValidationError as error:
                    first = error.errors()[0]
                    column = ".".join(str(part) for part in first["loc"]) or "?"
                    raise TableProblem(
                        f"{path}, row {row_number}, column {column}",
                        f"{first['msg']} (found {str(first['input'])[:80]!r})",
                        "the table is damaged or was edited; build its stage again",
                    ) from error
                row_number += 1


def _damaged(path: Path, error: Exception, what: str) -> TableProblem:
    if is_pointer_file(path):
        return TableProblem(str(path), FOUND, ADVICE)
    return TableProblem(str(path), f"{what} ({' '.join(str(error).split())})", "build the stage that writes it again")


def _batches(path: Path, file: "pq.ParquetFile", rows: int) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    try:
        yield from file.iter_batches(batch_size=rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error, "is damaged") from error


def read_columns(path: Path, record: type[Record], columns: Sequence[str]) -> "pa.Table":
    """Some columns of a Parquet file as an Arrow table, checked against the record; cheap for wide tables."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow, record, columns)
            return file.read(columns=list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error, "is damaged") from error


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
