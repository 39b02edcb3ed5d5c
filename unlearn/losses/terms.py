"""The table of terms, and those of ascent, descent, NPO, KL and the boundary: weights, and how each reduces."""

from typing import TYPE_CHECKING

from unlearn.losses.answer_terms import ANSWER_TERMS
from unlearn.losses.hidden_terms import HIDDEN_TERMS
from unlearn.losses.teacher_terms import TEACHER_TERMS
from unlearn.losses.term import FORGET, KEPT, MATCHED, Measured, Samples, Term, token_mean, union_share, weighed
from unlearn.losses.token_terms import TOKEN_TERMS
from unlearn.presets import Numbers

if TYPE_CHECKING:
    from torch import Tensor


def ascent(nll: "Tensor", *, cap: float | None) -> "Tensor":
    """Gradient ascent: -min(NLL, cap), elementwise; above the cap (nats) there is no gradient."""
    return -nll if cap is None else -nll.clamp(max=cap)


def npo(nll: "Tensor", reference_nll: "Tensor", *, beta: float) -> "Tensor":
    """Negative preference optimisation, -(2 / beta) log sigmoid(beta (NLL - NLL_ref)), elementwise.

    The argument is the whole answer's log-ratio when both NLLs are sums over the answer (arXiv 2404.05868, eq. 3),
    and its length-normalised form when both are means.
    """
    from torch.nn.functional import logsigmoid

    return -(2 / beta) * logsigmoid(beta * (nll - reference_nll))


def _ascent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    tokens = measured["forget.tokens"]
    each = weighed(measured, "forget", ascent(measured["forget.nll"], cap=numbers.forget_nll_cap))  # [samples]
    return numbers.forget_weight * (each * tokens).sum() / tokens.sum()


def _descent(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    parts = [
        weight * token_mean(measured, group) * union_share(measured, numbers, group)
        for group, weight in (("retain", numbers.retain_weight), ("matched", numbers.matched_weight))
        if f"{group}.nll_sum" in measured
    ]
    return sum(parts[1:], start=parts[0])


def _npo(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    now, before, tokens = measured["forget.nll_sum"], measured["forget.reference"], measured["forget.tokens"]
    if numbers.npo_reduction == "batch":
        now, before = now.sum() / tokens.sum(), before.sum() / tokens.sum()
    elif numbers.npo_length_normalize:
        now, before = now / tokens, before / tokens
    return numbers.forget_weight * weighed(measured, "forget", npo(now, before, beta=numbers.beta)).mean()


def _kl(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    import torch

    groups = [group for group in ("retain", "matched") if f"{group}.kl" in measured]
    total = sum((measured[f"{group}.kl"].sum() for group in groups[1:]), start=measured[f"{groups[0]}.kl"].sum())
    if numbers.kl_positions == "all":  # published: summed over all positions, divided by the batch
        return numbers.kl_weight * total / sum(len(samples[group]) for group in groups)
    return numbers.kl_weight * total / torch.cat([measured[f"{group}.tokens"] for group in groups]).sum()


def _boundary(measured: Measured, samples: Samples, numbers: Numbers) -> "Tensor":
    from unlearn.losses.bao import boundary_margin

    forget, matched = samples["forget"], samples["matched"]
    return numbers.boundary_weight * boundary_margin(
        measured["forget.nll"],
        measured["matched.nll"],
        [sample.subject_id for sample in forget],
        [sample.subject_id for sample in matched],
        margin=numbers.margin,
    )


_FIRST_TERMS: dict[str, Term] = {
    "ascent": Term((FORGET,), _ascent),
    "npo": Term((FORGET,), _npo, reference=True),
    "descent": Term((KEPT,), _descent),
    "kl": Term((KEPT,), _kl, reference=True),
    "boundary": Term((FORGET, MATCHED), _boundary),
}

TERMS: dict[str, Term] = {**_FIRST_TERMS, **TOKEN_TERMS, **ANSWER_TERMS, **TEACHER_TERMS, **HIDDEN_TERMS}
"""All terms by name, from the files of this folder."""
