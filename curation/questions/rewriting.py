"""Question polishing: a language model puts a fact's question and its paraphrases into better words, once for both
modalities and without being told whom it is about."""

import random
from collections.abc import Iterable, Mapping, Sequence

from curation.questions.phrasing import THIS_PERSON
from curation.questions.questions import gives_away
from schemas.matching.match import contains, normalise
from schemas.protocols.annotator import Effort, Form, Request, Worker, WorkerAnswer
from schemas.records.build_rows import Fact, Question, Subject
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES

PERSON = "[PERSON]"
"""Stands for the subject: so no model can answer from what it knows, and both modalities get the same words."""
MOST_WORDS = 40
POLISH_TOKENS = 400
"""Most tokens of a language model's answer."""


class Polished(Form):
    """A question in better words, and in other words."""

    question: str
    paraphrases: tuple[str, ...]


def polish_prompt(question: str, *, paraphrases: int) -> str:
    """What is asked about one question, in which PERSON stands for the subject."""
    return (
        f"Here is a question about a person, who is called {PERSON} in it:\n{question}\n\n"
        "Put it into natural, correct English with exactly the same meaning, and then ask it in "
        f"{paraphrases} other ways. If it is good as it is, keep it.\n"
        f"Every one of them is a single question that names {PERSON} once, written just so, asks for the same kind of "
        "answer, and keeps every other name as it is. Do not answer it and do not hint at the answer."
    )


class Polishable(Record):
    """A subject's facts and all their questions."""

    subject: Subject
    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]


def polish_requests(items: Iterable[Polishable], *, paraphrases: int) -> list[Request]:
    """One request a fact whose question names the subject in full."""
    return [
        Request(
            request_id=question.sample_id,
            prompt=polish_prompt(question.text.replace(item.subject.name, PERSON), paraphrases=paraphrases),
        )
        for item in items
        for question in item.questions
        if _leads(question) and item.subject.name in question.text
    ]


def polish_effort(*, seed: int) -> Effort:
    """How a polisher is asked."""
    drawn = random.Random(f"{seed}:polisher").getrandbits(31)
    return Effort(temperature=0.7, max_new_tokens=POLISH_TOKENS, seed=drawn)


def polish(
    items: Sequence[Polishable], worker: Worker, *, paraphrases: int, seed: int
) -> tuple[list[Question], list[WorkerAnswer]]:
    """The questions with polished wordings, and the record of each request; clozes stay as they are.

    Where the worker falls back, the questions of that fact stay as they are. Order of `items` and their questions.
    """
    of_fact = {fact.sample_id: (item.subject, fact) for item in items for fact in item.facts}
    before = {question.sample_id: question.text for item in items for question in item.questions if _leads(question)}

    def check(name: str, form: Polished) -> str:
        subject, fact = of_fact[name]
        return polish_problem(form, fact, subject, before=before[name], paraphrases=paraphrases)

    requests = polish_requests(items, paraphrases=paraphrases)
    filled = {
        one.request_id: one for one in worker.fill(requests, Polished, check=check, effort=polish_effort(seed=seed))
    }
    forms = {name: one.form for name, one in filled.items() if one.form is not None}
    questions = [_reworded(question, forms, item.subject) for item in items for question in item.questions]
    return questions, [filled[request.request_id].answer for request in requests]


def _leads(question: Question) -> bool:
    return question.task == "generation" and question.modality == "qa"


def polish_problem(form: Polished, fact: Fact, subject: Subject, *, before: str, paraphrases: int) -> str:
    """What speaks against polished wordings ("" if nothing)."""
    texts = [form.question, *form.paraphrases]
    if len(form.paraphrases) < paraphrases:
        return f"has {len(form.paraphrases)} paraphrases of {paraphrases}"
    if len({normalise(text) for text in texts}) < len(texts):
        return "says the same twice"
    for text in texts:
        if text.count(PERSON) != 1:
            return f"does not name {PERSON} once: {text[:80]!r}"
        if not text.strip().endswith("?") or text.count("?") > 1 or len(text.split()) > MOST_WORDS:
            return f"is not one question of at most {MOST_WORDS} words: {text[:80]!r}"
        rest = text.replace(PERSON, " ")
        if any(contains(rest, part) for part in (subject.name, *subject.name.split()) if len(part) > 3):
            return f"names the person: {text[:80]!r}"
        if fact.topic and fact.topic in before and fact.topic not in text:
            return f"does not say {fact.topic!r}: {text[:80]!r}"
        if gives_away(rest, fact):
            return f"contains the answer: {text[:80]!r}"
    return ""


def _reworded(question: Question, forms: Mapping[str, Polished], subject: Subject) -> Question:
    form = forms.get(question.sample_id)
    if form is None or question.task == "cloze":
        return question
    called = {modality: subject.name if modality == "qa" else THIS_PERSON for modality in MODALITIES}

    def say(text: str) -> str:
        filled = " ".join(text.replace(PERSON, called[question.modality]).split())
        return filled[:1].upper() + filled[1:]

    others = tuple(say(text) for text in form.paraphrases[: len(question.paraphrases)])
    return question.model_copy(update={"text": say(form.question), "paraphrases": others})
