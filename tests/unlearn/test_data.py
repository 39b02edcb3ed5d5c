"""Reading forget and retain samples from exported folders: settings, modalities, published columns, bad input."""

import json
from pathlib import Path

import pytest

from schemas.errors import BadInput
from tests.worlds.tiny_models import picture
from tests.worlds.unlearn_world import write_world
from unlearn.data import read_samples


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"), people=6)


def split_file(folder: Path, name: str) -> Path:
    return folder / "data" / "split" / f"{name}_split.json"


def test_personalized_roles_are_those_of_the_split_file(world: Path) -> None:
    data = read_samples(world, setting="personalized")
    content = json.loads(split_file(world, "persona").read_text())
    assert {key.partition("|")[0] for key in data.forget} == set(content["delete_ids"])
    assert {key.partition("|")[0] for key in data.retain} == set(content["keep_ids"])


def test_every_fact_has_a_sample_per_modality(world: Path) -> None:
    data = read_samples(world, setting="personalized")
    assert len(data.forget) == 2 * 13  # six people x two properties, and Ada's birthplace
    assert len(data.retain) == 2 * 23
    assert data.forget["Ada_Brand_01|vqa"].image == picture(1)
    assert data.forget["Ada_Brand_01|qa"].image is None
    assert data.forget["Ada_Brand_01|vqa"].prompt == "Where was this person born?"


def test_one_modality_alone_can_be_read(world: Path) -> None:
    data = read_samples(world, setting="selective", modality="qa")
    assert {sample.modality for sample in (*data.forget.values(), *data.retain.values())} == {"qa"}


def test_complete_forgets_whole_subjects(world: Path) -> None:
    data = read_samples(world, setting="complete", ratio=30)
    assert {sample.subject_id for sample in data.forget.values()} == {"001", "002"}
    assert not {sample.subject_id for sample in data.retain.values()} & {"001", "002"}


def test_selective_retains_all_that_is_not_sensitive(world: Path) -> None:
    data = read_samples(world, setting="selective")
    assert (len(data.forget), len(data.retain)) == (2 * 18, 2 * 18)


def test_a_build_folder_is_read_through_its_hub_folder(tmp_path: Path) -> None:
    write_world(tmp_path / "hub", people=2)
    assert read_samples(tmp_path, setting="selective").target == "tiny"


def test_published_columns_alone_are_enough(tmp_path: Path, world: Path) -> None:
    ours = read_samples(world, setting="selective")
    published = read_samples(write_world(tmp_path, people=6, published_columns=True), setting="selective")
    asked = {"value": "", "property_id": "", "property_label": "", "sensitivity": None}
    for role in ("forget", "retain"):
        for key, sample in getattr(ours, role).items():
            assert getattr(published, role)[key] == sample.model_copy(update=asked)


def test_the_digest_changes_with_a_role(tmp_path: Path, world: Path) -> None:
    selective, personalized = (read_samples(world, setting=name).digest for name in ("selective", "personalized"))
    assert selective != personalized


def test_pictures_shown_in_several_rows_are_held_once(world: Path) -> None:
    data = read_samples(world, setting="selective", modality="vqa")
    shown = [sample.image for sample in (*data.forget.values(), *data.retain.values()) if sample.subject_id == "001"]
    assert len({id(image) for image in shown}) == 1


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no data/"):
        read_samples(tmp_path, setting="selective")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        read_samples(tmp_path / "nowhere", setting="selective")


def test_a_missing_setting_is_refused(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    split_file(tmp_path, "persona").unlink()
    with pytest.raises(BadInput, match="no personalized setting"):
        read_samples(tmp_path, setting="personalized")


@pytest.mark.parametrize(("ratio", "found"), [(None, "needs a ratio"), (10, "has no ratio 10; choose one of 5, 30")])
def test_a_ratio_that_is_not_there_is_refused(world: Path, ratio: int | None, found: str) -> None:
    with pytest.raises(BadInput, match=found):
        read_samples(world, setting="complete", ratio=ratio)


def test_an_empty_forget_set_is_refused(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    split_file(tmp_path, "selective").write_text("[]")
    with pytest.raises(BadInput, match="the forget set is empty"):
        read_samples(tmp_path, setting="selective")


def test_an_empty_retain_set_is_refused(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    split_file(tmp_path, "complete").write_text('{"forget5": ["001", "002"]}')
    with pytest.raises(BadInput, match="the retain set is empty"):
        read_samples(tmp_path, setting="complete", ratio=5)


def test_ids_that_the_data_lacks_are_refused_by_number_and_name(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    path = split_file(tmp_path, "selective")
    path.write_text(json.dumps([*json.loads(path.read_text()), {"subject_id": "009", "id": "Zora_Nobody_25"}]))
    with pytest.raises(BadInput, match="names 1 ids that train_pair_tiny lacks, first 'Zora_Nobody_25'"):
        read_samples(tmp_path, setting="selective")


def test_missing_ids_are_counted_where_they_are_allowed(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    path = split_file(tmp_path, "selective")
    path.write_text(json.dumps([*json.loads(path.read_text()), {"subject_id": "009", "id": "Zora_Nobody_25"}]))
    assert read_samples(tmp_path, setting="selective", allow_missing=True).missing == ("Zora_Nobody_25",)


def test_samples_in_no_role_are_counted(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    path = split_file(tmp_path, "persona")
    content = json.loads(path.read_text())
    content["keep_ids"].pop()
    path.write_text(json.dumps(content))
    assert read_samples(tmp_path, setting="personalized").unassigned == 2


def test_a_split_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    write_world(tmp_path, people=2)
    split_file(tmp_path, "persona").write_text("[1, 2]")
    with pytest.raises(BadInput, match="is not a personalized split"):
        read_samples(tmp_path, setting="personalized")


def test_an_unknown_target_is_refused_with_those_that_exist(world: Path) -> None:
    with pytest.raises(BadInput, match="has training pairs of tiny; name one"):
        read_samples(world, setting="selective", target="qwen3")


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_world(tmp_path, people=2)
    path = next((tmp_path / "data" / "train_pair_tiny_qa").glob("*.parquet"))
    pq.write_table(pq.read_table(path).drop_columns(["generated_answer"]), path)
    with pytest.raises(BadInput, match="column generated_answer: is missing"):
        read_samples(tmp_path, setting="selective")
