"""The table of unlearning methods: each is a set of terms; a new method is a term and a row here.

It is listed without torch, which a term imports when it is computed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from schemas.dataset.training import TrainingSample
from schemas.errors import BadInput
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor

Measured = Mapping[str, "Tensor"]
"""Numbers by sample, `<group>.<quantity>` -> [samples of the group]; groups are forget, retain and matched."""
Samples = Mapping[str, tuple[TrainingSample, ...]]
"""The samples of each group, in the order of the measured numbers."""


@dataclass(frozen=True)
class Term:
    """One summand: the groups it reads (any one of a set is enough to have it in a step) and its weighted value."""

    needs: tuple[frozenset[str], ...]
    value: Callable[[Measured, Samples, Numbers], "Tensor"]
    reference: bool = False
    """It compares with the model before unlearning."""


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
        return any(term.reference and _FORGET in term.needs for term in map(self.term, self.terms))


def token_mean(measured: Measured, group: str) -> "Tensor":
    """Cross-entropy of a group as Hugging Face models average it: over all answer tokens of the batch."""
    return measured[f"{group}.nll_sum"].sum() / measured[f"{group}.tokens"].sum()


def _ascent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    from unlearn.losses.likelihood import ascent

    tokens = measured["forget.tokens"]
    each = ascent(measured["forget.nll"], cap=numbers.forget_nll_cap)  # [samples]
    return numbers.forget_weight * (each * tokens).sum() / tokens.sum()


def _descent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    parts = [
        weight * token_mean(measured, group)
        for group, weight in (("retain", numbers.retain_weight), ("matched", numbers.matched_weight))
        if f"{group}.nll_sum" in measured
    ]
    return sum(parts[1:], start=parts[0])


def _npo(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    from unlearn.losses.likelihood import npo

    now, before, tokens = measured["forget.nll_sum"], measured["forget.reference"], measured["forget.tokens"]
    if numbers.npo_reduction == "batch":
        now, before = now.sum() / tokens.sum(), before.sum() / tokens.sum()
    elif numbers.npo_length_normalize:
        now, before = now / tokens, before / tokens
    return numbers.forget_weight * npo(now, before, beta=numbers.beta).mean()


def _kl(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    import torch

    groups = [group for group in ("retain", "matched") if f"{group}.kl" in measured]
    total = sum((measured[f"{group}.kl"].sum() for group in groups[1:]), start=measured[f"{groups[0]}.kl"].sum())
    if numbers.kl_positions == "all":  # published: summed over all positions, divided by the batch
        return numbers.kl_weight * total / sum(len(samples[group]) for group in groups)
    return numbers.kl_weight * total / torch.cat([measured[f"{group}.tokens"] for group in groups]).sum()


def _boundary(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    from unlearn.losses.bao import boundary_margin

    forget, matched = samples["forget"], samples["matched"]
    return numbers.boundary_weight * boundary_margin(
        measured["forget.nll"],
        measured["matched.nll"],
        [sample.subject_id for sample in forget],
        [sample.subject_id for sample in matched],
        margin=numbers.margin,
    )


_FORGET, _KEPT, _MATCHED = frozenset({"forget"}), frozenset({"retain", "matched"}), frozenset({"matched"})
TERMS: dict[str, Term] = {
    "ascent": Term((_FORGET,), _ascent),
    "npo": Term((_FORGET,), _npo, reference=True),
    "descent": Term((_KEPT,), _descent),
    "kl": Term((_KEPT,), _kl, reference=True),
    "boundary": Term((_FORGET, _MATCHED), _boundary),
}

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("ga", "Gradient ascent on the forget set", ("ascent",)),
        Method("gd", "Gradient difference: ascent on forget, descent on retain", ("ascent", "descent")),
        Method("kl", "Gradient difference, and KL to the old model on retain", ("ascent", "descent", "kl")),
        Method("npo", "Negative preference optimisation on the forget set", ("npo",)),
        Method("npo-retain", "Negative preference optimisation, and descent on retain", ("npo", "descent")),
        Method(
            "mmunlearner",
            "Gradient difference; ascent only on weights that matter to the forget set (MMUnlearner)",
            ("ascent", "descent"),
            masked=frozenset({"ascent"}),
        ),
        Method("manu", "Prune the neurons that the forget set uses more than the retain set (MANU)", prunes=True),
        Method(
            "bao-gd",
            "Gradient difference with the boundary term within each subject (BAO)",
            ("ascent", "descent", "boundary"),
        ),
        Method(
            "npo-boundary",
            "Negative preference optimisation, descent on retain, and the boundary term within each subject",
            ("npo", "descent", "boundary"),
        ),
        Method(
            "bao-mmunlearner",
            "MMUnlearner with the boundary term within each subject",
            ("ascent", "descent", "boundary"),
            masked=frozenset({"ascent", "boundary"}),
        ),
        Method("gd-interleaved", "Gradient difference in alternating steps: BAO's first arm", ("ascent", "descent")),
        Method(
            "gd-joint", "Gradient difference with matched retain, no boundary: BAO's second arm", ("ascent", "descent")
        ),
    )
}


def method_named(name: str, *, boundary: bool = False) -> Method:
    """The row of a method, with the boundary term added if asked for.

    Raises BadInput for an unknown name, or for a boundary on a method that has no forget and retain batches.
    """
    if name not in METHODS:
        raise BadInput(f"method {name!r}", "is not known", f"choose one of {', '.join(METHODS)}")
    return with_boundary(METHODS[name]) if boundary else METHODS[name]


def with_boundary(method: Method) -> Method:
    """The method with BAO's boundary term; raises BadInput for one that has no forget and retain batches."""
    if "boundary" in method.terms:
        return method
    if not method.uses_retain:
        advice = "choose one that reads both, such as gd, kl, npo-retain or mmunlearner"
        raise BadInput(f"--boundary with {method.name}", "the method has no forget and retain batches", advice)
    masked = method.masked | {"boundary"} if method.masked else method.masked
    return replace(method, terms=(*method.terms, "boundary"), masked=masked)


def check_own_method(where: str, method: Method, *, code: str) -> Method:
    """A method of a user's file, with the digest of the file; raises BadInput where it cannot work with the loop."""
    unknown = [name for name in method.terms if name not in method.own and name not in TERMS]
    if unknown:
        advice = f"put it into own={{...}}, or use {', '.join(TERMS)}"
        raise BadInput(where, f"there is no term {unknown[0]!r}", advice)
    taken = sorted(set(method.own) & set(TERMS))
    if taken:
        raise BadInput(where, f"own term {taken[0]!r} is called like one of ours", "give it another name")
    if not method.terms and not method.prunes:
        raise BadInput(where, "the method has no terms", "name at least one")
    if "kl" in method.terms and method.compares_forget:
        raise BadInput(where, "kl and a forget term with reference=True do not go together", "use one of them")
    return replace(method, code=code, where=where)
