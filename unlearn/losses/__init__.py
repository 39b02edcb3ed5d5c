"""The summands of an unlearning loss: likelihood and KL at answers, BAO's boundary margin, the table of terms."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearn.losses.bao import boundary_margin
    from unlearn.losses.likelihood import ascent, kl_divergence, npo, sequence_nll, token_nll

__all__ = ["ascent", "boundary_margin", "kl_divergence", "npo", "sequence_nll", "token_nll"]

_HOMES = {
    "boundary_margin": "unlearn.losses.bao",
    "ascent": "unlearn.losses.likelihood",
    "kl_divergence": "unlearn.losses.likelihood",
    "npo": "unlearn.losses.likelihood",
    "sequence_nll": "unlearn.losses.likelihood",
    "token_nll": "unlearn.losses.likelihood",
}


def __getattr__(name: str) -> object:
    """A name of this face, from its module: torch is loaded when the first is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
