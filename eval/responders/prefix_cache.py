"""Prompts that begin alike: what a model makes of their common beginning is computed once and handed to all of them.

Most questions about a picture begin with that picture and one instruction, so only their last tokens differ.
"""

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from eval.responders.prompt_encoding import Row

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, PreTrainedModel
    from transformers.generation.utils import GenerateDecoderOnlyOutput

FEWEST = 6
"""Fewest prompts for which a common beginning is worth a pass of its own."""


@dataclass(frozen=True)
class Sharing:
    """Prompts with a common beginning and one picture, or none: what follows from their tokens alone."""

    rows: tuple[Row, ...]
    length: int
    """Tokens of the beginning; 0 if it is not worth a pass of its own."""

    @property
    def kind(self) -> Hashable:
        """Equal where one batch may hold both: the same tokens, and pictures of one shape in their place."""
        first = self.rows[0]
        shapes = tuple((name, tuple(value.shape), _grid(value)) for name, value in sorted(first.pixels.items()))
        return tuple(first.ids[: self.length]), shapes


@dataclass(frozen=True)
class Opening:
    """The beginning of a batch's rows as the model keeps it."""

    length: int
    """Tokens."""
    caches: "Sequence[Cache]"
    """Keys and values, one picture's each, a batch of one."""
    rows: Sequence[int]
    """How many rows of the batch go on from each."""


def sharing(rows: Sequence[Row], *, apart: Sequence[int]) -> Sharing:
    """Rows that show one picture, or none, with what they share, as far as it leaves each of them `apart` tokens."""
    return Sharing(tuple(rows), shared_length(rows, apart=apart) if len(rows) >= FEWEST else 0)


def joined_cache(openings: "Sequence[Cache]", rows: Sequence[int]) -> "Cache":
    """One cache for a batch: each opening's, a batch of one, for so many rows. It will be written to, so it is new."""
    import torch

    whole = copy.deepcopy(openings[0])
    for number, layer in enumerate(whole.layers):
        for name in ("keys", "values"):
            parts = [
                part.expand(count, *part.shape[1:])
                for cache, count in zip(openings, rows, strict=True)
                if (part := getattr(cache.layers[number], name)) is not None
            ]
            setattr(layer, name, torch.cat(parts))
    return whole


def may_share(cache: "Cache", longest: int) -> bool:
    """Whether a beginning may go on into prompts of up to `longest` tokens, answers included.

    Only where every layer keeps all keys and values: a window that is shorter has let go of some by then, and linear
    attention keeps a state instead.
    """
    for layer in cache.layers:
        window = getattr(layer, "sliding_window", None)
        if getattr(layer, "keys", None) is None or (window is not None and window <= longest):
            return False
    return True


def alike(keys: Sequence[Hashable], order: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Indices in `order` by equal key, of keys that enough have, and the indices left over."""
    by_key: dict[Hashable, list[int]] = {}
    for index in order:
        by_key.setdefault(keys[index], []).append(index)
    sets = [members for members in by_key.values() if len(members) >= FEWEST]
    taken = {index for members in sets for index in members}
    return sets, [index for index in order if index not in taken]


def shared_length(rows: Sequence[Row], *, apart: Sequence[int]) -> int:
    """How many tokens all rows begin with, at least `apart` being left to each; 0 if their pictures lie beyond that.

    The rows show one picture, or none.
    """
    lists = [row.ids for row in rows]
    first, last = min(lists), max(lists)  # in the order of lists, what these two share all between them share
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    length = min(length, *(len(ids) - least for ids, least in zip(lists, apart, strict=True)))
    return 0 if any(row.settled is None or row.settled > length for row in rows) else length


def open_with(model: "PreTrainedModel", shared: Sharing, *, place: "Callable[[Tensor], Tensor]") -> "Cache":
    """What the model makes of a beginning, its picture with it: keys and values, a batch of one.

    By `generate`, whose first step settles what a family keeps between a picture and the tokens after it (Qwen: how far
    the picture shifts positions). So what begins otherwise is opened after the batches of these are done.
    """
    row = shared.rows[0]
    tokens = {name: place(value[:, : shared.length]) for name, value in row.tokens.items()}
    pixels = {name: place(value) for name, value in row.pixels.items()}
    generate = cast("Callable[..., GenerateDecoderOnlyOutput]", model.generate)
    found = generate(**tokens, **pixels, do_sample=False, max_new_tokens=1, return_dict_in_generate=True)
    return cast("Cache", found.past_key_values)


def _grid(value: "Tensor") -> tuple[float, ...]:
    return tuple(value.flatten().tolist()) if value.numel() <= 16 else ()
