"""A model in this process as a responder: prompts sorted by length, cut into batches, answered batch by batch."""

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from eval.guards.live import Live, fired, steered
from eval.responders.greedy import decode_greedily, decodes_plainly
from eval.responders.prefix_cache import Opening, Sharing, alike, joined_cache, may_share, open_with, sharing
from eval.responders.prompt_encoding import PromptEncoder, Row, UnreadablePicture, pad_left, stack_pixels
from schemas.errors import BadInput
from schemas.matching.thoughts import is_frame
from schemas.protocols.prompt_form import PromptForm, written_form
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, PreTrainedModel, ProcessorMixin

Mark = TypeVar("Mark")
"""What a row is told from others by."""


@dataclass(frozen=True)
class LocalModel:
    """A loaded model, its processor, and what to call it: kind of model and digest of its weights."""

    model: "PreTrainedModel"
    processor: "ProcessorMixin"
    identity: str
    form: PromptForm | None = None
    """How its prompts are written and batched, as the checks at load found; else as its template alone says."""
    live: Live | None = None
    """What acts within its passes prompt by prompt: prompts then share no opening."""


class LocalResponder:
    """Answers with a local model. What stands in a batch follows from the whole list of asks alone."""

    def __init__(self, local: LocalModel, *, batch: int) -> None:
        if batch < 1:
            raise BadInput("batch", f"is {batch}", "give at least one prompt a batch")
        self._model, self._processor, self._batch = local.model, local.processor, batch
        self._identity = local.identity
        self._form = local.form or written_form(local.processor)
        self._live = local.live
        self._shares = self._form.shares and local.live is None
        self._encoder = PromptEncoder(local.processor, self._form)
        if not self._form.stacked:
            self._batch = 1
        decodes_plainly(local.model, ends=local.processor.tokenizer.convert_tokens_to_ids(self._form.end_of_turn))
        self._pad = int(local.processor.tokenizer.pad_token_id or 0)

    @property
    def identity(self) -> str:
        """`hf:<model type or Hub id>@<digest of the weights>`."""
        return self._identity

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask, batch by batch, longest prompts first. An ask without a readable picture gets an error.

        Greedy prompts that begin alike (one picture, one first line) share that beginning. Sampled ones do not, so that
        a batch's samples go on depending on its size alone. The reply to an ask with a prefix is what follows it, its
        first blank included. Raises BadInput where `decoding` lets a model think that cannot, or that may not since its
        answer is begun.
        """
        given, encoder = list(asks), self._thinking_encoder if decoding.thinking else self._encoder
        if decoding.thinking and (begun_ones := [ask.ask_id for ask in given if ask.prefix]):
            raise BadInput(f"ask {begun_ones[0]}", "begins the answer of a model that is to think", "let it not think")
        order = self._order(given)
        shares = decoding.temperature == 0 and self._shares
        sets, others = alike([_beginning(ask) for ask in given], order) if shares else ([], order)
        prepared: list[tuple[Sharing, list[Ask]]] = []
        for members in sets:
            rows, failed = self._rows([given[index] for index in members], encoder)
            yield from failed
            if rows:
                shared = sharing([row for _, row in rows], apart=[1] * len(rows))
                prepared.append((shared, [ask for ask, _ in rows]))
        for batch, opening in self._shared_batches(prepared, more=decoding.max_new_tokens):
            yield from self._generate(batch, opening, decoding, opens_thought=encoder.opens_thought)
        for chunk in _cut([(given[index].image is None, index) for index in others], self._batch):
            rows, failed = self._rows([given[index] for index in chunk], encoder)
            yield from failed
            if rows:
                yield from self._generate(rows, None, decoding, opens_thought=encoder.opens_thought)

    def log_likelihood(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, float]]:
        """(ask_id, mean log-probability in nats per token) of each continuation; see token_scores."""
        for ask_id, scores in self.token_scores(asks):
            yield ask_id, scores.mean

    def token_scores(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, TokenScores]]:
        """(ask_id, log-probabilities in nats) of each continuation as the whole answer so far, after the ask's prefix.

        An ask may come several times with different continuations; results then keep the order given.
        """
        pairs = list(asks)
        order = self._order([ask for ask, _ in pairs])
        scores: dict[int, TokenScores] = {}
        sets, others = alike([_beginning(ask) for ask, _ in pairs], order) if self._shares else ([], order)
        prepared: list[tuple[Sharing, list[tuple[int, int]]]] = []
        for members in sets:
            scored = [self._scored_row(*pairs[index]) for index in members]
            shared = sharing([row for row, _ in scored], apart=[length + 1 for _, length in scored])
            prepared.append((shared, [(index, length) for index, (_, length) in zip(members, scored, strict=True)]))
        for batch, opening in self._shared_batches(prepared, more=0):
            values = self._score([(row, length) for (_, length), row in batch], opening)
            scores.update(zip([index for (index, _), _ in batch], values, strict=True))
        for chunk in _cut([(pairs[index][0].image is None, index) for index in others], self._batch):
            values = self._score([self._scored_row(*pairs[index]) for index in chunk], None)
            scores.update(zip(chunk, values, strict=True))
        for index, (ask, _) in enumerate(pairs):
            yield ask.ask_id, scores[index]

    def passes(self, asks: Iterable[Ask]) -> "Iterator[tuple[list[Ask], dict[str, Tensor | Cache]]]":
        """The asks in batches, each with the model's input for one pass; those without a readable picture are left out.

        Padded on the left: the last token of each row is the last of its prompt.
        """
        given = list(asks)
        for chunk in _cut([(given[index].image is None, index) for index in self._order(given)], self._batch):
            rows, _ = self._rows([given[index] for index in chunk], self._encoder)
            if rows:
                yield [ask for ask, _ in rows], self._batched([row for _, row in rows], None)

    def first_token(self, ask: Ask, text: str) -> int:
        """The token with which a text begins as the answer to an ask."""
        shows, begun_with = ask.image is not None, f"{ask.prefix.rstrip()} {text.strip()}".strip()
        prompt = self._encoder.written(self._encoder.render(ask.text, shows=shows, answer=ask.prefix.rstrip()))
        full = self._encoder.written(self._encoder.render(ask.text, shows=shows, answer=begun_with))
        return full[min(len(prompt), len(full) - 1)]

    @property
    def model(self) -> "PreTrainedModel":
        """The loaded model."""
        return self._model

    def _shared_batches(
        self, prepared: Sequence[tuple[Sharing, list[Mark]]], *, more: int
    ) -> Iterator[tuple[list[tuple[Mark, Row]], Opening | None]]:
        """Batches of rows, each row with its mark, and what each batch begins with. Ask nothing else in between.

        `more` tokens may follow each row.
        """
        import torch

        by_kind: dict[Hashable, list[tuple[Sharing, list[Mark]]]] = {}
        for shared, marks in prepared:
            by_kind.setdefault(shared.kind, []).append((shared, marks))
        for alike_ones in by_kind.values():
            length = alike_ones[0][0].length
            with torch.inference_mode():
                caches = [open_with(self._model, shared, place=self._place) for shared, _ in alike_ones if length]
            rows = [
                (number, mark, row)
                for number, (shared, marks) in enumerate(alike_ones)
                for mark, row in zip(marks, shared.rows, strict=True)
            ]
            longest = max(len(row.ids) for _, _, row in rows) + more
            length = length if all(may_share(cache, longest) for cache in caches) else 0
            for start in range(0, len(rows), self._batch):
                chunk = rows[start : start + self._batch]
                counts = Counter(number for number, _, _ in chunk)  # in order
                cut = Opening(length, [caches[number] for number in counts], list(counts.values())) if length else None
                yield [(mark, row) for _, mark, row in chunk], cut

    def _order(self, asks: Sequence[Ask]) -> list[int]:
        """Image prompts apart from text prompts, long before short, ties as given."""
        if not asks:
            return []
        tokens = self._processor.tokenizer([ask.text for ask in asks])["input_ids"]
        return sorted(range(len(asks)), key=lambda index: (asks[index].image is None, -len(tokens[index]), index))

    def _rows(self, asks: Sequence[Ask], encoder: PromptEncoder) -> tuple[list[tuple[Ask, Row]], list[Reply]]:
        """The asks as tensors, and a failed Reply for each whose picture does not decode."""
        rows: list[tuple[Ask, Row]] = []
        failed = []
        for ask in asks:
            text = encoder.render(ask.text, shows=ask.image is not None, answer=ask.prefix.rstrip())
            try:
                rows.append((ask, encoder.row(text, ask.image)))
            except UnreadablePicture as error:
                failed.append(Reply(ask_id=ask.ask_id, text="", error=str(error)))
        return rows, failed

    def _place(self, tensor: "Tensor") -> "Tensor":
        """On the model's device; pictures in its precision."""
        if tensor.is_floating_point():
            return tensor.to(self._model.device, self._model.dtype)
        return tensor.to(self._model.device)

    def _batched(self, rows: Sequence[Row], opening: Opening | None) -> "dict[str, Tensor | Cache]":
        """The model's input for some rows: all of them, or what follows their common beginning."""
        import torch

        if opening is None:
            whole = pad_left(rows, pad=self._pad) | stack_pixels(rows)
            return {name: self._place(value) for name, value in whole.items()}
        rest = pad_left(rows, pad=self._pad, after=opening.length)
        start = rows[0].tokens["input_ids"][:, : opening.length].expand(len(rows), -1)
        mask = torch.cat([torch.ones_like(start), rest["attention_mask"]], dim=1)
        ids = torch.cat([start, rest["input_ids"]], dim=1)
        cache = joined_cache(opening.caches, opening.rows)
        return {"input_ids": self._place(ids), "attention_mask": self._place(mask), "past_key_values": cache}

    def _generate(
        self,
        rows: Sequence[tuple[Ask, Row]],
        opening: Opening | None,
        decoding: Decoding,
        *,
        opens_thought: bool,
    ) -> Iterator[Reply]:
        import torch

        asks = [ask for ask, _ in rows]
        sampled = decoding.temperature > 0
        options = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0} if sampled else {}
        inputs = self._batched([row for _, row in rows], opening)
        live = steered(self._live, inputs, [1] * len(rows))
        with torch.inference_mode(), torch.random.fork_rng(devices=_cuda_devices(self._model)), live:
            if not sampled and self._shares:
                answers = decode_greedily(self._model, inputs, most=decoding.max_new_tokens, pad=self._pad)
            else:
                torch.manual_seed(_batch_seed(asks, decoding.seed))
                generate = cast("Callable[..., Tensor]", self._model.generate)
                output = generate(**inputs, do_sample=sampled, max_new_tokens=decoding.max_new_tokens, **options)
                # output: [batch, prompt + answer]
                answers = output[:, cast("Tensor", inputs["input_ids"]).shape[1] :]
        for ask, text in zip(asks, self._texts(answers, opened="<think>" if opens_thought else ""), strict=True):
            yield Reply(ask_id=ask.ask_id, text=text.rstrip() if ask.prefix else text.strip())

    def fires(self, number: int, asks: Sequence[Ask]) -> dict[str, bool]:
        """Of each ask by its id, whether the gate of that guard of the stack knows its prompt; an ask whose picture
        does not decode fires not.
        """
        found = {ask.ask_id: False for ask in asks}
        return found if self._live is None else found | fired(self._live, number, self.passes(asks))

    def _texts(self, answers: "Tensor", *, opened: str) -> list[str]:
        """Answers without special tokens, but with the marks of thoughts, which tell an answer from them.

        `opened` marks a thought that began in the prompt.
        """
        tokenizer = self._processor.tokenizer
        if not any(is_frame(content) for content in self._special.values()):
            return [opened + text for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]
        left_out = {number for number, content in self._special.items() if not is_frame(content)}
        rows = [[number for number in row if number not in left_out] for row in answers.tolist()]
        return [opened + text for text in tokenizer.batch_decode(rows)]

    @cached_property
    def _special(self) -> dict[int, str]:
        """The tokenizer's special tokens, by number."""
        added = self._processor.tokenizer.added_tokens_decoder
        return {number: token.content for number, token in added.items() if token.special}

    @cached_property
    def _thinking_encoder(self) -> PromptEncoder:
        """Writes prompts after which the model may think; raises BadInput where its template knows no thinking."""
        told = written_form(self._processor, where=self._identity, thinking=True)
        texts = told.model_dump(include={"thinking", "opener", "after_prompt", "gap"})
        return PromptEncoder(self._processor, self._form.model_copy(update=texts))

    def _scored_row(self, ask: Ask, continuation: str) -> tuple[Row, int]:
        """Prompt and continuation as one row, and how many tokens the continuation takes."""
        answer, shows = continuation.strip(), ask.image is not None
        if not answer:
            raise BadInput(f"ask {ask.ask_id}", "has an empty continuation", "score a text")
        prefix = ask.prefix.rstrip()
        prompt = self._encoder.render(ask.text, shows=shows, answer=prefix)
        full = self._encoder.render(ask.text, shows=shows, answer=f"{prefix} {answer}" if prefix else answer)
        try:
            row = self._encoder.row(full, ask.image)
        except UnreadablePicture as error:
            raise BadInput(f"ask {ask.ask_id}", str(error), "score only asks whose picture decodes") from error
        return row, len(self._encoder.written(full)) - len(self._encoder.written(prompt))

    def _score(self, scored: Sequence[tuple[Row, int]], opening: Opening | None) -> list[TokenScores]:
        import torch

        rows, lengths = [row for row, _ in scored], [length for _, length in scored]
        longest = max(lengths)
        with torch.inference_mode():
            if opening is None:
                inputs = self._batched(rows, None)
                with steered(self._live, inputs, [length + 1 for length in lengths]):
                    # Cut from the end: some families give all positions, whatever is asked of them.
                    whole = self._model(**inputs, logits_to_keep=longest + 1).logits
                logits = whole[:, -longest - 1 : -1]  # [batch, longest, vocab]
                targets = cast("Tensor", inputs["input_ids"])[:, -longest:]
            else:
                logits, targets = self._continued(scored, opening)
        picked = logits.float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        likeliest = logits.argmax(-1) == targets  # [batch, longest]
        return [
            TokenScores(logs=tuple(logs[-length:].tolist()), greedy=tuple(same[-length:].tolist()))
            for logs, same, length in zip(picked, likeliest, lengths, strict=True)
        ]

    def _continued(self, scored: Sequence[tuple[Row, int]], opening: Opening) -> "tuple[Tensor, Tensor]":
        """Logits [batch, longest, vocab] at the last tokens of each row, and those tokens, after a common beginning.

        Padded on the right, where a causal model does not look, so that no mask comes between beginning and rest.
        """
        import torch

        rests = [row.tokens["input_ids"][0, opening.length :] for row, _ in scored]
        ids = self._place(torch.nn.utils.rnn.pad_sequence(rests, batch_first=True, padding_value=self._pad))
        longest = max(length for _, length in scored)
        ends = torch.tensor([len(rest) for rest in rests], device=ids.device)
        # What a short answer has too many of is not looked at; it must only point somewhere.
        places = (ends[:, None] - longest + torch.arange(longest, device=ids.device)).clamp(min=1)  # [batch, longest]
        first = min(len(rest) - length - 1 for rest, (_, length) in zip(rests, scored, strict=True))
        logits = self._model(
            input_ids=ids,
            past_key_values=joined_cache(opening.caches, opening.rows),
            logits_to_keep=ids.shape[1] - first,
        ).logits[:, first - ids.shape[1] :]  # [batch, width - first, vocab]
        before = (places - 1 - first).clamp(min=0)
        return logits.gather(1, before[..., None].expand(-1, -1, logits.shape[-1])), ids.gather(1, places)


def _cut(order: Sequence[tuple[bool, int]], size: int) -> Iterator[list[int]]:
    """Indices in batches of at most `size`, image prompts (False) and text prompts (True) never in one batch."""
    for text_only in (False, True):
        indices = [index for is_text, index in order if is_text is text_only]
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def _beginning(ask: Ask) -> tuple[bytes | None, str]:
    """What asks that are worth putting together have in common: picture and first line."""
    first, newline, _ = ask.text.partition("\n")
    return ask.image, first if newline else ""


def _batch_seed(asks: Sequence[Ask], seed: int) -> int:
    """A seed that follows from the batch's own content, so that other batches do not change its samples."""
    text = f"{seed}:" + "\n".join(ask.ask_id for ask in asks)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def _cuda_devices(model: "PreTrainedModel") -> list[int]:
    return [model.device.index or 0] if model.device.type == "cuda" else []
