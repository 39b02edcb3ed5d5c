"""Records to Arrow and `datasets`, and tables that say what is wrong with them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas.dataset.samples
import schemas.records.build_rows
from schemas.errors import TableProblem
from schemas.records.build_rows import Drop, Vote
from schemas.storage.tables import (
    EncodedImage,
    Record,
    arrow_schema,
    hub_features,
    read_columns,
    read_records,
    write_records,
)

RECORDS = sorted(
    {
        kind
        for module in (schemas.records.build_rows, schemas.dataset.samples)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
    },
    key=lambda kind: kind.__name__,
)


class Odd(Record):
    name: str
    count: int | None
    scores: tuple[float, ...]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_features_and_arrow_schema_of_a_record_agree(record: type[Record]) -> None:
    assert hub_features(record).arrow_schema.types == arrow_schema(record).types
    assert list(hub_features(record)) == arrow_schema(record).names


def test_an_encoded_image_becomes_an_image_feature() -> None:
    from datasets import Image

    class WithImage(Record):
        image: EncodedImage | None

    assert isinstance(hub_features(WithImage)["image"], Image)


def test_an_optional_field_is_nullable_and_others_are_not() -> None:
    schema = arrow_schema(Odd)
    assert schema.field("count").nullable
    assert not schema.field("name").nullable


COUNTS = st.none() | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.builds(Odd, name=st.text(), count=COUNTS, scores=st.tuples(st.floats())), max_size=5))
def test_rows_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Odd]) -> None:
    path = tmp_path_factory.mktemp("t") / "odd.parquet"
    assert write_records(path, rows, Odd) == len(rows)
    assert [row.model_dump_json() for row in read_records(path, Odd)] == [row.model_dump_json() for row in rows]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [Vote(sample_id=f"A_{i}", subject_id="001", rater="r", forget=i % 2 == 0) for i in range(2500)]
    for name in ("a", "b"):
        write_records(tmp_path / name, iter(rows), Vote)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_bad_value_names_file_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "drops.parquet"
    good = {"stage": "select", "subject_id": "", "item": "x", "reason": "r", "detail": ""}
    pq.write_table(pa.Table.from_pylist([good, good | {"stage": "lunch"}], schema=arrow_schema(Drop)), path)
    with pytest.raises(TableProblem, match=r"drops.parquet, row 1, column stage: .*found 'lunch'"):
        list(read_records(path, Drop))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "drops.parquet"
    pq.write_table(pa.table({"stage": ["select"]}), path)
    with pytest.raises(TableProblem, match="column subject_id: is missing"):
        list(read_records(path, Drop))


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table({"name": [1], "count": [1], "scores": [[1.0]]}), path)
    with pytest.raises(TableProblem, match="column name: has type int64; it must be string"):
        read_columns(path, Odd, ["name"])


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    write_records(path, [Odd(name="a", count=None, scores=())], Odd)
    pq.write_table(pq.read_table(path).append_column("extra", [[1]]), path)
    with pytest.raises(TableProblem, match="column extra: is not known"):
        list(read_records(path, Odd))


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing"], ids=["empty", "cut"])
def test_a_file_that_is_not_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.parquet"
    path.write_bytes(content)
    with pytest.raises(TableProblem, match="odd.parquet: cannot be read"):
        list(read_records(path, Odd))


def test_a_failed_write_leaves_no_table(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"

    def rows():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield Odd(name="a", count=None, scores=())
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        write_records(path, rows(), Odd)
    assert not path.exists()


def test_a_table_of_an_older_version_is_read_with_the_defaults_of_newer_columns(tmp_path: Path) -> None:
    class Older(Record):
        name: str

    class Newer(Older):
        kind: str = "plain"

    write_records(tmp_path / "rows.parquet", [Older(name="a")], Older)
    assert list(read_records(tmp_path / "rows.parquet", Newer)) == [Newer(name="a", kind="plain")]
