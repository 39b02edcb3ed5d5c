"""What language models may cost and have cost: kept answers, the sum of their tokens, and the budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from schemas.errors import BadInput, Unfinished
from schemas.storage.line_log import LineLog
from schemas.storage.tables import Record

FORMAT = "worker answers 1"
CHARACTERS_A_TOKEN = 4
"""For prompts that nobody has counted yet."""


class KeptAnswer(Record):
    """One answer that was paid for. `name` is the digest of all that it was asked with."""

    name: str
    text: str
    model: str
    seed: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Budget:
    """Limits of a build (0: none), and prices per million tokens."""

    max_tokens: int = 0
    max_cost: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """In the currency of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


def tokens_of(text: str) -> int:
    """About how many tokens a text has."""
    return len(text) // CHARACTERS_A_TOKEN + 1


class Ledger:
    """A live resource: the answers of all of a build's workers, in `folder`, and what they took. One process at a time.

    What was spent is what the kept answers say, so it stands after a kill, and earlier runs count.
    """

    def __init__(self, folder: Path, budget: Budget) -> None:
        self._lock = FileLock(folder / ".lock")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            advice = "wait for it"
            raise BadInput(str(folder), "another ppubench asks language models with this budget", advice) from None
        self._log = LineLog(folder / "answers.jsonl", KeptAnswer, key=FORMAT, name_of=lambda row: row.name)
        self.budget = budget
        self.tokens_in = self.tokens_out = 0
        self._reserved = {"in": 0, "out": 0}
        for row in self._log.rows():
            self.tokens_in += row.tokens_in
            self.tokens_out += row.tokens_out

    @property
    def cost(self) -> float:
        """What was spent so far."""
        return self.budget.cost(self.tokens_in, self.tokens_out)

    def get(self, name: str) -> KeptAnswer | None:
        """The kept answer of that name."""
        return self._log.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._log

    def rows(self) -> Iterator[KeptAnswer]:
        """All kept answers."""
        return self._log.rows()

    def save(self, row: KeptAnswer) -> None:
        """Keep an answer and count what it took."""
        self._log.save(row)
        self.tokens_in += row.tokens_in
        self.tokens_out += row.tokens_out

    def reserve(self, tokens_in: int, tokens_out: int) -> None:
        """Set aside what a request may take at most; raises Unfinished if the budget does not have that much left."""
        whole_in = self.tokens_in + self._reserved["in"] + tokens_in
        whole_out = self.tokens_out + self._reserved["out"] + tokens_out
        budget = self.budget
        if budget.max_tokens and whole_in + whole_out > budget.max_tokens:
            raise Unfinished(
                f"language models: the budget of {budget.max_tokens:,} tokens is spent "
                f"({self.tokens_in + self.tokens_out:,} so far); raise max_tokens"
            )
        if budget.max_cost and budget.cost(whole_in, whole_out) > budget.max_cost:
            raise Unfinished(
                f"language models: the budget of {budget.max_cost:g} is spent ({self.cost:.4f} so far); raise max_cost"
            )
        self._reserved["in"] += tokens_in
        self._reserved["out"] += tokens_out

    def release(self, tokens_in: int, tokens_out: int) -> None:
        """Give back what was set aside, once the answer is there or has failed."""
        self._reserved["in"] -= tokens_in
        self._reserved["out"] -= tokens_out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.__exit__(kind, problem, trace)
        self._lock.release()
