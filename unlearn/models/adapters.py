"""LoRA adapters on the language half of a model: added, saved, and held to the base they were trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn

from schemas.errors import BadInput, first_line
from schemas.storage.artifacts import write_json
from unlearn.models.families import Family
from unlearn.models.forward import bare
from unlearn.models.model_folder import BASE_FILE, check_adapter_folder, check_base

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def language_linears(model: nn.Module, family: Family) -> list[str]:
    """Full paths of the linear layers of the language model, in order; the output layer is not among them."""
    prefix = family.language + "."
    return [name for name, module in model.named_modules() if name.startswith(prefix) and isinstance(module, nn.Linear)]


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
    if not paths:
        raise BadInput(family.language, "holds no linear layer", "mend the family's row in unlearn/models/families.py")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=paths,
        init_lora_weights="gaussian" if initial == "gaussian" else True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cast("PreTrainedModel", get_peft_model(model, config))


def save_adapter(model: nn.Module, folder: Path, *, base_digest: str) -> None:
    """Write the adapter of a PeftModel, with the digest of the weights that it was trained on."""
    cast("PreTrainedModel", bare(model)).save_pretrained(folder)
    write_json(folder / BASE_FILE, {"weights": base_digest})


def with_adapter(model: "PreTrainedModel", adapter: Path, *, base: str) -> "PreTrainedModel":
    from peft import PeftModel

    check_adapter_folder(adapter)
    check_base(adapter, base=base)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=True, use_safetensors=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise BadInput(str(adapter), f"does not fit {base} ({first_line(error)})", "name its own base") from error
    return cast("PreTrainedModel", adapted)


def without_adapter_layers(model: "PreTrainedModel") -> "PreTrainedModel":
    """The same model to be asked and no longer trained: an adapter in full precision becomes part of the weights.

    Two small products a layer are as dear as the layer itself in a model that is asked token by token. Weights of fewer
    bits would lose what the adapter adds to their last ones, so such a model stays as it is.
    """
    from peft import PeftModel

    whole = cast(nn.Module, model)
    if not isinstance(whole, PeftModel) or any(weight.dtype != torch.float32 for weight in whole.parameters()):
        return model
    return cast("PreTrainedModel", whole.merge_and_unload())
