"""The table of unlearning methods, put together from its rows: each is a set of terms (unlearn/methods/rows)."""

from dataclasses import replace

from schemas.errors import BadInput
from unlearn.losses.terms import TERMS
from unlearn.methods.rows.answer_rows import ANSWER_ROWS
from unlearn.methods.rows.edit_rows import EDIT_ROWS
from unlearn.methods.rows.first_rows import FIRST_ROWS
from unlearn.methods.rows.geometry_rows import GEOMETRY_ROWS
from unlearn.methods.rows.guard_rows import GUARD_ROWS
from unlearn.methods.rows.hidden_rows import HIDDEN_ROWS
from unlearn.methods.rows.method import Method
from unlearn.methods.rows.teacher_rows import TEACHER_ROWS
from unlearn.methods.rows.token_rows import TOKEN_ROWS
from unlearn.methods.rows.weight_rows import WEIGHT_ROWS

ROWS = (
    FIRST_ROWS,
    TOKEN_ROWS,
    ANSWER_ROWS,
    TEACHER_ROWS,
    GEOMETRY_ROWS,
    HIDDEN_ROWS,
    WEIGHT_ROWS,
    EDIT_ROWS,
    GUARD_ROWS,
)
METHODS: dict[str, Method] = {method.name: method for rows in ROWS for method in rows}


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
    if not method.terms and method.trains:
        raise BadInput(where, "the method has no terms", "name at least one")
    return replace(method, code=code, where=where)
