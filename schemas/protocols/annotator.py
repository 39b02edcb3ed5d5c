"""Language models as workers: forms that they fill in, the rows that record who filled them, and the protocol."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from schemas.storage.tables import Record


class Form(BaseModel):
    """What a language model has to answer with: one JSON object of this shape and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")


F = TypeVar("F", bound=Form)
F_co = TypeVar("F_co", bound=Form, covariant=True)


class Request(Record):
    """Something that a worker is asked to do. `request_id` is unique within a call."""

    request_id: str
    prompt: str


class WorkerAnswer(Record):
    """The record of one request: which model filled the form, with which seed, in how many tries, at what cost."""

    request_id: str
    worker: str
    """Identity of the worker, as in votes and attacks."""
    model: str
    """As the server named it with its answer; "" if it did not."""
    seed: int
    temperature: float
    tries: int
    """1, or 2 where the first answer had to be repaired."""
    tokens_in: int
    """Of all tries. An answer that serves several requests of equal words is counted with each."""
    tokens_out: int
    problem: str
    """Why the answer could not be used, and the built-in stands in; "" if it was used."""


@dataclass(frozen=True)
class Filled(Generic[F_co]):
    """A request with the form that came back, or None if it could not be used."""

    request_id: str
    form: F_co | None
    answer: WorkerAnswer


class Estimate(Record):
    """What requests will take: of those that no kept answer serves, and with at most one answer each."""

    requests: int = 0
    kept: int = 0
    """Answered already."""
    tokens_in: int = 0
    """By four characters a token."""
    tokens_out: int = 0
    """At most."""
    cost: float = 0.0
    """At most, in the currency of the recipe's prices."""

    def plus(self, other: "Estimate") -> "Estimate":
        """The sum of two estimates."""
        return Estimate(
            requests=self.requests + other.requests,
            kept=self.kept + other.kept,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            cost=self.cost + other.cost,
        )


class Effort(Record):
    """How a form is to be filled: decoding, and the most tokens of an answer."""

    temperature: float
    max_new_tokens: int
    seed: int


class Worker(Protocol):
    """A language model that fills forms. Implementation: eval/annotators/annotator.py."""

    @property
    def identity(self) -> str: ...

    @property
    def fall_back(self) -> bool:
        """The recipe lets the built-in stand in for answers that cannot be used."""
        ...

    def fill(
        self, requests: Iterable[Request], form: type[F], *, check: Callable[[str, F], str], effort: Effort
    ) -> Iterator[Filled[F]]:
        """One Filled per Request, each as soon as it is known; kept answers are not asked for again.

        `check` says by request_id what is wrong with a form of the right shape ("" if nothing). A wrong answer is shown
        to the model with what is wrong, once. One that stays wrong comes without a form where `fall_back` is set.
        Raises BadInput for such answers otherwise, and Unfinished when the budget is spent or the server fails.
        """
        ...

    def estimate(self, requests: Iterable[Request], form: type[Form], *, effort: Effort) -> Estimate:
        """What `fill` would take, without asking anything."""
        ...
