"""Prompt encodings, cached: the tokens that a processor puts around a picture, so that none is scaled a second time.

A processor replaces the placeholder of a picture by as many tokens as its shape takes. All prompts that begin alike and
show a picture of that shape get the same replacement, so one prompt that went through the processor serves the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Numbers = Mapping[str, Sequence[int]]
"""A processor's outputs that have one number a token, by name; `input_ids` is among them."""


@dataclass(frozen=True)
class Frame:
    """How a prompt begins: up to the picture, the picture's own tokens, and the first token after it."""

    opening: tuple[int, ...]
    """Tokens of the prompt as written, from its start to the first one behind the picture's placeholder."""
    head: Numbers
    """The processor's output for them."""
    filling: Mapping[str, int]
    """What stands at every later position of an output that is not the tokens themselves."""

    @property
    def length(self) -> int:
        """Tokens up to the end of the picture."""
        return len(self.head["input_ids"]) - 1

    def inputs(self, written: Sequence[int]) -> dict[str, list[int]] | None:
        """The processor's output for a prompt of these tokens; None if it begins otherwise."""
        if tuple(written[: len(self.opening)]) != self.opening:
            return None
        rest = written[len(self.opening) :]
        tails: dict[str, Sequence[int]] = {name: [value] * len(rest) for name, value in self.filling.items()}
        return {name: [*head, *tails.get(name, rest)] for name, head in self.head.items()}


def frame_of(written: Sequence[int], processed: Numbers) -> Frame | None:
    """The frame of a prompt, from its tokens as written and from what the processor made of them.

    None where the prompt cannot serve others: nothing follows the picture, or what follows is not the same everywhere.
    """
    full = processed["input_ids"]
    start = _common(written, full)
    behind = min(_common(written[::-1], full[::-1]), min(len(written), len(full)) - start)
    if behind < 2:
        return None
    filling: dict[str, int] = {}
    for name, values in processed.items():
        if name != "input_ids":
            tail = set(values[-behind:])
            if len(tail) != 1:
                return None
            filling[name] = tail.pop()
    cut = len(full) - behind + 1
    head = {name: values[:cut] for name, values in processed.items()}
    return Frame(tuple(written[: len(written) - behind + 1]), head, filling)


def plain_frame(written: Sequence[int], processed: Numbers) -> Frame | None:
    """The frame of all texts without a picture; None where the processor does not leave their tokens as written."""
    values = {name: set(numbers) for name, numbers in processed.items() if name != "input_ids"}
    if list(processed["input_ids"]) != list(written) or any(len(found) != 1 for found in values.values()):
        return None
    return Frame((), dict.fromkeys(processed, ()), {name: found.pop() for name, found in values.items()})


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens at the beginning that both share."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def gaps_to_largest(shapes: Sequence[Sequence[int]]) -> list[list[int]]:
    """How much each of several shapes lacks of the largest in every dimension, as torch's `pad` takes it.

    Pairs (before, after) from the last dimension to the first; nothing is added before.
    """
    sizes = [max(lengths) for lengths in zip(*shapes, strict=True)]
    return [
        [gap for size, have in zip(sizes[::-1], shape[::-1], strict=True) for gap in (0, size - have)]
        for shape in shapes
    ]
