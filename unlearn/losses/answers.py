"""What a model says about the answers of a batch: NLL by token and by sample, at answer positions only."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn.losses.likelihood import sample_mean, sample_sum, token_nll


@dataclass(frozen=True)
class Answers:
    """The answers of one batch. `positions` are all rows of the logits; `rows` is -1 where a row is only padding."""

    logits: Tensor
    """[positions, vocab], in the model's precision; a view of what the model returned."""
    targets: Tensor
    """[positions], ids of the answer tokens, 0 at padding."""
    rows: Tensor
    """[positions], index of the sample each position belongs to."""
    kept: Tensor
    """[positions], bool: an answer token, not padding."""
    samples: int

    def nll(self) -> Tensor:
        """[tokens], fp32, nats: every answer token of the batch, sample after sample."""
        return token_nll(self.logits, self.targets)[self.kept]

    def by_sample(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Sum and mean by sample, both [samples], of values by answer token [tokens]."""
        rows = self.rows[self.kept]
        return sample_sum(values, rows, self.samples), sample_mean(values, rows, self.samples)

    def token_counts(self) -> Tensor:
        """[samples], fp32: answer tokens of each sample."""
        return torch.bincount(self.rows[self.kept], minlength=self.samples).float()

    def exact(self) -> Tensor:
        """[samples], bool: the greedy word is right at every answer position.

        That is so exactly if greedy generation gives this answer, so nothing need be generated to know it.
        """
        wrong = (self.logits.argmax(1) != self.targets)[self.kept].float()
        return sample_sum(wrong, self.rows[self.kept], self.samples) == 0


def align(logits: Tensor, labels: Tensor) -> Answers:
    """Lay [batch, width, vocab] logits and [batch, width] labels end to end; position t predicts label t + 1."""
    batch, width = labels.shape
    following = torch.full_like(labels, -100)  # [batch, width]
    following[:, :-1] = labels[:, 1:]
    flat = following.reshape(-1)  # [positions]
    kept = flat != -100
    rows = torch.arange(batch, device=labels.device).repeat_interleave(width)
    return Answers(
        logits=logits.reshape(batch * width, -1), targets=flat.clamp(min=0), rows=rows, kept=kept, samples=batch
    )
