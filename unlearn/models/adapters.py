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
    from peft import PeftModel
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
    """Write the adapter of a PeftModel, with the digest of the weights that it was trained on.

    Of a model with a second, frozen adapter the two are written as one, of the rank of both.
    """
    from peft import PeftModel

    adapted = bare(model)
    if isinstance(adapted, PeftModel) and len(adapted.peft_config) > 1:
        _save_together(adapted, folder)
    else:
        cast("PreTrainedModel", adapted).save_pretrained(folder)
    write_json(folder / BASE_FILE, {"weights": base_digest})


def _save_together(model: "PeftModel", folder: Path) -> None:
    """s B A + s B' A' is the adapter [B B'], [A; A'] at the same scale s = alpha / rank."""
    import copy

    from peft import LoraConfig, get_peft_model_state_dict
    from safetensors.torch import save_file

    held = [get_peft_model_state_dict(model, adapter_name=name) for name in model.peft_config]
    joined = {
        key: torch.cat([each[key].cpu() for each in held], dim=0 if ".lora_A." in key else 1).contiguous()
        for key in sorted(held[0])
    }
    config = copy.deepcopy(cast(LoraConfig, model.peft_config["default"]))
    config.r, config.lora_alpha, config.inference_mode = config.r * len(held), config.lora_alpha * len(held), True
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    save_file(joined, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def with_adapter(model: "PreTrainedModel", adapter: Path, *, base: str) -> "PreTrainedModel":
    from peft import PeftModel

    check_adapter_folder(adapter)
    check_base(adapter, base=base)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=True, use_safetensors=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise BadInput(str(adapter), f"does not fit {base} ({first_line(error)})", "name its own base") from error
    return cast("PreTrainedModel", adapted)
