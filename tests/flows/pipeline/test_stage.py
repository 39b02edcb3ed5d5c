"""The stage framework: shards, marks, keys, drops and manifests, without Prefect."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.memory import COLLECT_AFTER, OF_PYTHON, collect_for, collecting_for
from flows.pipeline.stage import Rows, StageRun, StageSpec, Tables, expected_key, run_stage
from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import SandboxSource
from schemas.records.build_rows import Drop
from schemas.storage.artifacts import MANIFEST, Manifest, file_entry, read_manifest, write_manifest
from schemas.storage.tables import read_records
from schemas.vocabulary import Stage

RECIPE = BuildRecipe(name="t", source=SandboxSource(kind="sandbox"))


def drop(item: str) -> Drop:
    return Drop(stage="select", subject_id="001", item=item, reason="no_label")


def spec(work: Callable[[StageRun], None], *, version: int = 1, reads: tuple[Stage, ...] = ()) -> StageSpec:
    return StageSpec("select", version, reads, lambda recipe: {"seed": recipe.seed}, work)


def three_shards(calls: list[int], *, fail_at: int | None = None) -> Callable[[StageRun], None]:
    def work(run: StageRun) -> None:
        def one(number: int) -> Tables:
            calls.append(number)
            run.took[number] = number + 1
            if number == fail_at:
                raise RuntimeError("cut off")
            return {"drops": Rows(Drop, [drop(f"{number}-{i}") for i in range(number + 1)])}

        run.map("rows", range(3), one)

    return work


@pytest.fixture
def build(tmp_path: Path) -> BuildFolder:
    return BuildFolder(tmp_path, RECIPE)


def run(build: BuildFolder, stage: StageSpec) -> Manifest:
    return run_stage(build, stage, {"select": stage})


def test_the_manifest_counts_rows_and_drops_of_all_shards(build: BuildFolder) -> None:
    manifest = run(build, spec(three_shards([])))
    assert manifest.rows_in == 6
    assert manifest.rows_out == {"drops": 6}
    assert manifest.drops == {"no_label": 6}
    assert [entry.path for entry in manifest.files] == [f"drops-rows-0000{i}.parquet" for i in range(3)]


def test_a_stage_looks_for_garbage_less_often_and_then_as_before(build: BuildFolder) -> None:
    seen: list[tuple[int, int, int]] = []

    def work(run: StageRun) -> None:
        def one(number: int) -> Tables:
            seen.append(gc.get_threshold())
            return {}

        run.map("rows", [0], one)

    at_first = gc.get_threshold()
    gc.set_threshold(*OF_PYTHON)  # which a Dask worker's code in this process may have changed
    try:
        run(build, spec(work))
        assert gc.get_threshold() == OF_PYTHON
    finally:
        gc.set_threshold(*at_first)
    assert seen == [COLLECT_AFTER]


def test_where_a_model_answers_garbage_is_looked_for_as_ever() -> None:
    at_first = gc.get_threshold()
    gc.set_threshold(600, 9, 9)
    try:
        with collecting_for("probe"):
            assert gc.get_threshold() == (600, 9, 9)
        collect_for("questions")
        assert gc.get_threshold() == COLLECT_AFTER
        collect_for("probe")  # a Dask worker goes from one stage to the next
        assert gc.get_threshold() == OF_PYTHON
    finally:
        gc.set_threshold(*at_first)


def test_a_file_that_is_still_being_written_is_no_output(build: BuildFolder) -> None:
    def work(run: StageRun) -> None:
        three_shards([])(run)
        (run.folder / "drops-rows-00001.parquet.0123456789ab.part").write_bytes(b"of a worker taken for dead")

    assert [entry.rows for entry in run(build, spec(work)).files] == [1, 2, 3]


def test_a_stage_whose_key_stands_is_not_run_again(build: BuildFolder) -> None:
    run(build, spec(three_shards([])))
    calls: list[int] = []
    run(build, spec(three_shards(calls)))
    assert calls == []


def test_a_changed_version_runs_the_stage_again(build: BuildFolder) -> None:
    run(build, spec(three_shards([])))
    calls: list[int] = []
    run(build, spec(three_shards(calls), version=2))
    assert calls == [0, 1, 2]


def test_a_cut_off_stage_goes_on_with_the_shard_that_failed(build: BuildFolder) -> None:
    with pytest.raises(RuntimeError, match="cut off"):
        run(build, spec(three_shards([], fail_at=1)))
    assert read_manifest(build.artifact("select")) is None
    calls: list[int] = []
    manifest = run(build, spec(three_shards(calls)))
    assert calls == [1, 2]
    assert manifest.rows_out == {"drops": 6}


def test_a_cut_off_stage_gives_the_same_manifest_as_one_that_was_not(tmp_path: Path) -> None:
    whole, cut = BuildFolder(tmp_path / "whole", RECIPE), BuildFolder(tmp_path / "cut", RECIPE)
    run(whole, spec(three_shards([])))
    with pytest.raises(RuntimeError):
        run(cut, spec(three_shards([], fail_at=2)))
    run(cut, spec(three_shards([])))
    assert (whole.artifact("select") / MANIFEST).read_bytes() == (cut.artifact("select") / MANIFEST).read_bytes()


def test_shards_of_another_key_are_not_taken_over(build: BuildFolder) -> None:
    with pytest.raises(RuntimeError):
        run(build, spec(three_shards([], fail_at=2)))
    calls: list[int] = []
    run(build, spec(three_shards(calls), version=2))
    assert calls == [0, 1, 2]


def test_the_key_of_a_stage_follows_the_keys_of_what_it_reads(build: BuildFolder) -> None:
    first = spec(three_shards([]))
    second = StageSpec("facts", 1, ("select",), lambda recipe: {}, three_shards([]))
    before, _ = expected_key(build, second, {"select": first, "facts": second})
    after, inputs = expected_key(build, second, {"select": spec(three_shards([]), version=2), "facts": second})
    assert before != after
    assert list(inputs) == ["select/0"]


def test_reading_finds_the_rows_of_one_shard(build: BuildFolder) -> None:
    run(build, spec(three_shards([])))
    path = build.artifact("select") / "drops-rows-00001.parquet"
    assert [row.item for row in read_records(path, Drop)] == ["1-0", "1-1"]


def test_a_manifest_of_a_newer_version_is_refused_with_a_line(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": 99}')
    with pytest.raises(BadInput, match=r"manifest.json: format 99 is newer than this ppubench .*upgrade"):
        read_manifest(tmp_path)


def test_a_damaged_manifest_is_refused_with_a_line(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": 1, "sta')
    with pytest.raises(BadInput, match=r"is not a manifest .* build again"):
        read_manifest(tmp_path)


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"abc")
    entry = file_entry(tmp_path, tmp_path / "x.bin", None)
    assert entry.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    manifest = Manifest(
        stage="select",
        batch=0,
        version=1,
        key="k",
        config={},
        inputs={},
        rows_in=0,
        rows_out={},
        drops={},
        files=(entry,),
        libraries={},
    )
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
