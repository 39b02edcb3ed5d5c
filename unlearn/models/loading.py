"""Loading vision-language models and their processors; one line where a folder or its weights will not do."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from schemas.errors import BadInput, first_line
from unlearn.models.adapters import with_adapter
from unlearn.models.families import Family, family_of
from unlearn.models.model_folder import check_model_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for use, with what is needed to talk to it. `model` is a PeftModel if an adapter was given."""

    model: "PreTrainedModel"
    processor: "ProcessorMixin"
    family: Family
    path: str


def quiet_bars() -> None:
    """No progress bars of transformers where stderr is not a terminal."""
    from transformers.utils import logging as transformers_logging

    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def register_video_stub() -> None:
    """Let Qwen-VL processors load where torchvision is missing; pictures need no video processor.

    Does nothing where torchvision is installed.
    """
    from transformers import Qwen2_5_VLConfig, Qwen3VLConfig, processing_utils
    from transformers.models.auto.video_processing_auto import AutoVideoProcessor
    from transformers.utils.import_utils import is_torchvision_available
    from transformers.video_processing_utils import VideoProcessorMixin

    if is_torchvision_available():
        return
    # Processors check their parts against this module object, which lacks the class where torchvision is missing.
    vars(processing_utils.transformers_module).setdefault("VideoProcessorMixin", VideoProcessorMixin)
    sizes = {"merge_size": 2, "temporal_patch_size": 2}
    # The class names must equal the `video_processor_type` that the model folder names.
    qwen3 = type("Qwen3VLVideoProcessor", (VideoProcessorMixin,), {**sizes, "patch_size": 16})
    qwen2 = type("Qwen2VLVideoProcessor", (VideoProcessorMixin,), {**sizes, "patch_size": 14})
    AutoVideoProcessor.register(Qwen3VLConfig, video_processor_class=qwen3, exist_ok=True)
    AutoVideoProcessor.register(Qwen2_5_VLConfig, video_processor_class=qwen2, exist_ok=True)


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
    not vision-language or that no family describes, a missing processor, pickled weights, an adapter of another base.
    """
    from transformers import AutoModelForImageTextToText

    quiet_bars()
    where = str(path)
    family = family_of(_model_type(where, trust_remote_code=trust_remote_code), where=where)
    processor = load_processor(where, trust_remote_code=trust_remote_code)
    try:
        found = AutoModelForImageTextToText.from_pretrained(
            where, dtype=dtype or best_dtype(device), use_safetensors=True, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise BadInput(where, _weights_problem(Path(where), error), "name a folder with *.safetensors") from error
    model = cast("PreTrainedModel", found)
    grow_embeddings(model, len(processor.tokenizer))
    if adapter is not None:
        model = with_adapter(model, adapter, base=where)
    nn.Module.eval(nn.Module.to(model, device))
    return LoadedModel(model=model, processor=processor, family=family, path=where)


def load_processor(path: str | Path, *, trust_remote_code: bool = False) -> "ProcessorMixin":
    """The processor of a model folder or Hub id; raises BadInput if it has none that takes pictures."""
    from transformers import AutoProcessor

    register_video_stub()
    advice = "copy the processor's files of the original model into the folder"
    try:
        found = AutoProcessor.from_pretrained(str(path), trust_remote_code=trust_remote_code)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadInput(str(path), f"has no processor that loads ({first_line(error)})", advice) from error
    if getattr(found, "image_processor", None) is None or getattr(found, "tokenizer", None) is None:
        raise BadInput(str(path), "has a tokenizer but no image processor", advice)
    return cast("ProcessorMixin", found)


def best_dtype(device: str) -> torch.dtype:
    """bf16 where the device computes in it natively, else fp32 (bf16 on a CPU is slower than fp32)."""
    return torch.bfloat16 if device.startswith("cuda") and torch.cuda.is_bf16_supported() else torch.float32


def grow_embeddings(model: "PreTrainedModel", tokens: int) -> None:
    """Make room for the tokenizer's tokens. Models ship with spare rows; those are never taken away."""
    rows = cast(nn.Embedding, model.get_input_embeddings()).weight.shape[0]
    if rows < tokens:
        log.warning("the tokenizer has %d tokens, more than the embeddings; growing them", tokens)
        model.resize_token_embeddings(tokens)


def _model_type(where: str, *, trust_remote_code: bool) -> str:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as VISION_LANGUAGE

    check_model_folder(where)
    try:
        config = AutoConfig.from_pretrained(where, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise BadInput(where, f"cannot be read ({first_line(error)})", "name a model folder or a Hub id") from error
    if config.model_type not in VISION_LANGUAGE and not trust_remote_code:
        raise BadInput(
            where, f"model type {config.model_type!r} is not a vision-language model", "name one that takes pictures"
        )
    return str(config.model_type)


def _weights_problem(folder: Path, error: Exception) -> str:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        return "has pickled weights, which are never loaded because they can run code"
    return f"its weights do not load ({first_line(error)})"
