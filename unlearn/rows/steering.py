"""Steering: a model's own forward pass, but with masks and positions of ours and its output layer at chosen places.

Hooks stand in the model for good and look at what this thread is doing, so that threads may run it side by side.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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
    pick: Callable[[Tensor], Tensor] | None
    """What the output layer sees of hidden states [rows, length, hidden]; all of them if None."""
    packed: Packed | None


_NOW: ContextVar[_Pass | None] = ContextVar("forward pass", default=None)


class Steering:
    """The hooks of one model. They do nothing but in passes `steered` by this object."""

    def __init__(self, model: nn.Module, *, head: str, language: str, pattern: Pattern | None) -> None:
        self._pattern = pattern
        model.get_submodule(head).register_forward_pre_hook(self._at_head)
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
    def steered(self, *, pick: Callable[[Tensor], Tensor] | None = None, packed: Packed | None = None) -> Iterator[None]:
        """Passes of this thread are as told until the end."""
        before = _NOW.set(_Pass(self, pick, packed))
        try:
            yield
        finally:
            _NOW.reset(before)

    def _told(self) -> _Pass | None:
        now = _NOW.get()
        return now if now is not None and now.by is self else None

    def _at_head(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        now = self._told()
        return None if now is None or now.pick is None else (now.pick(args[0]), *args[1:])

    def _at_language(
        self, module: nn.Module, args: tuple[object, ...], named: Named
    ) -> tuple[tuple[object, ...], Named] | None:
        now = self._told()
        if now is None or now.packed is None:
            return None
        masks = now.packed.masks
        mask = masks.get(FULL, next(iter(masks.values())))  # layers of other kinds get theirs below
        return args, {**named, "attention_mask": mask, "position_ids": positions_for(now.packed)}

    def _at_layer(
        self, module: nn.Module, args: tuple[object, ...], named: Named, kind: str
    ) -> tuple[tuple[object, ...], Named] | None:
        now = self._told()
        if now is None or now.packed is None:
            return None
        if "attention_mask" not in named:
            raise TypeError("a decoder layer takes its mask otherwise than by name")
        first = args[0] if args else named.get("hidden_states")
        mask = now.packed.masks[kind]
        return args, {**named, "attention_mask": _as_taken(mask, module, cast(Tensor, first).dtype)}


def positions_for(packed: Packed) -> Tensor:
    """[rows, width], or [parts, rows, width] where a token has several positions."""
    return packed.positions if packed.positions.shape[0] > 1 else packed.positions[0]


def _as_taken(mask: Tensor, module: nn.Module, dtype: torch.dtype) -> Tensor:
    """A mask as the layer's attention takes it: bool, or for attention written out what is added to its scores."""
    config = next((part.config for part in module.modules() if "config" in vars(part)), None)
    if getattr(config, "_attn_implementation", "sdpa") != "eager":
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)

