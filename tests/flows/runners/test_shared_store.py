"""Shared storage at any fsspec address: whole files or none, what another key left goes, and storage that fails."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from flows.runners.shared_store import Store
from schemas.errors import BadInput, Unfinished
from schemas.storage.artifacts import Manifest, file_entry, write_manifest
from tests.servers.s3_server import s3_bucket  # noqa: F401 - a fixture


@pytest.fixture(params=["memory", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        yield Store(f"s3://{bucket}/{uuid4().hex}/build")
    else:
        yield Store(f"memory://{uuid4().hex}/build" if request.param == "memory" else f"file://{tmp_path}/store")


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_a_store_that_can_be_written_passes_the_check_and_keeps_nothing_of_it(store: Store) -> None:
    store.check()
    assert store.sizes("") == {}


def make_artifact(build: Path, **tables: str) -> None:
    """A finished artifact of the stage facts with these tables."""
    folder = build / "facts/0"
    write(folder, **{f"{name}.parquet": content for name, content in tables.items()})
    files = tuple(file_entry(folder, folder / f"{name}.parquet", 1) for name in sorted(tables))
    manifest = Manifest(
        stage="facts", batch=0, version=1, key="k", config={}, inputs={}, rows_in=0, rows_out={}, drops={},
        files=files, libraries={},
    )  # fmt: skip
    write_manifest(folder, manifest)


def test_what_was_pushed_is_pulled_with_the_same_bytes(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "a", facts__0__one="1" * 70_000, facts__0__two="2")
    store.push(tmp_path / "a", ["facts/0/one", "facts/0/two"])
    assert store.sizes("facts/0") == {"one": 70_000, "two": 1}
    store.pull(tmp_path / "b", ["facts/0/one"])
    assert (tmp_path / "b/facts/0/one").read_text() == "1" * 70_000
    assert not (tmp_path / "b/facts/0/two").exists()


def test_what_is_not_there_is_left_out(store: Store, tmp_path: Path) -> None:
    assert store.read("no/such") is None
    assert store.sizes("no") == {}
    assert store.folders("no") == []
    store.pull(tmp_path, ["no/such"])
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "no").exists()


def test_a_stage_begun_in_another_state_makes_room(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "old", **{"facts__0__facts-00000.parquet": "old rows"})
    store.begin(tmp_path / "old", "facts", 0, "old")
    assert "facts-00000.parquet" in store.sizes("facts/0")
    store.begin(tmp_path / "new", "facts", 0, "new")
    assert store.sizes("facts/0") == {}
    assert store.holds("facts", 0, "new")


def test_a_stage_that_goes_on_keeps_what_the_workers_made(store: Store, tmp_path: Path) -> None:
    store.begin(tmp_path, "facts", 0, "same")
    store.write("facts/0/facts-00001.parquet", b"made by a worker")
    store.begin(tmp_path, "facts", 0, "same")
    assert store.sizes("facts/0") == {"facts-00001.parquet": 16}


def test_an_artifact_is_pushed_once(store: Store, tmp_path: Path) -> None:
    make_artifact(tmp_path, facts="rows")
    store.push_artifact(tmp_path, "facts", 0)
    store.write("facts/0/facts.parquet", b"ROWS")
    store.push_artifact(tmp_path, "facts", 0)
    assert store.read("facts/0/facts.parquet") == b"ROWS"


def test_of_an_artifact_that_was_made_again_with_fewer_tables_no_old_one_stays(store: Store, tmp_path: Path) -> None:
    make_artifact(tmp_path / "large", one="1", two="2")
    make_artifact(tmp_path / "small", one="another")
    store.push_artifact(tmp_path / "large", "facts", 0)
    store.push_artifact(tmp_path / "small", "facts", 0)
    assert store.sizes("facts/0").keys() == {"one.parquet", "manifest.json"}
    assert store.read("facts/0/one.parquet") == b"another"


def test_while_another_artifact_is_pushed_there_is_no_manifest(tmp_path: Path) -> None:
    store = Store(f"memory://{uuid4().hex}/build")
    make_artifact(tmp_path / "old", one="1")
    make_artifact(tmp_path / "new", one="2")
    store.push_artifact(tmp_path / "old", "facts", 0)
    (tmp_path / "new/facts/0/one.parquet").unlink()  # as if the driver were killed at this table
    with pytest.raises(FileNotFoundError):
        store.push_artifact(tmp_path / "new", "facts", 0)
    assert store.sizes("facts/0") == {}


def test_a_table_in_the_store_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path) -> None:
    store = Store(f"memory://{uuid4().hex}/build")
    store.write("facts/0/one.parquet", b"1")
    with pytest.raises(BadInput, match="facts/0/one.parquet: is not what its manifest says .*another sha256"):
        store.pull_whole(tmp_path, "facts/0/one.parquet", sha256="0")
    with pytest.raises(BadInput, match="facts/0/two.parquet: is not what its manifest says .is not there"):
        store.pull_whole(tmp_path, "facts/0/two.parquet", sha256="0")
    assert not (tmp_path / "facts").exists()


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="--store carrier-pigeon://loft: cannot be used .*carrier-pigeon"):
        Store("carrier-pigeon://loft")


def test_storage_that_denies_writing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(BadInput, match="cannot be written to"):
        Store(f"file://{tmp_path}/a file/build").check()


@pytest.mark.usefixtures("s3_bucket")
def test_a_bucket_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="--store s3://no-such-bucket/build: cannot be written to .*not exist"):
        Store("s3://no-such-bucket/build").check()


@pytest.mark.usefixtures("s3_bucket")
def test_storage_that_vanishes_ends_the_work_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(Unfinished, match=r"s3://gone/build: facts/0/x: "):
        Store("s3://gone/build").read("facts/0/x")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
