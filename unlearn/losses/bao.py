"""The boundary term of BAO: within a subject, what is to be forgotten must be less likely than what is to be kept.

unlearn/losses/terms.py weighs it beside the others; unlearn/methods/rows has the methods that use it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from schemas.errors import BadInput


def boundary_margin(
    forget_nll: Tensor,
    retain_nll: Tensor,
    forget_subjects: Sequence[str],
    retain_subjects: Sequence[str],
    *,
    margin: float,
) -> Tensor:
    """Mean over matched subjects of the mean hinge max(0, margin - (NLL_forget - NLL_retain)) over their pairs.

    `forget_nll` [forget samples] and `retain_nll` [retain samples] are per-sample means in nats; subjects name the
    person of each sample. A subject is matched if it stands on both sides. The scalar is zero, with a graph, when
    nothing matches (complete unlearning). methods.md 2.7.
    """
    total = boundary_sum(forget_nll, retain_nll, forget_subjects, retain_subjects, margin=margin)
    return total / max(1, len(matched_subjects(forget_subjects, retain_subjects)))


def boundary_sum(
    forget_nll: Tensor,
    retain_nll: Tensor,
    forget_subjects: Sequence[str],
    retain_subjects: Sequence[str],
    *,
    margin: float,
) -> Tensor:
    """As boundary_margin, but summed over matched subjects, so that micro-batches of whole subjects add up."""
    if len(forget_subjects) != forget_nll.shape[0] or len(retain_subjects) != retain_nll.shape[0]:
        raise BadInput(
            "boundary_margin",
            f"{tuple(forget_nll.shape)} and {tuple(retain_nll.shape)} losses for "
            f"{len(forget_subjects)} and {len(retain_subjects)} subjects",
            "name one subject per sample",
        )
    # With nothing matched, an empty sum keeps the graph, so that backward() works on it.
    total = forget_nll[:0].sum() + retain_nll[:0].sum()
    matched = matched_subjects(forget_subjects, retain_subjects)
    if not matched:
        return total
    column = {subject: number for number, subject in enumerate(matched)}
    of_forget = torch.tensor([column.get(subject, -1) for subject in forget_subjects], device=forget_nll.device)
    of_retain = torch.tensor([column.get(subject, -2) for subject in retain_subjects], device=retain_nll.device)
    pairs = of_forget[:, None] == of_retain[None, :]  # [forget samples, retain samples]
    hinge = (margin - (forget_nll[:, None] - retain_nll[None, :])).clamp(min=0)
    left, right = pairs.nonzero(as_tuple=True)
    sizes = torch.bincount(of_forget[left], minlength=len(matched))  # pairs of each matched subject
    return total + (hinge[left, right] / sizes[of_forget[left]]).sum()


def matched_subjects(forget_subjects: Sequence[str], retain_subjects: Sequence[str]) -> list[str]:
    """Subjects that stand on both sides, sorted."""
    return sorted(set(forget_subjects) & set(retain_subjects))
