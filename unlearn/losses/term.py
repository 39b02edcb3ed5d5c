"""A term: one summand of an unlearning loss, what it reads, and how its value over samples comes about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from schemas.dataset.samples import TrainingSample
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor

Measured = Mapping[str, "Tensor"]
"""Numbers by sample, `<group>.<quantity>` -> [samples of the group]."""

Samples = Mapping[str, tuple[TrainingSample, ...]]
"""The samples of each group, in the order of the measured numbers."""

FORGET, KEPT, MATCHED = frozenset({"forget"}), frozenset({"retain", "matched"}), frozenset({"matched"})
"""Sets of groups that terms need: any one of a set is enough."""


@dataclass(frozen=True)
class Term:
    """One summand: the groups it reads (any one of a set is enough to have it in a step) and its weighted value."""

    needs: tuple[frozenset[str], ...]
    value: Callable[[Measured, Samples, Numbers], "Tensor"]
    reference: bool = False
    """It compares with the model before unlearning."""
    values: tuple[str, ...] = ()
    """Sums over answer tokens that it reads beside the NLL, as `<group>.<value>`: names of ANSWER_VALUES."""
    teacher: Literal["", "old", "second"] = ""
    """Whose logits at forget answers it compares with: the old model's, or those and a second teacher's."""


def union_share(measured: Measured, numbers: Numbers, group: str) -> "Tensor | float":
    """What a group's token mean is multiplied by: its share of the tokens, where refusals and retain have one mean."""
    if numbers.refusal_mean == "own" or not {"refusal.tokens", "retain.tokens"} <= measured.keys():
        return 1.0
    whole = [measured[name].sum() for name in ("refusal.tokens", "retain.tokens", "matched.tokens") if name in measured]
    return measured[f"{group}.tokens"].sum() / sum(whole[1:], start=whole[0])


def weighed(measured: Measured, group: str, values: "Tensor") -> "Tensor":
    """Values of a group's samples times the samples' factors, where samples have factors."""
    factor = measured.get(f"{group}.factor")
    return values if factor is None else values * factor


def token_mean(measured: Measured, group: str, quantity: str = "nll_sum") -> "Tensor":
    """A sum over answer tokens as a mean over all answer tokens of the group's batch, samples times their factors.

    By default the cross-entropy as Hugging Face models average it.
    """
    return weighed(measured, group, measured[f"{group}.{quantity}"]).sum() / measured[f"{group}.tokens"].sum()
