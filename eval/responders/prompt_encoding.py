"""Prompt encoding: prompts to tensors; a picture is scaled once for all its questions, and what the processor puts
around it is remembered.
"""

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from schemas.matching.thoughts import opens_thought
from schemas.protocols.frames import Frame, frame_of, gaps_to_largest
from schemas.protocols.prompt_form import PromptForm, adds_special, answered_text, prompt_text, written_form

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import ProcessorMixin

_TEXTS = 1 << 14
"""Most texts whose form in the template, and whose tokens, are remembered: options of one question share a prompt."""
_FRAMES = 64
"""Most beginnings of prompts that are remembered for pictures of one shape."""

Signature = tuple[tuple[str, tuple[int, ...]], ...]


class UnreadablePicture(Exception):
    """A picture that does not decode; the message names the kind of error."""


@dataclass(frozen=True)
class Row:
    """One prompt as tensors, apart from its batch."""

    tokens: dict[str, Tensor]
    """One number per token, each [1, length]."""
    pixels: dict[str, Tensor]
    """The picture's tensors; empty for text."""
    settled: int | None
    """Tokens up to the end of the picture, 0 for text; None where that is not known."""

    @property
    def ids(self) -> list[int]:
        """The tokens."""
        return cast("list[int]", self.tokens["input_ids"][0].tolist())


class PromptEncoder:
    """A processor that remembers pictures, up to `capacity_mb` of their tensors, and how prompts around them begin."""

    def __init__(self, processor: "ProcessorMixin", form: PromptForm | None = None, *, capacity_mb: int = 512) -> None:
        self._processor = processor
        self._form = form or written_form(processor)
        self._capacity = capacity_mb * 2**20
        self._held = 0
        self._pixels: OrderedDict[bytes, dict[str, Tensor]] = OrderedDict()
        self._frames: dict[Signature, list[Frame]] = {}
        self._rendered = lru_cache(_TEXTS)(self._render)
        self._tokens = lru_cache(_TEXTS)(self._tokenise)

    def render(self, text: str, *, shows: bool, answer: str = "") -> str:
        """The user turn as the template writes it, with a picture's placeholder if it `shows` one.

        With an answer, up to its end, which the template may set a space before.
        """
        return self._rendered(text, shows, answer)

    def _render(self, text: str, shows: bool, answer: str) -> str:
        prompt = prompt_text(self._processor, self._form, text, shows=shows)
        return answered_text(self._form, prompt, answer, closed=False) if answer else prompt

    @cached_property
    def opens_thought(self) -> bool:
        """Whether the template ends a prompt inside a thought, so that answers begin there."""
        return opens_thought(self.render("Who?", shows=False))

    def written(self, text: str) -> list[int]:
        """Tokens of a rendered text, a picture's placeholder being one of them."""
        return list(self._tokens(text))

    def _tokenise(self, text: str) -> tuple[int, ...]:
        return tuple(
            self._processor.tokenizer(text, add_special_tokens=adds_special(self._processor, text))["input_ids"]
        )

    def row(self, text: str, image: bytes | None) -> Row:
        """A rendered text with its picture, from memory where possible. Raises UnreadablePicture."""
        written = self.written(text)
        if image is None:
            ids = torch.tensor([written], dtype=torch.long)
            return Row({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, {}, 0)
        pixels = self._pixels.get(image)
        if pixels is not None:
            self._pixels.move_to_end(image)
            if (found := self._framed(written, pixels)) is not None:
                return found
        whole = self._process(text, image)
        tokens = {name: value for name, value in whole.items() if name in self._form.per_token}
        if pixels is None:
            pixels = {name: value for name, value in whole.items() if name not in tokens}
            self._remember(image, pixels)
        frames = self._frames.setdefault(_signature(pixels), [])
        known = self._framed(written, pixels)
        numbers = _numbers(tokens)
        if known is None and numbers and len(frames) < _FRAMES and (frame := frame_of(written, numbers)) is not None:
            frames.append(frame)
            known = self._framed(written, pixels)
        return Row(tokens, pixels, None if known is None else known.settled)

    def _framed(self, written: list[int], pixels: dict[str, Tensor]) -> Row | None:
        for frame in self._frames.get(_signature(pixels), ()):
            if (found := frame.inputs(written)) is not None:
                return Row({name: torch.tensor([row]) for name, row in found.items()}, pixels, frame.length)
        return None

    def _process(self, text: str, image: bytes) -> dict[str, Tensor]:
        found = self._processor(
            text=[text],
            images=[[_opened(image)]] if self._form.nested_images else [_opened(image)],
            add_special_tokens=adds_special(self._processor, text),
            return_tensors="pt",
        )
        return {name: value for name, value in found.items() if isinstance(value, Tensor) and name != "labels"}

    def _remember(self, image: bytes, pixels: dict[str, Tensor]) -> None:
        self._pixels[image] = pixels
        self._held += _size(pixels)
        while self._held > self._capacity and len(self._pixels) > 1:
            _, gone = self._pixels.popitem(last=False)
            self._held -= _size(gone)


def pad_left(rows: Sequence[Row], *, pad: int, after: int = 0) -> dict[str, Tensor]:
    """Per-token tensors of several rows, [batch, longest], padded on the left, from token `after` on."""
    width = max(row.tokens["input_ids"].shape[1] for row in rows) - after
    stacked: dict[str, Tensor] = {}
    for name in rows[0].tokens:
        parts = [row.tokens[name][:, after:] for row in rows]
        blank = pad if name == "input_ids" else 0
        stacked[name] = torch.cat(
            [
                torch.nn.functional.pad(part, (*(0, 0) * (part.dim() - 2), width - part.shape[1], 0), value=blank)
                for part in parts
            ]
        )
    return stacked


def stack_pixels(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Picture tensors of several rows, one after another; empty for text.

    Pictures of several shapes are filled up with zeros, as processors do it.
    """
    return {name: _filled_up([row.pixels[name] for row in rows]) for name in rows[0].pixels}


def _filled_up(parts: Sequence[Tensor]) -> Tensor:
    gaps = gaps_to_largest([part.shape[1:] for part in parts])
    pad = torch.nn.functional.pad
    return torch.cat([pad(part, gap) if any(gap) else part for part, gap in zip(parts, gaps, strict=True)])


def _opened(image: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(image)).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(f"the picture does not decode ({type(error).__name__})") from error


def _numbers(tokens: dict[str, Tensor]) -> dict[str, list[int]]:
    """The one row of each tensor [1, length]; nothing where one has more dimensions, which no frame can hold."""
    if any(tensor.dim() > 2 for tensor in tokens.values()):
        return {}
    return {name: tensor[0].tolist() for name, tensor in tokens.items()}


def _signature(pixels: dict[str, Tensor]) -> Signature:
    """Shapes, and the values of small tensors such as grids: what decides how many image tokens a picture takes."""
    return tuple(
        (name, (*value.shape, *(value.flatten().tolist() if value.numel() <= 16 else ())))
        for name, value in sorted(pixels.items())
    )


def _size(pixels: dict[str, Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in pixels.values())
