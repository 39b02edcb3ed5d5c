"""What an objective carries from step to step, such as the weight of a constraint: kept in every checkpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn.training.lanes import Groups

Held = Mapping[str, float]
Terms = Callable[[Mapping[str, Tensor], Groups], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Memory:
    """Numbers that the terms read as `memory.<name>`: how they begin, and what they are after a step.

    `after` is given the numbers of the step and the means over its samples of what was measured, by name.
    """

    start: Held
    after: Callable[[Held, Mapping[str, float]], Held]
    terms: Terms
    """The objective's terms, which read them."""

    def recalled(self, held: Held) -> Terms:
        """The terms at these numbers, as floats of a checkpoint give them back."""

        def terms(measured: Mapping[str, Tensor], groups: Groups) -> Mapping[str, Tensor]:
            numbers = {f"memory.{name}": torch.tensor(value) for name, value in held.items()}
            return self.terms({**measured, **numbers}, groups)

        return terms
