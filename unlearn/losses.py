"""The summands of an unlearning loss as pure functions of tensors; every one says over what it reduces.

Shapes: `samples` rows of a batch, `tokens` answer tokens of the whole batch laid end to end (only those positions have
logits, see unlearn/answers.py), `vocab` words. Log-probabilities are natural and computed in fp32.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

VOCABULARY_CHUNK = 16_384
"""Words handled at once where fp32 copies of a whole row of logits would be too large."""


class _TokenNLL(torch.autograd.Function):
    """Cross-entropy whose fp32 intermediates are never larger than one vocabulary chunk."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401 (torch's own context type)
        total = _log_partition(logits)  # [tokens]
        ctx.save_for_backward(logits, targets, total)
        return total - logits.gather(1, targets[:, None]).squeeze(1).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        logits, targets, total = ctx.saved_tensors
        (grad,) = grads
        out = torch.empty_like(logits)  # [tokens, vocab]
        for start in range(0, logits.shape[1], VOCABULARY_CHUNK):
            part = slice(start, start + VOCABULARY_CHUNK)
            probability = (logits[:, part].float() - total[:, None]).exp_()
            out[:, part] = probability.mul_(grad[:, None])
        out.scatter_add_(1, targets[:, None], -grad[:, None].to(out.dtype))
        return out, None


def _log_partition(logits: Tensor) -> Tensor:
    """log sum exp over the vocabulary, fp32, by chunks: [tokens, vocab] -> [tokens]."""
    parts = [
        logits[:, start : start + VOCABULARY_CHUNK].float().logsumexp(1)
        for start in range(0, logits.shape[1], VOCABULARY_CHUNK)
    ]
    return torch.stack(parts).logsumexp(0)


def token_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each answer token, fp32: [tokens, vocab], [tokens] -> [tokens]."""
    return cast(Tensor, _TokenNLL.apply(logits, targets))


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


def ascent(nll: Tensor, *, cap: float | None) -> Tensor:
    """Gradient ascent: -min(NLL, cap), elementwise; above the cap (nats) there is no gradient."""
    return -nll if cap is None else -nll.clamp(max=cap)


def npo(nll: Tensor, reference_nll: Tensor, *, beta: float) -> Tensor:
    """Negative preference optimisation, -(2 / beta) log sigmoid(beta (NLL - NLL_ref)), elementwise.

    The argument is the whole answer's log-ratio when both NLLs are sums over the answer (arXiv 2404.05868, eq. 3),
    and its length-normalised form when both are means.
    """
    return -(2 / beta) * logsigmoid(beta * (nll - reference_nll))


def kl_divergence(reference_logits: Tensor, logits: Tensor) -> Tensor:
    """KL(reference || current) at each position, fp32, [tokens]; no gradient reaches the reference."""
    return cast(Tensor, _KL.apply(reference_logits.detach(), logits))


class _KL(torch.autograd.Function):
    """KL(p || q) by vocabulary chunks; only the two sets of logits are kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, reference: Tensor, current: Tensor) -> Tensor:  # noqa: ANN401
        total_reference, total_current = _log_partition(reference), _log_partition(current)
        ctx.save_for_backward(reference, current, total_reference, total_current)
        kl = torch.zeros_like(total_current)  # [tokens]
        for start in range(0, current.shape[1], VOCABULARY_CHUNK):
            part = slice(start, start + VOCABULARY_CHUNK)
            log_p = reference[:, part].float() - total_reference[:, None]
            log_q = current[:, part].float() - total_current[:, None]
            p = log_p.exp()
            # 0 log 0 = 0: a word that the reference rules out adds nothing, even at -inf.
            kl += torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).sum(1)
        return kl

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:  # noqa: ANN401
        reference, current, total_reference, total_current = ctx.saved_tensors
        (grad,) = grads
        out = torch.empty_like(current)
        for start in range(0, current.shape[1], VOCABULARY_CHUNK):
            part = slice(start, start + VOCABULARY_CHUNK)
            p = (reference[:, part].float() - total_reference[:, None]).exp_()
            q = (current[:, part].float() - total_current[:, None]).exp_()
            out[:, part] = q.sub_(p).mul_(grad[:, None])
        return None, out
