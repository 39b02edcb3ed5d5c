"""Restraint: tokens that would complete a forbidden sequence are taken out of an answer as it is written (GUARD).

arXiv 2505.13312. The same rule holds token by token and for a whole answer that is scored: a forbidden token is at
LEAST nats, so greedy never writes it and a forbidden answer is as unlikely as that.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.interventions.parts import Part
from unlearn.models.loading import LoadedModel

LEAST = -100.0
"""Log-probability of a forbidden token, in nats."""
TOKENS, ITEMS = "restrict.tokens", "restrict.items"
"""Names of its tensors: [n, longest] token ids filled up with -1; [n] the centroid of each, -1 for all prompts."""
Handle = torch.utils.hooks.RemovableHandle


def forbidden_next(written: Sequence[int], sequences: Sequence[Sequence[int]]) -> set[int]:
    """Tokens that would complete one of the sequences after what was written."""
    return {
        sequence[-1]
        for sequence in sequences
        if len(sequence) == 1 or list(written[-(len(sequence) - 1) :]) == list(sequence[:-1])
    }


def sequences_of(part: Part, near: Tensor | None) -> list[list[int]]:
    """The token sequences that are forbidden where these centroids [K] (bool) are near; all of them without a gate."""
    tokens, items = part.tensors[TOKENS].tolist(), part.tensors[ITEMS].tolist()
    return [
        [token for token in row if token >= 0]
        for row, item in zip(tokens, items, strict=True)
        if near is None or item < 0 or bool(near[item])
    ]


def check_restraint(loaded: LoadedModel, part: Part) -> None:
    """Raise BadInput for a restraint without sequences, of tokens that the model lacks, or that hides that it leaks."""
    tokens, items = part.tensors.get(TOKENS), part.tensors.get(ITEMS)
    if tokens is None or items is None or tokens.dim() != 2 or items.shape != tokens.shape[:1] or not len(tokens):
        raise BadInput(part.name, f"holds no sequences ({TOKENS} [n, longest] and {ITEMS} [n])", "make it again")
    if not part.intervention.leaks:
        raise BadInput(part.name, "holds the words that it forbids, and does not say so", "set leaks in its record")
    words = cast(nn.Embedding, loaded.model.get_input_embeddings()).weight.shape[0]
    if int(tokens.max()) >= words or not bool((tokens >= 0).any(1).all()):
        raise BadInput(part.name, f"names tokens outside of the model's {words:,}, or none", "make it for this model")
    if not loaded.family.plain_head:
        found = f"acts on the output layer, behind which {loaded.family.model_type} changes what it gives"
        raise BadInput(part.name, found, "take a refusing guard for this family")
    gate = part.intervention.gate
    if gate is not None and gate.source not in ("always", "hidden"):
        found = f"its gate is of the source {gate.source}, which is not seen while an answer is written"
        raise BadInput(part.name, found, "take a hidden gate")


class Written:
    """A live resource: the hooks of one batch, with what each of its rows has written so far."""

    def __init__(self, model: nn.Module, ends: Tensor, sequences: Sequence[Sequence[Sequence[int]]]) -> None:
        self._ends, self._sequences = ends.tolist(), sequences
        self._answers: list[list[int]] = [[] for _ in sequences]
        self._first, self._seen = 0, 0
        self._ids: list[list[int]] = []
        inside, outside = model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[operator]
        self.handles: list[Handle] = [
            inside.register_forward_pre_hook(self._read), outside.register_forward_hook(self._restrain)
        ]  # fmt: skip

    def _read(self, module: nn.Module, args: tuple[object, ...]) -> None:
        ids = args[0]
        if isinstance(ids, Tensor) and ids.dim() == 2 and len(ids) == len(self._ends):
            self._ids, self._first = ids.tolist(), self._seen
            self._seen += ids.shape[1]

    def _restrain(self, module: nn.Module, args: tuple[object, ...], logits: Tensor) -> Tensor:
        """Logits [batch, kept, vocab] of the last tokens that were read."""
        found = logits.clone()
        width = len(self._ids[0])
        begin = width - logits.shape[1]
        for row, (ids, end) in enumerate(zip(self._ids, self._ends, strict=True)):
            for column in range(width):
                if self._first + column > end:
                    self._answers[row].append(ids[column])
                if column < begin or self._first + column < end:
                    continue
                tokens = sorted(forbidden_next(self._answers[row], self._sequences[row]))
                if tokens:
                    place = found[row, column - begin]
                    place[tokens] = -torch.inf
                    place[tokens] = (place.float().logsumexp(-1) + LEAST).to(place.dtype)
        return found
