"""What a local responder asks of the stack over its model: to act in its passes, and whether a guard knows a prompt.

The same protocol as unlearn/rows/live.py, seen from the responders' side: the two packages know nothing of each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, cast

from schemas.protocols.responder import Ask

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache


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


def steered(
    live: Live | None, inputs: "Mapping[str, Tensor | Cache]", from_end: Sequence[int]
) -> AbstractContextManager[None]:
    """What acts within the passes of these rows; `from_end` is how far from the end each prompt's last token is."""
    return nullcontext() if live is None else live.prompts(*_with_ends(inputs, from_end))


def fired(
    live: Live, number: int, passes: "Iterable[tuple[list[Ask], Mapping[str, Tensor | Cache]]]"
) -> dict[str, bool]:
    """Of each ask by its id, whether the gate of that guard knows its prompt, which ends where its row does."""
    import torch

    found: dict[str, bool] = {}
    for asks, inputs in passes:
        with torch.inference_mode():
            hits = live.fires(number, *_with_ends(inputs, [1] * len(asks)))
        found |= {ask.ask_id: bool(hit) for ask, hit in zip(asks, hits, strict=True)}
    return found


def _with_ends(inputs: "Mapping[str, Tensor | Cache]", from_end: Sequence[int]) -> "tuple[dict[str, Tensor], Tensor]":
    import torch

    given = cast("dict[str, Tensor]", dict(inputs))
    width = given["input_ids"].shape[1]
    return given, torch.tensor([width - each for each in from_end], device=given["input_ids"].device)
