"""The table of unlearning methods: each is a set of terms; a new method is a term and a row here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from schemas.errors import BadInput
from unlearn.losses.terms import _FORGET, TERMS, Term


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
