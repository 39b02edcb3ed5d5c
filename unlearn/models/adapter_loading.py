"""Adapters from disk: loaded whole or refused in one line, because one that loads in part answers as its base does."""

import logging
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.models.model_folder import BASE_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LOOKED_AT = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3")
"""Kinds of adapters of which it can be told by their weights whether they change anything."""

log = logging.getLogger(__name__)


def load_adapter(model: "PreTrainedModel", adapter: Path, *, base: str, name: str = "default") -> "PreTrainedModel":
    """The model with a saved adapter around it, whose weights may move; of a model with one, a further one by `name`.

    Raises BadInput naming the first tensor that is missing, unexpected, of another shape or not finite, and for an
    adapter from elsewhere that changes nothing (of one that ppubench saved that is only said: a run may end so).
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what peft warns of is refused below
            around: nn.Module = model
            if isinstance(around, PeftModel):
                adapted = around
            else:
                adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=True, use_safetensors=True)
            # `from_pretrained` does not tell what did not fit, so the same tensors are put in again.
            fit = adapted.load_adapter(str(adapter), name, is_trainable=True, use_safetensors=True)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise BadInput(str(adapter), f"does not fit {base} ({_reason(error)})", "name its own base") from error
    for names, found in ((fit.missing_keys, "lacks"), (fit.unexpected_keys, "has, unlike the model it is laid over,")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            advice = "convert its names to those that peft writes for this model, or name its own base"
            raise BadInput(str(adapter), f"{found} {sorted(names)[0]}{more}", advice)
    moving = [(name, weight) for name, weight in adapted.named_parameters() if weight.requires_grad]
    check_finite(moving, where=str(adapter))
    if not changes_something(adapted, name):
        found = "changes nothing: its matrices add up to zero"
        if not (adapter / BASE_FILE).is_file():
            raise BadInput(str(adapter), found, "name an adapter that was trained, or evaluate the base alone")
        log.warning("%s %s", adapter, found)
    return cast("PreTrainedModel", adapted)


def check_finite(weights: Iterable[tuple[str, Tensor]], *, where: str) -> None:
    """Raise BadInput naming the first tensor that holds NaN or infinity."""
    for name, weight in weights:
        # The sum is not finite where a value is not; it is cheaper, but may overflow where all values are.
        suspect = weight.is_floating_point() and not weight.sum(dtype=torch.float32).isfinite()
        if suspect and not torch.isfinite(weight).all():
            raise BadInput(where, f"holds values that are not finite, at {name}", "save it again from a sound model")


def changes_something(adapted: nn.Module, name: str = "default") -> bool:
    """Whether any layer of a model with an adapter computes something else than without it.

    Looked at for LoRA, AdaLoRA, LoHa, LoKr and IA3, and for layers that are saved whole; other adapters are taken to
    change something.
    """
    from peft import PeftModel
    from peft.tuners.ia3 import IA3Layer
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lycoris_utils import LycorisLayer
    from peft.utils import ModulesToSaveWrapper

    if not isinstance(adapted, PeftModel) or adapted.peft_config[name].peft_type not in _LOOKED_AT:
        return True
    with torch.no_grad():
        for module in adapted.modules():
            if isinstance(module, ModulesToSaveWrapper):
                before = module.original_module.state_dict()
                now = module.modules_to_save[name].state_dict()
                if any(not torch.equal(value, before[key]) for key, value in now.items()):
                    return True
            elif isinstance(module, IA3Layer):
                if bool((module.ia3_l[name] != 1).any()):
                    return True
            elif isinstance(module, LoraLayer | LycorisLayer) and _moves(module, name):
                return True
    return any("trainable_tokens_delta" in path or "lora_bias" in path for path, _ in adapted.named_parameters())


def _moves(layer: nn.Module, name: str) -> bool:
    if name not in getattr(layer, "scaling", ()):
        return False
    delta = layer.get_delta_weight(name)  # type: ignore[operator]
    if bool(delta.any()):
        return True
    magnitudes = getattr(layer, "lora_magnitude_vector", {})
    if name not in magnitudes:
        return False
    # DoRA divides the sum by its norm and multiplies by a trained magnitude.
    weight = layer.get_base_layer().weight  # type: ignore[operator]
    norm = weight.flatten(1).norm(dim=1)
    return not torch.allclose(magnitudes[name].weight.flatten().to(norm), norm, rtol=1e-3)


def _reason(error: Exception) -> str:
    """The line of an error that names a tensor, of several."""
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    named = next((line for line in lines if re.search("size mismatch|Missing key|Unexpected key", line)), lines[0])
    return (f"no tensor {named}" if isinstance(error, KeyError) else named).replace("torch.Size", "")[:300]
