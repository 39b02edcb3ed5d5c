"""What became of a fact in a reply: right, another value, another person's value, a refusal, or nothing sensible."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eval.accepted import DATED, NUMBERED
from eval.tasks import AskedFact, EvalQuestion
from schemas.amounts import amounts_in
from schemas.answers import fold_accents, match, normalise, refuses
from schemas.dates import dates_in
from schemas.records import AcceptedAnswer
from schemas.results import Outcome

_LONGEST = 12
"""Most words of a value that is looked for inside a reply; longer ones must be the whole reply."""
_SHORTEST = 4
"""Values of fewer letters must be the whole reply, or they would be found in any text."""


@dataclass(frozen=True)
class Values:
    """Every value that stands in the dataset: whose it is under a property, and of which answer type it is."""

    holders: Mapping[str, Mapping[str, frozenset[str]]]
    """kind -> form -> subjects of whom it is true."""
    of_type: Mapping[str, frozenset[str]]
    """answer type (the kind, where the dataset names no types) -> forms, false options included."""


def values_of(facts: Iterable[AskedFact]) -> Values:
    """The values of a dataset."""
    holders: dict[str, dict[str, set[str]]] = {}
    of_type: dict[str, set[str]] = {}
    for fact in facts:
        own = {form for answer in fact.accepted for form in _forms(answer)}
        for form in own:
            holders.setdefault(fact.kind, {}).setdefault(form, set()).add(fact.subject_id)
        typed = of_type.setdefault(fact.answer_type or fact.kind, set())
        typed.update(own, (_folded(option) for option in fact.options))
    return Values(
        holders={kind: {form: frozenset(who) for form, who in forms.items()} for kind, forms in holders.items()},
        of_type={name: frozenset(form for form in forms if form) for name, forms in of_type.items()},
    )


def is_correct(question: EvalQuestion, reply: str, choice: str) -> bool:
    """Whether the reply gives an accepted answer; for classification, whether the right letter was read from it."""
    if question.task == "classification":
        return choice == question.label
    return match(reply, question.accepted) is not None


def outcome(question: EvalQuestion, reply: str, choice: str, *, error: str, correct: bool, values: Values) -> Outcome:
    """What became of the question. The first that fits, in this order:

    - failed: the responder gave no reply at all (an error, or nothing came);
    - correct: see is_correct;
    - refusal: the reply is empty, or says that it does not or may not answer;
    - other_person: it holds a value that is true of another subject of the dataset under the same property;
    - plausible: it holds another value of the same answer type that stands in the dataset (false options included);
      for dates and numbers any well-formed one;
    - gibberish: anything else, off the topic or no language at all.

    A classification reply is judged by the option that it chose, and without a choice by its text.
    """
    if error:
        return "failed"
    if correct:
        return "correct"
    if question.task == "classification" and choice:
        said = dict(zip("ABCD", question.options, strict=False)).get(choice, reply)
        return "other_person" if _others(question, said, values) else "plausible"
    if not reply.strip() or refuses(reply):
        return "refusal"
    if _others(question, reply, values):
        return "other_person"
    return "plausible" if _of_type(question, reply, values) else "gibberish"


def _others(question: EvalQuestion, reply: str, values: Values) -> bool:
    """Whether the reply holds a value of somebody else, and of nobody asked about, under the question's property."""
    holders = values.holders.get(question.kind, {})
    return any(form in holders and question.subject_id not in holders[form] for form in _said(question, reply))


def _of_type(question: EvalQuestion, reply: str, values: Values) -> bool:
    if question.answer_type in DATED:
        return bool(dates_in(reply))
    if question.answer_type in NUMBERED:
        return bool(amounts_in(reply))
    known = values.of_type.get(question.answer_type or question.kind, frozenset())
    return not known.isdisjoint(_said(question, reply))


def _forms(answer: AcceptedAnswer) -> set[str]:
    if answer.kind == "date":
        return {f"date {answer.year} {answer.month} {answer.day}"}
    if answer.kind == "number":
        return {f"number {answer.number:g} {answer.unit}"}
    return {_folded(answer.text)} - {""}


def _said(question: EvalQuestion, reply: str) -> set[str]:
    """Every form that a reply could be holding: its runs of words, its dates and its amounts."""
    words = _folded(reply).split()
    found = {" ".join(words)} - {""}
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + _LONGEST) + 1):
            run = " ".join(words[start:end])
            if len(run) >= _SHORTEST:
                found.add(run)
    for date in dates_in(reply) if question.answer_type in ("", *DATED) else ():
        for form in ((date.year, 0, 0), (date.year, date.month, 0), (date.year, date.month, date.day)):
            found.add(f"date {form[0]} {form[1]} {form[2]}")
    for amount in amounts_in(reply) if question.answer_type in ("", *NUMBERED) else ():
        found.add(f"number {amount.number:g} {amount.unit}")
    return found


def _folded(text: str) -> str:
    return fold_accents(normalise(text))
