"""Parquet files of one config, written row by row in the form that `datasets` reads with images decoded."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.dataset.release import ConfigSummary
from schemas.storage.tables import EncodedImage, Record, hub_features

DICTIONARY_BYTES = 1 << 30
"""Limit of a dictionary page. Far beyond a row group's distinct images: a repeated image is stored once in it."""

FILTER_COLUMNS = ("sample_id", "subject_id", "subject", "task_type", "modality", "property_id", "sensitivity")
"""Columns with statistics, so that readers can skip row groups; on the others they would cost memory and bytes."""


class HubTable:
    """The open files of one config. Rows are kept back until a row group is full, then written and forgotten.

    A row group ends where the next subject would not fit in it, so that a subject's images lie in one group; only
    subjects with more rows than a group holds are cut. The same rows give the same bytes.
    """

    def __init__(
        self,
        folder: Path,
        config: str,
        split: str,
        record: type[Record],
        *,
        rows_per_file: int,
        rows_per_group: int,
        batch: int = 0,
    ) -> None:
        """The files of batch 0 have the published names; those of a later one say so, and no file is ever renamed."""
        self.config, self.split, self.record = config, split, record
        self.rows = 0
        self._folder = folder / "data" / config
        self._schema = hub_features(record).arrow_schema
        self._rows_per_file, self._rows_per_group = rows_per_file, rows_per_group
        self._stem = split if batch == 0 else f"{split}-batch{batch:03d}"
        self._group: list[Record] = []
        self._subject: list[Record] = []
        self._writer: pq.ParquetWriter | None = None
        self._parts: list[Path] = []
        self._rows_in_file = 0

    def add(self, row: Record) -> None:
        """Take a row of the present subject."""
        self._subject.append(row)

    def end_subject(self) -> None:
        """Say that the rows of a subject are complete."""
        if self._group and len(self._group) + len(self._subject) > self._rows_per_group:
            self._flush()
        self._group += self._subject
        self._subject = []
        while len(self._group) > self._rows_per_group:
            self._flush()

    def close(self) -> ConfigSummary:
        """Write what is left, give the files their final names, and say what there is: no file where no row came."""
        self.end_subject()
        if self._group:
            self._flush()
        self.abandon()
        files = []
        for number, part in enumerate(self._parts):
            final = part.with_name(f"{self._stem}-{number:05d}-of-{len(self._parts):05d}.parquet")
            part.replace(final)
            files.append(final)
        return ConfigSummary.model_validate(
            {
                "name": self.config,
                "split": self.split,
                "rows": self.rows,
                "files": tuple(f"data/{self.config}/{file.name}" for file in files),
                "bytes": sum(file.stat().st_size for file in files),
            }
        )

    def abandon(self) -> None:
        """Close the file at hand without naming it; safe to call at any time."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _flush(self) -> None:
        group, self._group = self._group[: self._rows_per_group], self._group[self._rows_per_group :]
        writer = self._writer
        if writer is None or self._rows_in_file + len(group) > self._rows_per_file:
            writer = self._next_file()
        writer.write_table(_hub_table(group, self.record, self._schema))
        self._rows_in_file += len(group)
        self.rows += len(group)

    def _next_file(self) -> pq.ParquetWriter:
        self.abandon()
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{self._stem}-{len(self._parts):05d}.part"
        self._writer = pq.ParquetWriter(
            part,
            self._schema,
            compression="zstd",
            write_page_index=True,
            write_statistics=[name for name in self.record.model_fields if name in FILTER_COLUMNS],
            use_dictionary=True,
            dictionary_pagesize_limit=DICTIONARY_BYTES,
        )
        self._parts.append(part)
        self._rows_in_file = 0
        return self._writer


def _hub_table(rows: Sequence[Record], record: type[Record], schema: pa.Schema) -> pa.Table:
    cells = [row.__dict__ for row in rows]
    columns = [
        _image_column([row[name] for row in cells], schema.field(name).type)
        if pa.types.is_struct(schema.field(name).type)
        else pa.array([row[name] for row in cells], type=schema.field(name).type)
        for name in record.model_fields
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _image_column(images: Sequence[EncodedImage | None], kind: pa.StructType) -> pa.StructArray:
    """Images as `datasets` stores them: a struct of bytes and path, null where there is none."""
    return pa.StructArray.from_arrays(
        [
            pa.array([None if image is None else image.bytes for image in images], type=kind.field("bytes").type),
            pa.array([None if image is None else image.path for image in images], type=kind.field("path").type),
        ],
        fields=[kind.field("bytes"), kind.field("path")],
        mask=pa.array([image is None for image in images], type=pa.bool_()),
    )
