"""From facts to questions: three tasks in two modalities for every fact, the same four options in both."""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from curation.facts.properties import PropertyTable, Wording
from curation.questions.distractors import DistractorPool, distractors
from curation.questions.name_options import told_by_name
from curation.questions.phrasing import THIS_PERSON, sentence
from curation.subjects.namesakes import called
from schemas.matching.match import contains, mentions, normalise
from schemas.records.build_rows import Drop, Fact, Question, Subject
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, OPTION_LABELS, TASKS, Modality, Task

_LEAST_NAME_LETTERS = 4
"""Shorter parts of a name, such as "de" and "Lee", may stand in a topic."""


_APART = " +#+ "
"""A word that no answer has: several texts joined by it are looked through at once."""


class _Asked(Record):
    """A fact with all its wordings, by modality, and its false options; only the label is missing."""

    fact: Fact
    questions: dict[str, str]
    clozes: dict[str, str]
    paraphrases: dict[str, tuple[str, ...]]
    false_options: tuple[str, ...]


def questions_of(
    subject: Subject,
    facts: Sequence[Fact],
    pool: DistractorPool,
    table: PropertyTable,
    *,
    paraphrases: int,
    seed: int,
    rejected: Mapping[str, str] = MappingProxyType({}),
) -> tuple[list[Question], list[Drop]]:
    """Six questions a fact, by slot, task and modality; a fact that cannot be asked in all six forms is a drop.

    At most `paraphrases` other wordings come with each generation question. The right options fall on A-D in shuffled
    blocks of four, so over a subject's facts no label is right more than once more often than another. A fact that a
    review has `rejected` (sample_id: why) is not asked; its answer may be true, so it is no false option of the person.
    """
    ready: list[_Asked] = []
    drops: list[Drop] = []
    for fact in sorted(facts, key=lambda each: each.slot):
        if fact.sample_id in rejected:
            asked: _Asked | tuple[str, str] = "rejected_in_review", rejected[fact.sample_id]
        else:
            asked = _ask(subject, fact, facts, pool, table, paraphrases=paraphrases, seed=seed)
        if isinstance(asked, _Asked):
            ready.append(asked)
        else:
            reason, detail = asked
            drops.append(
                Drop(
                    stage="questions", subject_id=subject.subject_id, item=fact.sample_id, reason=reason, detail=detail
                )
            )
    labels = _balanced_labels(len(ready), random.Random(f"{seed}:{subject.subject_id}:labels"))
    return [each for asked, label in zip(ready, labels, strict=True) for each in _questions(asked, label)], drops


def _ask(
    subject: Subject,
    fact: Fact,
    facts: Sequence[Fact],
    pool: DistractorPool,
    table: PropertyTable,
    *,
    paraphrases: int,
    seed: int,
) -> _Asked | tuple[str, str]:
    if names_subject(fact.topic, subject):
        return "name_in_question", fact.topic
    rng = random.Random(f"{seed}:{subject.subject_id}:{fact.slot}")
    wording = table.wording(fact.property_id)
    spoken = _spoken(subject, fact, table)
    if not isinstance(spoken, dict):
        return spoken
    order = rng.sample(range(len(wording.paraphrases)), len(wording.paraphrases))
    everything = [text for form in spoken.values() for text in form.paraphrases]
    if gives_away(_APART.join(everything), fact):
        order = [at for at in order if not any(gives_away(form.paraphrases[at], fact) for form in spoken.values())]
    if told_by_name(fact, subject.name):
        return "told_by_name", fact.answer
    false_options = distractors(fact, facts, pool, table, rng, subject=subject)
    if false_options is None:
        return "too_few_distractors", f"{fact.answer_type}: {fact.answer}"
    return _Asked(
        fact=fact,
        questions={modality: form.question for modality, form in spoken.items()},
        clozes={modality: form.cloze for modality, form in spoken.items()},
        paraphrases={
            modality: tuple(form.paraphrases[at] for at in order[:paraphrases]) for modality, form in spoken.items()
        },
        false_options=tuple(false_options),
    )


def _spoken(subject: Subject, fact: Fact, table: PropertyTable) -> dict[Modality, Wording] | tuple[str, str]:
    """The templates filled in for both modalities, or why no form keeps the answer to itself.

    A namesake is called by the first of its names in text that does not tell the answer.
    """
    wording = table.wording(fact.property_id)
    team = "/" in fact.property_id and table.by_id[fact.property_id.split("/")[0]].answer == "team"
    problem = ("namesake_untold", f"{subject.name}: {fact.property_label}")
    for name in called(subject, fact):
        spoken = {
            modality: _speak(wording, fact, name if modality == "qa" else THIS_PERSON, team=team)
            for modality in MODALITIES
        }
        telling = [text for form in spoken.values() for text in (form.question, form.cloze) if gives_away(text, fact)]
        if not telling:
            return spoken
        problem = ("answer_in_question", f"{fact.answer}: {telling[0]}")
    return problem


def _speak(wording: Wording, fact: Fact, subject: str, *, team: bool) -> Wording:
    """The templates filled in for this fact."""

    def say(template: str) -> str:
        return sentence(
            template, subject=subject, topic=fact.topic, answer_type=fact.answer_type, past=fact.past, team=team
        )

    return Wording(
        question=say(wording.question),
        paraphrases=tuple(say(each) for each in wording.paraphrases),
        cloze=say(wording.cloze),
    )


def gives_away(text: str, fact: Fact) -> bool:
    """Whether a question contains one of its fact's accepted answers."""
    return any(mentions(text, answer) for answer in fact.accepted)


def names_subject(topic: str, subject: Subject) -> bool:
    """Whether what a question is about tells who the subject is: a longer part of the name, or an alias."""
    words = set(normalise(topic).split())
    parts = {part for part in normalise(subject.name).split() if len(part) >= _LEAST_NAME_LETTERS}
    return bool(words & parts) or any(contains(topic, alias) for alias in subject.aliases)


def _balanced_labels(count: int, rng: random.Random) -> list[str]:
    labels: list[str] = []
    while len(labels) < count:
        labels += rng.sample(OPTION_LABELS, len(OPTION_LABELS))
    return labels[:count]


def _questions(asked: _Asked, label: str) -> list[Question]:
    place = OPTION_LABELS.index(label)
    options = (*asked.false_options[:place], asked.fact.answer, *asked.false_options[place:])
    return [_question(asked, task, modality, label, options) for task in TASKS for modality in MODALITIES]


def _question(asked: _Asked, task: Task, modality: Modality, label: str, options: tuple[str, ...]) -> Question:
    fact = asked.fact
    is_choice = task == "classification"
    return Question.model_validate(
        {
            "question_id": f"{fact.sample_id}|{task}|{modality}",
            "sample_id": fact.sample_id,
            "fact_id": fact.fact_id,
            "subject_id": fact.subject_id,
            "task": task,
            "modality": modality,
            "text": (asked.clozes if task == "cloze" else asked.questions)[modality],
            "paraphrases": asked.paraphrases[modality] if task == "generation" else (),
            "answer": fact.answer,
            "options": options if is_choice else (),
            "answer_label": label if is_choice else None,
        }
    )
