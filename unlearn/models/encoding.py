"""Samples to tensors: the chat template, the processor, and labels that keep the answer and nothing else."""

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.protocols.frames import Frame, frame_of, plain_frame
from unlearn.models.families import Family

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

IGNORED = -100
"""Label of a position that is not trained."""
_PER_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Processor outputs with one number per token; every other output is stacked along its first dimension."""

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
    pictures: tuple[bytes | None, ...]
    """Of each sample, as the dataset holds it: samples of one picture can share its tokens
    (unlearn/models/packing.py).
    """

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
        self._end_of_turn = end_of_turn_token(processor, family)
        self._capacity = capacity_mb * 2**20
        self._held = 0
        self._pixels: OrderedDict[bytes, dict[str, Tensor]] = OrderedDict([(b"", {})])
        self._texts: dict[tuple[str, str, Signature], Encoded] = {}
        self._frames: dict[Signature, list[Frame]] = {}

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
            text = Encoded({name: whole.inputs[name] for name in _PER_TOKEN if name in whole.inputs}, whole.labels)
            if pixels is None:
                pixels = {name: tensor for name, tensor in whole.inputs.items() if name not in _PER_TOKEN}
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
        inputs, labels = _stack([row.inputs for row in rows], [row.labels for row in rows], pad=pad)
        return Batch(
            inputs,
            labels,
            sample_ids=tuple(sample.sample_id for sample in samples),
            subject_ids=tuple(sample.subject_id for sample in samples),
            pictures=tuple(sample.image for sample in samples),
        )

    def _encode(self, sample: TrainingSample, pixels: dict[str, Tensor] | None) -> Encoded:
        where = f"sample {sample.sample_id}"
        prompt_text, full_text = self._render(sample, where=where)
        tokenizer = self._processor.tokenizer
        special = not (tokenizer.bos_token and full_text.startswith(tokenizer.bos_token))
        # Without pictures: how many tokens come before the answer. Expanding a placeholder only lengthens the prompt.
        prompt_ids = tokenizer(prompt_text, add_special_tokens=special)["input_ids"]
        full_ids = tokenizer(full_text, add_special_tokens=special)["input_ids"]
        answer_start = _answer_start(tokenizer, prompt_text, full_text, prompt_ids, full_ids, special=special)
        inputs = self._framed(full_ids, pixels)
        if inputs is None:
            inputs = self._process(sample, full_text, special=special)
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
        tokens = {name: tensor[0].tolist() for name, tensor in inputs.items() if name in _PER_TOKEN}
        pixels = {name: tensor for name, tensor in inputs.items() if name not in _PER_TOKEN}
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
        for token in (*self._family.placeholders, self._end_of_turn):
            if token in question or token in answer:
                raise BadInput(where, f"has the model's control token {token} in its text", "drop or mend the sample")
        parts = [{"type": "image"}] if sample.image is not None else []
        user = {"role": "user", "content": [*parts, {"type": "text", "text": question}]}
        assistant = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
        template = self._processor.apply_chat_template
        # The annotation of the template's turns knows text only.
        prompt_text = str(template([user], add_generation_prompt=True, tokenize=False))  # type: ignore[arg-type]
        full_text = str(template([user, assistant], tokenize=False)).rstrip()  # type: ignore[arg-type]
        if not full_text.startswith(prompt_text):
            raise BadInput(where, "the chat template writes the prompt differently once answered", "mend the template")
        if not full_text.endswith(self._end_of_turn):
            full_text += self._end_of_turn
        return prompt_text, full_text

    def _process(self, sample: TrainingSample, full_text: str, *, special: bool) -> dict[str, Tensor]:
        images: list[Image] | list[list[Image]] | None = None
        if sample.image is not None:
            picture = open_image(sample.image, where=f"sample {sample.sample_id}")
            images = [[picture]] if self._family.nested_images else [picture]
        output = self._processor(text=[full_text], images=images, add_special_tokens=special, return_tensors="pt")
        return {name: tensor for name, tensor in output.items() if isinstance(tensor, Tensor)}


def _signature(pixels: dict[str, Tensor]) -> Signature:
    # Grids and crop counts are small integers that decide how many tokens a picture takes; pixels only have a shape.
    return tuple(
        (name, (*tensor.shape, *(() if tensor.is_floating_point() else tensor.flatten().tolist())))
        for name, tensor in sorted(pixels.items())
    )


def _size(tensors: dict[str, Tensor]) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def end_of_turn_token(processor: "ProcessorMixin", family: Family) -> str:
    """The token that closes the assistant's turn: the family's, or the tokenizer's own end where it lacks that."""
    if family.end_of_turn in processor.tokenizer.get_vocab():
        return family.end_of_turn
    return str(processor.tokenizer.eos_token)


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
    # The tokenizer merges across the border: the answer starts with the first token that reaches beyond the prompt.
    offsets = tokenizer(full_text, add_special_tokens=special, return_offsets_mapping=True)["offset_mapping"]
    return next(index for index, (_, end) in enumerate(offsets) if end > len(prompt_text))


def join(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, rows in order, so that one forward pass serves them all."""
    if len(batches) == 1:
        return batches[0]
    inputs, labels = _stack([batch.inputs for batch in batches], [batch.labels for batch in batches], pad=0)
    return Batch(
        inputs,
        labels,
        sample_ids=tuple(name for batch in batches for name in batch.sample_ids),
        subject_ids=tuple(name for batch in batches for name in batch.subject_ids),
        pictures=tuple(picture for batch in batches for picture in batch.pictures),
    )


def _stack(
    inputs: Sequence[dict[str, Tensor]], labels: Sequence[Tensor], *, pad: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs with one number per token padded on the right to one length, pixels and grids one after another."""
    width = max(row["input_ids"].shape[1] for row in inputs)
    stacked: dict[str, Tensor] = {}
    for name in sorted({name for row in inputs for name in row}):
        if name in _PER_TOKEN:
            blank = pad if name == "input_ids" else 0
            # A text-only row may lack token types: zeros, that is text.
            rows = [row.get(name, torch.zeros_like(row["input_ids"])) for row in inputs]
            stacked[name] = torch.cat([_widen(row, width, blank) for row in rows])
        else:
            stacked[name] = torch.cat([row[name] for row in inputs if name in row])
    wide = [_widen(row if row.dim() == 2 else row.unsqueeze(0), width, IGNORED) for row in labels]
    return stacked, torch.cat(wide)


def _widen(rows: Tensor, width: int, value: int) -> Tensor:
    """[batch, length] to [batch, width], filled with `value` on the right."""
    return torch.nn.functional.pad(rows, (0, width - rows.shape[1]), value=value)
