"""Likelihood of answers: NLL and KL at answer positions, as pure functions that say over what they reduce.

Shapes: `samples` rows of a batch, `tokens` answer tokens of the whole batch laid end to end (only those positions
have logits, see `Answers`), `vocab` words. Log-probabilities are natural and computed in fp32.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

VOCABULARY_CHUNK = 16_384
"""Words handled at once where fp32 copies of a whole row of logits would be too large."""


class _NLLAndKL(torch.autograd.Function):
    """Cross-entropy of every position and KL of the last ones, with one gradient buffer for both.

    No fp32 intermediate is larger than one vocabulary chunk. The reference is given by its logits [known, vocab]
    (`weight` None) or by its hidden states [known, hidden] and the head's weight [vocab, hidden]; it belongs to the
    last `known` positions.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: Tensor, targets: Tensor, reference: Tensor | None, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        total = _log_partition(logits)  # [positions]
        nll = total - logits.gather(1, targets[:, None]).squeeze(1).float()
        if reference is None:
            ctx.save_for_backward(logits, targets, total)
            return nll, total.new_zeros(0)
        offset = logits.shape[0] - reference.shape[0]
        reference_total = _reference_partition(reference, weight, logits.shape[1])  # [known]
        kl = torch.zeros_like(reference_total)
        for part in chunks(logits.shape[1]):
            log_p = _reference_chunk(reference, weight, part) - reference_total[:, None]
            log_q = logits[offset:, part].float() - total[offset:, None]
            p = log_p.exp()
            # 0 log 0 = 0: a word that the reference rules out adds nothing, even at -inf.
            kl += torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).sum(1)
        # Saving None is fine with torch, though not with its stubs.
        ctx.save_for_backward(logits, targets, total, reference, reference_total, cast(Tensor, weight))
        return nll, kl

    @staticmethod
    def backward(ctx: BackwardCFunction, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        saved = _saved(ctx)
        logits, targets, total = saved[:3]
        of_nll, of_kl = grads
        scale = of_nll.clone()  # [positions], what the softmax is multiplied by
        offset = logits.shape[0] - of_kl.shape[0]
        scale[offset:] += of_kl
        out = torch.empty_like(logits)  # [positions, vocab]
        for part in chunks(logits.shape[1]):
            chunk = (logits[:, part].float() - total[:, None]).exp_().mul_(scale[:, None])
            if len(saved) > 3:
                p = (_reference_chunk(saved[3], saved[5], part) - saved[4][:, None]).exp_()
                chunk[offset:] -= p.mul_(of_kl[:, None])
            out[:, part] = chunk
        out.scatter_add_(1, targets[:, None], -of_nll[:, None].to(out.dtype))
        return out, None, None, None


def chunks(vocab: int) -> list[slice]:
    """Runs of words that together are the vocabulary."""
    return [slice(start, min(start + VOCABULARY_CHUNK, vocab)) for start in range(0, vocab, VOCABULARY_CHUNK)]


def _log_partition(logits: Tensor) -> Tensor:
    """log sum exp over the vocabulary, fp32, by chunks: [positions, vocab] -> [positions]."""
    return torch.stack([logits[:, part].float().logsumexp(1) for part in chunks(logits.shape[1])]).logsumexp(0)


def _reference_chunk(reference: Tensor, weight: Tensor | None, part: slice) -> Tensor:
    """fp32 logits of the reference for some words, [known, words]."""
    return (reference[:, part] if weight is None else reference @ weight[part].T).float()


def _reference_partition(reference: Tensor, weight: Tensor | None, vocab: int) -> Tensor:
    parts = [_reference_chunk(reference, weight, part).logsumexp(1) for part in chunks(vocab)]
    return torch.stack(parts).logsumexp(0)


def _saved(ctx: BackwardCFunction) -> tuple[Tensor, ...]:
    # Their number depends on the function, which torch's stubs cannot say.
    return cast(tuple[Tensor, ...], ctx.saved_tensors)


def token_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each answer token, fp32: [tokens, vocab], [tokens] -> [tokens]."""
    return nll_and_kl(logits, targets, reference=None)[0]


def kl_divergence(reference_logits: Tensor, logits: Tensor) -> Tensor:
    """KL(reference || current) at each position, fp32, [tokens]; no gradient reaches the reference."""
    targets = torch.zeros(logits.shape[0], dtype=torch.long, device=logits.device)
    return nll_and_kl(logits, targets, reference=reference_logits)[1]


def nll_and_kl(
    logits: Tensor, targets: Tensor, *, reference: Tensor | None, head_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """NLL of each position [positions] and KL(reference || current) of the last `known` positions [known].

    `reference` is the reference model's logits [known, vocab], or its last hidden states [known, hidden] if
    `head_weight` [vocab, hidden] is given: then its logits exist only one vocabulary chunk at a time.
    """
    fixed = None if reference is None else reference.detach()
    weight = None if head_weight is None else head_weight.detach()
    found = _NLLAndKL.apply(logits, targets, fixed, weight)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, Tensor], found)


def sample_sum(values: Tensor, rows: Tensor, samples: int) -> Tensor:
    """Sum of token values by sample: [tokens], sample index of each token [tokens] -> [samples]."""
    return values.new_zeros(samples).index_add(0, rows, values)


def sample_mean(values: Tensor, rows: Tensor, samples: int) -> Tensor:
    """Mean of token values by sample, [samples]; a sample without answer tokens counts as 0."""
    counts = torch.bincount(rows, minlength=samples).clamp(min=1)
    return sample_sum(values, rows, samples) / counts


def sequence_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean NLL over each sample's answer tokens: [batch, time, vocab], [batch, time] -> [batch].

    Position t predicts token t + 1; labels of -100 are no answer. A sample without answer tokens is 0.
    """
    keep = labels[:, 1:] != -100  # [batch, time - 1]
    rows = keep.nonzero()[:, 0]
    return sample_mean(token_nll(logits[:, :-1][keep], labels[:, 1:][keep]), rows, labels.shape[0])


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
