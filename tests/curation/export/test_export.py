"""The exported folder as `datasets` and published scripts read it, with its images, splits, parts and bytes."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image as PillowImage

from curation.card.card import CardFacts
from curation.export.export import ReleaseRequest, export_release
from curation.export.rows import SubjectBundle
from schemas.dataset.layout import config_records
from schemas.dataset.release import Part, ReleaseSummary
from schemas.errors import BadInput
from schemas.storage.artifacts import file_sha256
from schemas.vocabulary import RATIOS
from tests.worlds.synthetic_build import SENSITIVE, make_bundles, make_portraits

PUBLISHED = {
    *("train_pair_tiny", "train_pair_tiny_qa", "unlearning_target"),
    *(f"ppu_eval_{task}" for task in ("cloze", "classification", "generation")),
    *(f"cross_image_{part}" for part in ("complete_r5", "complete_r15", "complete_r30", "selective", "persona")),
    *(
        f"{attack}_{part}"
        for attack in ("random_prefix", "jailbreak_style_prompt", "paraphrase")
        for part in ("complete30", "selective", "persona")
    ),
}
CARD = CardFacts(
    title="PPU-Bench",
    target="tiny",
    target_identity="hf:sandbox",
    source="an embedded world",
    fictional=True,
    seed=7,
    sensitive=SENSITIVE,
    known_rule="the greedy answer and at least 1 of 2 paraphrased asks match",
    controls=("no_image",),
    rater="built-in",
    raters=5,
    forget_share=0.257,
    sensitive_share=0.86,
    votes=1,
    repairs=0,
)


def export(
    folder: Path, bundles: Sequence[SubjectBundle], *, part: Part = "all", rows_per_file: int = 20_000
) -> ReleaseSummary:
    wanted = ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=SENSITIVE, part=part, rows_per_file=rows_per_file)
    return export_release(folder, bundles, wanted, card=CARD)


@pytest.fixture(scope="module")
def bundles() -> list[SubjectBundle]:
    return make_bundles(8, unknown_slots=(2,))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, bundles: list[SubjectBundle]) -> Path:
    folder = tmp_path_factory.mktemp("build") / "hub"
    export(folder, bundles)
    return folder


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The libraries are offline, as HF_HUB_OFFLINE=1 makes them at import, and show no bars."""
    import datasets

    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def load(hub: Path, config: str, cache: Path) -> list[dict[str, object]]:
    from datasets import load_dataset

    split = "train" if config.startswith(("train_pair", "unlearning")) else "test"
    return list(load_dataset(str(hub), config, split=split, cache_dir=str(cache)))


def table(hub: Path, config: str) -> list[dict[str, object]]:
    return [row for file in sorted((hub / "data" / config).iterdir()) for row in pq.read_table(file).to_pylist()]


def test_every_published_config_is_there_and_ours_are_additions() -> None:
    ours = set(config_records(target="tiny", ratios=RATIOS)) - PUBLISHED
    assert set(config_records(target="tiny", ratios=RATIOS)) >= PUBLISHED
    assert all(name.endswith("_retain") or name in ("cross_image_complete_r10", "attribution") for name in ours)


def test_datasets_loads_every_config_offline_with_its_columns(hub: Path, tmp_path: Path) -> None:
    for config, record in config_records(target="tiny", ratios=RATIOS).items():
        rows = load(hub, config, tmp_path)
        assert rows, config
        assert list(rows[0]) == list(record.model_fields), config


def test_train_pairs_hold_the_targets_own_answers_and_the_training_view(
    hub: Path, bundles: list[SubjectBundle], tmp_path: Path
) -> None:
    rows = load(hub, "train_pair_tiny", tmp_path)
    assert len(rows) == 8 * 5
    first, portrait = rows[0], bundles[0].portraits[0]
    assert first["generated_answer"] == f"It is {first['answer_text']}, says vqa."
    assert first["image_path"] == "images/001/001.jpg"
    assert isinstance(first["image"], PillowImage.Image)
    assert first["image"].tobytes() == PillowImage.open(io.BytesIO(portrait.content)).tobytes()
    assert "this person" in str(first["question"])
    text = load(hub, "train_pair_tiny_qa", tmp_path)[0]
    assert text["generated_answer"] == f"It is {first['answer_text']}, says qa."
    assert "Ada Lindb" in str(text["question"])


def test_eval_rows_have_the_published_values(hub: Path) -> None:
    rows = table(hub, "ppu_eval_classification")
    assert len(rows) == 8 * 5 * 2
    assert {row["task_type"] for row in rows} == {"classification"}
    text, picture = rows[0], rows[1]
    assert (text["modality"], text["image"], text["image_path"]) == ("text", None, None)
    assert (picture["modality"], picture["image_path"]) == ("text_image", "images/001/001.jpg")
    for row in rows:
        assert row[f"option_{str(row['answer_label']).lower()}"] == row["answer_text"]
        assert row["sample_id"] == f"{str(row['subject']).replace(' ', '_')}_{str(row['fact_id'])[-2:]}"
        assert (row["source_from"] == "sensitive_info") == (row["sensitivity"] in SENSITIVE)


def test_cloze_rows_have_the_blank_and_generation_rows_no_options(hub: Path) -> None:
    assert all(str(row["question"]).count("___") == 1 for row in table(hub, "ppu_eval_cloze"))
    assert all(row["option_a"] is None and row["answer_label"] is None for row in table(hub, "ppu_eval_generation"))


def test_unknown_facts_are_candidates_and_nothing_else(hub: Path) -> None:
    rows = table(hub, "unlearning_target")
    qas, probes = json.loads(str(rows[0]["qas"])), json.loads(str(rows[0]["cloze_probes"]))
    assert [entry["id"][-2:] for entry in qas] == ["01", "02", "03", "25", "26", "27"]
    assert set(qas[0]) == {"question", "answer", "from", "id"}
    assert [entry["from"] for entry in qas] == ["general_info"] * 3 + ["sensitive_info"] * 3
    assert all("___" in entry["question"] for entry in probes)
    assert not any(str(row["sample_id"]).endswith("_02") for row in table(hub, "ppu_eval_generation"))


@pytest.mark.parametrize("config", ["cross_image_selective", "random_prefix_selective", "paraphrase_complete30"])
def test_cross_image_and_attack_rows_have_the_columns_of_eval_rows_in_their_order(hub: Path, config: str) -> None:
    ours = (
        "fact_id",
        "accepted_answers",
        "property_id",
        "property_label",
        "answer_type",
        "sensitivity",
        "statement_id",
    )
    published = [name for name in table(hub, "ppu_eval_generation")[0] if name not in ours]
    found = list(table(hub, config)[0])
    assert [name for name in found if name in published] == published
    assert found.index("source_from") < min(found.index(name) for name in found if name in (*ours, "role", "attack"))


def test_cross_image_rows_hold_the_training_view_of_the_eval_rows(hub: Path) -> None:
    shown = {row["sample_id"]: row["image"] for row in table(hub, "ppu_eval_cloze") if row["image_path"]}
    rows = table(hub, "cross_image_selective")
    assert rows
    assert all(row["image"] == shown[row["sample_id"]] for row in rows)
    assert rows[0]["image_path"] == "images/001/001.jpg"


def test_attack_rows_have_no_options(hub: Path) -> None:
    empty = ("option_a", "option_b", "option_c", "option_d", "answer_label")
    assert all(row[name] is None for row in table(hub, "random_prefix_selective") for name in empty)


def test_cross_image_rows_show_the_three_other_views(hub: Path, bundles: list[SubjectBundle], tmp_path: Path) -> None:
    row = load(hub, "cross_image_selective", tmp_path)[0]
    assert (row["modality"], row["role"]) == ("text_image", "forget")
    for view in ("002", "003", "004"):
        image, portrait = row[f"image_{view}"], bundles[0].portraits[int(view) - 1]
        assert isinstance(image, PillowImage.Image)
        assert image.tobytes() == PillowImage.open(io.BytesIO(portrait.content)).tobytes()


@pytest.mark.parametrize("family", ["cross_image", "random_prefix", "jailbreak_style_prompt", "paraphrase"])
def test_forget_and_retain_configs_share_out_the_samples_as_the_split_files_say(hub: Path, family: str) -> None:
    complete = "complete_r30" if family == "cross_image" else "complete30"
    everyone = {row["sample_id"] for row in table(hub, "ppu_eval_generation")}
    files = {
        name: json.loads((hub / f"data/split/{name}_split.json").read_text())
        for name in ("complete", "selective", "persona")
    }
    subjects = {row["sample_id"]: row["subject_id"] for row in table(hub, "ppu_eval_generation")}
    wanted = {
        complete: {sample for sample, subject in subjects.items() if subject in files["complete"]["forget30"]},
        "selective": {entry["id"] for entry in files["selective"]},
        "persona": set(files["persona"]["delete_ids"]),
    }
    for part, forget in wanted.items():
        assert {row["sample_id"] for row in table(hub, f"{family}_{part}")} == forget
        assert {row["sample_id"] for row in table(hub, f"{family}_{part}_retain")} == everyone - forget


def test_split_files_have_the_published_shapes(hub: Path) -> None:
    complete = json.loads((hub / "data/split/complete_split.json").read_text())
    assert {name: len(ids) for name, ids in complete.items()} == {
        "forget5": 1,
        "forget10": 1,
        "forget15": 1,
        "forget30": 2,
    }
    selective = json.loads((hub / "data/split/selective_split.json").read_text())
    assert len(selective) == 24
    assert selective[0] == {"subject_id": "001", "id": "Ada_Lindb_25"}
    persona = json.loads((hub / "data/split/persona_split.json").read_text())
    assert set(persona) == {"delete_ids", "keep_ids"}
    assert len(persona["delete_ids"]) + len(persona["keep_ids"]) == 40
    assert not set(persona["delete_ids"]) & set(persona["keep_ids"])


def test_attack_rows_keep_the_question_they_change(hub: Path) -> None:
    row = table(hub, "random_prefix_selective")[0]
    assert (row["attack"], row["task_type"]) == ("random_prefix", "generation")
    assert str(row["question"]).endswith(str(row["original_question"]))
    assert row["question"] != row["original_question"]


def test_every_picture_is_credited_in_the_table_and_the_readable_file(hub: Path) -> None:
    rows = table(hub, "attribution")
    assert len(rows) == 32
    assert rows[0]["attribution"] == "N. N., Own work, CC BY-SA 4.0"
    text = (hub / "ATTRIBUTION.md").read_text()
    assert text.count("\n- ") == 32
    assert "[CC BY-SA 4.0](<https://creativecommons.org/licenses/by-sa/4.0>)" in text


def test_two_exports_of_one_build_have_the_same_bytes(hub: Path, bundles: list[SubjectBundle], tmp_path: Path) -> None:
    export(tmp_path / "hub", bundles)
    files = sorted(path.relative_to(hub) for path in hub.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "hub") for path in (tmp_path / "hub").rglob("*") if path.is_file()
    )
    assert [file_sha256(hub / file) for file in files] == [file_sha256(tmp_path / "hub" / file) for file in files]


def test_the_summary_counts_what_the_files_hold(tmp_path: Path, bundles: list[SubjectBundle]) -> None:
    summary = export(tmp_path / "hub", bundles)
    assert (summary.subjects, summary.candidates, summary.samples, summary.images) == (8, 48, 40, 32)
    for config in summary.configs:
        files = [tmp_path / "hub" / file for file in config.files]
        assert config.rows == sum(pq.read_metadata(file).num_rows for file in files)
        assert config.bytes == sum(file.stat().st_size for file in files)
    roles = {(row.setting, row.ratio, row.role): (row.samples, row.subjects) for row in summary.roles}
    assert roles["selective", None, "forget"] == (24, 8)
    assert roles["complete", 30, "forget"] == (10, 2)


def test_row_groups_have_at_most_100_rows_and_end_with_a_subject(hub: Path) -> None:
    [path] = (hub / "data" / "cross_image_complete_r5_retain").iterdir()
    with pq.ParquetFile(path) as file:
        seen: set[str] = set()
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, columns=["subject_id"])
            own = set(group["subject_id"].to_pylist())
            assert group.num_rows <= 100
            assert not own & seen
            seen |= own
    assert len(seen) == 7


def test_a_repeated_image_is_stored_once_in_its_row_group(tmp_path: Path) -> None:
    some = make_bundles(6, facts=20, sensitive=8, side=300)
    summary = export(tmp_path / "hub", some)
    training = sum(len(bundle.portraits[0].content) for bundle in some)
    every = sum(len(portrait.content) for bundle in some for portrait in bundle.portraits)
    sizes = {config.name: config.bytes for config in summary.configs}
    assert sizes["train_pair_tiny"] < 1.1 * training + 50_000
    assert sizes["ppu_eval_generation"] < 1.1 * training + 50_000
    assert sizes["cross_image_selective"] < 1.1 * every + 50_000


def test_large_configs_are_cut_into_files_that_datasets_puts_together(
    tmp_path: Path, bundles: list[SubjectBundle]
) -> None:
    export(tmp_path / "hub", bundles, rows_per_file=25)
    names = sorted(path.name for path in (tmp_path / "hub/data/train_pair_tiny").iterdir())
    assert names == ["train-00000-of-00001.parquet"]  # one row group of 40 rows is not cut
    many = make_bundles(12, facts=20, sensitive=8)
    export(tmp_path / "hub", many, rows_per_file=100)
    names = sorted(path.name for path in (tmp_path / "hub/data/train_pair_tiny").iterdir())
    assert names == [f"train-{number:05d}-of-00003.parquet" for number in range(3)]
    assert len(load(tmp_path / "hub", "train_pair_tiny", tmp_path / "cache")) == 240


def test_gated_facts_go_to_their_own_release(tmp_path: Path) -> None:
    some = make_bundles(4, gated_slots=(25,))
    assert export(tmp_path / "hub", some, part="open").samples == 20
    assert export(tmp_path / "hub_gated", some, part="gated").samples == 4
    assert {str(row["sample_id"])[-2:] for row in table(tmp_path / "hub_gated", "ppu_eval_cloze")} == {"25"}
    for config in config_records(target="tiny", ratios=RATIOS):
        assert not any(str(row.get("sample_id")).endswith("_25") for row in table(tmp_path / "hub", config))
    assert "_25" not in (tmp_path / "hub/data/split/selective_split.json").read_text()
    assert "_25" not in str(table(tmp_path / "hub", "unlearning_target")[0]["qas"])


def test_an_empty_gated_part_leaves_no_folder(tmp_path: Path) -> None:
    export(tmp_path / "hub_gated", make_bundles(4, gated_slots=(25,)), part="gated")
    assert export(tmp_path / "hub_gated", make_bundles(4), part="gated").samples == 0
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_rows_is_left_out_because_datasets_cannot_load_it(tmp_path: Path) -> None:
    summary = export(tmp_path / "hub", make_bundles(4, facts=4, sensitive=0))
    assert "cross_image_selective" not in {config.name for config in summary.configs}
    assert not (tmp_path / "hub/data/cross_image_selective").exists()
    assert "cross_image_selective\n" not in (tmp_path / "hub/README.md").read_text()
    assert len(load(tmp_path / "hub", "cross_image_selective_retain", tmp_path / "cache")) == 4 * 4 * 3


def test_a_subject_without_all_views_is_left_out_of_cross_image_configs(tmp_path: Path) -> None:
    some = make_bundles(4)
    some[0] = some[0].model_copy(update={"portraits": make_portraits(some[0].subject, views=("001", "002"))})
    assert export(tmp_path / "hub", some).subjects_without_views == 1
    assert "001" not in {row["subject_id"] for row in table(tmp_path / "hub", "cross_image_selective")}
    assert "001" in {row["subject_id"] for row in table(tmp_path / "hub", "train_pair_tiny")}


def test_a_failed_export_leaves_the_old_release_and_no_rubble(tmp_path: Path, bundles: list[SubjectBundle]) -> None:
    export(tmp_path / "hub", bundles)
    before = file_sha256(tmp_path / "hub/data/split/persona_split.json")
    broken = bundles[1].model_copy(update={"attacks": ()})
    with pytest.raises(BadInput, match="Ada_Lindc_01: has no random_prefix in qa"):
        export(tmp_path / "hub", [bundles[0], broken])
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]
    assert file_sha256(tmp_path / "hub/data/split/persona_split.json") == before


def test_text_written_by_hand_outlives_a_kill_while_the_new_release_is_put_in_place(
    tmp_path: Path, bundles: list[SubjectBundle]
) -> None:
    hub = tmp_path / "hub"
    export(hub, bundles)
    card = hub / "README.md"
    card.write_text(card.read_text().replace("None yet.", "Looked at by hand."))
    hub.rename(tmp_path / "hub.old")  # the old release is out of the way, the new one is not yet there
    export(hub, bundles)
    assert "Looked at by hand." in card.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub"]


def test_a_sample_without_a_role_is_refused(tmp_path: Path, bundles: list[SubjectBundle]) -> None:
    with pytest.raises(BadInput, match="Ada_Lindb_01: has no role at ratio 5"):
        export(tmp_path / "hub", [bundles[0].model_copy(update={"assignments": ()})])


def test_one_sample_id_for_two_people_is_refused(tmp_path: Path, bundles: list[SubjectBundle]) -> None:
    twin = bundles[0].model_copy(update={"subject": bundles[0].subject.model_copy(update={"subject_id": "009"})})
    with pytest.raises(BadInput, match="bears the id of another sample"):
        export(tmp_path / "hub", [bundles[0], twin])


def test_subjects_out_of_order_are_refused(tmp_path: Path, bundles: list[SubjectBundle]) -> None:
    with pytest.raises(BadInput, match="subject 001: comes after subject 002"):
        export(tmp_path / "hub", [bundles[1], bundles[0]])


def test_a_build_without_facts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no known fact to export"):
        export(tmp_path / "hub", [])
    assert list(tmp_path.iterdir()) == []
