"""The text files at the top of a release: release.json, Croissant metadata that mlcroissant takes; and row hashes."""

import json
import logging
from pathlib import Path

import pytest

from curation.card.metadata_files import CROISSANT, README, RELEASE, read_release
from curation.export.row_hashes import hash_rows
from schemas.errors import BadInput
from tests.worlds.release_world import as_published, texts_of, write_release


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release") / "hub")


def test_mlcroissant_finds_no_error(hub: Path, caplog: pytest.LogCaptureFixture) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    with caplog.at_level(logging.ERROR):
        dataset = mlcroissant.Dataset(jsonld=str(hub / CROISSANT))
    assert dataset.metadata.issues.errors == set()
    assert {each.name for each in dataset.metadata.record_sets} == {c.name for c in read_release(hub).summary.configs}


def test_mlcroissant_reads_rows_through_the_metadata(hub: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(hub / CROISSANT))
    row = next(iter(dataset.records("train_pair_tiny_qa")))
    assert row["train_pair_tiny_qa/sample_id"] == b"Ada_Lindb_01"


def test_every_data_file_is_described_with_its_sha256(hub: Path) -> None:
    described = {each["@id"]: each["sha256"] for each in json.loads((hub / CROISSANT).read_text())["distribution"]}
    assert set(described) == {path.relative_to(hub).as_posix() for path in (hub / "data").rglob("*.parquet")}


def test_the_card_says_rows_and_bytes_of_every_config(hub: Path) -> None:
    import yaml

    front = yaml.safe_load((hub / README).read_text().split("---\n")[1])
    for entry, config in zip(front["dataset_info"], read_release(hub).summary.configs, strict=True):
        [split] = entry["splits"]
        assert (entry["config_name"], split["name"], split["num_examples"]) == (config.name, config.split, config.rows)
        assert entry["download_size"] == config.bytes
        assert split["num_bytes"] == entry["dataset_size"] > 0


def test_a_published_card_says_how_to_cite_and_load_the_release(hub: Path) -> None:
    card = texts_of(hub, as_published(hub))[README]
    assert "version = {1.0.0}," in card
    assert "howpublished = {https://huggingface.co/datasets/tester/ppu}," in card
    assert 'load_dataset("tester/ppu", …, revision="v1.0.0")' in card


def test_the_texts_are_the_same_for_the_same_release(hub: Path) -> None:
    release = read_release(hub)
    texts = texts_of(hub, release)
    assert {name: (hub / name).read_text() for name in (README, RELEASE, CROISSANT)} == texts


def test_a_damaged_release_file_is_named(hub: Path, tmp_path: Path) -> None:
    (tmp_path / RELEASE).write_text('{"format": 1}')
    with pytest.raises(BadInput, match=r"release\.json: is not a release file"):
        read_release(tmp_path)


def test_row_hashes_change_with_any_cell_and_not_with_the_files(hub: Path, tmp_path: Path) -> None:
    from tests.worlds.release_world import data_file, linked_copy, rewrite, set_cell

    whole = hash_rows(hub)
    again = linked_copy(hub, tmp_path / "again")
    rewrite(data_file(again, "ppu_eval_generation"), lambda table: table)  # other row groups, the same rows
    assert hash_rows(again) == whole
    other = linked_copy(hub, tmp_path / "other")
    set_cell("ppu_eval_generation", 5, "answer_text", "x")(other)
    changed = {config for config, found in hash_rows(other).items() if found != whole[config]}
    assert changed == {"ppu_eval_generation"}


def test_row_hashes_see_a_picture_that_changed(hub: Path, tmp_path: Path) -> None:
    from tests.worlds.release_world import edit_rows, linked_copy

    other = linked_copy(hub, tmp_path / "other")
    edit_rows(other, "cross_image_selective", lambda rows: rows[0].update(image_002=rows[0]["image_003"]))
    assert hash_rows(other)["cross_image_selective"] != hash_rows(hub)["cross_image_selective"]
