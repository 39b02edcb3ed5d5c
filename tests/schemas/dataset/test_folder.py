"""Damaged Parquet files of a dataset: the file is named, and what mends it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.dataset.folder import column_names, read_rows, row_count
from schemas.errors import BadInput

READERS: tuple[Callable[[Path], object], ...] = (
    row_count, column_names, lambda path: list(read_rows(path, needed=("sample_id",))),
)  # fmt: skip
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


@pytest.mark.parametrize("reader", READERS, ids=("rows", "columns", "cells"))
@pytest.mark.parametrize(
    ("content", "found"),
    [(POINTER, "fetch it with git lfs pull"), (b"", "it is empty"), (b"PAR1 cut off", "cannot be read")],
    ids=("pointer", "empty", "cut"),
)
def test_a_damaged_file_is_named_with_what_mends_it(
    reader: Callable[[Path], object], content: bytes, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "test-00000-of-00001.parquet"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=found) as problem:
        reader(path)
    assert str(path) in str(problem.value)
