"""Picture features: what a frozen vision tower makes of each picture, made once and kept up to a bound."""

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

CAPACITY = 2**30
"""Bytes kept on a CPU."""
CAPACITY_SHARE = 0.08
"""Of a GPU's memory, kept there."""
_PARTS = ("pooler_output", "deepstack_features")
"""What a family reads of a tower's output: the pictures' tokens, and those of inner layers."""


class Output(Protocol):
    """A tower's output as transformers hands it over."""

    pooler_output: "Tensor | Sequence[Tensor]"


@dataclass(frozen=True)
class _Kept:
    output: Output
    size: int
    """Bytes."""


class PictureFeatures:
    """Features by picture, those used longest ago given up first. Threads may share one.

    Only for towers that do not change while it is in use.
    """

    def __init__(self, model: nn.Module, *, capacity: int | None = None) -> None:
        self._make = cast("Callable[..., Output]", model.get_image_features)
        self._takes = frozenset(inspect.signature(self._make).parameters)
        self._capacity = capacity if capacity is not None else _capacity(next(model.parameters()).device)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        self.made = 0
        """How many pictures went through the tower."""

    def of(self, pictures: Sequence[bytes], tensors: Callable[[int], Mapping[str, Tensor]]) -> Output:
        """One output for pictures in this order; `tensors` gives those of one of them, if it has to be made."""
        return _joined([self._one(content, tensors, number) for number, content in enumerate(pictures)])

    def _one(self, content: bytes, tensors: Callable[[int], Mapping[str, Tensor]], number: int) -> Output:
        with self._lock:
            if (found := self._kept.get(content)) is not None:
                self._kept.move_to_end(content)
                return found.output
        given = {name: value for name, value in tensors(number).items() if name in self._takes}
        with torch.no_grad():
            output = self._make(**given, return_dict=True)
        only = type(output)(
            **{name: getattr(output, name) for name in _PARTS if getattr(output, name, None) is not None}
        )
        size = sum(part.untyped_storage().nbytes() for part in _tensors(only))
        with self._lock:
            self.made += 1
            if content not in self._kept and size <= self._capacity:
                self._kept[content] = _Kept(only, size)
                self._held += size
            while self._held > self._capacity:
                _, gone = self._kept.popitem(last=False)
                self._held -= gone.size
        return only


def _capacity(device: torch.device) -> int:
    if device.type != "cuda":
        return CAPACITY
    return int(CAPACITY_SHARE * torch.cuda.get_device_properties(device).total_memory)


def _tensors(output: Output) -> list[Tensor]:
    found: list[Tensor] = []
    for name in _PARTS:
        part = getattr(output, name, None)
        for each in () if part is None else (part,) if isinstance(part, Tensor) else part:
            found += [each] if isinstance(each, Tensor) else list(each)
    return found


def _joined(outputs: Sequence[Output]) -> Output:
    """Several pictures' outputs as the tower would give them for all: tokens one after another, layer by layer."""
    first = outputs[0]
    if len(outputs) == 1:
        return first
    named: dict[str, object] = {"pooler_output": _after([output.pooler_output for output in outputs])}
    layers = [cast("Sequence[Tensor | Sequence[Tensor]]", getattr(output, _PARTS[1], None) or ()) for output in outputs]
    if layers[0]:
        named[_PARTS[1]] = [_after(parts) for parts in zip(*layers, strict=True)]
    return type(first)(**named)


def _after(parts: "Sequence[Tensor | Sequence[Tensor]]") -> "Tensor | list[Tensor]":
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == len(parts):
        return torch.cat(tensors)
    return [tensor for part in parts for tensor in part]
