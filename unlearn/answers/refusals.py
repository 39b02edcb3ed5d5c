"""Refusal texts: a hundred wordings of "I do not know" of our own, and which of them stands for which sample."""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.matching.match import contains

REFUSALS_FILE = Path(__file__).with_name("refusals.txt")


@cache
def our_refusals() -> tuple[str, ...]:
    """The wordings of refusals.txt, a line each."""
    return tuple(line for line in REFUSALS_FILE.read_text().splitlines() if line)


def safe_refusals(texts: Sequence[str], forget: Mapping[str, TrainingSample]) -> tuple[str, ...]:
    """The texts, once none of them is found to hold an answer that is to be forgotten: a refusal that tells is none.

    Of our own wordings (`texts` empty) those that hold one are left out. Raises BadInput for a text of the user's that
    does, for one that is empty, and where none of ours is left.
    """
    answers = {answer: key for key, sample in sorted(forget.items()) for answer in (sample.value or sample.answer,)}
    chosen: list[str] = []
    for text in texts or our_refusals():
        if not text.strip():
            raise BadInput("refusals", "hold an empty text", "leave it out")
        told = next((answer for answer in answers if contains(text, answer)), None)
        if told is None:
            chosen.append(text)
        elif texts:
            found = f"holds the answer {told!r} of sample {answers[told]}"
            raise BadInput(f"refusal {text!r}", found, "word it without what is to be forgotten")
    if not chosen:
        raise BadInput("refusals", "all hold an answer that is to be forgotten", "give wordings of your own (refusals)")
    return tuple(chosen)


def refusal_for(key: str, texts: Sequence[str], *, seed: int) -> str:
    """The text that stands for a sample, the same for the same sample, texts and seed."""
    return random.Random(f"{seed}:refusal:{key}").choice(texts)
