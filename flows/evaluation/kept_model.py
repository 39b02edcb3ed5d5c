"""A model whose answers and likelihoods are kept as they come, as routes ask it (eval.routes.asking.AskedModel)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eval.routes.asking import as_judged
from flows.evaluation.inference import Asking, answers_key, ask_pending, likelihoods_key, score_pending
from schemas.errors import BadInput
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Ask, ChoiceScorer, Decoding, Reply, Responder, TokenScores
from schemas.records.routes import Need
from schemas.storage.artifacts import digest

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from eval.responders.local import LocalResponder


@dataclass
class KeptModel:
    """A live resource: a model that is loaded when something has to be asked that no log in `home` holds."""

    home: Path
    """Folder of all that is kept of this model's answers; its lock is held by whoever asks."""
    weights: str
    """Digest of what answers follow from besides prompts and decoding."""
    asking: Asking
    abilities: Callable[[], frozenset[Need]]
    release: Callable[[], None]
    """Lets go of the loaded model; it is loaded again when something has to be asked."""
    taken: int = field(default=0)
    """Answers and likelihoods that were asked for and not kept from before."""

    @cached_property
    def can(self) -> frozenset[Need]:
        """Found out once; a server is asked a few small questions for it."""
        return self.abilities()

    def replies(self, asks: Sequence[Ask], decoding: Decoding) -> Mapping[str, Reply]:
        """By ask_id; an ask that was never answered is absent."""
        key = answers_key(self.weights, decoding)
        with AnswerLog(self.home / f"answers-{key[:8]}.jsonl", key=key) as log:
            self.taken += len({ask.ask_id for ask in asks if not log.has(ask.ask_id)})
            ask_pending(asks, replace(self.asking, decoding=decoding), log)
            return {ask.ask_id: as_judged(reply) for ask in asks if (reply := log.reply(ask.ask_id)) is not None}

    def scores(self, pairs: Sequence[tuple[Ask, str]]) -> Mapping[tuple[str, str], TokenScores]:
        """Of each text as the answer to its ask, by (ask_id, text)."""
        named = {
            (ask.ask_id, text): (ask.model_copy(update={"ask_id": digest([ask.ask_id, text])[:24]}), text)
            for ask, text in pairs
        }
        key = likelihoods_key(self.weights)
        with AnswerLog(self.home / f"likelihoods-{self.weights[:8]}.jsonl", key=key) as log:
            self.taken += len({ask.ask_id for ask, _ in named.values() if not log.has(ask.ask_id)})
            score_pending(named.values(), self.asking, log)
            found = {name: log.reply(ask.ask_id) for name, (ask, _) in named.items()}
        return {name: TokenScores.from_text(reply.text) for name, reply in found.items() if reply is not None}

    def lens(self, asks: Sequence[tuple[Ask, Sequence[str]]]) -> "Mapping[str, NDArray[float32]]":
        """By ask_id [layers + 1, texts]; see eval.responders.layers."""
        from eval.responders.layers import lens_scores

        self.taken += len(asks)
        return lens_scores(self._local(), asks)

    def states(self, asks: Sequence[Ask]) -> "Mapping[str, NDArray[float32]]":
        """By ask_id [layers + 1, width]; see eval.responders.layers."""
        from eval.responders.layers import last_states

        self.taken += len(asks)
        return last_states(self._local(), asks)

    def _local(self) -> "LocalResponder":
        from eval.responders.local import LocalResponder

        responder, _ = self.asking.open()
        if not isinstance(responder, LocalResponder):
            raise BadInput(responder.identity, "shows no states of its layers", "name a model folder")
        return responder


Opened = tuple[Responder, ChoiceScorer | None]
"""A loaded model, and the same where it gives likelihoods."""


def abilities_of(opened: Callable[[], Opened], *, local: bool, thinking: bool) -> frozenset[Need]:
    """What a model gives: all, where it runs in this process; of a server, what a few small questions show.

    A model that thinks first has no answer that could be begun for it.
    """
    from eval.responders.remote import RemoteResponder

    begun = frozenset[Need]() if thinking else frozenset[Need](["prefill"])
    if local:
        return frozenset[Need](["sampling", "likelihoods", "hidden_states", "weights", "pictures"]) | begun
    responder, _ = opened()
    found: set[Need] = {"pictures"}
    if isinstance(responder, RemoteResponder):
        found |= {"sampling"} if responder.samples() else set()
        found |= begun if responder.goes_on() else set()
    return frozenset(found)
