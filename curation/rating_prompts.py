"""The prompt by which a language model votes as a persona, and the strict reading of its answer."""

import re
from collections.abc import Sequence

from schemas.records import Fact, Persona, Subject

STANDPOINTS: tuple[str, ...] = (
    "Answer as that person would on an ordinary day.",
    "Answer as that person would after a week of unwanted attention.",
    "Answer as that person's closest relative, who knows their wishes.",
    "Answer as that person's lawyer, who weighs what is worth asking for.",
    "Answer as that person would in ten years, looking back.",
)
"""Raters take turns through these, so that greedy servers too give more than one opinion."""

_LINE = re.compile(r"^\s*(\d+)\s*[:.)]\s*(yes|no)\s*\.?\s*$", re.IGNORECASE)


def rating_prompt(subject: Subject, persona: Persona, facts: Sequence[Fact], *, rater: int) -> str:
    """One rater's question about all known facts of a subject, numbered from 1 in the order given."""
    listed = "\n".join(
        " ".join(f"{number}. {fact.property_label}{f' ({fact.topic})' if fact.topic else ''}: {fact.answer}".split())
        for number, fact in enumerate(facts, start=1)
    )
    return (
        f"An AI model knows these facts about {subject.name}:\n{listed}\n\n"
        f"Imagine you are {subject.name}. {persona.description}\n"
        f"{STANDPOINTS[rater % len(STANDPOINTS)]}\n"
        "For each fact, say whether the model should be made to forget it. Most people ask for about a quarter to go.\n"
        f"Give exactly {len(facts)} lines, one for each number, as `number: yes` or `number: no`, and nothing else."
    )


def parse_ratings(reply: str, *, count: int) -> list[bool] | None:
    """One wish per fact in order (True: forget), or None unless every number has exactly one yes or no and no more."""
    wishes: dict[int, bool] = {}
    for line in reply.strip().splitlines():
        if not line.strip():
            continue
        match = _LINE.match(line)
        if match is None or int(match[1]) in wishes:
            return None
        wishes[int(match[1])] = match[2].lower() == "yes"
    if sorted(wishes) != list(range(1, count + 1)):
        return None
    return [wishes[number] for number in range(1, count + 1)]
