"""A guarded responder: prompts that a gate knows are refused, or asked in other words; the model is untouched."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.protocols.responder import Ask, ChoiceScorer, Decoding, Reply, Responder
from schemas.records.interventions import Intervention

Fires = Callable[[Sequence[Ask]], Mapping[str, bool]]
"""Of some asks by id, whether the guard is meant for them."""
Asked = tuple[str, bytes | None]
"""Prompt and picture."""
Fact = Mapping[str, str]
"""`subject` and `answer` of a question."""
NO_FACT: Fact = {"subject": "", "answer": ""}


class Scoring(Responder, ChoiceScorer, Protocol):
    """A responder that also gives likelihoods."""


@dataclass(frozen=True)
class Guarded:
    """A responder with one guard round it; guards are stacked by wrapping once more.


    A refused prompt has no likelihood of any answer: none is given, and never the model's.
    """

    inner: Scoring
    guard: Intervention
    fires: Fires
    facts: Mapping[Asked, Fact] = field(default_factory=dict, repr=False)
    """What an oracle knows of questions that are to be forgotten, by prompt and picture."""

    @property
    def identity(self) -> str:
        """The inner one's and the guard's record."""
        told = hashlib.sha256(self.guard.model_dump_json().encode()).hexdigest()[:16]
        return f"{self.inner.identity}+guard:{told}"

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """As a responder's; a refusal is drawn by the prompt's own words."""
        given = list(asks)
        fired = self.fires(given)
        if self.guard.form == "refuse":
            for ask in given:
                if fired[ask.ask_id]:
                    yield Reply(ask_id=ask.ask_id, text=drawn(self.guard.texts, ask))
            yield from self.inner.answer([ask for ask in given if not fired[ask.ask_id]], decoding)
        else:
            yield from self.inner.answer([self._worded(ask, fired[ask.ask_id]) for ask in given], decoding)

    def log_likelihood(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, float]]:
        """As a scorer's, without those of refused prompts."""
        pairs = list(asks)
        fired = self.fires([ask for ask, _ in pairs])
        if self.guard.form == "refuse":
            pairs = [pair for pair in pairs if not fired[pair[0].ask_id]]
        else:
            pairs = [(self._worded(ask, fired[ask.ask_id]), answer) for ask, answer in pairs]
        yield from self.inner.log_likelihood(pairs)

    def _worded(self, ask: Ask, fired: bool) -> Ask:
        if not fired:
            return ask
        fact = self.facts.get((ask.text, ask.image), NO_FACT)
        return ask.model_copy(update={"text": guarded_text(self.guard, ask.text, fact)})


def guarded_text(guard: Intervention, text: str, fact: Fact = NO_FACT) -> str:
    """A prompt with the guard's words before it, a line each, and what was asked below them; those of an oracle speak
    of the fact that is asked for.
    """
    words = [each.format(**fact) if guard.oracle else each for each in guard.texts]
    return "\n".join([*words, text])


def known_to(facts: Mapping[Asked, Fact]) -> Fires:
    """An oracle: it fires on the questions that are to be forgotten, and knows them by prompt and picture."""
    return lambda asks: {ask.ask_id: (ask.text, ask.image) in facts for ask in asks}


def drawn(texts: Sequence[str], ask: Ask) -> str:
    """One of the texts, the same for the same prompt."""
    return texts[int.from_bytes(hashlib.sha256(ask.text.encode()).digest()[:7]) % len(texts)]
