"""The forward pass at answer positions only: a 152,000-word head is applied to the answer, not to image and prompt."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unlearn.losses import sample_mean, sample_sum, token_nll


@dataclass(frozen=True)
class Answers:
    """What the model says about the answers of one batch. `tokens` counts answer tokens of the whole batch."""

    logits: Tensor
    """[tokens, vocab], in the model's precision."""
    targets: Tensor
    """[tokens], ids of the answer tokens."""
    rows: Tensor
    """[tokens], index of the sample each token belongs to."""
    nll: Tensor
    """[tokens], fp32, nats."""
    samples: int

    def mean_nll(self) -> Tensor:
        """[samples], mean over each sample's answer tokens."""
        return sample_mean(self.nll, self.rows, self.samples)

    def sum_nll(self) -> Tensor:
        """[samples], summed over each sample's answer tokens."""
        return sample_sum(self.nll, self.rows, self.samples)

    def exact(self) -> Tensor:
        """[samples], bool: the greedy word is right at every answer position.

        That is the case exactly if greedy generation gives the answer, so no generation is needed to know it.
        """
        wrong = (self.logits.argmax(1) != self.targets).float()
        return sample_sum(wrong, self.rows, self.samples) == 0


def answer_positions(labels: Tensor) -> Tensor:
    """[batch, time], bool: the positions whose next token is part of the answer."""
    keep = torch.zeros_like(labels, dtype=torch.bool)
    keep[:, :-1] = labels[:, 1:] != -100
    return keep


def answer_logits(model: nn.Module, inputs: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """[tokens, vocab]: logits at answer positions, in the order of the flattened batch.

    `inputs` are the model's keyword arguments (right-padded); transformers takes a boolean [batch, time] mask as
    `logits_to_keep` and applies its head to those positions alone.
    """
    logits: Tensor = model(**inputs, logits_to_keep=answer_positions(labels), use_cache=False).logits
    return logits


def score(model: nn.Module, inputs: Mapping[str, Tensor], labels: Tensor) -> Answers:
    """One forward pass and the NLL of every answer token, with a graph if gradients are on."""
    logits = answer_logits(model, inputs, labels)
    keep = answer_positions(labels)
    targets = labels[:, 1:][keep[:, :-1]]
    return Answers(
        logits=logits,
        targets=targets,
        rows=keep.nonzero()[:, 0],
        nll=token_nll(logits, targets),
        samples=labels.shape[0],
    )
