"""Terms on the tokens of forget answers: bounded, weighted and flattening forms of ascent."""

from typing import TYPE_CHECKING

from unlearn.losses.term import FORGET, KEPT, Measured, Samples, Term, token_mean, weighed
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor


def _simnpo(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-(2 / beta) log sigmoid(beta (NLL per token - gamma)), mean over samples (arXiv 2410.07163)."""
    from torch.nn.functional import logsigmoid

    each = -(2 / numbers.beta) * logsigmoid(numbers.beta * (measured["forget.nll"] - numbers.gamma))  # [samples]
    return numbers.forget_weight * weighed(measured, "forget", each).mean()


def _smoothed_ascent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Ascent times 1 - r + r / K: r <= 0 is the rate, K counts normal samples of a forget sample (arXiv 2510.22376)."""
    rate = numbers.smooth_rate
    nll, tokens = measured["forget.nll"], measured["forget.tokens"]
    capped = nll if numbers.forget_nll_cap is None else nll.clamp(max=numbers.forget_nll_cap)
    mean = (weighed(measured, "forget", capped) * tokens).sum() / tokens.sum()
    return -numbers.forget_weight * (1 - rate + rate / numbers.smooth_count) * mean


def _smoothed_descent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """(|r| / K) times the sum of the K normal samples' losses, that is |r| times their mean."""
    groups = [group for group in ("retain", "matched") if f"{group}.nll_sum" in measured]
    total = sum((measured[f"{group}.nll_sum"].sum() for group in groups[1:]), measured[f"{groups[0]}.nll_sum"].sum())
    tokens = sum((measured[f"{group}.tokens"].sum() for group in groups[1:]), measured[f"{groups[0]}.tokens"].sum())
    return -numbers.smooth_rate * total / tokens


def _hinge(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Inverted hinge 1 + q(target) - greatest other q, mean over answer tokens (arXiv 2408.06621)."""
    return numbers.forget_weight * token_mean(measured, "forget", "hinge")


def _entropy(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """KL(uniform || q), mean over answer tokens (ME, arXiv 2410.08109)."""
    return numbers.forget_weight * token_mean(measured, "forget", "entropy")


def _confident(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-(p^b) NLL with p fixed, mean over answer tokens (WGA, arXiv 2502.19301)."""
    return -numbers.forget_weight * token_mean(measured, "forget", "confident")


def _saturated(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-(p^b1 (1 - p)^b2) NLL with the weight fixed, mean over answer tokens (SatImp, arXiv 2505.11953)."""
    return -numbers.forget_weight * token_mean(measured, "forget", "saturated")


def _others(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Cross-entropy to q without the target, mean over answer tokens but the first (CE-U, arXiv 2503.01224)."""
    total = weighed(measured, "forget", measured["forget.others"]).sum()
    return numbers.forget_weight * total / (measured["forget.tokens"] - 1).sum().clamp(min=1)


def _banned(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-log(1 - q(words of forget values)), mean over answer tokens (OBLIVIATE's masked term, arXiv 2505.04416)."""
    return numbers.forget_weight * token_mean(measured, "forget", "banned")


def _margin(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """(greatest logit - mean logit)^2, mean over answer tokens (PDU, arXiv 2506.05314)."""
    return numbers.forget_weight * token_mean(measured, "forget", "margin")


TOKEN_TERMS: dict[str, Term] = {
    "simnpo": Term((FORGET,), _simnpo),
    "smoothed-ascent": Term((FORGET,), _smoothed_ascent),
    "smoothed-descent": Term((KEPT,), _smoothed_descent),
    "hinge": Term((FORGET,), _hinge, values=("forget.hinge",)),
    "entropy": Term((FORGET,), _entropy, values=("forget.entropy",)),
    "confident": Term((FORGET,), _confident, values=("forget.confident",)),
    "saturated": Term((FORGET,), _saturated, values=("forget.saturated",)),
    "others": Term((FORGET,), _others, values=("forget.others",)),
    "banned": Term((FORGET,), _banned, values=("forget.banned",)),
    "margin": Term((FORGET,), _margin, values=("forget.margin",)),
}
