"""Terms on the hidden states of one layer: forget states are steered to a target, retain states held where they were.

Both read means over a sample's answer tokens and the hidden size of a squared distance, and are means over samples
(RMU as in open-unlearning; arXiv 2403.03218).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from unlearn.losses.term import FORGET, KEPT, Measured, Samples, Term
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor


def _steer(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    return numbers.forget_weight * measured["forget.to_target"].mean()


def _hold(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    import torch

    return numbers.hold_weight * torch.cat([measured[name] for name in HELD if name in measured]).mean()


HELD = ("retain.moved", "matched.moved")
HIDDEN_TERMS: Mapping[str, Term] = {"steer": Term((FORGET,), _steer), "hold": Term((KEPT,), _hold)}
