"""What BUILD_OR_DATASET may be: a build, an export, a clone of the published layout, a release on the Hub."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from eval.tasks.questions import Slice, read_facts, read_questions
from flows.experiments.study import run_study
from flows.publish.plan import compare
from flows.resources.datasets import open_dataset
from schemas.dataset.folder import config_names
from schemas.dataset.split_files import read_roles
from schemas.errors import BadInput, Unfinished
from schemas.vocabulary import MODALITIES, TASKS
from sources.hub.download import parse_hub_id, quiet_unless_terminal
from tests.servers.hub_server import OTHER, OWNER, Hub, serve_hub
from tests.worlds.eval_world import write_dataset
from unlearn.data import read_samples

PUBLISHED = {
    "train_pair_tiny": ["subject_id", "subject", "image_path", "image", "question", "generated_answer"],
    "train_pair_tiny_qa": ["subject_id", "subject", "question", "generated_answer"],
    "unlearning_target": ["subject_id", "subject", "image", "image_path", "qas"],
}
EVAL = [
    "sample_id", "subject_id", "subject", "task_type", "modality", "question", "option_a", "option_b", "option_c",
    "option_d", "answer_label", "answer_text", "image", "image_path", "source_from",
]  # fmt: skip


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("build") / "hub")


@pytest.fixture(scope="module")
def published(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data as `push_to_hub` lays it out: published configs and columns alone, no data/, no split files."""
    folder = tmp_path_factory.mktemp("published") / "clone"
    entries = []
    for config in config_names(ours):
        if config == "attribution" or config.endswith("_retain"):
            continue
        (folder / config).mkdir(parents=True)
        for file in (ours / "data" / config).iterdir():
            table = pq.read_table(file)
            if config.startswith("train_pair"):
                table = table.rename_columns(["id" if name == "sample_id" else name for name in table.column_names])
            columns = PUBLISHED.get(config, EVAL)
            columns = [*columns, *(f"image_{view}" for view in ("002", "003", "004"))]
            kept = [name for name in ("id", *columns) if name in table.column_names]
            pq.write_table(table.select(list(dict.fromkeys(kept))), folder / config / file.name)
        entries.append(f"- config_name: {config}\n  data_files:\n  - split: x\n    path: {config}/*\n")
    (folder / "README.md").write_text(f"---\nconfigs:\n{''.join(entries)}---\n# Published\n")
    return folder


@pytest.fixture(scope="module")
def splits(ours: Path) -> Path:
    return ours / "data" / "split"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PPUBENCH_CACHE", str(tmp_path / "ppubench"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serve_hub() as running:
        for name, value in {
            "HF_HUB_OFFLINE": False,
            "ENDPOINT": running.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "hf"),
            "HF_TOKEN_PATH": str(tmp_path / "no-token"),
        }.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        quiet_unless_terminal()
        yield running


def push(hub: Hub, repo: str, folder: Path) -> str:
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return hub.put_files(repo, files)


def test_a_build_and_its_hub_folder_are_the_same_dataset(ours: Path) -> None:
    assert open_dataset(ours.parent) == open_dataset(ours) == ours


def test_a_clone_of_the_published_layout_is_read_with_its_split_files(
    ours: Path, published: Path, splits: Path
) -> None:
    folder = open_dataset(published, splits=splits)
    for setting, ratio in (("complete", 30), ("selective", None), ("personalized", None)):
        cut = read_samples(folder, setting=setting, ratio=ratio)  # type: ignore[arg-type]
        assert cut.digest == read_samples(ours, setting=setting, ratio=ratio).digest  # type: ignore[arg-type]
        slice_ = Slice(setting, ratio, read_roles(folder, setting, ratio))  # type: ignore[arg-type]
        asked, _ = read_questions(folder, read_facts(folder), slice_, tasks=TASKS, modalities=MODALITIES)
        assert len(asked) == 6 * 6 * 3 * 2


def test_split_files_that_stand_in_the_clone_need_not_be_named(published: Path, splits: Path, tmp_path: Path) -> None:
    clone = shutil.copytree(published, tmp_path / "clone")
    for place in ("split", "data/split", "."):
        shutil.copytree(splits, clone / place, dirs_exist_ok=True)
        assert read_samples(open_dataset(clone), setting="selective").forget
        shutil.rmtree(clone / place, ignore_errors=place != ".") if place != "." else None


def test_without_split_files_the_setting_is_missing(published: Path) -> None:
    with pytest.raises(BadInput, match="so the dataset has no selective setting"):
        read_samples(open_dataset(published), setting="selective")


def test_a_folder_without_split_files_is_refused_as_splits(published: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has none of complete_split.json"):
        open_dataset(published, splits=tmp_path)


def test_files_are_found_by_the_card_wherever_they_lie(published: Path, splits: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    entries = []
    for file in sorted(published.glob("*/*.parquet")):
        shutil.copy(file, flat / f"{file.parent.name}.parquet")
        entries.append(f"- config_name: {file.parent.name}\n  data_files: {file.parent.name}.parquet\n")
    (flat / "README.md").write_text(f"---\nconfigs:\n{''.join(entries)}---\n")
    assert config_names(open_dataset(flat, splits=splits)) == config_names(open_dataset(published, splits=splits))


def test_a_card_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"")
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "README.md").write_text("---\nconfigs:\n- config_name: a\n  data_files: ../x.parquet\n---\n")
    with pytest.raises(BadInput):
        open_dataset(tmp_path / "clone")


def test_a_hub_id_is_fetched_and_read(hub: Hub, ours: Path) -> None:
    push(hub, "tester/ppu", ours)
    folder = open_dataset("tester/ppu")
    assert read_samples(folder, setting="personalized").digest == read_samples(ours, setting="personalized").digest


def test_a_published_release_on_the_hub_is_read(hub: Hub, ours: Path, published: Path, splits: Path) -> None:
    push(hub, "closerG/ppu-bench", published)
    folder = open_dataset("closerG/ppu-bench", splits=splits)
    assert read_samples(folder, setting="selective").digest == read_samples(ours, setting="selective").digest
    assert read_samples(open_dataset("hf://datasets/closerG/ppu-bench", splits=splits), setting="selective").forget


def test_a_revision_stays_what_it_was(hub: Hub, ours: Path, tmp_path: Path) -> None:
    first = push(hub, "tester/ppu", ours)
    hub.dataset("tester/ppu").tags["v1.0.0"] = first
    push(hub, "tester/ppu", write_dataset(tmp_path / "more" / "hub", people=8))
    for named, people in (("tester/ppu@v1.0.0", 6), ("tester/ppu", 8), (f"tester/ppu@{first}", 6)):
        samples = read_samples(open_dataset(named), setting="personalized", modality="qa")
        assert len(samples.forget) + len(samples.retain) == people * 6
    assert open_dataset("tester/ppu", revision="v1.0.0") == open_dataset("tester/ppu@v1.0.0")


def test_what_was_fetched_once_is_read_without_the_hub(hub: Hub, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(hub, "tester/ppu", ours)
    folder = open_dataset("tester/ppu")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert open_dataset("tester/ppu") == folder
    assert len(hub.requests) == asked


def test_a_dataset_that_is_neither_here_nor_there_is_said(hub: Hub) -> None:
    with pytest.raises(BadInput, match="nobody/nothing: no such folder here, and no such dataset on the Hub"):
        open_dataset("nobody/nothing")


def test_a_revision_that_is_not_there_is_said(hub: Hub, ours: Path) -> None:
    push(hub, "tester/ppu", ours)
    with pytest.raises(BadInput, match="has no revision 'v9'"):
        open_dataset("tester/ppu@v9")


def test_a_gated_dataset_says_that_it_is(hub: Hub, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(hub, "tester/ppu", ours)
    hub.dataset("tester/ppu").gated = "manual"
    monkeypatch.setenv("HF_TOKEN", OTHER)
    with pytest.raises(BadInput, match="is gated; ask for access"):
        open_dataset("tester/ppu")
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert open_dataset("tester/ppu").is_dir()


def test_offline_and_not_in_the_cache_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match="all that HF_HUB_OFFLINE allows"):
        open_dataset("tester/ppu")


def test_a_hub_that_cannot_be_reached_is_unfinished(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unfinished, match="cannot be reached.*there is no such folder here either"):
        open_dataset("tester/ppu")


def test_a_mistyped_folder_is_not_asked_of_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="builds/nope: no such folder, and the Hub is not asked"):
        open_dataset("builds/nope")
    assert hub.requests == []


def test_an_id_with_a_revision_is_asked_of_the_hub_whatever_stands_here(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "builds").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="no such dataset on the Hub"):
        open_dataset("builds/nope@main")


@pytest.mark.parametrize("named", ["nowhere", "a/b/c", "../x/y", "/nowhere/at/all", "tester/../ppu"])
def test_what_is_no_id_is_not_asked_of_a_hub(named: str) -> None:
    with pytest.raises(BadInput, match="neither a folder nor a Hub id"):
        open_dataset(named)


def test_a_revision_of_a_local_folder_is_refused(ours: Path) -> None:
    with pytest.raises(BadInput, match="is given for a local folder"):
        open_dataset(ours, revision="main")


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("closerG/ppu-bench", "closerG/ppu-bench", None),
        ("closerG/ppu-bench@v1.0.0", "closerG/ppu-bench", "v1.0.0"),
        ("hf://datasets/closerG/ppu-bench@main", "closerG/ppu-bench", "main"),
    ],
)
def test_hub_ids_are_taken_apart(text: str, repo: str, revision: str | None) -> None:
    found = parse_hub_id(text)
    assert found is not None
    assert (found.repo, found.revision) == (repo, revision)


# What may be wrong with a published dataset.


@pytest.fixture
def spoilt(ours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ours, tmp_path / "spoilt"))


def edit(hub: Path, config: str, change: object) -> None:
    import pyarrow as pa

    path = next((hub / "data" / config).glob("*.parquet"))
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)  # type: ignore[operator]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_a_missing_config_is_named(spoilt: Path) -> None:
    shutil.rmtree(spoilt / "data" / "train_pair_tiny")
    with pytest.raises(BadInput, match=r"train_pair_tiny: has no Parquet files; the dataset has attribution"):
        read_samples(spoilt, setting="selective")


def test_an_extra_column_is_no_harm(spoilt: Path, ours: Path) -> None:
    path = next((spoilt / "data" / "train_pair_tiny_qa").glob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.append_column("more", table.column("subject")), path)
    assert read_samples(spoilt, setting="selective").digest == read_samples(ours, setting="selective").digest


def test_an_unknown_modality_is_refused_by_sample(spoilt: Path) -> None:
    edit(spoilt, "ppu_eval_cloze", lambda rows: rows[0].update(modality="audio"))
    cut = Slice("selective", None, read_roles(spoilt, "selective", None))
    with pytest.raises(BadInput, match=r"ppu_eval_cloze, sample Ada_Lindb_01: has modality 'audio'"):
        read_questions(spoilt, read_facts(spoilt), cut, tasks=TASKS, modalities=MODALITIES)


def test_a_sample_twice_is_refused_by_row(spoilt: Path) -> None:
    edit(spoilt, "train_pair_tiny_qa", lambda rows: rows.append(rows[4]))
    with pytest.raises(BadInput, match=r"row 36: sample Ada_Lindb_26 in qa is there twice"):
        read_samples(spoilt, setting="selective")


@pytest.mark.parametrize("content", [b"not a picture", b"\xff\xd8\xff\xe0\x00\x10JFIF"], ids=["text", "half a jpeg"])
def test_a_picture_that_does_not_decode_is_refused_by_row(spoilt: Path, content: bytes) -> None:
    edit(spoilt, "train_pair_tiny", lambda rows: rows[3]["image"].update(bytes=content))
    with pytest.raises(BadInput, match=r"row 3, column image: the picture does not decode"):
        read_samples(spoilt, setting="selective")


def test_a_picture_may_lie_beside_the_rows(published: Path, splits: Path, tmp_path: Path) -> None:
    clone = shutil.copytree(published, tmp_path / "clone")
    path = next((clone / "ppu_eval_cloze").glob("*.parquet"))
    table = pq.read_table(path)
    for row in table.to_pylist():
        if row["image"]:
            (clone / row["image_path"]).parent.mkdir(parents=True, exist_ok=True)
            (clone / row["image_path"]).write_bytes(row["image"]["bytes"])
    pq.write_table(table.drop_columns(["image"]), path)
    folder = open_dataset(clone, splits=splits)
    cut = Slice("selective", None, read_roles(folder, "selective", None))
    asked, _ = read_questions(folder, read_facts(folder), cut, tasks=("cloze",), modalities=("vqa",))
    assert all(question.picture for question in asked)


# Two releases side by side.


def test_a_release_and_itself_are_the_same(ours: Path) -> None:
    diff = compare(ours, ours.parent)
    assert diff.same
    assert diff.counts["samples"] == (36, 36)


def test_compare_names_what_was_added_and_removed(ours: Path, tmp_path: Path) -> None:
    more = write_dataset(tmp_path / "hub", people=8)
    diff = compare(ours, more)
    assert (diff.subjects.added, diff.subjects.removed) == (("007", "008"), ())
    assert (len(diff.facts.added), len(diff.samples.added), diff.samples.changed) == (12, 12, ())
    assert compare(more, ours).subjects.removed == ("007", "008")
    assert diff.rows["train_pair_tiny_qa"] == (36, 48)


def test_compare_names_changed_answers_and_roles(ours: Path, spoilt: Path) -> None:
    edit(spoilt, "train_pair_tiny_qa", lambda rows: rows[0].update(generated_answer="Elsewhere"))
    path = spoilt / "data" / "split" / "persona_split.json"
    content = json.loads(path.read_text())
    moved = content["keep_ids"].pop()
    content["delete_ids"].append(moved)
    path.write_text(json.dumps(content))
    diff = compare(ours, spoilt)
    assert diff.samples.changed == ("Ada_Lindb_01",)
    [change] = diff.roles
    assert (change.sample_id, change.setting, change.before, change.after) == (
        moved,
        "personalized",
        "retain",
        "forget",
    )


def test_compare_takes_the_published_layout(ours: Path, published: Path) -> None:
    diff = compare(published, ours)
    assert (diff.subjects, diff.samples, diff.facts) == (diff.subjects.model_copy(),) * 3
    assert not diff.samples
    assert diff.rows["attribution"] == (0, 24)


def test_a_study_takes_a_hub_id_too(hub: Hub, ours: Path, tmp_path: Path) -> None:
    """The dataset is fetched and read, which has no training pairs of the target that this recipe names."""
    push(hub, "tester/ppu", ours)
    recipe = tmp_path / "study.toml"
    recipe.write_text(
        'name = "s"\ndataset = "tester/ppu"\nmodel = "some/model"\ntarget = "nobody"\nmethods = ["gd-joint"]\n'
        'settings = ["persona"]\n'
    )
    with pytest.raises(BadInput, match="has training pairs of tiny; name one of them"):
        run_study(recipe, tmp_path / "out")
    assert any("resolve" in line and "train_pair_tiny_qa" in line for line in hub.requests)
