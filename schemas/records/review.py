"""Review: what a reader is shown of a fact, what they said of it, and what that says of all facts."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field

from schemas.errors import BadInput
from schemas.storage.tables import Record

Opinion = Literal["accept", "reject"]
Population = Literal["asked", "known"]

_SAMPLE = re.compile(r"(\S+) seed (-?\d+): (\d+) of (\d+) (asked|known)")


class ReviewSample(Record):
    """A random sample of a build's facts."""

    build: Annotated[str, Field(pattern=r"^\S+$")]
    """Name of the recipe and digest of what names the source: "demo.x3f2a9c01"."""
    seed: int
    size: int
    of: int
    """Facts that there were to draw from."""
    drawn_from: Population
    """All facts with questions (asked), or once the probe has finished those that the target knows (known)."""

    def text(self) -> str:
        """One cell that no spreadsheet takes for a number or a date: "demo.x3f2a9c01 seed 7: 150 of 1234 known"."""
        return f"{self.build} seed {self.seed}: {self.size} of {self.of} {self.drawn_from}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The sample of such a cell; raises BadInput for any other."""
        found = _SAMPLE.fullmatch(text.strip())
        if found is None:
            raise BadInput(repr(text[:60]), "is not the sample of a review", "leave that column as it was written")
        build, seed, size, of, drawn_from = found.groups()
        return cls.model_validate(
            {"build": build, "seed": int(seed), "size": int(size), "of": int(of), "drawn_from": drawn_from}
        )


class ReviewRow(Record):
    """A line of a review file: a fact as its reader needs it, all in text."""

    place: int
    """In the sample, from 1."""
    verdict: str
    """accept, reject or ""."""
    reason: str
    subject: str
    description: str
    subject_link: str
    """Page of the subject at the source, or "" where the subjects are fictional."""
    question: str
    picture_question: str
    """The same about the person in the picture."""
    answer: str
    accepted: str
    """Every accepted form, joined by " | "."""
    option_a: str
    option_b: str
    option_c: str
    option_d: str
    right_option: str
    cloze: str
    picture_cloze: str
    paraphrases: str
    property: str
    """Label and id of the property: "place of birth (P19)"."""
    qualified_by: str
    """What the build keeps of the statement's qualifiers: the value that the question names, and whether it is past."""
    value_id: str
    statement_id: str
    statement_link: str
    references: str
    sensitivity: str
    never_offered: str
    """Other values at the source that are no false options."""
    picture: str
    """Title of view 001, or ""."""
    picture_link: str
    picture_credit: str
    sample_id: str
    sample: str
    """A `ReviewSample` in text."""
    shown: str
    """Digest of what the verdict is about."""


class Verdict(Record):
    """What was said of a fact, as a build keeps it."""

    sample_id: str
    batch: int
    property_id: str
    statement_id: str
    verdict: Opinion
    reason: str
    shown: str
    samples: str
    """Every sample in which the fact was judged, joined by "; "."""


class SampleCount(Record):
    """How far a sample was judged, and how it came out."""

    seed: int
    size: int
    of: int
    drawn_from: Population
    judged: int
    accepted: int


class ReviewFigures(Record):
    """The verdicts of a build counted: each fact once, whatever samples it was in."""

    judged: int
    accepted: int
    low: float
    """Ends of the 95 % Wilson interval of accepted / judged."""
    high: float
    samples: tuple[SampleCount, ...]
    changed: int = 0
    """Accepted facts of the dataset's build that read otherwise by now, or are not asked any more."""

    @property
    def rejected(self) -> int:
        return self.judged - self.accepted
