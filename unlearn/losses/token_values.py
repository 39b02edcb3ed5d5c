"""Token values: what one answer position is worth to a loss, from all of its logits, with gradients written out.

One autograd function serves all kinds. It handles the vocabulary by chunks, so that beside the gradient itself no fp32
copy of a whole row of logits exists, and computes in fp64 for logits of that precision. Shapes: `positions` rows of
logits, `vocab` words.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

from unlearn.losses.likelihood import chunks

Notes = tuple[Tensor, ...]
"""What a kind keeps from its value for its gradient, each [positions]."""


@dataclass(frozen=True)
class Teacher:
    """Fixed logits at the same positions, one vocabulary chunk at a time.

    They are `hidden` [positions, hidden] times `head` [vocab, hidden]; without a head, `hidden` are the logits. With a
    `second` model's states, under `second_head` where that is another one, they are
    l - strength * max(0, l_second - l): what the second model holds for likelier is taken away (RKLD). With
    `lowers_target`, the target's own logit is lowered by `strength` instead (UNDIAL).
    """

    hidden: Tensor
    head: Tensor | None = None
    second: Tensor | None = None
    second_head: Tensor | None = None
    strength: float = 0.0
    lowers_target: bool = False

    def target_logit(self, targets: Tensor) -> Tensor:
        """[positions], of the first model alone."""
        if self.head is None:
            return _fine(self.hidden.gather(1, targets[:, None]).squeeze(1))
        return _fine((self.hidden * self.head[targets]).sum(1))

    def chunk(self, part: slice, targets: Tensor) -> Tensor:
        """[positions, words of the chunk], fp32 or fp64."""
        found = _fine(self.hidden[:, part] if self.head is None else self.hidden @ self.head[part].T)
        if self.second is not None:
            head = self.head if self.second_head is None else self.second_head
            risen = _fine(self.second[:, part] if head is None else self.second @ head[part].T)
            found = found - self.strength * (risen - found).clamp(min=0)
        if self.lowers_target:
            found = found - self.strength * _at(targets, part, found.dtype)
        return found


@dataclass(frozen=True)
class Rows:
    """Positions as the kinds see them: logits [positions, vocab], targets and log-partitions [positions]."""

    logits: Tensor
    targets: Tensor
    total: Tensor
    teacher: Teacher | None = None
    banned: Tensor | None = None
    """[vocab], bool: words that should not be said."""

    @property
    def parts(self) -> list[slice]:
        """The chunks of the vocabulary."""
        return chunks(self.logits.shape[1])

    def chunk(self, part: slice) -> Tensor:
        """Logits of some words, fp32 or fp64."""
        return _fine(self.logits[:, part])

    def share(self, part: slice) -> Tensor:
        """Probabilities of some words."""
        return (self.chunk(part) - self.total[:, None]).exp()

    def target_logit(self) -> Tensor:
        """[positions]."""
        return _fine(self.logits.gather(1, self.targets[:, None]).squeeze(1))

    def others(self, part: slice) -> Tensor:
        """Logits of some words, the target's at minus infinity."""
        return self.chunk(part).masked_fill(_at(self.targets, part, torch.bool), -math.inf)

    def allowed(self, part: slice) -> Tensor:
        """Logits of some words, those of banned ones at minus infinity."""
        if self.banned is None:
            raise RuntimeError("no words are banned")
        return self.chunk(part).masked_fill(self.banned[part], -math.inf)

    def taught(self, part: slice) -> Tensor:
        """The teacher's logits of some words."""
        if self.teacher is None:
            raise RuntimeError("there is no teacher")
        return self.teacher.chunk(part, self.targets)

    def partition(self, words: Callable[[slice], Tensor]) -> Tensor:
        """log sum exp of what `words` gives of each chunk, [positions]."""
        return torch.stack([words(part).logsumexp(1) for part in self.parts]).logsumexp(0)


def _fine(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _at(index: Tensor, part: slice, dtype: torch.dtype) -> Tensor:
    """[positions, words of the chunk]: 1 where a word is the one of `index`, else 0."""
    words = torch.arange(part.start, part.stop, device=index.device)
    return (words[None, :] == index[:, None]).to(dtype)


def _greatest(words: Callable[[slice], Tensor], parts: list[slice]) -> tuple[Tensor, Tensor]:
    """The greatest of what `words` gives of each chunk, and which word it is; both [positions]."""
    best, where = words(parts[0]).max(1)
    for part in parts[1:]:
        found, place = words(part).max(1)
        better = found > best
        best, where = torch.where(better, found, best), torch.where(better, place + part.start, where)
    return best, where


def _entropy(rows: Rows) -> tuple[Tensor, Notes]:
    """KL(uniform || q) = log sum exp z - mean z - log V: what maximising the entropy makes small (ME)."""
    return rows.total - _mean_logit(rows) - math.log(rows.logits.shape[1]), ()


def _mean_logit(rows: Rows) -> Tensor:
    return torch.stack([rows.chunk(part).sum(1) for part in rows.parts]).sum(0) / rows.logits.shape[1]


def _entropy_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    return rows.share(part) - 1 / rows.logits.shape[1]


def _others(rows: Rows) -> tuple[Tensor, Notes]:
    """Cross-entropy to q without the target, renormalised and fixed (CE-U)."""
    rest = rows.partition(rows.others)
    value = torch.zeros_like(rest)
    for part in rows.parts:
        target = (rows.others(part) - rest[:, None]).exp()
        value += _weighed(target, rows.total[:, None] - rows.chunk(part))
    return value, (rest,)


def _others_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    return rows.share(part) - (rows.others(part) - notes[0][:, None]).exp()


def _weighed(weights: Tensor, values: Tensor) -> Tensor:
    """Row sums of weights times values, where 0 times infinity is 0."""
    return torch.where(weights > 0, weights * values, torch.zeros_like(weights)).sum(1)


def _taught(rows: Rows) -> tuple[Tensor, Notes]:
    """Cross-entropy to the teacher's distribution (UNDIAL)."""
    teacher_total = rows.partition(rows.taught)
    value = torch.zeros_like(teacher_total)
    for part in rows.parts:
        target = (rows.taught(part) - teacher_total[:, None]).exp()
        value += _weighed(target, rows.total[:, None] - rows.chunk(part))
    return value, (teacher_total,)


def _taught_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    return rows.share(part) - (rows.taught(part) - notes[0][:, None]).exp()


def _reverse(rows: Rows) -> tuple[Tensor, Notes]:
    """KL(q || teacher) (RKLD)."""
    teacher_total = rows.partition(rows.taught)
    value = torch.zeros_like(teacher_total)
    for part in rows.parts:
        value += _weighed(rows.share(part), _log_ratio(rows, teacher_total, part))
    return value, (teacher_total, value)


def _log_ratio(rows: Rows, teacher_total: Tensor, part: slice) -> Tensor:
    return rows.chunk(part) - rows.total[:, None] - rows.taught(part) + teacher_total[:, None]


def _reverse_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    share = rows.share(part)
    ratio = _log_ratio(rows, notes[0], part)
    return torch.where(share > 0, share * (ratio - notes[1][:, None]), torch.zeros_like(share))


def _banned(rows: Rows) -> tuple[Tensor, Notes]:
    """-log(1 - probability of banned words) (OBLIVIATE's masked self-distillation)."""
    allowed = rows.partition(rows.allowed)
    return rows.total - allowed, (allowed,)


def _banned_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    return rows.share(part) - (rows.allowed(part) - notes[0][:, None]).exp()


def _hinge(rows: Rows) -> tuple[Tensor, Notes]:
    """1 + q_target - greatest other q, which is never below 0 (inverted hinge, IHL)."""
    rival_logit, rival = _greatest(rows.others, rows.parts)
    own = (rows.target_logit() - rows.total).exp()
    other = (rival_logit - rows.total).exp()
    return 1 + own - other, (own, other, rival)


def _hinge_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    own, other, rival = notes
    found = rows.share(part) * (other - own)[:, None]
    found += own[:, None] * _at(rows.targets, part, found.dtype)
    return found - other[:, None] * _at(rival, part, found.dtype)


def _margin(rows: Rows) -> tuple[Tensor, Notes]:
    """(greatest logit - mean logit) squared (PDU)."""
    best, where = _greatest(rows.chunk, rows.parts)
    above = best - _mean_logit(rows)
    return above.square(), (above, where)


def _margin_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    above, where = notes
    return 2 * above[:, None] * (_at(where, part, above.dtype) - 1 / rows.logits.shape[1])


def _logit(rows: Rows) -> tuple[Tensor, Notes]:
    """The target's raw logit (TIF)."""
    return rows.target_logit(), ()


def _logit_gradient(rows: Rows, notes: Notes, part: slice) -> Tensor:
    return _at(rows.targets, part, rows.total.dtype)


@dataclass(frozen=True)
class _Kind:
    value: Callable[[Rows], tuple[Tensor, Notes]]
    gradient: Callable[[Rows, Notes, slice], Tensor]
    """dL / dz of some words, [positions, words]."""


KINDS: Mapping[str, _Kind] = {
    "entropy": _Kind(_entropy, _entropy_gradient),
    "others": _Kind(_others, _others_gradient),
    "taught": _Kind(_taught, _taught_gradient),
    "reverse": _Kind(_reverse, _reverse_gradient),
    "banned": _Kind(_banned, _banned_gradient),
    "hinge": _Kind(_hinge, _hinge_gradient),
    "margin": _Kind(_margin, _margin_gradient),
    "logit": _Kind(_logit, _logit_gradient),
}
"""Kinds of token values by name; the docstring of each `value` says what it is."""


class _TokenValue(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, rows: Rows, kind: str) -> Tensor:
        value, notes = KINDS[kind].value(rows)
        ctx.save_for_backward(logits, *notes)
        ctx.rows, ctx.kind = rows, kind  # type: ignore[attr-defined]
        return value

    @staticmethod
    def backward(ctx: BackwardCFunction, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, *notes = cast(tuple[Tensor, ...], ctx.saved_tensors)
        rows = cast(Rows, ctx.rows)  # type: ignore[attr-defined]
        gradient = KINDS[ctx.kind].gradient  # type: ignore[attr-defined]
        out = torch.empty_like(logits)
        for part in rows.parts:
            out[:, part] = gradient(rows, tuple(notes), part) * grads[0][:, None]
        return out, None, None


def token_value(
    logits: Tensor,
    targets: Tensor,
    kind: str,
    *,
    teacher: Teacher | None = None,
    banned: Tensor | None = None,
) -> Tensor:
    """One of KINDS at each position: [positions, vocab], [positions] -> [positions], fp32 (fp64 for such logits).

    No gradient reaches the teacher.
    """
    fixed = logits.detach()
    total = torch.stack([_fine(fixed[:, part]).logsumexp(1) for part in chunks(fixed.shape[1])]).logsumexp(0)
    rows = Rows(fixed, targets, total, teacher, banned)
    return cast(Tensor, _TokenValue.apply(logits, rows, kind))  # type: ignore[no-untyped-call]
