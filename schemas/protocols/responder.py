"""The protocol of anything that answers a prompt about an image; the target is asked through one."""

import json
from collections.abc import Iterable, Iterator
from math import floor, fsum
from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue

from schemas.storage.tables import Record


class Decoding(Record):
    """How answers are generated. temperature 0 is greedy; a seed makes sampled answers repeatable."""

    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Annotated[int, Field(ge=1)] = 48
    seed: int = 0
    thinking: bool = False
    """A reasoning model thinks before it answers; its thought counts among the new tokens."""


class Ask(Record):
    """One prompt: a user turn of text with at most one image before it. `ask_id` is unique within a call."""

    ask_id: str
    text: str
    image: bytes | None = None
    """Encoded picture (JPEG or PNG)."""
    prefix: str = ""
    """How the answer begins, which is put into the model's mouth; the reply is what follows. Never ends in a blank."""
    sample: int = 0
    """Which of several samples of one ask this is; a seed is drawn from it. 0 where there is one."""


class TokenScores(Record):
    """Log-probabilities of a given answer's tokens, in nats, each after the prompt and the tokens before it."""

    logs: tuple[float, ...]
    greedy: tuple[bool, ...]
    """Whether each token is the likeliest one of the vocabulary at its place."""

    @property
    def mean(self) -> float:
        """Nats per token."""
        return fsum(self.logs) / len(self.logs)

    @property
    def total(self) -> float:
        """Of the whole answer."""
        return fsum(self.logs)

    @property
    def first(self) -> float:
        """Of its first token."""
        return self.logs[0]

    def lowest(self, share: float) -> float:
        """Mean of the lowest share of the tokens, at least one of them."""
        few = sorted(self.logs)[: max(1, floor(share * len(self.logs) + 1e-9))]
        return fsum(few) / len(few)

    def to_text(self) -> str:
        """As a line of a log keeps it; what is no finite number stays what it is."""
        return json.dumps([list(self.logs), [int(each) for each in self.greedy]])

    @classmethod
    def from_text(cls, text: str) -> "TokenScores":
        """Read what to_text wrote."""
        logs, greedy = json.loads(text)
        return cls(logs=tuple(logs), greedy=tuple(bool(each) for each in greedy))


class Reply(Record):
    """The answer to the Ask of the same id. A failed ask has `error` set and `text` empty; it never vanishes."""

    ask_id: str
    text: str
    error: str = ""
    finish: str = ""
    """Why it ended, in the server's word, where it did not end by itself: "length", "content_filter", …"""


CONTENT_FILTER = "content_filter"
"""The `finish` of a reply that the server's filter withheld: a refusal."""


class Completion(Record):
    """A server's answer to the Ask of the same id, with who gave it and how many tokens it took."""

    ask_id: str
    text: str
    error: str = ""
    finish: str = ""
    """As in Reply."""
    model: str = ""
    """As the server names it, which may be more exact than what it was asked for; "" if it does not say."""
    tokens_in: int = 0
    """Of the prompt, as the server counts; 0 if it does not."""
    tokens_out: int = 0


class Responder(Protocol):
    """Something that answers prompts. Implementations: eval/responders/spec.py (hf, openai)."""

    @property
    def identity(self) -> str:
        """What is asked, for evidence and artifact keys: kind, model, digest of its weights if any."""
        ...

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask, in any order, each as soon as it is known.

        Raises BadInput if the responder cannot be used at all (no server, no key, no such model).
        """
        ...


class Completer(Protocol):
    """A language model behind a server, which can be held to a JSON schema."""

    @property
    def identity(self) -> str: ...

    def complete(self, asks: Iterable[Ask], decoding: Decoding, *, schema: JsonValue = None) -> Iterator[Completion]:
        """One Completion per Ask, each as soon as it is known. `schema` (JSON Schema) holds where the server takes it.

        Asks are drawn as there is room to ask them. Raises BadInput as Responder.answer does.
        """
        ...


class ChoiceScorer(Protocol):
    """A responder that can also score given continuations."""

    def token_scores(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, TokenScores]]:
        """(ask_id, log-probability of each token) of each continuation under its prompt, in the order given."""
        ...


ResponderKind = Literal["hf", "openai"]
