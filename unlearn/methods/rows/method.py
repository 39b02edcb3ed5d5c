"""The record of one method: its terms and numbers, and what a reader must know of it. Nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from unlearn.losses.term import FORGET, Term
from unlearn.losses.terms import TERMS

Kind = Literal[
    "likelihood", "preference", "refusal", "distillation", "boundary", "gradients", "hidden states", "weights",
    "optimiser", "pruning",
]  # fmt: skip
"""What a method works on."""
Need = Literal["retain", "reference", "refusal texts", "other answers", "second teacher", "hidden states", "pictures"]
"""What a method takes besides forget samples. "reference" is the model before unlearning."""


@dataclass(frozen=True)
class Paper:
    """Where a method was first described. `arxiv` is an id such as 2404.05868, or "" where there is none to be found;
    then `venue` says where it appeared.
    """

    title: str
    year: int
    arxiv: str = ""
    venue: str = ""

    @property
    def cited(self) -> str:
        """One line for lists: arXiv id or venue, and year."""
        return f"arXiv {self.arxiv} ({self.year})" if self.arxiv else f"{self.venue} ({self.year})"


@dataclass(frozen=True)
class Method:
    """One unlearning method. `masked` terms move only the weights that MMUnlearner's mask lets through.

    A method from a user's file brings terms of its own (`own`, by name) and numbers that differ from the preset's.
    """

    name: str
    title: str
    terms: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()
    prunes: bool = False
    own: Mapping[str, Term] = field(default_factory=dict, hash=False)
    numbers: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    """Numbers of unlearn/presets.py instead of the preset's; what the user types on the command line wins."""
    code: str = ""
    """Digest of the file that it comes from, or "" for ours."""
    where: str = ""
    """FILE.py:NAME as the user typed it, or "" for ours."""
    paper: Paper | None = None
    """Every row of our table has one."""
    kind: Kind = "likelihood"
    needs_also: tuple[Need, ...] = ()
    """What it takes that its terms do not tell."""
    verified: bool = True
    """Formula and reduction were read in the paper or in official code; else in second-hand texts."""
    ours: tuple[str, ...] = ()
    """Choices that the paper leaves open or that we take otherwise, one sentence each."""
    cost: float | None = None
    """Seconds of a step over those of gd, measured on a CPU with benchmarks/train_step.py; None if not measured."""

    def term(self, name: str) -> Term:
        """The term of that name: the method's own, or one of the table."""
        return self.own[name] if name in self.own else TERMS[name]

    @property
    def uses_retain(self) -> bool:
        """Retain batches are read in training."""
        return any("forget" not in group for name in self.terms for group in self.term(name).needs)

    @property
    def compares_forget(self) -> bool:
        """A term needs the old model's likelihood of forget answers."""
        return any(term.reference and FORGET in term.needs for term in map(self.term, self.terms))

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it takes besides forget samples, in one order for all methods."""
        found: set[Need] = set(self.needs_also)
        if self.uses_retain:
            found.add("retain")
        if any(self.term(name).reference for name in self.terms):
            found.add("reference")
        order: tuple[Need, ...] = Need.__args__  # type: ignore[attr-defined]
        return tuple(need for need in order if need in found)
