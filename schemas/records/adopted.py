"""Another benchmark as its reader hands it over: people with their questions, and which of them are forgotten."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Task

BenchmarkKind = Literal["mllmu_bench", "umu_bench", "rwku", "tofu"]
"""The benchmarks that can be read; sources/benchmarks has a module of each name."""


class AdoptedLesson(Record):
    """One training sample: what is trained to be forgotten or kept."""

    sample_id: str
    modality: Modality
    question: str
    answer: str


class AdoptedQuestion(Record):
    """One question of the benchmark. Several with one `sample_id` ask for the same fact in other forms."""

    sample_id: str
    task: Task
    modality: Modality
    question: str
    answer: str
    options: tuple[str, ...] = ()
    label: str = ""
    accepted: tuple[str, ...] = ()
    """Further right answers, where the benchmark states them."""
    group: str = ""
    """The benchmark's own name for what the question belongs to, such as `neighbor_level2`."""
    attack: str = ""
    """The attack whose question this is; "" for a plain one."""

    @property
    def lesson(self) -> AdoptedLesson:
        """The question with its right answer, to be trained on."""
        return AdoptedLesson(
            sample_id=self.sample_id, modality=self.modality, question=self.question, answer=self.answer
        )


class AdoptedPerson(Record):
    """A subject with all that the benchmark asks about it. `views` are further pictures, for attacks by view."""

    subject_id: str
    subject: str
    picture: bytes | None = None
    views: tuple[bytes, ...] = ()
    questions: tuple[AdoptedQuestion, ...]
    lessons: tuple[AdoptedLesson, ...] = ()


NO_PICTURE = "a question with a picture of somebody whose picture is missing"


@dataclass
class LeftOut:
    """Items that could not be taken, counted by reason while the people are read."""

    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str) -> None:
        """Count one item."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def without_picture(self, person: AdoptedPerson) -> AdoptedPerson:
        """The person; one without a picture keeps only what is asked and taught without one: the rest is counted."""
        if person.picture is not None:
            return person
        for question in person.questions:
            if question.modality == "vqa":
                self.add(NO_PICTURE)
        return person.model_copy(
            update={
                "views": (),
                "questions": tuple(each for each in person.questions if each.modality == "qa"),
                "lessons": tuple(each for each in person.lessons if each.modality == "qa"),
            }
        )


@dataclass(frozen=True)
class Adopted:
    """A benchmark opened for reading. `people` can be read once, in the order of the files."""

    kind: str
    """A BenchmarkKind, or the name that a user's own reader gives; training configs are called by it."""
    title: str
    paper: str
    """arXiv id, or ""."""
    people: Iterator[AdoptedPerson]
    complete: Mapping[int, tuple[str, ...]]
    """Subject ids that are forgotten at each ratio (per cent)."""
    changes: tuple[str, ...] = ()
    """What is not as published, in sentences for the card."""
    left_out: LeftOut = field(default_factory=LeftOut)
