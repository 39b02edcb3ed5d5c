"""LoRA adapters on the language half of a model: added, saved, held to the base they were trained on, and merged."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn

from schemas.errors import BadInput
from schemas.storage.artifacts import write_json
from unlearn.models.adapter_loading import check_finite
from unlearn.models.anatomy import language_linears
from unlearn.models.families import Family
from unlearn.models.forward import bare
from unlearn.models.loading import LoadedModel, check_reach
from unlearn.models.model_folder import BASE_FILE

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_MLP = re.compile(r"\.(mlp|feed_forward|ffn)\.")
"""In the path of a linear of an MLP."""


def add_lora(
    model: "PreTrainedModel",
    family: Family,
    *,
    rank: int,
    alpha: int,
    dropout: float,
    seed: int,
    initial: Literal["kaiming", "gaussian"] = "kaiming",
    on: Literal["all", "mlp"] = "all",
) -> "PreTrainedModel":
    """Freeze the model and put LoRA adapters on the linears of its language half, named by their full paths.

    The adapter's first matrix is drawn from `seed`, the second is zero. Returns a PeftModel around the same weights.
    """
    from peft import LoraConfig, get_peft_model

    paths = language_linears(model, family)
    if on == "mlp":
        paths = [path for path in paths if _MLP.search(path)]
        if not paths:
            raise BadInput(family.language, "names no linear of an MLP", 'take adapter_on = "all"')
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


def merged(loaded: LoadedModel) -> "PreTrainedModel":
    """The model with its adapter added to its weights; the same model where there is no adapter.

    Raises BadInput for an adapter of a kind that is no change of weights.
    """
    from peft import PeftModel

    model = cast("nn.Module", loaded.model)
    if not isinstance(model, PeftModel):
        return loaded.model
    merge = getattr(model.base_model, "merge_and_unload", None)
    if merge is None:
        kind = model.peft_config["default"].peft_type
        raise BadInput(loaded.path, f"its adapter ({kind}) is no change of weights", "serve it with its adapter")
    whole = cast("PreTrainedModel", merge())
    check_finite(whole.named_parameters(), where=loaded.path)
    return whole


def save_plain(loaded: LoadedModel, folder: Path, *, precision: torch.dtype | None = None) -> tuple[str, int]:
    """Write the merged model with processor and template; returns its precision and how many tensors it has.

    `precision` None is that in which it was loaded. Of the generation configuration tokens alone are kept, with the end
    of turn among the ends, so that what serves the folder decodes as an evaluation does. Raises BadInput for what acts
    on prompts and not on weights.
    """
    from transformers import GenerationConfig

    if loaded.live is not None:
        found_there = "has steering or a guard over it, which is no change of weights"
        raise BadInput(loaded.path, found_there, "evaluate the run itself, or serve its base with the guard before it")
    model = merged(loaded)
    nn.Module.to(model, precision or model.dtype)
    end = loaded.processor.tokenizer.convert_tokens_to_ids(loaded.family.form.end_of_turn)
    found = model.generation_config
    known = found.eos_token_id if isinstance(found.eos_token_id, list) else [found.eos_token_id]
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=found.bos_token_id,
        eos_token_id=list(dict.fromkeys(each for each in (*known, end) if each is not None)),
        pad_token_id=found.pad_token_id,
    )
    model.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)
    return str(model.dtype).removeprefix("torch."), len(model.state_dict())


def without_adapter_layers(model: "PreTrainedModel") -> "PreTrainedModel":
    """The same model to be asked and no longer trained: an adapter in full precision becomes part of the weights.

    Two small products a layer are as dear as the layer itself in a model that is asked token by token. Weights of fewer
    bits would lose what the adapter adds to their last ones, so such a model stays as it is.
    """
    from peft import PeftModel

    whole = cast(nn.Module, model)
    if not isinstance(whole, PeftModel) or any(weight.dtype != torch.float32 for weight in whole.parameters()):
        return model
    merge = getattr(whole.base_model, "merge_and_unload", None)  # a prompt that was tuned is no change of weights
    return model if merge is None else cast("PreTrainedModel", merge())
