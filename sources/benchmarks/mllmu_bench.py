"""MLLMU-Bench (arXiv 2410.22108): 500 fictitious people and 153 celebrities, three tasks with and without a picture."""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from schemas.errors import BadInput
from schemas.records.adopted import Adopted, AdoptedLesson, AdoptedPerson, AdoptedQuestion, LeftOut
from schemas.vocabulary import OPTION_LABELS, Modality, Task
from sources.benchmarks.options import read_options
from sources.benchmarks.picture_store import PictureStore
from sources.benchmarks.raw_rows import BenchmarkFolder, RawRow

PEOPLE, CELEBRITIES, VIEWS = "Full_Set", "Retain_Set", "Test_Set"
MOST_VIEWS = 3
_TASK_COLUMNS = ("Classification_Task", "Generation_Task", "Mask_Task")
_COLUMNS = ("ID", "image", "question", "answer", *_TASK_COLUMNS)
_FORGET = re.compile(r"forget_(\d+)")
CHANGES = (
    "Every question stands in a sample of its own, since the benchmark does not say which of them ask for one fact.",
    "Celebrities of the Retain_Set are kept subjects whose ids begin with `celebrity-`; nothing trains on them.",
    "Training pairs are the generation questions with their right answers, and the profile question of each person.",
    "Pictures of the Test_Set are the views 002 to 004, in the order of the file, as many as everybody has of whom "
    "there are any; the authors draw one unseeded.",
    "Questions are asked without examples; the authors put unseeded examples from the forget set before them.",
)


def read_mllmu_bench(folder: BenchmarkFolder) -> Adopted:
    """The benchmark in a clone of MLLMMU/MLLMU-Bench. Raises BadInput where it has no people or no forget set."""
    left_out = LeftOut()
    return Adopted(
        kind="mllmu_bench",
        title="MLLMU-Bench",
        paper="2410.22108",
        people=_people(folder, left_out),
        complete=forget_sets(folder),
        changes=CHANGES,
        left_out=left_out,
    )


def forget_sets(folder: BenchmarkFolder) -> Mapping[int, tuple[str, ...]]:
    """Ids by ratio, from the configs forget_5 and the like."""
    found: dict[int, tuple[str, ...]] = {}
    for config in folder.configs:
        if match := _FORGET.fullmatch(config):
            ids = (row.text("ID") for row in folder.rows(config, ("ID",)))
            found[int(match[1])] = tuple(dict.fromkeys(ids))
    if not found:
        raise BadInput(str(folder.path), "has no forget set (forget_5 and the like)", "fetch all of the benchmark")
    return dict(sorted(found.items()))


def once(rows: Iterator[RawRow], left_out: LeftOut) -> Iterator[RawRow]:
    """Rows with an id of their own. One that is there again is left out if it is the same, and refused if not."""
    seen: dict[str, int] = {}
    for row in rows:
        name, content = row.text("ID"), hash(_flat(row.cells))
        if not name:
            raise row.bad("ID", "is empty")
        if name not in seen:
            seen[name] = content
            yield row
        elif seen[name] == content:
            left_out.add("a person who is there twice")
        else:
            raise row.bad("ID", f"is {name}, which another row with other content has")


def _flat(value: object) -> object:
    """A cell's value as something that can be hashed and compared."""
    if isinstance(value, Mapping):
        return tuple((name, _flat(each)) for name, each in sorted(value.items()))
    return tuple(map(_flat, value)) if isinstance(value, list | tuple) else value


def _people(folder: BenchmarkFolder, left_out: LeftOut) -> Iterator[AdoptedPerson]:
    with PictureStore() as store:
        if VIEWS in folder.configs:
            for row in folder.rows(VIEWS, ("ID", "images")):
                shown = [folder.picture(row, "images", value) for value in row.listed("images")]
                for _ in range(shown.count(None)):
                    left_out.add("a further picture that is null")
                for picture in [each for each in shown if each is not None][:MOST_VIEWS]:
                    store.add(row.text("ID"), picture)
        for row in once(folder.rows(PEOPLE, _COLUMNS), left_out):
            yield _person(folder, row, row.text("ID"), store.of(row.text("ID"))[: store.fewest], left_out)
    if CELEBRITIES in folder.configs:
        for row in once(folder.rows(CELEBRITIES, _COLUMNS), left_out):
            person = _person(folder, row, f"celebrity-{row.text('ID')}", (), left_out)
            yield person.model_copy(update={"lessons": ()})


def _person(
    folder: BenchmarkFolder, row: RawRow, subject_id: str, views: tuple[bytes, ...], left_out: LeftOut
) -> AdoptedPerson:
    questions = (*_choices(row, subject_id, left_out), *_texts(row, subject_id, left_out))
    lessons = [each.lesson for each in questions if each.task == "generation"]
    if row.has("question") and row.has("answer"):
        profile = partial(AdoptedLesson, sample_id=f"{subject_id}-profile", modality="vqa")
        lessons.append(profile(question=row.text("question"), answer=row.text("answer")))
    return left_out.without_picture(
        AdoptedPerson(
            subject_id=subject_id,
            subject="",
            picture=folder.picture(row, "image", row.cells.get("image")),
            views=views,
            questions=questions,
            lessons=tuple(lessons),
        )
    )


def _choices(row: RawRow, subject_id: str, left_out: LeftOut) -> Iterator[AdoptedQuestion]:
    by_kind = row.mapping("Classification_Task")
    if not by_kind:
        left_out.add("a person without anything in Classification_Task")
    for name, items in by_kind.items():
        modality = modality_named(name)
        for number, item in enumerate(items if isinstance(items, list | tuple) else ()):
            if not isinstance(item, Mapping) or not item.get("Question"):
                left_out.add("a classification question without question or answer")
                continue
            cells = RawRow(row.where, item)
            try:
                options, label = read_options(item.get("Options"), cells.text("Correct_Answer"))
            except BadInput:
                raise
            except ValueError as reason:
                left_out.add(str(reason))
                continue
            yield AdoptedQuestion(
                sample_id=f"{subject_id}-classification-{modality}-{number}",
                task="classification",
                modality=modality,
                question=cells.text("Question"),
                answer=options[OPTION_LABELS.index(label)],
                options=options,
                label=label,
            )


def _texts(row: RawRow, subject_id: str, left_out: LeftOut) -> Iterator[AdoptedQuestion]:
    tasks: tuple[tuple[Task, str], ...] = (("generation", "Generation_Task"), ("cloze", "Mask_Task"))
    for task, column in tasks:
        for number, item in enumerate(row.listed(column)):
            cells = RawRow(row.where, item if isinstance(item, Mapping) else {"Question": "", "Ground_Truth": ""})
            if not (cells.text("Question") and cells.text("Ground_Truth")):
                left_out.add(f"a {task} question without question or answer")
                continue
            modality = modality_named(cells.text("Type"))
            yield AdoptedQuestion(
                sample_id=f"{subject_id}-{task}-{modality}-{number}",
                task=task,
                modality=modality,
                question=cells.text("Question"),
                answer=cells.text("Ground_Truth"),
            )


def modality_named(name: str) -> Modality:
    """vqa for Image_Textual, Image_Textual_Questions and the like; qa for Pure_Text."""
    return "vqa" if "image" in name.casefold() else "qa"
