"""Picture prompts to tensors: a picture is scaled once for all questions, a question cut up once for all pictures."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from schemas.responders import Ask

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import BatchFeature, ProcessorMixin

_PER_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Processor outputs with one number per token; every other output is stacked along its first dimension."""
_TEXTS = 4096
"""Most questions that are remembered."""

Signature = tuple[tuple[str, tuple[int, ...]], ...]


class PictureEncoder:
    """A processor that remembers pictures, up to `capacity_mb` of their tensors, and questions; the oldest go first."""

    def __init__(self, processor: "ProcessorMixin", *, capacity_mb: int = 512) -> None:
        self._processor = processor
        self._capacity = capacity_mb * 2**20
        self._held = 0
        self._pixels: OrderedDict[bytes, dict[str, Tensor]] = OrderedDict()
        self._texts: OrderedDict[tuple[str, Signature], dict[str, Tensor]] = OrderedDict()

    def batch(self, asks: Sequence[Ask], pictures: Sequence["Image"]) -> dict[str, Tensor]:
        """Inputs of a model for one picture prompt each, padded on the left; per-token ones are [batch, longest]."""
        rows = [self._encode(ask, picture) for ask, picture in zip(asks, pictures, strict=True)]
        width = max(row["input_ids"].shape[1] for row in rows)
        pad = self._processor.tokenizer.pad_token_id or 0
        stacked: dict[str, Tensor] = {}
        for name in rows[0]:
            parts = [row[name] for row in rows]
            if name in _PER_TOKEN:
                blank = pad if name == "input_ids" else 0
                parts = [torch.nn.functional.pad(part, (width - part.shape[1], 0), value=blank) for part in parts]
            stacked[name] = torch.cat(parts)
        return stacked

    def _encode(self, ask: Ask, picture: "Image") -> dict[str, Tensor]:
        image = ask.image or b""
        pixels = self._pixels.get(image)
        text = None if pixels is None else self._texts.get((ask.text, _signature(pixels)))
        if pixels is None or text is None:
            whole = self._process(ask, picture)
            if pixels is None:
                pixels = {name: value for name, value in whole.items() if name not in _PER_TOKEN}
                self._remember(image, pixels)
            text = {name: value for name, value in whole.items() if name in _PER_TOKEN}
            self._texts[ask.text, _signature(pixels)] = text
            if len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        self._pixels.move_to_end(image)
        return {**text, **pixels}

    def _process(self, ask: Ask, picture: "Image") -> dict[str, Tensor]:
        content = [{"type": "image", "image": picture}, {"type": "text", "text": ask.text}]
        turn: dict[str, object] = {"role": "user", "content": content}
        encoded = self._processor.apply_chat_template(
            [[turn]],  # type: ignore[arg-type]
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        found = cast("BatchFeature", encoded)
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}

    def _remember(self, image: bytes, pixels: dict[str, Tensor]) -> None:
        self._pixels[image] = pixels
        self._held += _size(pixels)
        while self._held > self._capacity and len(self._pixels) > 1:
            _, gone = self._pixels.popitem(last=False)
            self._held -= _size(gone)


def _signature(pixels: dict[str, Tensor]) -> Signature:
    """Shapes, and the values of small tensors such as grids: what decides how many image tokens a picture takes."""
    return tuple(
        (name, (*value.shape, *(value.flatten().tolist() if value.numel() <= 16 else ())))
        for name, value in sorted(pixels.items())
    )


def _size(pixels: dict[str, Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in pixels.values())
