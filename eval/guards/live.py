"""What a local responder asks of the stack over its model: to act in its passes, and whether a guard knows a prompt.

The same protocol as unlearn/rows/live.py, seen from the responders' side: the two packages know nothing of each other.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Live(Protocol):
    """Steering and gates of a stack over a loaded model. Rows must not share an opening while it is there."""

    def prompts(self, inputs: "Mapping[str, Tensor]", ends: "Tensor") -> AbstractContextManager[None]:
        """Within it the forward passes are of these rows: first all of `inputs`, then their answers token by token.

        `ends` is [batch], the index in `inputs` of each prompt's last token.
        """
        ...

    def fires(self, number: int, inputs: "Mapping[str, Tensor]", ends: "Tensor") -> "Tensor":
        """[batch] bool: whether the gate of that guard knows the prompt, in a pass without anything steered."""
        ...
