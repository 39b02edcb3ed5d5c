"""Steering: a model's own forward pass, but with masks and positions of ours.

Hooks stand in the model for good and look at what this thread is doing, so that threads may run it side by side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from unlearn.rows.layout import Packed
from unlearn.rows.pattern import FULL, Pattern

Named = dict[str, object]


@dataclass(frozen=True)
class _Pass:
    """What one forward pass is told, and by whom."""

    by: object
    packed: Packed
    added: dict[tuple[str, torch.dtype], Tensor] = field(default_factory=dict)
    """Masks by kind and precision, as they are added to an attention's scores: all layers share them."""

    def mask(self, kind: str, hidden: Tensor) -> Tensor:
        """[rows, 1, width, width], 0 where a token is seen, in the precision of the layers' products."""
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        if (kind, dtype) not in self.added:
            seen = self.packed.masks[kind]
            blank = torch.zeros((), dtype=dtype, device=seen.device)
            self.added[kind, dtype] = torch.where(seen, blank, torch.finfo(dtype).min)
        return self.added[kind, dtype]


_NOW: ContextVar[_Pass | None] = ContextVar("forward pass", default=None)


class Steering:
    """The hooks of one model. They do nothing but in passes `steered` by this object."""

    def __init__(self, model: nn.Module, *, language: str, pattern: Pattern | None) -> None:
        if pattern is None:
            return
        model.get_submodule(language).register_forward_pre_hook(self._at_language, with_kwargs=True)
        layers = cast(nn.ModuleList, model.get_submodule(pattern.layers))
        for layer, kind in zip(layers, pattern.kinds, strict=True):

            def at_layer(
                module: nn.Module, args: tuple[object, ...], named: Named, kind: str = kind
            ) -> tuple[tuple[object, ...], Named] | None:
                return self._at_layer(module, args, named, kind)

            layer.register_forward_pre_hook(at_layer, with_kwargs=True)

    @contextmanager
    def steered(self, packed: Packed) -> Iterator[None]:
        """Passes of this thread are of these rows until the end."""
        before = _NOW.set(_Pass(self, packed))
        try:
            yield
        finally:
            _NOW.reset(before)

    def _told(self) -> _Pass | None:
        now = _NOW.get()
        return now if now is not None and now.by is self else None

    def _at_language(
        self, module: nn.Module, args: tuple[object, ...], named: Named
    ) -> tuple[tuple[object, ...], Named] | None:
        now = self._told()
        if now is None:
            return None
        embedded = named.get("inputs_embeds")
        if not isinstance(embedded, Tensor):
            raise TypeError("the language model takes its embeddings otherwise than by name")
        kind = FULL if FULL in now.packed.masks else next(iter(now.packed.masks))  # other layers get theirs below
        return args, {
            **named, "attention_mask": now.mask(kind, embedded), "position_ids": positions_for(now.packed)
        }  # fmt: skip

    def _at_layer(
        self, module: nn.Module, args: tuple[object, ...], named: Named, kind: str
    ) -> tuple[tuple[object, ...], Named] | None:
        now = self._told()
        if now is None:
            return None
        if "attention_mask" not in named:
            raise TypeError("a decoder layer takes its mask otherwise than by name")
        first = args[0] if args else named.get("hidden_states")
        return args, {**named, "attention_mask": now.mask(kind, cast(Tensor, first))}


def positions_for(packed: Packed) -> Tensor:
    """[rows, width], or [parts, rows, width] where a token has several positions."""
    return packed.positions if packed.positions.shape[0] > 1 else packed.positions[0]
