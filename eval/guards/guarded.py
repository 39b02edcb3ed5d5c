"""A guarded responder: prompts that a gate knows are refused, or asked in other words; the model is untouched.

Every gate sees the prompt as it was asked, attack and all. The first guard that refuses has the last word; the words of
prompt guards stand before the question in their order.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import BadInput
from schemas.protocols.responder import Ask, ChoiceScorer, Decoding, Reply, Responder, TokenScores
from schemas.records.interventions import Intervention

Fires = Callable[[Sequence[Ask]], Mapping[str, bool]]
"""Of some asks by id, whether the guard is meant for them."""
Fact = Mapping[str, str]
"""`subject` and `answer` of a question."""


@dataclass(frozen=True)
class Guard:
    """One guard's record and its gate."""

    record: Intervention
    fires: Fires
    facts: Callable[[Ask], Fact | None] | None = None
    """What an oracle is told of a question; its words speak of that."""

    def words(self, ask: Ask) -> tuple[str, ...]:
        """What is put before a prompt."""
        fact = self.facts(ask) if self.record.oracle and self.facts is not None else None
        return self.record.texts if fact is None else tuple(each.format(**fact) for each in self.record.texts)


@dataclass(frozen=True)
class Guarded:
    """A responder with guards round it.

    A refused prompt has no likelihood of any answer: none is given, and never the model's.
    """

    inner: Responder
    guards: tuple[Guard, ...]
    scorer: ChoiceScorer | None = None
    """Who gives likelihoods; None behind a server."""

    @property
    def identity(self) -> str:
        """The inner one's and the guards' records."""
        told = hashlib.sha256("".join(each.record.model_dump_json() for each in self.guards).encode()).hexdigest()[:16]
        return f"{self.inner.identity}+guards:{told}"

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """As a responder's; a refusal is drawn by the prompt's own words."""
        given = list(asks)
        routes = self._routes(given)
        for ask in given:
            if (refusals := routes[ask.ask_id].refusals) is not None:
                yield Reply(ask_id=ask.ask_id, text=drawn(refusals, ask))
        asked = [self._worded(ask, routes[ask.ask_id]) for ask in given if routes[ask.ask_id].refusals is None]
        if asked:
            yield from self.inner.answer(asked, decoding)

    def token_scores(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, TokenScores]]:
        """As a scorer's, without those of refused prompts. Raises BadInput behind a server, which gives none."""
        if self.scorer is None:
            raise BadInput(self.identity, "gives no likelihoods", "evaluate it without them")
        pairs = list(asks)
        routes = self._routes([ask for ask, _ in pairs])
        asked = [
            (self._worded(ask, routes[ask.ask_id]), answer)
            for ask, answer in pairs
            if routes[ask.ask_id].refusals is None
        ]
        if asked:
            yield from self.scorer.token_scores(asked)

    def _routes(self, asks: Sequence[Ask]) -> dict[str, "_Route"]:
        """What becomes of each ask, by id."""
        found = {ask.ask_id: _Route(None, ()) for ask in asks}
        by_id = {ask.ask_id: ask for ask in asks}
        for guard in self.guards:
            for ask_id, fired in guard.fires([ask for ask in asks if found[ask.ask_id].refusals is None]).items():
                if not fired:
                    continue
                if guard.record.form == "refuse":
                    found[ask_id] = _Route(guard.record.texts, ())
                else:
                    found[ask_id] = _Route(None, (*found[ask_id].words, *guard.words(by_id[ask_id])))
        return found

    def _worded(self, ask: Ask, route: "_Route") -> Ask:
        return ask.model_copy(update={"text": "\n".join([*route.words, ask.text])}) if route.words else ask


@dataclass(frozen=True)
class _Route:
    """Refusals to draw one of, or the words that come before the question."""

    refusals: tuple[str, ...] | None
    words: tuple[str, ...]


def drawn(texts: Sequence[str], ask: Ask) -> str:
    """One of the texts, the same for the same prompt."""
    return texts[int.from_bytes(hashlib.sha256(ask.text.encode()).digest()[:7]) % len(texts)]
