"""Questions beside the benchmark's own: who a picture shows, and general pictures for what a model is still good at."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from eval.tasks.prompts import IDENTITY_QUESTION
from eval.tasks.questions import AskedFact, EvalQuestion
from schemas.matching.match import normalise
from schemas.records.build_rows import AcceptedAnswer
from schemas.records.evaluation import PROMPT_ATTACKS, VIEW_ATTACKS, AttackName
from schemas.storage.artifacts import digest
from schemas.vocabulary import Role
from sources.sandbox.utility_images import general_samples

NAME_PROPERTIES = ("P1477", "P742", "P1449", "P1559")
"""Facts whose answers are further names of the person: birth name, pseudonym, nickname, name in native language."""

_SUFFIXES = ("jr", "sr", "ii", "iii", "iv")


def name_forms(name: str) -> tuple[str, ...]:
    """A full name, and given and family name in either order, with the further given names or initials or without.

    A family name alone is no form, for families share it: "A. Lind", of which articles are taken off, is left out.
    """
    words = re.sub(r"\([^)]*\)|[\"“”,]", " ", name).split()
    while len(words) > 2 and words[-1].rstrip(".").lower() in _SUFFIXES:
        words.pop()
    if len(words) < 2:
        return (name,)
    at = next((place for place, word in enumerate(words) if place and word[:1].islower()), len(words) - 1)
    given, family = words[:at], " ".join(words[at:])
    initials = [f"{word[0]}." for word in given]
    firsts = (given, given[:1], [given[0], *initials[1:]], initials, initials[:1])
    pairs = [form for first in firsts for form in (" ".join([*first, family]), " ".join([family, *first]))]
    least = len(normalise(family).split())
    return tuple(dict.fromkeys([name, *(form for form in pairs if len(normalise(form).split()) > least)]))


def names_of(people: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """By person the forms of each of their names, the first of which is the full name.

    Forms that would name two of these people are left out, unless it is the full name itself.
    """
    forms = {
        person: tuple(dict.fromkeys(f for name in names for f in name_forms(name))) for person, names in people.items()
    }
    holders = Counter(word for own in forms.values() for word in {normalise(form) for form in own})
    return {
        person: tuple(form for form in own if form == own[0] or holders[normalise(form)] == 1)
        for person, own in forms.items()
    }


UTILITY_SEED = 7


def identity_questions(
    questions: Iterable[EvalQuestion], facts: Iterable[AskedFact], *, by_subject: bool
) -> list[EvalQuestion]:
    """One "who is this person?" per subject with picture and name. Only where subjects go whole has it a role.

    Right is the name in any of its forms (flows.evaluation.extra_questions), and what the dataset's facts give as a
    further name.
    """
    shown: dict[str, EvalQuestion] = {}
    for question in questions:
        if question.picture is not None and question.subject:  # adopted benchmarks may name nobody
            shown.setdefault(question.subject_id, question)
    names = {subject: [question.subject] for subject, question in sorted(shown.items())}
    for fact in facts:
        if fact.kind in NAME_PROPERTIES and fact.subject_id in names:
            names[fact.subject_id] += [form.text for form in fact.accepted]
    forms = names_of({subject: tuple(own) for subject, own in names.items()})
    return [_identity(shown[each], shown[each].role if by_subject else None, forms[each]) for each in sorted(shown)]


def drawn(questions: Sequence[EvalQuestion], number: int) -> list[EvalQuestion]:
    """At most so many of the questions, the same for every model, and as many of each role as there are."""
    by_role: dict[Role | None, list[EvalQuestion]] = {}
    for question in sorted(questions, key=lambda question: digest(question.subject_id)):
        by_role.setdefault(question.role, []).append(question)
    in_turn = [each for round_ in zip_longest(*by_role.values()) for each in round_ if each is not None]
    return sorted(in_turn[:number], key=lambda question: question.key)


def why_no_likelihoods(local: bool, attack: AttackName | None) -> str:
    """Why an evaluation reads no likelihoods: half a sentence for its notes."""
    if not local:
        return "a model behind a server gives none"
    if attack in (*PROMPT_ATTACKS, *VIEW_ATTACKS):
        return f"{attack} changes the question, and the comparison is of answers"
    return "they were not wanted"


def facts_of(questions: Iterable[EvalQuestion]) -> dict[str, AskedFact]:
    """The answers of these questions as values: another subject's name is another person's value, blue a colour."""
    return {
        question.sample_id: AskedFact(
            sample_id=question.sample_id,
            subject_id=question.subject_id,
            kind=question.kind,
            answer_type=question.answer_type,
            accepted=question.accepted,
            options=(),
        )
        for question in questions
    }


def utility_questions(number: int) -> list[EvalQuestion]:
    """Held-out general questions of the embedded world; each stands for itself where subjects are drawn anew."""
    found = []
    for sample in general_samples(number, seed=UTILITY_SEED, part="held_out"):
        answer = sample.answer.rstrip(".")
        found.append(
            EvalQuestion(
                key=f"{sample.sample_id}|utility|vqa",
                sample_id=sample.sample_id,
                subject_id=sample.sample_id,
                subject="",
                task="utility",
                modality="vqa",
                role=None,
                text=sample.prompt,
                options=(),
                label="",
                answer=answer,
                accepted=(AcceptedAnswer(kind="text", text=answer),),
                kind=sample.sample_id,
                answer_type=" ".join(sample.prompt.split()[:2]),
                picture=sample.image,
            )
        )
    return found


def _identity(shown: EvalQuestion, role: Role | None, names: Iterable[str]) -> EvalQuestion:
    return EvalQuestion(
        key=f"{shown.subject_id}|identity|vqa",
        sample_id=f"{shown.subject_id}|identity",
        subject_id=shown.subject_id,
        subject=shown.subject,
        task="identity",
        modality="vqa",
        role=role,
        text=IDENTITY_QUESTION,
        options=(),
        label="",
        answer=shown.subject,
        accepted=tuple(AcceptedAnswer(kind="text", text=name) for name in names),
        kind="identity",
        answer_type="identity",
        picture=shown.picture,
    )
