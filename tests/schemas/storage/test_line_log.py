"""The append-only file of records: memory holds places, the file holds rows."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from schemas.storage.line_log import LineLog
from schemas.storage.tables import Record


class Row(Record):
    name: str
    text: str


def log_at(path: Path) -> LineLog[Row]:
    return LineLog(path, Row, key="k", name_of=lambda row: row.name)


def test_the_last_row_of_a_name_counts(tmp_path: Path) -> None:
    for _ in range(2):
        with log_at(tmp_path / "log") as log:
            log.save(Row(name="a", text="first"))
            log.save(Row(name="b", text="other"))
            log.save(Row(name="a", text="last"))
            assert [row.text for row in log.rows()] == ["last", "other"]


def test_a_row_longer_than_one_reading_is_whole(tmp_path: Path) -> None:
    with log_at(tmp_path / "log") as log:
        log.save(Row(name="long", text="ü" * 10_000))
        log.save(Row(name="next", text="x"))
        assert log.get("long") == Row(name="long", text="ü" * 10_000)
        assert log.get("next") == Row(name="next", text="x")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=40)), max_size=12))
def test_a_log_gives_back_what_a_dictionary_would(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected: dict[str, str] = {}
        with log_at(Path(folder) / "log") as log:
            for name, text in rows:
                log.save(Row(name=name, text=text))
                expected[name] = text
        with log_at(Path(folder) / "log") as log:
            assert {row.name: row.text for row in log.rows()} == expected
