"""The reference model of KL and NPO: asked once per sample before training, kept as numbers, never as a second model.

The last hidden states at answer positions are an exact cache of the reference's log-probabilities: the output layer
turns them into logits again, one vocabulary chunk at a time. They cost hidden size per token instead
of vocabulary size.
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
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.forward import adapter_off, bare, core_model
from unlearn.models.packing import beside_each_other

REFERENCE_BATCH = 16
"""Samples asked at once; fixed, so that a resumed run finds the same numbers to the last bit."""


@dataclass(frozen=True)
class Reference:
    """What the model said before unlearning, by sample key."""

    nll_sum: Mapping[str, float]
    """Nats, summed over the answer."""
    tokens: Mapping[str, int]
    hidden: Mapping[str, Tensor]
    """[answer tokens, hidden], on the CPU; empty unless it was asked for."""
    head: Tensor | None
    """[vocab, hidden], the output layer's weight as it was; None unless hidden states were asked for."""

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
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], *, keep_hidden: bool
) -> Reference:
    """Ask the model about every sample once, its adapter off, dropout off, without gradients.

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
    watch = head.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    off = adapter_off(network) if isinstance(bare(network), PeftModel) else nullcontext()
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
                        hidden[key] = caught[0][row, : counts[row]].cpu().clone()
    finally:
        watch.remove()
        network.train(training)
    return Reference(nll_sum, tokens, hidden, _fixed_weight(head) if keep_hidden else None)


def _fixed_weight(head: nn.Module) -> Tensor:
    """The output layer's weight: itself while it is frozen, a copy if training will move it."""
    weight = head.weight
    if not isinstance(weight, Tensor):
        raise TypeError("the output layer has no weight")
    return weight.detach().clone() if weight.requires_grad else weight.detach()


def _shards(samples: Mapping[str, TrainingSample]) -> list[Sequence[str]]:
    """Keys in batches, in an order that depends on the samples alone."""
    order = beside_each_other(samples)
    return [order[start : start + REFERENCE_BATCH] for start in range(0, len(order), REFERENCE_BATCH)]
