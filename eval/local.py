"""A model in this process as a responder: prompts sorted by length, cut into batches, answered batch by batch."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from eval.encoding import PictureEncoder
from schemas.problems import BadInput
from schemas.responders import Ask, Decoding, Reply

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel, ProcessorMixin


@dataclass(frozen=True)
class LocalModel:
    """A loaded model, its processor, and what to call it: kind of model and digest of its weights."""

    model: "PreTrainedModel"
    processor: "ProcessorMixin"
    identity: str


class LocalResponder:
    """Answers with a local model. What stands in a batch follows from the whole list of asks alone."""

    def __init__(self, local: LocalModel, *, batch: int) -> None:
        if batch < 1:
            raise BadInput("batch", f"is {batch}", "give at least one prompt a batch")
        self._model, self._processor, self._batch = local.model, local.processor, batch
        self._identity = local.identity
        self._pictures = PictureEncoder(local.processor)

    @property
    def identity(self) -> str:
        """`hf:<model type or Hub id>@<digest of the weights>`."""
        return self._identity

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask, batch by batch, longest prompts first. An ask without a readable picture gets an error."""
        for chunk in self._batches(list(asks)):
            pictures, failed = _open_pictures(chunk)
            yield from failed
            answerable = [ask for ask in chunk if ask.ask_id in pictures]
            if answerable:
                yield from self._generate(answerable, pictures, decoding)

    def log_likelihood(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, float]]:
        """(ask_id, mean log-probability in nats per token) of each continuation as the whole answer so far.

        An ask may come several times with different continuations; results then keep the order given.
        """
        pairs = list(asks)
        order = sorted(range(len(pairs)), key=lambda index: self._rank(pairs[index][0], index))
        scores: dict[int, float] = {}
        for chunk in _cut([(pairs[index][0].image is None, index) for index in order], self._batch):
            pictures, failed = _open_pictures([pairs[index][0] for index in chunk])
            if failed:
                raise BadInput(f"ask {failed[0].ask_id}", failed[0].error, "score only asks whose picture decodes")
            values = self._score([pairs[index] for index in chunk], pictures)
            scores.update(zip(chunk, values, strict=True))
        for index, (ask, _) in enumerate(pairs):
            yield ask.ask_id, scores[index]

    def _rank(self, ask: Ask, index: int) -> tuple[bool, int, int]:
        """Image prompts apart from text prompts, long before short, ties as given."""
        return ask.image is None, -len(self._processor.tokenizer(ask.text)["input_ids"]), index

    def _batches(self, asks: Sequence[Ask]) -> Iterator[list[Ask]]:
        order = sorted(range(len(asks)), key=lambda index: self._rank(asks[index], index))
        for chunk in _cut([(asks[index].image is None, index) for index in order], self._batch):
            yield [asks[index] for index in chunk]

    def _generate(
        self, asks: Sequence[Ask], pictures: dict[str, "Image | None"], decoding: Decoding
    ) -> Iterator[Reply]:
        import torch

        encoded = self._encode(asks, [picture for ask in asks if (picture := pictures[ask.ask_id]) is not None])
        inputs = encoded.to(self._model.device, self._model.dtype)
        sampled = decoding.temperature > 0
        options = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0} if sampled else {}
        with torch.inference_mode(), torch.random.fork_rng(devices=_cuda_devices(self._model)):
            torch.manual_seed(_batch_seed(asks, decoding.seed))
            generate = cast("Callable[..., Tensor]", self._model.generate)
            output = generate(**inputs, do_sample=sampled, max_new_tokens=decoding.max_new_tokens, **options)
        # output: [batch, prompt + answer]
        answers = output[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
        for ask, text in zip(asks, texts, strict=True):
            yield Reply(ask_id=ask.ask_id, text=text.strip())

    def _encode(self, asks: Sequence[Ask], pictures: "Sequence[Image]") -> "BatchFeature":
        """Inputs of a batch, which has pictures throughout or none."""
        from transformers import BatchFeature

        if pictures:
            return BatchFeature(self._pictures.batch(asks, pictures))
        encoded = self._processor.apply_chat_template(
            [[_user_turn(ask, None)] for ask in asks],  # type: ignore[arg-type]
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        )
        return cast("BatchFeature", encoded)

    def _score(self, pairs: Sequence[tuple[Ask, str]], pictures: dict[str, "Image | None"]) -> list[float]:
        import torch

        texts, lengths = [], []
        for ask, continuation in pairs:
            prompt, full = self._render(ask, continuation)
            texts.append(full)
            lengths.append(self._count(full) - self._count(prompt))
        shown = [[pictures[ask.ask_id]] for ask, _ in pairs if ask.image is not None]
        inputs = self._processor(
            text=texts,
            images=shown or None,
            padding=True,
            padding_side="left",
            add_special_tokens=self._adds_special(texts[0]),
            return_tensors="pt",
        ).to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            logits = self._model(**inputs, logits_to_keep=max(lengths) + 1).logits  # [batch, longest answer + 1, vocab]
        targets = inputs["input_ids"][:, -max(lengths) :]
        picked = logits[:, :-1].float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        return [_mean_of_last(row, length) for row, length in zip(picked, lengths, strict=True)]

    def _render(self, ask: Ask, continuation: str) -> tuple[str, str]:
        """Prompt, and prompt with the continuation, which the template may set a space before."""
        answer = continuation.strip()
        if not answer:
            raise BadInput(f"ask {ask.ask_id}", "has an empty continuation", "score a text")
        user = _user_turn(ask, None)
        assistant = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
        template = self._processor.apply_chat_template
        # The annotation of the template's turns knows text only.
        prompt = str(template([user], add_generation_prompt=True, tokenize=False))  # type: ignore[arg-type]
        full = str(template([user, assistant], tokenize=False))  # type: ignore[arg-type]
        return prompt, full[: full.rindex(answer) + len(answer)]

    def _count(self, text: str) -> int:
        tokens = self._processor.tokenizer(text, add_special_tokens=self._adds_special(text))["input_ids"]
        return len(tokens)

    def _adds_special(self, text: str) -> bool:
        """False where the template has written the start token already."""
        start = self._processor.tokenizer.bos_token
        return not (start and text.startswith(start))


def _cut(order: Sequence[tuple[bool, int]], size: int) -> Iterator[list[int]]:
    """Indices in batches of at most `size`, image prompts (False) and text prompts (True) never in one batch."""
    for text_only in (False, True):
        indices = [index for is_text, index in order if is_text is text_only]
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def _open_pictures(asks: Sequence[Ask]) -> tuple[dict[str, "Image | None"], list[Reply]]:
    """Decoded pictures by ask_id (None for text), and a failed Reply for each that does not decode."""
    from PIL import Image, UnidentifiedImageError

    pictures: dict[str, Image.Image | None] = {}
    decoded: dict[bytes, Image.Image] = {}
    failed = []
    for ask in asks:
        if ask.image is None:
            pictures[ask.ask_id] = None
            continue
        try:
            if ask.image not in decoded:
                decoded[ask.image] = Image.open(io.BytesIO(ask.image)).convert("RGB")
            pictures[ask.ask_id] = decoded[ask.image]
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            problem = f"the picture does not decode ({type(error).__name__})"
            failed.append(Reply(ask_id=ask.ask_id, text="", error=problem))
    return pictures, failed


def _user_turn(ask: Ask, picture: "Image | None") -> dict[str, object]:
    shown: list[dict[str, object]] = []
    if ask.image is not None:
        shown = [{"type": "image"} if picture is None else {"type": "image", "image": picture}]
    return {"role": "user", "content": [*shown, {"type": "text", "text": ask.text}]}


def _batch_seed(asks: Sequence[Ask], seed: int) -> int:
    """A seed that follows from the batch's own content, so that other batches do not change its samples."""
    text = f"{seed}:" + "\n".join(ask.ask_id for ask in asks)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def _cuda_devices(model: "PreTrainedModel") -> list[int]:
    return [model.device.index or 0] if model.device.type == "cuda" else []


def _mean_of_last(values: "Tensor", length: int) -> float:
    return float(values[-length:].mean())
