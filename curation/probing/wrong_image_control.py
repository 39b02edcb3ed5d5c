"""Whose picture stands in for the subject's in the wrong-image control of the probe."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from schemas.records.build_rows import Fact

_LOOKED_AT = 64
"""Subjects drawn per fact before the best of them is taken."""


@dataclass(frozen=True)
class Stranger:
    """A subject with a training view, and by property every form of the answers that are true of them."""

    subject_id: str
    image_id: str
    answers: Mapping[str, frozenset[str]]


def strangers_of(faces: Mapping[str, str], facts: Iterable[Fact]) -> tuple[Stranger, ...]:
    """Everybody who can stand in: `faces` is the image_id of view 001 by subject_id; facts may come in any order."""
    answers: dict[str, dict[str, frozenset[str]]] = {subject_id: {} for subject_id in faces}
    for fact in facts:
        if fact.subject_id in answers:
            known = answers[fact.subject_id]
            known[fact.property_id] = known.get(fact.property_id, frozenset()) | answer_forms(fact)
    return tuple(Stranger(subject_id, faces[subject_id], answers[subject_id]) for subject_id in sorted(faces))


def answer_forms(fact: Fact) -> frozenset[str]:
    """The answer and its accepted forms, without case."""
    return frozenset(sys.intern(form.casefold()) for form in (fact.answer, *(one.text for one in fact.accepted)))


def draw_strangers(strangers: tuple[Stranger, ...], fact: Fact, *, count: int, seed: int) -> list[Stranger]:
    """Up to `count` different people whose picture shows another answer, drawn by the fact's own random numbers.

    People of whom another answer to the same property is true come first, then those of whom none is known, and last
    those who share the answer: with them the control cannot tell the face from a guess, and the fact fails it.
    """
    rng = Random(f"{seed}:stranger:{fact.sample_id}")
    own = answer_forms(fact)
    drawn = [strangers[at] for at in rng.sample(range(len(strangers)), min(len(strangers), _LOOKED_AT))]

    def rank(stranger: Stranger) -> int:
        theirs = stranger.answers.get(fact.property_id)
        return 1 if theirs is None else 0 if theirs.isdisjoint(own) else 2

    return sorted((one for one in drawn if one.subject_id != fact.subject_id), key=rank)[:count]
