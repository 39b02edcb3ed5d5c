"""How much memory a training run will take, from the configuration alone, before any weight is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from schemas.errors import BadInput, first_line
from unlearn.models.anatomy import anatomy_of, check_decoder, language_linears, takes_no_picture

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ACTIVATIONS_PER_LAYER = 34
"""Numbers of hidden size kept per token and layer for the backward pass of a transformer (Korthikanti et al. 2022,
eq. 1, without the attention scores, which fused attention does not keep)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes. An estimate: allocators add some tenths, and pictures are counted as tokens."""

    weights: int
    training: int
    """Gradients and AdamW moments of the weights that move, and an adapter's own weights, in fp32."""
    activations: int
    """Kept for the backward pass, and logits at answer positions in fp32 with their gradient."""

    @property
    def total(self) -> int:
        """Bytes in all."""
        return self.weights + self.training + self.activations

    def line(self) -> str:
        """One line for people."""
        parts = {"weights": self.weights, "training state": self.training, "activations": self.activations}
        listing = ", ".join(f"{name} {_size(size)}" for name, size in parts.items())
        return f"about {_size(self.total)} of memory ({listing})"


def _size(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 / 10 else f"{size / 2**20:.2f} MiB"


def memory_estimate(
    path: str | Path,
    *,
    dtype: torch.dtype,
    batch: int,
    length: int,
    rank: int | None,
    answer_tokens: int = 32,
    trust_remote_code: bool = False,
) -> MemoryEstimate:
    """The estimate for `batch` samples of `length` tokens (image tokens included) a forward pass.

    `rank` is the LoRA rank, None for training all weights. Reads config.json only; raises BadInput if it cannot.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    try:
        config = AutoConfig.from_pretrained(str(path), trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        reason = first_line(error)
        found = f"no such folder, or its configuration cannot be read ({reason})"
        raise BadInput(str(path), found, "name a model folder or a Hub id") from error
    check_decoder(config, where=str(path))
    with torch.device("meta"):
        load = (AutoModelForCausalLM if takes_no_picture(config) else AutoModelForImageTextToText).from_config
        model = cast("PreTrainedModel", load(config, trust_remote_code=trust_remote_code))  # type: ignore[no-untyped-call]
    count = sum(weight.numel() for weight in model.parameters())
    if rank is None:
        training = 12 * count
    else:
        family = anatomy_of(model, where=str(path))
        linears = [cast(nn.Linear, model.get_submodule(name)) for name in language_linears(model, family)]
        training = 16 * sum(rank * (linear.in_features + linear.out_features) for linear in linears)
    text = config.get_text_config()
    per_token = _ACTIVATIONS_PER_LAYER * text.num_hidden_layers * text.hidden_size
    activations = batch * length * per_token * dtype.itemsize + batch * answer_tokens * text.vocab_size * 4 * 3
    return MemoryEstimate(weights=count * dtype.itemsize, training=training, activations=activations)
