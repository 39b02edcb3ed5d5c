"""The reference model of KL and NPO: asked once per sample before training, kept as numbers, never as a second model.

The last hidden states at answer positions are an exact cache of the reference's log-probabilities: the output layer
turns them into logits again, one vocabulary chunk at a time. They cost hidden size per token instead
of vocabulary size. Where the family does more to logits than the output layer (caps, scales), logits are kept.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.losses.likelihood import align
from unlearn.models.encoding import Batch, Encoder, near
from unlearn.models.families import Family
from unlearn.models.forward import AnswerModel, adapter_off, bare, core_model

REFERENCE_BATCH = 16
"""Samples asked at once; fixed, so that a resumed run finds the same numbers to the last bit."""


@dataclass(frozen=True)
class Reference:
    """What the model said before unlearning, by sample key."""

    nll_sum: Mapping[str, float]
    """Nats, summed over the answer."""
    tokens: Mapping[str, int]
    hidden: Mapping[str, Tensor]
    """[answer tokens, hidden], or without `head` logits [answer tokens, vocab], on the CPU; empty if not asked for."""
    head: Tensor | None
    """[vocab, hidden], the output layer's weight as it was; None if it is not asked for or not all of the head."""

    def joined(self, other: "Reference") -> "Reference":
        """Both as one: what was asked about different samples."""
        return Reference(
            {**self.nll_sum, **other.nll_sum},
            {**self.tokens, **other.tokens},
            {**self.hidden, **other.hidden},
            other.head if self.head is None else self.head,
        )

    def nll(self, batch: Batch) -> Tensor:
        """[batch], summed over each sample's answer."""
        return torch.tensor([self.nll_sum[key] for key in batch.sample_ids], device=batch.labels.device)

    def hidden_of(self, batch: Batch, *, width: int) -> Tensor:
        """[batch * width, hidden], laid out as the logits of an AnswerModel; zero at padding."""
        size = next(iter(self.hidden.values())).shape[1]
        first = self.hidden[batch.sample_ids[0]]
        padded = torch.zeros(len(batch), width, size, dtype=first.dtype)
        for row, key in enumerate(batch.sample_ids):
            padded[row, : self.tokens[key]] = self.hidden[key]
        return padded.reshape(-1, size).to(batch.labels.device)


def measure_reference(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    *,
    keep_hidden: bool,
    adapter: bool = False,
) -> Reference:
    """Ask the model about every sample once, dropout off, without gradients, its adapter off unless `adapter`.

    A model without an adapter is asked as it is, so this comes before its first step (and before a checkpoint loads).
    """
    head: nn.Module = core_model(bare(network)).get_output_embeddings()  # type: ignore[no-untyped-call]
    device = next(network.parameters()).device
    nll_sum: dict[str, float] = {}
    tokens: dict[str, int] = {}
    hidden: dict[str, Tensor] = {}
    caught: list[Tensor] = []
    training = network.training
    network.eval()
    # After the pass, so that it sees what the output layer was narrowed to.
    watch = head.register_forward_hook(lambda _, inputs, __: caught.append(inputs[0]))
    plain = keep_hidden and _family(network).plain_head and _family(network).narrow
    off = adapter_off(network) if isinstance(bare(network), PeftModel) and not adapter else nullcontext()
    try:
        with off, torch.no_grad():
            for keys in counted("old model", _shards(samples)):
                caught.clear()
                batch = encoder.batch([samples[key] for key in keys]).to(device)
                logits, labels = network(batch.inputs, batch.labels, batch.pictures)
                answers = align(logits, labels)
                sums, _ = answers.by_sample(answers.nll())
                counts = answers.token_counts().int().tolist()
                for row, key in enumerate(keys):
                    nll_sum[key], tokens[key] = float(sums[row]), counts[row]
                    if keep_hidden:
                        kept = caught[0] if plain else logits
                        hidden[key] = kept[row, : counts[row]].cpu().clone()
    finally:
        watch.remove()
        network.train(training)
    return Reference(nll_sum, tokens, hidden, _fixed_weight(head) if plain else None)


def _family(network: nn.Module) -> Family:
    inner = network
    while not isinstance(inner, AnswerModel) and isinstance(wrapped := getattr(inner, "module", None), nn.Module):
        inner = wrapped
    if not isinstance(inner, AnswerModel):
        raise TypeError("the network is no AnswerModel")
    return inner.family


def _fixed_weight(head: nn.Module) -> Tensor:
    """The output layer's weight: itself while it is frozen, a copy if training will move it."""
    weight = head.weight
    if not isinstance(weight, Tensor):
        raise TypeError("the output layer has no weight")
    return weight.detach().clone() if weight.requires_grad else weight.detach()


def _shards(samples: Mapping[str, TrainingSample]) -> list[Sequence[str]]:
    """Keys in batches that share what they can, in an order that depends on the samples alone."""
    order = sorted(samples, key=lambda key: (*near(samples[key]), key))
    return [order[start : start + REFERENCE_BATCH] for start in range(0, len(order), REFERENCE_BATCH)]
