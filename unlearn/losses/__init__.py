"""The summands of an unlearning loss: likelihood and KL at answers, BAO's boundary margin, the table of terms."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearn.losses.bao import boundary_margin
    from unlearn.losses.likelihood import kl_divergence, sequence_nll, token_nll
    from unlearn.losses.term import Measured, Samples, Term
    from unlearn.losses.terms import TERMS, ascent, npo

__all__ = [
    "TERMS",
    "Measured",
    "Samples",
    "Term",
    "ascent",
    "boundary_margin",
    "kl_divergence",
    "npo",
    "sequence_nll",
    "token_nll",
]

_HOMES = {
    "boundary_margin": "unlearn.losses.bao",
    "kl_divergence": "unlearn.losses.likelihood",
    "sequence_nll": "unlearn.losses.likelihood",
    "token_nll": "unlearn.losses.likelihood",
    "TERMS": "unlearn.losses.terms",
    "Measured": "unlearn.losses.term",
    "Samples": "unlearn.losses.term",
    "Term": "unlearn.losses.term",
    "ascent": "unlearn.losses.terms",
    "npo": "unlearn.losses.terms",
}


def __getattr__(name: str) -> object:
    """A name of this face, from its module: torch is loaded when the first is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
