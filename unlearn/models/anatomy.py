"""Anatomy: where language model, linear layers, output layer and the parts for pictures lie in any family's modules."""

import re
from typing import TYPE_CHECKING

from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.models.families import OVERRIDES, Family

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_PICTURES = re.compile(r"(^|\.)(vision|visual|image|perceiver|audio|speech)[^.]*$")
"""Names of modules within a language model that are for pictures or sound."""


def takes_no_picture(config: "PreTrainedConfig") -> bool:
    """Whether a configuration is of a language model without eyes (AutoModelForCausalLM)."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as VISION_LANGUAGE

    return config.model_type in CAUSAL and config.model_type not in VISION_LANGUAGE


def check_decoder(config: "PreTrainedConfig", *, where: str) -> None:
    """Raise BadInput for an encoder-decoder, whose answer is no continuation of its prompt."""
    text = config.get_text_config()
    if config.is_encoder_decoder or text.is_encoder_decoder:
        found = f"model type {config.model_type!r} is an encoder-decoder: an answer is no continuation of its prompt"
        raise BadInput(where, found, "name a model of the decoder kind, such as Qwen-VL, Gemma or LLaVA")


def anatomy_of(model: "PreTrainedModel", *, where: str) -> Family:
    """The structure of a model, weights or none (meta device); raises BadInput for one without its parts."""
    check_decoder(model.config, where=where)
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    path = None if head is None else _path_of(model, head)
    advice = "name a model that continues a text"
    if path is None:
        raise BadInput(where, "names no output layer (get_output_embeddings)", advice)
    language = _language(model, where=where)
    inside = _vision_inside(model, language)
    around = _beside(model, language, head=path)
    model_type = str(model.config.model_type)
    found = Family(model_type=model_type, language=language, head=path, vision=(*around, *inside))
    found = found.model_copy(update=OVERRIDES.get(model_type, {}))
    if not language_linears(model, found):
        raise BadInput(where, f"{language} holds no linear layer", advice)
    return found.model_copy(update={"left_out": len(_experts(model, language))})


def language_linears(model: nn.Module, family: Family) -> list[str]:
    """Full paths of the linear layers of the language model, in order; the output layer is not among them."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and name.startswith(family.language + ".")
        and name != family.head
        and not any(name.startswith(part + ".") or name == part for part in family.vision)
    ]


def _language(model: "PreTrainedModel", *, where: str) -> str:
    """The smallest module that holds the token embeddings and a linear layer; never the whole model."""
    path = _path_of(model, model.get_input_embeddings())
    while path:
        path = path.rpartition(".")[0]
        if path and any(isinstance(module, nn.Linear) for module in model.get_submodule(path).modules()):
            return path
    raise BadInput(where, "has no module that holds token embeddings and linear layers", "name another model")


def _vision_inside(model: "PreTrainedModel", language: str) -> tuple[str, ...]:
    """Parts within the language model that are for pictures: by a configuration of their own, or by their names."""
    from transformers import PreTrainedModel

    own = (type(model.config.get_text_config()), type(model.config))
    found: list[str] = []
    for name, module in model.get_submodule(language).named_modules():
        other = isinstance(module, PreTrainedModel) and bool(name) and not isinstance(module.config, own)
        path = f"{language}.{name}"
        known = any(path.startswith(part + ".") for part in found)
        if (_PICTURES.search(name) or other) and not known and any(True for _ in module.parameters()):
            found.append(path)
    return tuple(found)


def _beside(model: nn.Module, language: str, *, head: str) -> tuple[str, ...]:
    """Modules beside the language model and the modules that it lies in: the tower, and what joins it on."""
    found: list[str] = []
    parts = language.split(".")
    for depth in range(len(parts)):
        above = ".".join(parts[:depth])
        for name, child in model.get_submodule(above).named_children():
            path = f"{above}.{name}".lstrip(".")
            if path not in (".".join(parts[: depth + 1]), head) and any(True for _ in child.parameters()):
                found.append(path)
    return tuple(sorted(found))


def _experts(model: nn.Module, language: str) -> list[str]:
    def is_expert(name: str, weight: Tensor) -> bool:
        return name.startswith(language + ".") and weight.dim() == 3 and not re.search("conv|norm", name)

    return [name for name, weight in model.named_parameters() if is_expert(name, weight)]


def _path_of(model: nn.Module, wanted: nn.Module) -> str | None:
    return next((name for name, module in model.named_modules() if module is wanted), None)
