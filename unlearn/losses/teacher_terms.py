"""Terms that compare forget answers with fixed teachers, and with the roles of their tokens."""

from typing import TYPE_CHECKING

from unlearn.losses.term import FORGET, KEPT, Measured, Samples, Term, token_mean
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor


def _undial(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """Cross-entropy to softmax(z0 - b onehot(y)), mean over answer tokens (UNDIAL, arXiv 2402.10052)."""
    return numbers.forget_weight * token_mean(measured, "forget", "taught")


def _reverse(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """KL(q || softmax(l - a max(0, l_taught - l))), mean over answer tokens (RKLD, arXiv 2406.01983)."""
    return numbers.forget_weight * token_mean(measured, "forget", "reverse")


def _lower_values(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """-(2 / beta) log sigmoid(beta d), d the fall of unwanted tokens' raw logits: means by sample, then over samples
    that have such tokens (LPL, arXiv 2506.03142). 0 where none has.
    """
    from torch.nn.functional import logsigmoid

    count = measured["forget.unwanted"]
    has = (count > 0).float()
    fallen = (measured["forget.unwanted_logit_before"] - measured["forget.unwanted_logit"]) / count.clamp(min=1)
    mean = (fallen * has).sum() / has.sum().clamp(min=1)
    return -numbers.forget_weight * (2 / numbers.beta) * logsigmoid(numbers.beta * mean) * has.amax()


def _keep_words(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """NLL summed over the general tokens of a forget answer, mean over samples (PL, arXiv 2506.03142)."""
    return numbers.words_weight * measured["forget.general_nll"].mean()


def _dual(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    """The retain loss times the weight that grows while it is above its bound (PDU, arXiv 2506.05314)."""
    groups = [group for group in ("retain", "matched") if f"{group}.nll_sum" in measured]
    parts = [token_mean(measured, group) for group in groups]
    return measured["memory.dual"] * sum(parts[1:], start=parts[0]) / len(parts)


TEACHER_TERMS: dict[str, Term] = {
    "undial": Term((FORGET,), _undial, values=("forget.taught",), teacher="old"),
    "reverse-kl": Term((FORGET,), _reverse, values=("forget.reverse",), teacher="second"),
    "lower-values": Term(
        (FORGET,),
        _lower_values,
        values=("forget.unwanted", "forget.unwanted_logit", "forget.unwanted_logit_before"),
        teacher="old",
    ),
    "keep-words": Term((FORGET,), _keep_words, values=("forget.general_nll",)),
    "dual": Term((KEPT,), _dual),
}
