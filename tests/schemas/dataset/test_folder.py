"""Damaged Parquet files of a dataset: the file is named, and what mends it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.card.metadata_files import read_release
from curation.export.row_hashes import hash_rows
from schemas.dataset.folder import HubRow, Pictures, column_names, read_rows, row_count
from schemas.dataset.split_files import read_roles, split_ratios
from schemas.errors import BadInput, TableProblem
from schemas.records.build_rows import Subject
from schemas.storage.tables import read_records

READERS: tuple[Callable[[Path], object], ...] = (
    row_count,
    column_names,
    lambda path: list(read_rows(path, needed=("sample_id",))),
    lambda path: hash_rows(path.parents[2]),
)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


@pytest.mark.parametrize("reader", READERS, ids=("rows", "columns", "cells", "hashes"))
@pytest.mark.parametrize(
    ("content", "found"),
    [(POINTER, "fetch it with git lfs pull"), (b"", "it is empty"), (b"PAR1 cut off", "cannot be read")],
    ids=("pointer", "empty", "cut"),
)
def test_a_damaged_file_is_named_with_what_mends_it(
    reader: Callable[[Path], object], content: bytes, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "ppu_eval_cloze" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=found) as problem:
        reader(path)
    assert str(path) in str(problem.value)


@pytest.mark.parametrize(
    ("place", "reader"),
    [
        ("release.json", read_release),
        ("data/split/selective_split.json", lambda hub: read_roles(hub, "selective", None)),
        ("data/split/complete_split.json", split_ratios),
        ("subjects-00000.parquet", lambda hub: list(read_records(hub / "subjects-00000.parquet", Subject))),
    ],
)
def test_a_git_lfs_pointer_is_named_whatever_it_stands_for(
    place: str, reader: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(POINTER)
    with pytest.raises((BadInput, TableProblem), match="fetch it with git lfs pull") as problem:
        reader(tmp_path)
    assert str(tmp_path / place) in str(problem.value)


def test_a_picture_that_is_a_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    row = HubRow("x.parquet, row 3", {"image": {"bytes": POINTER}})
    with pytest.raises(BadInput, match="row 3, column image.*git lfs pull"):
        Pictures(tmp_path).of(row, "image")
