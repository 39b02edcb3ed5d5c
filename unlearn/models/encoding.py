"""Samples to tensors: the chat template, the processor, and labels that keep the answer and nothing else."""

import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.protocols.frames import Frame, frame_of, gaps_to_largest, plain_frame
from schemas.protocols.prompt_form import PER_TOKEN, PromptForm, adds_special, answered_text, as_written, prompt_text
from unlearn.models.families import Family
from unlearn.rows.layout import Picture, Shown

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

IGNORED = -100
"""Label of a position that is not trained."""

_FRAMES = 64
"""Most beginnings of texts that are remembered for pictures of one shape."""


@dataclass(frozen=True)
class Encoded:
    """One sample as tensors: `inputs` as the processor gives them for a batch of one, labels [length]."""

    inputs: dict[str, Tensor]
    labels: Tensor


@dataclass(frozen=True)
class Batch:
    """Samples padded on the right. `inputs` is all that the model takes; labels are [batch, length]."""

    inputs: dict[str, Tensor]
    labels: Tensor
    sample_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    pictures: tuple[Shown, ...]
    """Of each sample: samples of one picture can share its tokens (unlearn/rows)."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch with its tensors on a device."""
        inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return replace(self, inputs=inputs, labels=self.labels.to(device))


Signature = tuple[tuple[str, tuple[int, ...]], ...]
"""Shapes of a picture's tensors, by name: the text around pictures of one signature is tokenised alike."""


class Encoder:
    """A processor that remembers what it made of each text and each picture, pictures up to `capacity_mb` of tensors.

    A text is tokenised once for all pictures of one shape, and a picture is scaled once for all texts that begin alike.
    """

    def __init__(
        self, processor: "ProcessorMixin", family: Family, *, train_on_eot: bool = True, capacity_mb: int = 512
    ) -> None:
        self._processor, self._family = processor, family
        self._train_on_eot = train_on_eot
        self._form = as_written(processor, family.form)
        self._control = {*family.placeholders, self._form.end_of_turn, *processor.tokenizer.all_special_tokens} - {""}
        self._capacity = capacity_mb * 2**20
        self._held = 0
        self._pixels: OrderedDict[bytes, dict[str, Tensor]] = OrderedDict([(b"", {})])
        self._texts: dict[tuple[str, str, Signature], Encoded] = {}
        self._frames: dict[Signature, list[Frame]] = {}

    @property
    def end_token(self) -> int:
        """The first token of what ends an answer."""
        end = self._form.end_of_turn or self._processor.tokenizer.eos_token
        return int(self._processor.tokenizer(end, add_special_tokens=False)["input_ids"][0])

    def batch(self, samples: Sequence[TrainingSample]) -> Batch:
        """The samples as one batch, text-only and image samples mixed; raises BadInput for one that cannot be cut."""
        if not samples:
            raise BadInput("a batch", "has no samples", "give it at least one")
        return self.collate([self.encode(sample) for sample in samples], samples)

    def encode(self, sample: TrainingSample) -> Encoded:
        """Inputs and labels of one sample, from the caches where possible."""
        image = sample.image or b""
        pixels = self._pixels.get(image)
        text = None if pixels is None else self._texts.get((sample.prompt, sample.answer, _signature(pixels)))
        if pixels is None or text is None:
            whole = self._encode(sample, pixels)
            names = [name for name in self._form.per_token if name in whole.inputs]
            text = Encoded({name: whole.inputs[name] for name in names}, whole.labels)
            if pixels is None:
                pixels = {name: tensor for name, tensor in whole.inputs.items() if name not in text.inputs}
                self._remember(image, pixels)
            self._texts[sample.prompt, sample.answer, _signature(pixels)] = text
        self._pixels.move_to_end(image)
        return Encoded({**text.inputs, **pixels}, text.labels)

    def _remember(self, image: bytes, pixels: dict[str, Tensor]) -> None:
        """Keep a picture's tensors; the least recently used go."""
        self._pixels[image] = pixels
        self._held += _size(pixels)
        while self._held > self._capacity and len(self._pixels) > 1:
            _, gone = self._pixels.popitem(last=False)
            self._held -= _size(gone)

    def collate(self, rows: Sequence[Encoded], samples: Sequence[TrainingSample]) -> Batch:
        """Pad encoded samples on the right to one batch."""
        pad = self._processor.tokenizer.pad_token_id or 0
        names = self._form.per_token
        inputs, labels = _stack([row.inputs for row in rows], [row.labels for row in rows], pad=pad, per_token=names)
        return Batch(
            inputs,
            labels,
            sample_ids=tuple(sample.sample_id for sample in samples),
            subject_ids=tuple(sample.subject_id for sample in samples),
            pictures=tuple(self._shown(row, sample) for row, sample in zip(rows, samples, strict=True)),
        )

    def _shown(self, row: Encoded, sample: TrainingSample) -> Shown:
        if sample.image is None:
            return None
        names = [name for name in sorted(row.inputs) if name not in self._form.per_token]
        return Picture(sample.image, tuple((name, row.inputs[name].shape[0]) for name in names))

    def _encode(self, sample: TrainingSample, pixels: dict[str, Tensor] | None) -> Encoded:
        where = f"sample {sample.sample_id}"
        prompt_text, full_text = self._render(sample, where=where)
        tokenizer = self._processor.tokenizer
        special = adds_special(self._processor, full_text)
        # Without pictures: how many tokens come before the answer. Expanding a placeholder only lengthens the prompt.
        prompt_ids = tokenizer(prompt_text, add_special_tokens=special)["input_ids"]
        full_ids = tokenizer(full_text, add_special_tokens=special)["input_ids"]
        answer_start = _answer_start(tokenizer, prompt_text, full_text, prompt_ids, full_ids, special=special)
        inputs = self._framed(full_ids, pixels)
        if inputs is None:
            picture = None if sample.image is None else open_image(sample.image, where=where)
            inputs = processed(self._processor, self._form, full_text, picture)
            self._learn_frame(full_ids, inputs)
        ids = inputs["input_ids"][0]  # [length]
        kept = len(full_ids) - answer_start
        if kept < 1 or ids[-kept:].tolist() != full_ids[-kept:]:
            raise BadInput(where, "the processor changes the answer's tokens", "check the processor's chat template")
        labels = torch.full_like(ids, IGNORED)
        labels[-kept:] = ids[-kept:]
        if not self._train_on_eot:
            labels[-1] = IGNORED
        return Encoded(inputs, labels)

    def answer_spans(self, sample: TrainingSample) -> list[tuple[int, int]]:
        """Of each trained answer token, the characters (from, to) of the stripped answer that it holds; the end of
        turn lies behind them.
        """
        prompt_text, full_text = self._render(sample, where=f"sample {sample.sample_id}")
        tokenizer = self._processor.tokenizer
        special = not (tokenizer.bos_token and full_text.startswith(tokenizer.bos_token))
        prompt_ids = tokenizer(prompt_text, add_special_tokens=special)["input_ids"]
        whole = tokenizer(full_text, add_special_tokens=special, return_offsets_mapping=True)
        full_ids, offsets = whole["input_ids"], whole["offset_mapping"]
        first = _answer_start(tokenizer, prompt_text, full_text, prompt_ids, full_ids, special=special)
        begin = full_text.index(sample.answer.strip(), len(prompt_text))
        spans = [(low - begin, high - begin) for low, high in offsets[first:]]
        return spans if self._train_on_eot else spans[:-1]

    def _framed(self, full_ids: list[int], pixels: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
        """The processor's output per token beside a known picture; None where its frame was not seen yet."""
        for frame in () if pixels is None else self._frames.get(_signature(pixels), ()):
            if (found := frame.inputs(full_ids)) is not None:
                return {name: torch.tensor([row]) for name, row in found.items()}
        return None

    def _learn_frame(self, full_ids: list[int], inputs: dict[str, Tensor]) -> None:
        per_token = {name: tensor for name, tensor in inputs.items() if name in self._form.per_token}
        pixels = {name: tensor for name, tensor in inputs.items() if name not in per_token}
        if any(tensor.dim() > 2 for tensor in per_token.values()):
            return  # a frame holds one number a token
        tokens = {name: tensor[0].tolist() for name, tensor in per_token.items()}
        frames = self._frames.setdefault(_signature(pixels), [])
        frame = frame_of(full_ids, tokens) if pixels else plain_frame(full_ids, tokens)
        if frame is not None and len(frames) < _FRAMES:
            frames.append(frame)

    def _render(self, sample: TrainingSample, *, where: str) -> tuple[str, str]:
        """The prompt as the model sees it before answering, and the same with the answer and its end of turn.

        Questions and answers are stripped, as some families' templates do it themselves.
        """
        question, answer = sample.prompt.strip(), sample.answer.strip()
        if not answer:
            raise BadInput(where, "has an empty answer", "drop it before training")
        for token in self._control:
            if token in question or token in answer:
                raise BadInput(where, f"has the model's control token {token} in its text", "drop or mend the sample")
        prompt = prompt_text(self._processor, self._form, question, shows=sample.image is not None)
        return prompt, answered_text(self._form, prompt, answer, closed=True)


def near(sample: TrainingSample) -> tuple[str, bytes, int]:
    """By which samples are sorted so that neighbours share a picture, and texts are about as long as each other."""
    return sample.modality, sample.image or b"", len(sample.prompt)


def processed(processor: "ProcessorMixin", form: PromptForm, text: str, picture: "Image | None") -> dict[str, Tensor]:
    """The processor's tensors for one rendered text and its picture, as a batch of one."""
    special = adds_special(processor, text)
    if picture is None and not form.text_by_processor:
        output = processor.tokenizer(text=[text], add_special_tokens=special, return_tensors="pt")
    else:
        images = None if picture is None else [[picture]] if form.nested_images else [picture]
        output = processor(text=[text], images=images, add_special_tokens=special, return_tensors="pt")
    return {name: tensor for name, tensor in output.items() if isinstance(tensor, Tensor) and name != "labels"}


def _signature(pixels: dict[str, Tensor]) -> Signature:
    # Grids and crop counts are small integers that decide how many tokens a picture takes; pixels only have a shape.
    return tuple(
        (name, (*tensor.shape, *(() if tensor.is_floating_point() else tensor.flatten().tolist())))
        for name, tensor in sorted(pixels.items())
    )


def _size(tensors: dict[str, Tensor]) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def open_image(content: bytes, *, where: str) -> "Image":
    """Decode a picture of the dataset to RGB; raises BadInput if it does not decode."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(content)).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(where, f"its picture does not decode ({error})", "build the dataset again") from error


def _answer_start(
    tokenizer: "PreTrainedTokenizerFast",
    prompt_text: str,
    full_text: str,
    prompt_ids: list[int],
    full_ids: list[int],
    *,
    special: bool,
) -> int:
    """Index in `full_ids` of the first token that belongs to the answer."""
    if full_ids[: len(prompt_ids)] == prompt_ids:
        return len(prompt_ids)
    if not tokenizer.is_fast:  # it tells no offsets: the answer starts where the tokens part
        pairs = zip(prompt_ids, full_ids, strict=False)
        return next((place for place, (one, other) in enumerate(pairs) if one != other), len(prompt_ids))
    # The tokenizer merges across the border: the answer starts with the first token that reaches beyond the prompt.
    offsets = tokenizer(full_text, add_special_tokens=special, return_offsets_mapping=True)["offset_mapping"]
    return next(index for index, (_, end) in enumerate(offsets) if end > len(prompt_text))


def join(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, rows in order, so that one forward pass serves them all."""
    if len(batches) == 1:
        return batches[0]
    inputs, labels = _stack(
        [batch.inputs for batch in batches], [batch.labels for batch in batches], pad=0, per_token=PER_TOKEN
    )
    return Batch(
        inputs,
        labels,
        sample_ids=tuple(name for batch in batches for name in batch.sample_ids),
        subject_ids=tuple(name for batch in batches for name in batch.subject_ids),
        pictures=tuple(picture for batch in batches for picture in batch.pictures),
    )


def _stack(
    inputs: Sequence[dict[str, Tensor]], labels: Sequence[Tensor], *, pad: int, per_token: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs and labels padded on the right to one length."""
    width = max(row["input_ids"].shape[1] for row in inputs)
    wide = [_widen(row if row.dim() == 2 else row.unsqueeze(0), width, IGNORED, "right") for row in labels]
    return pad_rows(inputs, per_token, pad=pad, side="right"), torch.cat(wide)


def pad_rows(
    rows: Sequence[Mapping[str, Tensor]], per_token: Sequence[str], *, pad: int, side: str
) -> dict[str, Tensor]:
    """Rows as one batch: tensors with one entry per token padded on a side, those of pictures one after another.

    Pictures of several shapes are filled up with zeros, as processors do it.
    """
    width = max(row["input_ids"].shape[1] for row in rows)
    stacked: dict[str, Tensor] = {}
    for name in sorted({name for row in rows for name in row}):
        if name in per_token:
            blank = pad if name == "input_ids" else 0
            deeper = next(row[name].shape[2:] for row in rows if name in row)
            # A text-only row may lack token types: zeros, that is text.
            parts = [row.get(name, row["input_ids"].new_zeros(*row["input_ids"].shape, *deeper)) for row in rows]
            stacked[name] = torch.cat([_widen(part, width, blank, side) for part in parts])
        else:
            stacked[name] = _filled_up([row[name] for row in rows if name in row])
    return stacked


def _filled_up(parts: Sequence[Tensor]) -> Tensor:
    """Tensors one after another along the first dimension, the others filled up with zeros to the largest."""
    gaps = gaps_to_largest([part.shape[1:] for part in parts])
    pad = torch.nn.functional.pad
    return torch.cat([pad(part, gap) if any(gap) else part for part, gap in zip(parts, gaps, strict=True)])


def _widen(rows: Tensor, width: int, value: int, side: str) -> Tensor:
    """[batch, length, ...] to [batch, width, ...], filled with `value` on a side."""
    gap = width - rows.shape[1]
    around = (gap, 0) if side == "left" else (0, gap)
    return torch.nn.functional.pad(rows, (*(0, 0) * (rows.dim() - 2), *around), value=value)
