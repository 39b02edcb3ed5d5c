"""UMU-Bench (NeurIPS 2025 datasets track): every fact of a person with a picture and without, in three tasks."""

from collections.abc import Iterator, Mapping

from schemas.errors import BadInput
from schemas.records.adopted import Adopted, AdoptedLesson, AdoptedPerson, AdoptedQuestion, LeftOut
from schemas.vocabulary import OPTION_LABELS, Modality, Task
from sources.benchmarks.mllmu_bench import forget_sets, once
from sources.benchmarks.options import read_options
from sources.benchmarks.raw_rows import BenchmarkFolder, RawRow

PEOPLE, REAL = "Full_Set", "Real_Person_Set"
_COLUMNS = ("ID", "image", "MM_QA", "UM_QA", "Classify", "Cloze", "Generation")
_COLUMN_OF: Mapping[Task, str] = {"generation": "Generation", "cloze": "Cloze", "classification": "Classify"}
_MODALITIES: Mapping[str, Modality] = {"unimodal": "qa", "muitimodal": "vqa", "multimodal": "vqa"}
"""As the published literals spell them, and as they would be spelled."""
CHANGES = (
    "A question with a picture is scored with the right answer of its own options; the authors take the letter of the "
    "question without a picture.",
    "A reply is read as a letter only where it names one; the authors map any text to the most similar option.",
    "Real people of the Real_Person_Set are kept subjects whose ids begin with `real-`; nothing trains on them.",
    "Training pairs are the generation questions with their right answers, and the pairs of MM_QA and UM_QA.",
)


def read_umu_bench(folder: BenchmarkFolder) -> Adopted:
    """The benchmark in a clone of linbojunzi/UMU-bench. Raises BadInput where it has no people or no forget set."""
    left_out = LeftOut()
    return Adopted(
        kind="umu_bench",
        title="UMU-Bench",
        paper="",
        people=_people(folder, left_out),
        complete=forget_sets(folder),
        changes=CHANGES,
        left_out=left_out,
    )


def _people(folder: BenchmarkFolder, left_out: LeftOut) -> Iterator[AdoptedPerson]:
    for row in once(folder.rows(PEOPLE, _COLUMNS), left_out):
        yield _person(folder, row, row.text("ID"), left_out, taught=True)
    if REAL in folder.configs:
        for row in once(folder.rows(REAL, _COLUMNS), left_out):
            yield _person(folder, row, f"real-{row.text('ID')}", left_out, taught=False)


def _person(folder: BenchmarkFolder, row: RawRow, subject_id: str, left_out: LeftOut, *, taught: bool) -> AdoptedPerson:
    questions = tuple(_questions(row, subject_id, left_out))
    lessons = [each.lesson for each in questions if each.task == "generation"]
    lessons += [*_pairs(row, "MM_QA", "vqa", subject_id), *_pairs(row, "UM_QA", "qa", subject_id)]
    return left_out.without_picture(
        AdoptedPerson(
            subject_id=subject_id,
            subject="",
            picture=folder.picture(row, "image", row.cells.get("image")),
            questions=questions,
            lessons=tuple(lessons) if taught else (),
        )
    )


def _questions(row: RawRow, subject_id: str, left_out: LeftOut) -> Iterator[AdoptedQuestion]:
    for task, column in _COLUMN_OF.items():
        if not row.mapping(column):
            left_out.add(f"a person without anything in {column}")
        for form, items in row.mapping(column).items():
            if form not in _MODALITIES:
                raise row.bad(column, f"has a part {form!r} beside unimodal and muitimodal")
            for name, item in _items(items):
                cells = RawRow(row.where, item)
                options: tuple[str, ...] = ()
                label = ""
                answer = cells.text("answer")
                if task == "classification":
                    try:
                        options, label = read_options(item.get("options"), answer)
                    except ValueError as reason:
                        left_out.add(str(reason))
                        continue
                    answer = options[OPTION_LABELS.index(label)]
                if not (answer and cells.text("question")):
                    left_out.add(f"a {task} question without question or answer")
                    continue
                yield AdoptedQuestion(
                    sample_id=f"{subject_id}-{task}-{name}",
                    task=task,
                    modality=_MODALITIES[form],
                    question=cells.text("question"),
                    answer=answer,
                    options=options,
                    label=label,
                )


def _items(items: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """(key, item) of a dictionary of items, or (number, item) of a list."""
    pairs = items.items() if isinstance(items, Mapping) else enumerate(items if isinstance(items, list | tuple) else ())
    for name, item in pairs:
        yield str(name), item if isinstance(item, Mapping) else {"question": "", "answer": ""}


def _pairs(row: RawRow, column: str, modality: Modality, subject_id: str) -> Iterator[AdoptedLesson]:
    """Question and answer pairs of a training column, one or several; a column of another shape holds none."""
    try:
        items = row.listed(column)
    except BadInput:
        return
    for number, item in enumerate(items):
        cells = {str(name).casefold(): value for name, value in item.items()} if isinstance(item, Mapping) else {}
        question, answer = str(cells.get("question") or ""), str(cells.get("answer") or "")
        if question and answer:
            name = f"{subject_id}-{column.casefold()}-{number}"
            yield AdoptedLesson(sample_id=name, modality=modality, question=question, answer=answer)
