"""eval.tasks.questions and eval.tasks.dataset_rows: an exported dataset becomes questions with roles, or a clear
refusal.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval.tasks.dataset_rows import training_answers, training_target
from eval.tasks.questions import EvalQuestion, Slice, questions_digest, read_facts, read_questions
from schemas.dataset.split_files import read_roles
from schemas.errors import BadInput
from schemas.records.evaluation import AttackName
from schemas.vocabulary import MODALITIES, TASKS, Modality, Setting, Task
from tests.worlds.eval_world import write_dataset

PUBLISHED = [
    "sample_id", "subject_id", "subject", "task_type", "modality", "question", "option_a", "option_b", "option_c",
    "option_d", "answer_label", "answer_text", "image", "image_path", "source_from",
]  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tasks") / "hub")


@pytest.fixture
def copy(hub: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hub, tmp_path / "hub"))


def asked(
    hub: Path,
    setting: Setting = "selective",
    ratio: int | None = None,
    *,
    tasks: Sequence[Task] = TASKS,
    modalities: Sequence[Modality] = MODALITIES,
    attack: AttackName | None = None,
    allow_missing: bool = False,
) -> list[EvalQuestion]:
    cut = Slice(setting, ratio, read_roles(hub, setting, ratio))
    found, _ = read_questions(
        hub, read_facts(hub), cut, tasks=tasks, modalities=modalities, attack=attack, allow_missing=allow_missing
    )
    return found


def change(hub: Path, config: str, with_table: Callable[[pa.Table], pa.Table]) -> None:
    file = next((hub / "data" / config).glob("*.parquet"))
    pq.write_table(with_table(pq.read_table(file)), file)


def test_every_fact_is_asked_in_three_tasks_and_two_modalities(hub: Path) -> None:
    assert len(asked(hub)) == 6 * 6 * 3 * 2


def test_picture_questions_show_the_person_and_text_questions_nothing(hub: Path) -> None:
    for question in asked(hub):
        assert (question.picture is not None) == (question.modality == "vqa")
        assert (question.subject in question.text) == (question.modality == "qa")


def test_selective_forgets_the_sensitive_facts(hub: Path) -> None:
    forget = {question.sample_id[-2:] for question in asked(hub) if question.role == "forget"}
    assert forget == {"25", "26", "27"}


def test_complete_forgets_whole_subjects(hub: Path) -> None:
    forget = {question.subject_id for question in asked(hub, "complete", 30) if question.role == "forget"}
    retain = {question.subject_id for question in asked(hub, "complete", 30) if question.role == "retain"}
    assert forget.isdisjoint(retain)
    assert len(forget | retain) == 6


def test_published_columns_alone_suffice(hub: Path, copy: Path) -> None:
    for task in TASKS:
        change(copy, f"ppu_eval_{task}", lambda table: table.select(PUBLISHED))
    ours, bare = asked(hub), asked(copy)
    assert [question.key for question in bare] == [question.key for question in ours]
    assert {form.text for question in bare for form in question.accepted} == {question.answer for question in ours}
    assert {question.kind for question in bare if question.sample_id.endswith("_01")} == {
        "What is the place 1 of this person?"
    }


def test_accepted_answers_are_used_where_the_dataset_has_them(hub: Path) -> None:
    for question in asked(hub):
        assert [form.text for form in question.accepted] == [question.answer, f"City of {question.answer}"]


@pytest.mark.parametrize("setting", ["selective", "personalized"])
def test_an_attack_asks_in_other_words_in_the_same_roles(hub: Path, setting: Setting) -> None:
    plain = {question.key: question for question in asked(hub, setting, tasks=["generation"])}
    attacked = {question.key: question for question in asked(hub, setting, attack="jailbreak_style_prompt")}
    assert attacked.keys() == plain.keys()
    assert all(plain[key].text in question.text != plain[key].text for key, question in attacked.items())
    assert all(plain[key].role == question.role for key, question in attacked.items())


def test_a_view_shows_another_picture_and_asks_the_same(hub: Path) -> None:
    plain = {question.key: question for question in asked(hub, modalities=["vqa"])}
    other = {question.key: question for question in asked(hub, attack="view_003")}
    assert other.keys() == plain.keys()
    assert all(plain[key].text == question.text for key, question in other.items())
    assert all(plain[key].picture != question.picture for key, question in other.items())


def test_a_smaller_ratio_is_cut_out_of_the_largest_attack_config(hub: Path) -> None:
    plain = {question.key: question.role for question in asked(hub, "complete", 15, tasks=["generation"])}
    assert {q.key: q.role for q in asked(hub, "complete", 15, attack="paraphrase")} == plain


def test_a_dataset_without_retain_attacks_has_forget_questions_alone(copy: Path) -> None:
    shutil.rmtree(copy / "data" / "paraphrase_selective_retain")
    assert {question.role for question in asked(copy, attack="paraphrase")} == {"forget"}


def test_a_changed_question_changes_the_digest(hub: Path, copy: Path) -> None:
    column = "question"

    def shout(table: pa.Table) -> pa.Table:
        words = [text.upper() for text in table[column].to_pylist()]
        return table.set_column(table.schema.get_field_index(column), column, pa.array(words))

    assert questions_digest(asked(hub)) == questions_digest(asked(copy))
    change(copy, "ppu_eval_cloze", shout)
    assert questions_digest(asked(hub)) != questions_digest(asked(copy))


def test_the_roles_are_part_of_the_digest(hub: Path) -> None:
    assert questions_digest(asked(hub, "selective")) != questions_digest(asked(hub, "personalized"))


def test_a_dataset_without_the_setting_is_refused(copy: Path) -> None:
    (copy / "data" / "split" / "persona_split.json").unlink()
    with pytest.raises(BadInput, match="no personalized setting"):
        asked(copy, "personalized")


def test_a_ratio_that_the_dataset_lacks_is_refused(hub: Path) -> None:
    with pytest.raises(BadInput, match="has no ratio 20; choose one of 5, 10, 15, 30"):
        asked(hub, "complete", 20)


def test_complete_without_a_ratio_is_refused(hub: Path) -> None:
    with pytest.raises(BadInput, match="needs a ratio"):
        asked(hub, "complete")


def test_a_ratio_with_another_setting_is_refused(hub: Path) -> None:
    with pytest.raises(BadInput, match="selective setting has no ratio"):
        asked(hub, "selective", 30)


def test_a_dataset_without_the_attack_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "data" / "random_prefix_selective")
    with pytest.raises(BadInput, match="has no config random_prefix_selective"):
        asked(copy, attack="random_prefix")


def test_a_dataset_without_the_task_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "data" / "ppu_eval_cloze")
    with pytest.raises(BadInput, match="has no config ppu_eval_cloze"):
        asked(copy)


def test_a_question_that_stands_twice_is_refused(copy: Path) -> None:
    change(copy, "ppu_eval_cloze", lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    with pytest.raises(BadInput, match=r"cloze\|qa twice"):
        asked(copy)


def test_a_row_without_a_sample_id_is_refused(copy: Path) -> None:
    def blank(table: pa.Table) -> pa.Table:
        ids = ["", *table["sample_id"].to_pylist()[1:]]
        return table.set_column(0, pa.field("sample_id", pa.string()), pa.array(ids))

    change(copy, "ppu_eval_generation", blank)
    with pytest.raises(BadInput, match="row 0: has no sample_id"):
        asked(copy)


def test_samples_that_only_the_split_names_are_refused_unless_allowed(copy: Path) -> None:
    path = copy / "data" / "split" / "selective_split.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([*rows, {"subject_id": "001", "id": "Nobody_25"}]))
    with pytest.raises(BadInput, match="names 1 ids that the dataset lacks, first 'Nobody_25'"):
        asked(copy)
    assert asked(copy, allow_missing=True)


def test_a_sample_in_both_roles_is_refused(copy: Path) -> None:
    path = copy / "data" / "split" / "persona_split.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "keep_ids": [*content["keep_ids"], content["delete_ids"][0]]}))
    with pytest.raises(BadInput, match="in both roles"):
        asked(copy, "personalized")


def test_a_question_without_its_picture_is_refused(copy: Path) -> None:
    change(copy, "ppu_eval_cloze", lambda table: table.drop_columns(["image", "image_path"]))
    with pytest.raises(BadInput, match="column image: is missing"):
        asked(copy)


def test_training_answers_are_the_targets_own_in_each_modality(hub: Path) -> None:
    found = training_answers(hub, training_target(hub, None))
    assert len(found) == 6 * 6 * 2
    assert all(f"says {modality}" in answer for (_, modality), answer in found.items())


def test_a_target_that_the_dataset_lacks_is_refused(hub: Path) -> None:
    with pytest.raises(BadInput, match="has training pairs of tiny"):
        training_target(hub, "gemma3")
