"""Memory of a training step: measured on single samples, reckoned for any step from its rows, tokens and pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from unlearn.losses.likelihood import VOCABULARY_CHUNK
from unlearn.memory.estimate import MemoryEstimate
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare, core_model
from unlearn.rows.layout import Extent

Groups = Mapping[str, tuple[TrainingSample, ...]]
"""The samples of one step, or of a piece of it, by group name."""


@dataclass(frozen=True)
class StepCosts:
    """Bytes that a step keeps for its backward pass."""

    fixed: float
    per_token: float
    per_picture: float
    vocabulary: int
    itemsize: int
    """Of a logit."""
    square: int
    """Per pair of tokens in a row: masks, and scores where attention is written out."""

    def of(self, extent: Extent) -> int:
        """Bytes of a pass at its peak: what is kept, and logits with their gradient."""
        logits = extent.answers * self.vocabulary * 2 * self.itemsize
        copies = 1 if self.itemsize == 4 else 2  # fp32 of a part of the vocabulary, while logits get their gradient
        chunks = copies * 4 * extent.answers * min(self.vocabulary, VOCABULARY_CHUNK)
        kept = self.fixed + self.per_token * extent.tokens + self.per_picture * extent.pictures
        return int(kept + logits + chunks + extent.rows * extent.width**2 * self.square)


class StepMemory:
    """What the steps of one network take. Raises nothing: a budget is looked at by unlearn/training/cutting.py."""

    def __init__(self, network: AnswerModel, encoder: Encoder, samples: Iterable[TrainingSample]) -> None:
        self._network, self._encoder = network, encoder
        model = bare(network)
        weights = list(model.parameters())
        self.weights = sum(each.nbytes for each in (*weights, *model.buffers()))
        self.training = 3 * sum(weight.nbytes for weight in weights if weight.requires_grad)
        """Gradients, and AdamW's two moments."""
        self.costs = _measured(network, encoder, _examples(encoder, samples))

    def extent(self, groups: Groups) -> Extent:
        """What one pass over these samples computes."""
        rows = [row for group in groups.values() for row in group]
        return self._network.extent(self._encoder.batch(rows))

    def fits(self, groups: Groups, budget: int) -> bool:
        """Whether a pass over these samples stays within a budget in bytes for all of the run's memory."""
        return self.weights + self.training + self.costs.of(self.extent(groups)) <= budget

    def estimate(self, pieces: Sequence[Groups], *, together: bool) -> MemoryEstimate:
        """Of a step in these pieces, one after another or all `together` (lanes)."""
        taken = [self.costs.of(self.extent(piece)) for piece in pieces]
        return MemoryEstimate(self.weights, self.training, sum(taken) if together else max(taken))


def _examples(encoder: Encoder, samples: Iterable[TrainingSample]) -> list[TrainingSample]:
    """The shortest and the longest sample with a picture and without."""
    lengths = {sample.sample_id: (encoder.encode(sample).labels.shape[0], sample) for sample in samples}
    chosen: dict[str, TrainingSample] = {}
    for shown in (False, True):
        kind = [pair for pair in lengths.values() if (pair[1].image is not None) is shown]
        for pick in (min, max) if kind else ():
            _, sample = pick(kind, key=lambda pair: (pair[0], pair[1].sample_id))
            chosen[sample.sample_id] = sample
    return list(chosen.values())


def _measured(network: AnswerModel, encoder: Encoder, samples: Sequence[TrainingSample]) -> StepCosts:
    """Bytes by token and picture, fitted to what the passes of single samples keep."""
    device = next(network.parameters()).device
    core = core_model(bare(network))
    text = core.config.get_text_config()
    head = cast(nn.Module, core.get_output_embeddings())  # type: ignore[no-untyped-call]
    vocabulary = int(cast(Tensor, head.weight).shape[0])
    kept: list[float] = []
    extents: list[Extent] = []
    itemsize = 4
    written_out = text._attn_implementation == "eager"
    scores = 3 * text.num_hidden_layers * text.num_attention_heads * core.dtype.itemsize if written_out else 0
    training = network.training
    network.train()
    with torch.random.fork_rng():
        for sample in samples:
            batch = encoder.batch([sample]).to(device)
            extent = network.extent(batch)
            found, itemsize = _kept(network, batch.inputs, batch.labels, batch.pictures)
            extents.append(extent)
            kept.append(found - extent.width**2 * scores)
    network.train(training)
    design = torch.tensor([[1.0, each.tokens, each.pictures] for each in extents], dtype=torch.float64)
    scale = design.abs().amax(0).clamp(min=1)
    answer = torch.linalg.lstsq(design / scale, torch.tensor(kept, dtype=torch.float64)[:, None]).solution[:, 0] / scale
    fixed, per_token, per_picture = (max(0.0, float(value)) for value in answer)
    masks = len(set(network.family.pattern.kinds)) * (itemsize + 3) if network.family.pattern is not None else 0
    return StepCosts(fixed, per_token, per_picture, vocabulary, itemsize, masks + scores)


def _kept(network: AnswerModel, *given: object) -> tuple[float, int]:
    """Bytes that a pass keeps for its backward pass, weights left out, and the size of a logit."""
    model = bare(network)
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            held[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits, _ = network(*given)
    return float(sum(tensor.untyped_storage().nbytes() for tensor in held.values())), logits.element_size()
