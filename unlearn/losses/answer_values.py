"""Answer values: what a term may read of each answer token beside its NLL; the objective sums them by sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import methodcaller

from torch import Tensor

from unlearn.losses.token_values import Teacher, token_value
from unlearn.presets import Numbers


@dataclass(frozen=True)
class AnswerTokens:
    """The positions of one group in a forward pass; all but the logits are [positions]."""

    logits: Tensor
    """[positions, vocab]."""
    targets: Tensor
    nll: Tensor
    """Nats, with gradient."""
    kept: Tensor
    """Bool: an answer token, not padding."""
    first: Tensor
    """Bool: the first token of an answer."""
    numbers: Numbers
    teacher: Teacher | None = None
    banned: Tensor | None = None
    """[vocab], bool."""
    unwanted: Tensor | None = None
    """Bool: the token is part of the fact."""

    def value(self, kind: str) -> Tensor:
        """One of the kinds of unlearn/losses/token_values.py, [positions]."""
        return token_value(self.logits, self.targets, kind, teacher=self.teacher, banned=self.banned)


def _confident(tokens: AnswerTokens) -> Tensor:
    """p^b NLL with p fixed: what is unlikely already pulls no more (WGA)."""
    return (-tokens.numbers.power * tokens.nll.detach()).exp() * tokens.nll


def _saturated(tokens: AnswerTokens) -> Tensor:
    """p^b1 (1 - p)^b2 NLL with p fixed (SatImp)."""
    share = (-tokens.nll.detach()).exp()
    return share.pow(tokens.numbers.power) * (1 - share).clamp(min=0).pow(tokens.numbers.rest_power) * tokens.nll


def _others(tokens: AnswerTokens) -> Tensor:
    """CE-U's cross-entropy; 0 at the first token of an answer."""
    return tokens.value("others").masked_fill(tokens.first, 0)


def _taught(tokens: AnswerTokens) -> Tensor:
    """Cross-entropy to the old model's distribution with the target's logit lowered (UNDIAL)."""
    if tokens.teacher is None:
        raise RuntimeError("there is no teacher")
    teacher = replace(tokens.teacher, second=None, lowers_target=True)
    return token_value(tokens.logits, tokens.targets, "taught", teacher=teacher)


def _roles(tokens: AnswerTokens) -> Tensor:
    if tokens.unwanted is None:
        raise RuntimeError("the roles of tokens are not known")
    return tokens.unwanted


def _logit_before(tokens: AnswerTokens) -> Tensor:
    """The old model's raw logit of unwanted tokens, 0 elsewhere."""
    if tokens.teacher is None:
        raise RuntimeError("there is no teacher")
    return tokens.teacher.target_logit(tokens.targets) * _roles(tokens)


ANSWER_VALUES: Mapping[str, Callable[[AnswerTokens], Tensor]] = {
    "share": lambda tokens: (-tokens.nll).exp(),
    "confident": _confident,
    "saturated": _saturated,
    "others": _others,
    **{kind: methodcaller("value", kind) for kind in ("entropy", "hinge", "margin", "banned", "reverse")},
    "taught": _taught,
    "unwanted": lambda tokens: _roles(tokens).float(),
    "unwanted_logit": lambda tokens: tokens.value("logit") * _roles(tokens),
    "unwanted_logit_before": _logit_before,
    "general_nll": lambda tokens: tokens.nll * ~_roles(tokens),
}
"""By name; each gives [positions]. "share" is the target's probability; those of unwanted and general
tokens are 0 at the others."""
