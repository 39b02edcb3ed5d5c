"""The record of one method: its terms and numbers, and what a reader must know of it. Nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from unlearn.losses.term import KEPT, Term
from unlearn.losses.terms import TERMS

Kind = Literal[
    "likelihood", "preference", "refusal", "distillation", "boundary", "gradients", "hidden states", "weights",
    "optimiser", "pruning", "edit", "steering", "guard",
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
    makes: str = ""
    """Name of the maker that computes what it leaves (unlearn/methods/makers/table.py); "" for one that trains."""
    tunes: bool = False
    """A maker that fine-tunes on the way, so that numbers of training count."""
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

    @property
    def trains(self) -> bool:
        """Weights are moved along a loss; else they are pruned, or an intervention is computed."""
        return not self.prunes and not self.makes

    def term(self, name: str) -> Term:
        """The term of that name: the method's own, or one of the table."""
        return self.own[name] if name in self.own else TERMS[name]

    @property
    def groups(self) -> frozenset[str]:
        """Every group that its terms read, retain and matched alike where one of them is enough."""
        return frozenset().union(*(group for name in self.terms for group in self.term(name).needs))

    def works_on(self, present: frozenset[str]) -> bool:
        """Whether a step of these groups has any of its terms."""
        return any(all(group & present for group in self.term(name).needs) for name in self.terms)

    @property
    def uses_retain(self) -> bool:
        """Retain batches are read in training."""
        return bool(self.groups & KEPT)

    @property
    def compared(self) -> frozenset[str]:
        """Groups of which a term needs the old model's likelihood of their answers."""
        compares = [self.term(name) for name in self.terms if name != "kl" and self.term(name).reference]
        return frozenset().union(*(group for term in compares for group in term.needs)) - KEPT

    @property
    def teacher(self) -> str:
        """Whose logits at forget answers its terms read: "", "old" or "second"."""
        return max((self.term(name).teacher for name in self.terms), default="")

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it takes besides forget samples, in one order for all methods. Refusals are in how groups are named."""
        found: set[Need] = set(self.needs_also)
        if self.uses_retain:
            found.add("retain")
        if any(self.term(name).reference for name in self.terms) or self.teacher:
            found.add("reference")
        if self.teacher == "second":
            found.add("second teacher")
        if any("refusal" in group or "mixed" in group for group in self.groups):
            found.add("refusal texts")
        if self.groups & {"alternate", "decoupled"}:
            found.add("other answers")
        if "decoupled" in self.groups:
            found.add("pictures")
        order: tuple[Need, ...] = Need.__args__  # type: ignore[attr-defined]
        return tuple(need for need in order if need in found)
