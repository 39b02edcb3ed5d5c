"""Terms on answer groups: refusals and alternatives beside the forget answers, decoupled and mixed prompts."""

import math
from functools import partial
from typing import TYPE_CHECKING

from unlearn.losses.term import FORGET, Measured, Samples, Term, token_mean, union_share, weighed
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor

REFUSAL, ALTERNATE = frozenset({"refusal"}), frozenset({"alternate"})


def _paired(measured: Measured, samples: Samples, group: str, base: str, quantity: str) -> "Tensor":
    """A quantity of an answer group in the order of the samples that its own stand for, [samples of the base]."""
    import torch

    place = {sample.sample_id: number for number, sample in enumerate(samples[group])}
    order = [place[f"{sample.sample_id}|{group}"] for sample in samples[base]]
    values = measured[f"{group}.{quantity}"]
    return values[torch.tensor(order, device=values.device)]


def _refuse(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Cross-entropy of refusals, a token mean of its own, or its part of one mean with retain (published PO)."""
    return numbers.refusal_weight * token_mean(measured, "refusal") * union_share(measured, numbers, "refusal")


def _dpo(measured: Measured, samples: Samples, numbers: Numbers, *, group: str) -> "Tensor":
    """-(2 / beta) log sigmoid(beta [(S0_w - S_w) - (S0_l - S_l)]), S summed over answers: w of `group`, l forget."""
    from torch.nn.functional import logsigmoid

    wins = _paired(measured, samples, group, "forget", "reference") - _paired(
        measured, samples, group, "forget", "nll_sum"
    )
    loses = measured["forget.reference"] - measured["forget.nll_sum"]
    each = -(2 / numbers.beta) * logsigmoid(numbers.beta * (wins - loses))  # [forget samples]
    return numbers.forget_weight * weighed(measured, "forget", each).mean()


def _answer_preservation(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-(1 / beta) log sigmoid(beta (S[refusal] - S[answer])) on retain prompts (AP, arXiv 2410.08109)."""
    from torch.nn.functional import logsigmoid

    refused = _paired(measured, samples, "retain_refusal", "retain", "nll_sum")
    each = -(1 / numbers.beta) * logsigmoid(numbers.beta * (refused - measured["retain.nll_sum"]))
    return numbers.retain_weight * each.mean()


def flat_divergence(refusal: "Tensor", forget: "Tensor", *, divergence: str) -> "Tensor":
    """FLAT's loss of mean target probabilities P_e of the refusal and P_f of the forget answer (arXiv 2410.11143)."""
    import torch
    from torch.nn.functional import softplus

    if divergence == "tv":
        return -refusal.tanh() / 2 + forget.tanh() / 2
    if divergence == "kl":
        return -refusal + torch.exp(forget - 1)
    if divergence == "pearson":
        return -refusal + forget.square() / 4 + forget
    return softplus(-refusal) + softplus(forget) - 2 * math.log(2)


def _flat(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """FLAT by pairs of forget sample and refusal; published with one P_e and P_f of the batch."""
    loss = partial(flat_divergence, divergence=numbers.divergence)
    refusal = _paired(measured, samples, "refusal", "forget", "share") / _paired(
        measured, samples, "refusal", "forget", "tokens"
    )
    forget = measured["forget.share"] / measured["forget.tokens"]
    if numbers.flat_pairs:
        return numbers.forget_weight * weighed(measured, "forget", loss(refusal, forget)).mean()
    mean_refusal = measured["refusal.share"].sum() / measured["refusal.tokens"].sum()
    mean_forget = measured["forget.share"].sum() / measured["forget.tokens"].sum()
    return numbers.forget_weight * loss(mean_refusal, mean_forget)


def _decoupled(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Cross-entropy of forget questions on somebody else's picture, token mean (PD, arXiv 2502.12520)."""
    return numbers.decoupled_weight * token_mean(measured, "decoupled")


def _mixed(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Cross-entropy of the two orders of mixed prompts, a token mean each (MP-IDK, arXiv 2505.14832)."""
    return numbers.forget_weight * (
        token_mean(measured, "mixed_forget_first") + token_mean(measured, "mixed_retain_first")
    )


ANSWER_TERMS: dict[str, Term] = {
    "refuse": Term((REFUSAL,), _refuse),
    "dpo": Term((FORGET, REFUSAL), partial(_dpo, group="refusal"), reference=True),
    "dpo-alternate": Term((FORGET, ALTERNATE), partial(_dpo, group="alternate"), reference=True),
    "answer-preservation": Term((frozenset({"retain"}), frozenset({"retain_refusal"})), _answer_preservation),
    "flat": Term((FORGET, REFUSAL), _flat, values=("forget.share", "refusal.share")),
    "decoupled": Term((frozenset({"decoupled"}),), _decoupled),
    "mixed": Term((frozenset({"mixed_forget_first"}), frozenset({"mixed_retain_first"})), _mixed),
}
