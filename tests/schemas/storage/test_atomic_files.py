"""Files that appear whole or not at all, also where two write the same one."""

from pathlib import Path

import pytest

from schemas.storage.atomic_files import PART, replacing
from schemas.storage.tables import Record, read_records, write_records


class Row(Record):
    number: int


def test_two_that_write_one_file_do_not_touch_each_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("one")
        second.write_text("other")
        assert first.read_text() == "one"
        assert not path.exists()
    assert path.read_text() == "one"  # the outer one ends last
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.parquet"]


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rows.parquet"
    write_records(path, [Row(number=1)], Row)

    def broken() -> "list[Row]":
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_records(path, (row for rows in ([Row(number=2)], broken()) for row in rows), Row)
    assert list(read_records(path, Row)) == [Row(number=1)]
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.parquet"]


def test_names_of_files_being_written_can_be_told(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.json") as part:
        part.write_text("{}")
        assert part.suffix == PART
        assert part.parent == tmp_path
