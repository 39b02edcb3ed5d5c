"""The protocol of what acts within a model's forward passes, prompt by prompt; who runs it says where prompts end.

Nothing that is laid over a model guesses from shapes where a prompt ends: rows are padded left when answers are
generated, right when they are trained, and a scored row holds its answer too.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor


class Live(Protocol):
    """Steering and gates of a stack over a loaded model. Rows must not share an opening while it is there."""

    def prompts(self, inputs: Mapping[str, Tensor], ends: Tensor) -> AbstractContextManager[None]:
        """Within it the forward passes are of these rows: first all of `inputs`, then their answers token by token.

        `ends` is [batch], the index in `inputs` of each prompt's last token.
        """
        ...

    def fires(self, number: int, inputs: Mapping[str, Tensor], ends: Tensor) -> Tensor:
        """[batch] bool: whether the gate of that guard knows the prompt, in a pass without anything steered."""
        ...
