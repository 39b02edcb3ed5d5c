"""What is known of single samples before training, besides the reference: factors, roles, a second teacher."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unlearn.losses.token_values import Teacher
from unlearn.methods.reference_model import Reference
from unlearn.models.encoding import Batch
from unlearn.presets import Numbers


@dataclass(frozen=True)
class Aids:
    """All by sample key, so that it fits every batch, piece and process alike."""

    factors: Mapping[str, float] = field(default_factory=dict)
    """How much a forget sample counts in forget terms; empty where all count alike."""
    unwanted: Mapping[str, Tensor] = field(default_factory=dict)
    """[answer tokens], bool: the token is part of the fact; empty unless a term reads it."""
    banned: Tensor | None = None
    """[vocab], bool: words of forget values."""
    second: Reference | None = None
    """A model that was taught the forget set once more (RKLD)."""

    def factor(self, batch: Batch) -> Tensor:
        """[batch]."""
        return torch.tensor([self.factors.get(key, 1.0) for key in batch.sample_ids], device=batch.labels.device)

    def unwanted_of(self, batch: Batch, kept: Tensor) -> Tensor | None:
        """[positions] bool, where `kept` says which positions are answer tokens; None where no roles are known."""
        if not self.unwanted:
            return None
        found = torch.zeros_like(kept)
        found[kept] = torch.cat([self.unwanted[key] for key in batch.sample_ids]).to(kept.device)
        return found


def teacher_of(
    batch: Batch, *, width: int, reference: Reference | None, aids: Aids, numbers: Numbers
) -> Teacher | None:
    """The teacher at the positions of a batch, from cached hidden states; None where none are kept."""
    if reference is None or not all(key in reference.hidden for key in batch.sample_ids):
        return None
    return Teacher(
        reference.hidden_of(batch, width=width),
        reference.head,
        second=None if aids.second is None else aids.second.hidden_of(batch, width=width),
        second_head=None if aids.second is None else aids.second.head,
        strength=numbers.teacher_strength,
    )
