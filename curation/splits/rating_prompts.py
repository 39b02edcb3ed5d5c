"""The prompt by which a language model votes as a persona, and the form that it answers with."""

from collections.abc import Sequence

from schemas.protocols.annotator import Form
from schemas.records.build_rows import Fact, Persona, Subject

STANDPOINTS: tuple[str, ...] = (
    "Answer as that person would on an ordinary day.",
    "Answer as that person would after a week of unwanted attention.",
    "Answer as that person's closest relative, who knows their wishes.",
    "Answer as that person's lawyer, who weighs what is worth asking for.",
    "Answer as that person would in ten years, looking back.",
)
"""Raters take turns through these, so that greedy servers too give more than one opinion."""


class Wish(Form):
    """Whether the fact of that number should be forgotten."""

    number: int
    forget: bool


class Wishes(Form):
    """One wish for every fact."""

    wishes: tuple[Wish, ...]


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
        f"Give exactly {len(facts)} wishes, one for each number."
    )


def wishes_problem(form: Wishes, *, count: int) -> str:
    """What is wrong with wishes about `count` facts ("" if nothing): each number has to be there once, and no other."""
    numbers = sorted(wish.number for wish in form.wishes)
    if numbers == list(range(1, count + 1)):
        return ""
    return f"has wishes for {numbers[:60]}, not one for each number from 1 to {count}"
