"""Adopting MLLMU-Bench, UMU-Bench, RWKU and TOFU: what becomes of their rows, and what is refused."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from pydantic import JsonValue

from eval.tasks.dataset_rows import EvalRow, config_rows
from flows.adopting.adopt import adopt
from flows.cli import main
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.dataset.folder import config_names
from schemas.errors import BadInput
from schemas.records.evaluation import EvaluationRecord
from sources.benchmarks.kinds import READERS
from sources.benchmarks.options import read_options
from sources.sandbox.tiny_model import make_tiny_model
from tests.documents import file_of
from tests.flows.adopting.benchmark_files import (
    PICTURE,
    PLACES,
    RWKU_TYPES,
    mllmu_row,
    umu_row,
    write_mllmu_bench,
    write_parquet,
    write_rwku,
    write_tofu,
    write_umu_bench,
)
from tests.worlds.tiny_models import TEXTS
from unlearn.data import read_samples

WRITERS: dict[str, Callable[[Path], Path]] = {
    "mllmu_bench": write_mllmu_bench,
    "umu_bench": write_umu_bench,
    "rwku": write_rwku,
    "tofu": write_tofu,
}
RATIO = {"mllmu_bench": 5, "umu_bench": 5, "rwku": 30, "tofu": 1}
SMALL: dict[str, JsonValue] = {"batch": 4, "retain_batch": 4, "probe_every": 0, "probe_samples": 4, "rank": 4}


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The dataset made of each benchmark."""
    home = tmp_path_factory.mktemp("adopted")
    found = {}
    for kind, write in WRITERS.items():
        adopt(str(write(home / "source" / kind)), home / kind)
        found[kind] = home / kind
    return found


def rows(hub: Path, config: str, picture: str | None = None) -> list[EvalRow]:
    return list(config_rows(hub, config, picture=picture))


def test_a_reader_stands_for_every_format_that_is_written_here() -> None:
    assert set(READERS) == set(WRITERS)


@pytest.mark.parametrize("kind", WRITERS)
def test_the_kind_is_told_by_the_files(adopted: dict[str, Path], kind: str) -> None:
    assert json.loads((adopted[kind] / "adopted.json").read_text())["kind"] == kind


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_files_give_the_same_bytes(adopted: dict[str, Path], kind: str, tmp_path: Path) -> None:
    adopt(str(WRITERS[kind](tmp_path / "source" / kind)), tmp_path / "again")
    files = [path for path in sorted(adopted[kind].rglob("*")) if path.is_file()]
    again = [tmp_path / "again" / path.relative_to(adopted[kind]) for path in files]
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]


@pytest.mark.parametrize("kind", WRITERS)
def test_datasets_loads_every_config_by_the_card(adopted: dict[str, Path], kind: str, tmp_path: Path) -> None:
    for config in config_names(adopted[kind]):
        split = "train" if config.startswith("train_pair_") else "test"
        assert load_dataset(str(adopted[kind]), config, split=split, cache_dir=str(tmp_path)).num_rows > 0


@pytest.mark.parametrize("kind", WRITERS)
def test_it_is_unlearned_and_evaluated_like_a_dataset_of_ours(
    adopted: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    base = make_tiny_model(TEXTS, tmp_path / "base", seed=1, hidden=32, layers=1)
    request = UnlearnRequest(
        dataset=adopted[kind], method="gd", setting="complete", ratio=RATIO[kind], model=str(base), overrides=SMALL,
        steps=2,
    )  # fmt: skip
    run_unlearning(request, tmp_path / "run")
    record = evaluated(adopted[kind], base, tmp_path, ratio=RATIO[kind], adapter=tmp_path / "run")
    assert {row.role for row in record.metrics} >= {"forget", "retain"}


def evaluated(hub: Path, model: Path, home: Path, *, ratio: int, **more: object) -> EvaluationRecord:
    has = [name.removeprefix("ppu_eval_") for name in config_names(hub) if name.startswith("ppu_eval_")]
    wanted = EvaluateRequest(
        dataset=hub, model=str(model), setting="complete", ratio=ratio, max_new_tokens=2,
        tasks=[task for task in ("generation", "cloze", "classification") if task in has], utility=0, **more,
    )  # type: ignore[arg-type]  # fmt: skip
    return run_evaluation(wanted, home / "evaluations")


def test_a_question_of_mllmu_bench_keeps_its_task_modality_and_answer(adopted: dict[str, Path]) -> None:
    found = rows(adopted["mllmu_bench"], "ppu_eval_cloze", "image")
    first = next(row for row in found if row.sample_id == "001-cloze-vqa-0")
    assert (first.question, first.answer, first.picture) == ("This person was born in __.", "Lima", picture_of(1))


def picture_of(number: int) -> bytes:
    row = mllmu_row(number)["image"]
    assert isinstance(row, dict)
    return bytes(row["bytes"])


def test_options_of_mllmu_bench_stay_in_their_order_with_their_letter(adopted: dict[str, Path]) -> None:
    found = rows(adopted["mllmu_bench"], "ppu_eval_classification")
    first = next(row for row in found if row.sample_id == "002-classification-qa-0")
    assert (first.options[2], first.label, len(first.options)) == ("singer", "C", 4)


def test_forget_sets_of_mllmu_bench_are_ratios_of_complete(adopted: dict[str, Path]) -> None:
    split = json.loads((adopted["mllmu_bench"] / "data/split/complete_split.json").read_text())
    assert split == {"forget5": ["001"], "forget10": ["001", "002"]}


def test_celebrities_of_mllmu_bench_are_asked_and_never_trained_on(adopted: dict[str, Path]) -> None:
    asked = {row.subject_id for row in rows(adopted["mllmu_bench"], "ppu_eval_generation")}
    data = read_samples(adopted["mllmu_bench"], setting="complete", ratio=5)
    assert "celebrity-001" in asked
    assert not [key for key in data.retain if key.startswith("celebrity")]


def test_pictures_of_the_test_set_are_views(adopted: dict[str, Path]) -> None:
    shown = rows(adopted["mllmu_bench"], "cross_image_complete_r10", "image_003")
    assert len({row.picture for row in shown if row.subject_id == "001"}) == 1
    assert {row.picture for row in shown} != {picture_of(1)}


def test_a_view_attack_is_evaluated(adopted: dict[str, Path], tmp_path: Path) -> None:
    base = make_tiny_model(TEXTS, tmp_path / "base", seed=1, hidden=32, layers=1)
    record = evaluated(adopted["mllmu_bench"], base, tmp_path, ratio=5, attack="view_002")
    assert record.attack == "view_002"


def test_a_fact_of_umu_bench_is_one_sample_in_both_modalities(adopted: dict[str, Path]) -> None:
    found = [row for row in rows(adopted["umu_bench"], "ppu_eval_generation") if row.sample_id == "001-generation-1"]
    assert sorted(row.modality for row in found) == ["text", "text_image"]


def test_a_picture_question_of_umu_bench_is_scored_by_its_own_options(adopted: dict[str, Path]) -> None:
    found = rows(adopted["umu_bench"], "ppu_eval_classification")
    letters = {row.modality: row.label for row in found if row.sample_id == "001-classification-1"}
    assert letters == {"text": "A", "text_image": "B"}


def test_training_pairs_of_umu_bench_are_read_from_lists_and_tuples(adopted: dict[str, Path]) -> None:
    data = read_samples(adopted["umu_bench"], setting="complete", ratio=5)
    assert {"001-mm_qa-0|vqa", "001-um_qa-0|qa"} <= set(data.forget)


def test_a_person_who_is_there_twice_is_taken_once_and_counted(adopted: dict[str, Path]) -> None:
    record = json.loads((adopted["umu_bench"] / "adopted.json").read_text())
    assert record["left_out"] == {"a person who is there twice": 1}


def test_every_attack_type_of_rwku_is_an_attack_of_evaluate(adopted: dict[str, Path]) -> None:
    found = [name for name in config_names(adopted["rwku"]) if name.startswith("rwku_")]
    assert len(found) == len(RWKU_TYPES)


def test_an_attack_of_rwku_is_evaluated_on_the_forgotten(adopted: dict[str, Path], tmp_path: Path) -> None:
    base = make_tiny_model(TEXTS, tmp_path / "base", seed=1, hidden=32, layers=1)
    record = evaluated(adopted["rwku"], base, tmp_path, ratio=30, attack="rwku_role_playing")
    asked = [row.n for row in record.metrics if row.metric == "accuracy" and row.role == "forget"]
    assert asked[0] == 1
    assert "No recovery: rwku_role_playing asks questions of its own, which are not asked without it." in record.notes
    assert record.failed_plain == 0


def test_neighbours_of_rwku_are_kept_when_everybody_is_forgotten(adopted: dict[str, Path]) -> None:
    data = read_samples(adopted["rwku"], setting="complete", ratio=100)
    assert {sample.subject_id for sample in data.retain.values()} == {f"{each:03d}-near" for each in range(1, 5)}


def test_twenty_questions_of_tofu_are_one_author(adopted: dict[str, Path]) -> None:
    found = rows(adopted["tofu"], "ppu_eval_generation")
    assert [row.subject_id for row in found[19:21]] == ["000", "001"]


def test_perturbed_answers_of_tofu_become_options(adopted: dict[str, Path]) -> None:
    first = rows(adopted["tofu"], "ppu_eval_classification")[0]
    assert first.options["ABCD".index(first.label)] == first.answer == "Answer 2 0."
    assert first.accepted == ("It is: Answer 2 0.",)


def test_rights_are_taken_from_the_card(adopted: dict[str, Path]) -> None:
    licences = {kind: json.loads((hub / "adopted.json").read_text())["licence"] for kind, hub in adopted.items()}
    assert licences == {"mllmu_bench": "", "umu_bench": "", "rwku": "cc-by-4.0", "tofu": "mit"}


def test_an_adopted_dataset_is_never_published(adopted: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["publish", str(adopted["mllmu_bench"]), "--repo", "me/mine"])
    assert end.value.code == 2
    assert "no licence" in capsys.readouterr().err


def refused(source: Path, out: Path) -> str:
    with pytest.raises(BadInput) as problem:
        adopt(str(source), out)
    assert not out.exists()
    assert [path.name for path in out.parent.iterdir() if path.name.endswith(".part")] == []
    return str(problem.value)


def test_a_missing_column_is_named_with_its_row(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source")
    rows_without = [{name: cell for name, cell in mllmu_row(1).items() if name != "Mask_Task"}]
    write_parquet(source, "Full_Set", rows_without, pictures={"image": PICTURE})
    assert "row 0, column Mask_Task: is missing" in refused(source, tmp_path / "out")


def test_two_people_of_one_id_are_refused(tmp_path: Path) -> None:
    source = write_umu_bench(tmp_path / "source")
    other = {**umu_row(2), "ID": "001"}
    write_parquet(source, "Full_Set", [umu_row(1), other], pictures={"image": PICTURE})
    assert "is 001, which another row with other content has" in refused(source, tmp_path / "out")


def test_code_in_a_literal_is_refused_and_never_run(tmp_path: Path) -> None:
    source = write_umu_bench(tmp_path / "source")
    evil = {**umu_row(1), "Cloze": "{'unimodal': __import__('os').mkdir('%s')}" % (tmp_path / "ran")}
    write_parquet(source, "Full_Set", [evil], pictures={"image": PICTURE})
    assert "neither JSON nor a Python literal" in refused(source, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_a_picture_by_its_address_is_refused(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source")
    row = {**mllmu_row(1), "image": {"bytes": None, "path": "https://example.org/1.png"}}
    write_parquet(source, "Full_Set", [row], pictures={"image": PICTURE})
    assert "names a picture by its URL" in refused(source, tmp_path / "out")


def test_a_picture_by_its_path_is_read_from_the_folder(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source")
    (source / "images").mkdir()
    (source / "images" / "1.png").write_bytes(picture_of(1))
    named = [{**mllmu_row(each), "image": {"bytes": None, "path": "images/1.png"}} for each in (1, 2)]
    write_parquet(source, "Full_Set", named, pictures={"image": PICTURE})
    adopt(str(source), tmp_path / "out")
    shown = {row.picture for row in rows(tmp_path / "out", "ppu_eval_cloze", "image") if row.picture}
    assert shown >= {picture_of(1)}


def test_all_files_of_a_config_are_read_that_the_card_does_not_name(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source", people=4)
    whole = source / "Full_Set" / "train-00000-of-00001.parquet"
    table = pq.read_table(whole)
    whole.unlink()
    for number in (0, 1):
        pq.write_table(table.slice(2 * number, 2), whole.with_name(f"train-0000{number}-of-00002.parquet"))
    card = "---\nconfigs:\n- config_name: Test_Set\n  data_files: Test_Set/*.parquet\n---\n"
    (source / "README.md").write_text(card)
    record = adopt(str(source), tmp_path / "out")
    assert record.subjects == 5


def test_a_picture_outside_the_folder_is_refused(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source")
    (tmp_path / "secret.png").write_bytes(picture_of(1))
    row = {**mllmu_row(1), "image": {"bytes": None, "path": "../secret.png"}}
    write_parquet(source, "Full_Set", [row], pictures={"image": PICTURE})
    assert "outside the folder" in refused(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "right", "reason"),
    [
        ({"A": "Oslo"}, "A", "fewer than two options"),
        (dict(zip("ABCDE", "vwxyz", strict=True)), "A", "more than four options"),
        ({"A": "Oslo", "B": "Lima"}, "C", "a right answer that is none of the options"),
    ],
    ids=["one", "five", "another letter"],
)
def test_a_choice_that_cannot_be_asked_is_left_out_and_counted(
    tmp_path: Path, options: dict[str, str], right: str, reason: str
) -> None:
    source = write_umu_bench(tmp_path / "source")
    item = {"question": "Where?", "options": options, "answer": right}
    row = {**umu_row(1), "Classify": str({"unimodal": {"1": item}})}
    write_parquet(source, "Full_Set", [row, umu_row(2)], pictures={"image": PICTURE})
    record = adopt(str(source), tmp_path / "out")
    assert record.left_out[reason] == 1


def test_a_key_goes_before_an_option_that_reads_as_a_letter() -> None:
    assert read_options({"A": "O", "B": "A", "C": "B", "D": "AB"}, "B") == (("O", "A", "B", "AB"), "B")


@pytest.mark.parametrize("column", ["Classification_Task", "Generation_Task", "Mask_Task"])
def test_a_null_among_the_questions_is_left_out_and_counted(tmp_path: Path, column: str) -> None:
    source = write_mllmu_bench(tmp_path / "source")
    cell = {"Pure_Text_Questions": [None]} if column == "Classification_Task" else [None]
    folder = source / "Full_Set"
    (folder / "train-00000-of-00001.parquet").unlink()
    rows = [{**mllmu_row(1), column: cell}, mllmu_row(2)]
    lines = [{**row, "image": {"path": "one.png"}} for row in rows]
    (source / "one.png").write_bytes(picture_of(1))
    (folder / "Full_Set.json").write_text(json.dumps(lines))
    (source / "README.md").unlink()
    assert sum(adopt(str(source), tmp_path / "out").left_out.values()) == 1


def test_an_empty_answer_is_left_out_and_counted(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    lines = (source / "world_facts.json").read_text() + '{"question": "Why?", "answer": " "}\n'
    (source / "world_facts.json").write_text(lines)
    record = adopt(str(source), tmp_path / "out")
    assert record.left_out == {"a question of world_facts without question or answer": 1}


def test_a_forget_set_of_another_version_is_refused(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    (source / "forget01.json").write_text('{"question": "Question 1 about author 2?", "answer": "x"}\n')
    assert "forgets 1 of 20 questions of author 002" in refused(source, tmp_path / "out")


def test_an_attack_type_that_is_not_known_is_left_out_and_counted(tmp_path: Path) -> None:
    source = write_rwku(tmp_path / "source")
    row = {"subject": "Person A", "query": "?", "answer": "!", "level": "3", "type": "bribery"}
    (source / "forget_level3.json").write_text(json.dumps([row]))
    left_out = adopt(str(source), tmp_path / "out").left_out
    assert left_out == {"an adversarial question of the unknown type 'bribery'": 1}


@pytest.mark.parametrize(("cells", "left"), [({"image": None}, 1), ({"Cloze": None}, 1), ({"Classify": ""}, 1)])
def test_a_null_cell_of_a_person_is_counted_and_the_rest_is_taken(
    tmp_path: Path, cells: dict[str, object], left: int
) -> None:
    source = write_umu_bench(tmp_path / "source")
    whole = {**umu_row(1), **cells}
    write_parquet(source, "Full_Set", [whole, umu_row(2)], pictures={"image": PICTURE})
    counts = adopt(str(source), tmp_path / "out").left_out
    assert len(counts) == left
    assert any(row.subject_id == "001" for row in rows(tmp_path / "out", "ppu_eval_generation"))


def test_a_null_among_further_pictures_is_counted_and_the_others_are_views(tmp_path: Path) -> None:
    source = write_mllmu_bench(tmp_path / "source", views=1)
    shown = [{"ID": "001", "images": [None, {"bytes": picture_of(2), "path": None}]}]
    write_parquet(source, "Test_Set", shown, pictures={"images": pa.list_(PICTURE)})
    assert adopt(str(source), tmp_path / "out").left_out == {"a further picture that is null": 1}
    assert rows(tmp_path / "out", "cross_image_complete_r10", "image_002")[0].picture == picture_of(2)


def test_compressed_json_is_read_as_it_is(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    whole = adopt(str(source), tmp_path / "plain")
    for file in source.glob("*.json"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert adopt(str(source), tmp_path / "out").rows == whole.rows


def test_json_that_is_not_utf8_is_refused_by_its_name(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    (source / "world_facts.json").write_bytes('{"question": "Où?", "answer": "x"}'.encode("latin-1"))
    assert "world_facts.json: is not UTF-8" in refused(source, tmp_path / "out")


def test_a_folder_of_something_else_is_refused_with_the_kinds(tmp_path: Path) -> None:
    write_parquet(tmp_path / "source", "data", [{"text": "x"}], pictures={})
    assert "--kind mllmu_bench, umu_bench, rwku, tofu" in refused(tmp_path / "source", tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        adopt(str(source), tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_a_reader_of_ones_own_is_taken_by_its_file(tmp_path: Path) -> None:
    source = write_tofu(tmp_path / "source")
    own = tmp_path / "own_reader.py"
    own.write_text(
        "from dataclasses import replace\n"
        "from sources.benchmarks.tofu import read_tofu\n"
        "def read(folder):\n    return replace(read_tofu(folder), kind='mine', title='Mine')\n"
    )
    assert adopt(str(source), tmp_path / "out", kind=f"{own}:read").title == "Mine"
    assert "train_pair_mine_qa" in config_names(tmp_path / "out")


def test_the_reader_of_the_docs_reads_its_towns(tmp_path: Path) -> None:
    (tmp_path / "own_reader.py").write_text(file_of("docs/other-benchmarks.md", "own_reader.py"))
    (tmp_path / "towns").mkdir()
    towns = [
        {"town": each, "question": f"Where is {each}?", "answer": "here", "forget": each == "Oslo"} for each in PLACES
    ]
    (tmp_path / "towns" / "towns.jsonl").write_text("".join(json.dumps(town) + "\n" for town in towns))
    record = adopt(str(tmp_path / "towns"), tmp_path / "out", kind=f"{tmp_path / 'own_reader.py'}:read_towns")
    assert (record.samples, record.forgotten) == (4, {"25": 1})


def test_figures_of_the_authors_stand_beside_ours(adopted: dict[str, Path], tmp_path: Path) -> None:
    base = make_tiny_model(TEXTS, tmp_path / "base", seed=1, hidden=32, layers=1)
    found = evaluated(adopted["mllmu_bench"], base, tmp_path, ratio=5).metrics
    found += evaluated(adopted["umu_bench"], base, tmp_path, ratio=5).metrics
    names = {row.metric for row in found}
    assert names >= {"mllmu_letter_accuracy", "mllmu_cloze_accuracy", "umu_rlr", "umu_rlf", "accuracy"}
