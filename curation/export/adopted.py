"""Writing an adopted benchmark as a dataset in the layout of our exports, so that every command takes it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import JsonValue, create_model

from curation.export.parquet import HubTable
from schemas.dataset.adopted_record import AdoptedSummary
from schemas.dataset.layout import Slice, cross_config, eval_config
from schemas.dataset.release import ConfigSummary
from schemas.dataset.samples import PublishedModality
from schemas.errors import BadInput
from schemas.records.adopted import Adopted, AdoptedPerson, AdoptedQuestion
from schemas.storage.artifacts import write_json
from schemas.storage.tables import EncodedImage, Record
from schemas.vocabulary import OPTION_LABELS, PUBLISHED_MODALITY, Task

ROWS_PER_FILE, ROWS_PER_GROUP = 20_000, 100
PNG = b"\x89PNG"
CROSS_VIEWS = ("image_002", "image_003", "image_004")


class AdoptedTrainRow(Record):
    """One row of `train_pair_<kind>_qa`; the column `generated_answer` holds the benchmark's right answer."""

    sample_id: str
    subject_id: str
    subject: str
    question: str
    generated_answer: str


class AdoptedPictureTrainRow(AdoptedTrainRow):
    """One row of `train_pair_<kind>`."""

    image: EncodedImage


class AdoptedRow(Record):
    """One row of an eval or attack config. `property_label` is the benchmark's own name of the group."""

    sample_id: str
    subject_id: str
    subject: str
    task_type: Task
    modality: PublishedModality
    question: str
    option_a: str | None
    option_b: str | None
    option_c: str | None
    option_d: str | None
    answer_label: str | None
    answer_text: str
    accepted_answers: tuple[str, ...]
    property_label: str
    image: EncodedImage | None


def write_adopted(folder: Path, adopted: Adopted) -> AdoptedSummary:
    """Write data files and splits into an empty folder, one person in memory at a time; the counts.

    Raises BadInput for two samples that have one id and for a forget set that names somebody who is not there. The
    same files give the same bytes.
    """
    tables = _Tables(folder, adopted)
    subjects: set[str] = set()
    taken: set[str] = set()
    with tables:
        for person in adopted.people:
            if person.subject_id in subjects:
                raise BadInput(f"{adopted.title}, subject {person.subject_id}", "is there twice", "fetch it again")
            subjects.add(person.subject_id)
            for question in person.questions:
                key = f"{question.sample_id}|{question.task}|{question.modality}|{question.attack}"
                if key in taken:
                    raise BadInput(f"{adopted.title}, sample {key}", "is there twice", "fetch the benchmark again")
                taken.add(key)
            tables.add(person)
    configs = tables.close()
    for ratio, named in adopted.complete.items():
        if absent := sorted(set(named) - subjects):
            where = f"{adopted.title}, forget set of {ratio} %"
            raise BadInput(where, f"names {absent[0]}, who has no question", "fetch one version of all configs")
    splits: dict[str, JsonValue] = {f"forget{ratio}": list(named) for ratio, named in sorted(adopted.complete.items())}
    write_json(folder / "data" / "split" / "complete_split.json", splits)
    samples = {key.partition("|")[0] for key in taken}
    return AdoptedSummary(
        subjects=len(subjects),
        samples=len(samples),
        rows={config.name: config.rows for config in configs},
        forgotten={str(ratio): len(named) for ratio, named in sorted(adopted.complete.items())},
        left_out=dict(sorted(adopted.left_out.reasons.items())),
    )


class _Tables:
    """The open configs; one is opened when its first row comes, and views are held back until all have been seen."""

    def __init__(self, folder: Path, adopted: Adopted) -> None:
        self._folder, self._kind, self._ratio = folder, adopted.kind, max(adopted.complete)
        self._tables: dict[str, HubTable] = {}

    def __enter__(self) -> "_Tables":
        return self

    def __exit__(self, *_: object) -> None:
        for table in self._tables.values():
            table.abandon()

    def add(self, person: AdoptedPerson) -> None:
        """All rows of one person."""
        picture = None if person.picture is None else _image(person.picture, f"{person.subject_id}.001")
        for config, record, row in self._rows(person, picture):
            self._table(config, record).add(row)
        for table in self._tables.values():
            table.end_subject()

    def close(self) -> list[ConfigSummary]:
        """The configs that have rows, by name."""
        return [self._tables[name].close() for name in sorted(self._tables)]

    def _table(self, config: str, record: type[Record]) -> HubTable:
        if config not in self._tables:
            split = "train" if config.startswith("train_pair_") else "test"
            table = HubTable(
                self._folder, config, split, record, rows_per_file=ROWS_PER_FILE, rows_per_group=ROWS_PER_GROUP
            )
            self._tables[config] = table
        return self._tables[config]

    def _rows(self, person: AdoptedPerson, picture: EncodedImage | None) -> Iterator[tuple[str, type[Record], Record]]:
        for lesson in person.lessons:
            taught: dict[str, object] = {
                "sample_id": lesson.sample_id,
                "subject_id": person.subject_id,
                "subject": person.subject,
                "question": lesson.question,
                "generated_answer": lesson.answer,
            }
            if lesson.modality == "qa":
                yield f"train_pair_{self._kind}_qa", AdoptedTrainRow, AdoptedTrainRow.model_validate(taught)
            elif picture is not None:
                row = AdoptedPictureTrainRow.model_validate(taught | {"image": picture})
                yield f"train_pair_{self._kind}", AdoptedPictureTrainRow, row
        for question in person.questions:
            cells = _cells(person, question, picture)
            if question.attack:
                yield f"{question.attack}_complete{self._ratio}", AdoptedRow, AdoptedRow.model_validate(cells)
                continue
            yield eval_config(question.task), AdoptedRow, AdoptedRow.model_validate(cells)
            if person.views and question.modality == "vqa":
                record = _cross_record(len(person.views))
                shown = zip(CROSS_VIEWS, person.views, strict=False)
                cells |= {name: _image(view, f"{person.subject_id}.{name[-3:]}") for name, view in shown}
                cut = Slice(setting="complete", ratio=self._ratio)
                yield cross_config(cut, "forget"), record, record.model_validate(cells)


def _cells(person: AdoptedPerson, question: AdoptedQuestion, picture: EncodedImage | None) -> dict[str, object]:
    options: list[str | None] = [*question.options, *[None] * len(OPTION_LABELS)]
    return {
        "sample_id": question.sample_id,
        "subject_id": person.subject_id,
        "subject": person.subject,
        "task_type": question.task,
        "modality": PUBLISHED_MODALITY[question.modality],
        "question": question.question,
        **{f"option_{letter.lower()}": option for letter, option in zip(OPTION_LABELS, options, strict=False)},
        "answer_label": question.label or None,
        "answer_text": question.answer,
        "accepted_answers": question.accepted,
        "property_label": question.group,
        "image": picture if question.modality == "vqa" else None,
    }


@cache
def _cross_record(views: int) -> type[Record]:
    """The row of a cross-image config with so many further pictures, which everybody who has any has."""
    pictures = dict.fromkeys(CROSS_VIEWS[:views], (EncodedImage, ...))
    return create_model("AdoptedCrossRow", __base__=AdoptedRow, **pictures)  # type: ignore[call-overload, no-any-return]


def _image(content: bytes, name: str) -> EncodedImage:
    return EncodedImage(bytes=content, path=f"{name}.{'png' if content.startswith(PNG) else 'jpg'}")
