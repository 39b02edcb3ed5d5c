"""LoRA adapters on the language half of a model: added, saved, and held to the base they were trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn

from schemas.storage.artifacts import write_json
from unlearn.models.anatomy import language_linears
from unlearn.models.families import Family
from unlearn.models.forward import bare
from unlearn.models.loading import check_reach
from unlearn.models.model_folder import BASE_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def add_lora(
    model: "PreTrainedModel",
    family: Family,
    *,
    rank: int,
    alpha: int,
    dropout: float,
    seed: int,
    initial: Literal["kaiming", "gaussian"] = "kaiming",
) -> "PreTrainedModel":
    """Freeze the model and put LoRA adapters on the linears of its language half, named by their full paths.

    The adapter's first matrix is drawn from `seed`, the second is zero. Returns a PeftModel around the same weights.
    """
    from peft import LoraConfig, get_peft_model

    paths = language_linears(model, family)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=paths,
        init_lora_weights="gaussian" if initial == "gaussian" else True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = cast("PreTrainedModel", get_peft_model(model, config))
    check_reach(adapted, paths)
    return adapted


def save_adapter(model: nn.Module, folder: Path, *, base_digest: str) -> None:
    """Write the adapter of a PeftModel, with the digest of the weights that it was trained on."""
    cast("PreTrainedModel", bare(model)).save_pretrained(folder)
    write_json(folder / BASE_FILE, {"weights": base_digest})
