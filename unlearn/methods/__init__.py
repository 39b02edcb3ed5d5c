"""Unlearning methods: the table of them, their objective, and what each needs besides."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearn.losses.terms import Measured, Samples, Term
    from unlearn.methods.table import METHODS, Method

__all__ = ["METHODS", "Measured", "Method", "Samples", "Term"]

_HOMES = {
    "METHODS": "unlearn.methods.table",
    "Method": "unlearn.methods.table",
    "Measured": "unlearn.losses.terms",
    "Samples": "unlearn.losses.terms",
    "Term": "unlearn.losses.terms",
}


def __getattr__(name: str) -> object:
    """A name of this face, from its module: torch is loaded when the first is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
