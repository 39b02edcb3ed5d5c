"""Loading models, with eyes or without, and their processors; one line where a folder or its weights will not do."""

import logging
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from schemas.errors import BadInput, first_line
from schemas.records.interventions import Intervention
from unlearn.models.adapter_loading import check_finite, load_adapter
from unlearn.models.anatomy import check_decoder, takes_no_picture
from unlearn.models.families import Family
from unlearn.models.model_folder import check_adapter, check_model_folder
from unlearn.models.processors import load_processor
from unlearn.models.settled import family_key, settled
from unlearn.rows.live import Live

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin


log = logging.getLogger(__name__)

_Told = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for use, with what is needed to talk to it. `model` is a PeftModel if an adapter was given."""

    model: "PreTrainedModel"
    processor: "ProcessorMixin"
    family: Family
    path: str
    key: str = ""
    """By which what was found out about it is kept; see unlearn.models.settled."""
    live: Live | None = None
    """What acts within its forward passes (unlearn/interventions)."""
    guards: tuple[Intervention, ...] = ()
    """What is asked before it; gates of theirs are in `live`."""


def quiet_bars() -> None:
    """No progress bars of transformers where stderr is not a terminal."""
    from transformers.utils import logging as transformers_logging

    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def load_model(
    path: str | Path,
    *,
    adapter: Path | None = None,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a model folder or Hub id, in eval mode, with its processor and, if given, an adapter around it.

    dtype None is bf16 on hardware that has it and fp32 on a CPU. Raises BadInput for a missing folder, a model that is
    neither vision-language nor a language model or that no family describes, a missing processor, pickled weights, an
    adapter of another base.
    """
    quiet_bars()
    where = str(path)
    check_model(where, trust_remote_code=trust_remote_code)
    if adapter is not None:
        check_adapter(adapter, base=where)
    processor = load_processor(where, trust_remote_code=trust_remote_code)
    model = _load_weights(where, dtype=dtype or best_dtype(device), trust_remote_code=trust_remote_code)
    grow_embeddings(model, len(processor.tokenizer))
    nn.Module.eval(nn.Module.to(model, device))
    key = family_key(model, processor)
    family = settled(model, processor, key=key, where=where)
    if adapter is not None:
        model = load_adapter(model, adapter, base=where)
        nn.Module.eval(nn.Module.to(model, device))
    return LoadedModel(model=model, processor=processor, family=family, path=where, key=key)


def _load_weights(where: str, *, dtype: torch.dtype, trust_remote_code: bool) -> "PreTrainedModel":
    """All of a model's weights; raises BadInput where one is missing, of another shape or not finite."""
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(where, trust_remote_code=trust_remote_code)
    kind = AutoModelForCausalLM if takes_no_picture(config) else AutoModelForImageTextToText
    # Its annotation does not know `output_loading_info`.
    load = cast("Callable[..., tuple[PreTrainedModel, _Told]]", kind.from_pretrained)
    try:
        model, told = load(
            where, dtype=dtype, use_safetensors=True, trust_remote_code=trust_remote_code, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise BadInput(where, _weights_problem(Path(where), error), "name a folder with *.safetensors") from error
    if missing := sorted(told["missing_keys"]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadInput(where, f"its weights lack {missing[0]}{more}", "copy all of the model's files")
    if unused := sorted(told["unexpected_keys"]):
        log.warning(
            "%s: %d tensors have no place in the model and are not used (first %s)", where, len(unused), unused[0]
        )
    check_finite(model.named_parameters(), where=where)
    return model


def best_dtype(device: str) -> torch.dtype:
    """bf16 where the device computes in it natively, else fp32 (bf16 on a CPU is slower than fp32)."""
    return torch.bfloat16 if device.startswith("cuda") and torch.cuda.is_bf16_supported() else torch.float32


def grow_embeddings(model: "PreTrainedModel", tokens: int) -> None:
    """Make room for the tokenizer's tokens. Models ship with spare rows; those are never taken away."""
    rows = cast(nn.Embedding, model.get_input_embeddings()).weight.shape[0]
    if rows < tokens:
        log.warning("the tokenizer has %d tokens, more than the embeddings; growing them", tokens)
        with torch.random.fork_rng(devices=[]):  # new rows are drawn: the same folder is the same model each time
            torch.manual_seed(0)
            model.resize_token_embeddings(tokens)


def check_model(where: str, *, trust_remote_code: bool) -> None:
    """Look at a model's configuration before anything large is read; raises BadInput for one that cannot serve."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as VISION_LANGUAGE

    check_model_folder(where)
    try:
        config = AutoConfig.from_pretrained(where, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise BadInput(where, f"cannot be read ({first_line(error)})", "name a model folder or a Hub id") from error
    known = config.model_type in VISION_LANGUAGE or takes_no_picture(config)
    if not known and not trust_remote_code:
        found = f"model type {config.model_type!r} is neither a vision-language nor a causal language model"
        raise BadInput(where, found, "name one that continues a text, with pictures or without")
    check_decoder(config, where=where)


def _weights_problem(folder: Path, error: Exception) -> str:
    pickled = [path for kind in ("*.bin", "*.pt", "*.pth") for path in folder.glob(kind)]
    if pickled and not any(folder.glob("*.safetensors")):
        return "has pickled weights, which are never loaded because they can run code"
    return f"its weights do not load ({first_line(error)})"


def check_reach(adapted: nn.Module, paths: Collection[str]) -> None:
    """Raise BadInput if a weight that may move lies outside of an adapter on one of the layers."""
    for name, weight in adapted.named_parameters():
        layer = name.removeprefix("base_model.model.").partition(".lora_")[0]
        if weight.requires_grad and layer not in paths:
            raise BadInput(name, "would be trained and is no linear layer of the language model", "report this fault")
