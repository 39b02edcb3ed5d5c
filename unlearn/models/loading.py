"""Loading vision-language models, adapters on their language half, and the forward pass that training uses."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.storage.artifacts import write_json
from unlearn.models.families import Family, family_of
from unlearn.models.model_folder import BASE_FILE, check_adapter_folder, check_base, check_model_folder
from unlearn.models.packing import Picture, pack

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
        model = _with_adapter(model, adapter, base=where)
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
        raise BadInput(str(path), f"has no processor that loads ({_first_line(error)})", advice) from error
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
        raise BadInput(where, f"cannot be read ({_first_line(error)})", "name a model folder or a Hub id") from error
    if config.model_type not in VISION_LANGUAGE and not trust_remote_code:
        raise BadInput(
            where, f"model type {config.model_type!r} is not a vision-language model", "name one that takes pictures"
        )
    return str(config.model_type)


def _weights_problem(folder: Path, error: Exception) -> str:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        return "has pickled weights, which are never loaded because they can run code"
    return f"its weights do not load ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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


def _with_adapter(model: "PreTrainedModel", adapter: Path, *, base: str) -> "PreTrainedModel":
    from peft import PeftModel

    check_adapter_folder(adapter)
    check_base(adapter, base=base)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=True, use_safetensors=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise BadInput(str(adapter), f"does not fit {base} ({_first_line(error)})", "name its own base") from error
    return cast("PreTrainedModel", adapted)


class AnswerModel(nn.Module):
    """A model that computes logits where answers are, and nowhere else.

    The vocabulary is the widest layer of a small batch: at answer positions only, its cost follows the answers' length
    and not that of the prompt and its image tokens. Wrappers such as DDP go around this module.
    """

    def __init__(self, model: "PreTrainedModel", family: Family) -> None:
        super().__init__()
        self.model = model
        self.family = family

    def forward(
        self, inputs: Mapping[str, Tensor], labels: Tensor, pictures: Sequence[Picture] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits [batch, width, vocab], labels [batch, width]), laid out as a causal model's full output is.

        labels[:, 0] is -100 and logits[:, t] predicts labels[:, t + 1]; width is the longest answer plus one. With the
        `pictures` of the samples, samples of one picture share its tokens, where the family can: the same logits.
        """
        positions, kept = answer_window(labels)
        core = core_model(self.model)
        if pictures is not None and self.family.packs and self._may_pack():
            return self._packed(core, inputs, labels, pictures, positions), kept
        if not self.family.plain_head:
            full = core(**inputs, use_cache=False).logits  # [batch, length, vocab]
            return _take(full, positions), kept
        hidden = core.model(**inputs, use_cache=False).last_hidden_state  # [batch, length, hidden]
        head = cast(nn.Linear, core.get_output_embeddings())  # type: ignore[no-untyped-call]
        return head(_take(hidden, positions)), kept

    def _may_pack(self) -> bool:
        """A dropout would draw once for what samples share and not once for each."""
        return not self.training or not any(
            isinstance(module, nn.Dropout) and module.p > 0 for module in self.model.modules()
        )

    def _packed(
        self,
        core: "PreTrainedModel",
        inputs: Mapping[str, Tensor],
        labels: Tensor,
        pictures: Sequence[Picture],
        positions: Tensor,
    ) -> Tensor:
        """[batch, width, vocab], the samples in packed rows."""
        starts = labels.ne(-100).int().argmax(dim=1).tolist()
        packed = pack(inputs, starts, pictures, token_positions(core, inputs))
        hidden = core.model(**packed.inputs, use_cache=False).last_hidden_state  # [rows, long, hidden]
        places = packed.places.gather(1, positions)  # [batch, width]
        head = cast(nn.Linear, core.get_output_embeddings())  # type: ignore[no-untyped-call]
        return cast(Tensor, head(hidden.flatten(0, 1)[places]))


def token_positions(core: "PreTrainedModel", inputs: Mapping[str, Tensor]) -> Tensor:
    """[3, batch, length]: how the model numbers the tokens of each sample alone."""
    if "image_grid_thw" in inputs:
        found, _ = core.model.get_rope_index(
            inputs["input_ids"],
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
            attention_mask=inputs["attention_mask"],
        )
        return cast(Tensor, found)
    batch, length = inputs["input_ids"].shape
    return torch.arange(length, device=inputs["input_ids"].device).expand(3, batch, length)


def _take(values: Tensor, positions: Tensor) -> Tensor:
    """values[b, positions[b]]: [batch, length, n] and [batch, width] to [batch, width, n]."""
    return values.gather(1, positions.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def answer_window(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [batch, width] from the token before each answer to its last, and the labels there.

    `labels` is [batch, length], -100 outside of one contiguous answer per row.
    """
    kept = labels.ne(-100)
    width = int(kept.sum(dim=1).max().item()) + 1
    first = kept.int().argmax(dim=1)  # [batch]; 0 where a row has no answer
    start = (first - 1).clamp(min=0)
    positions = (start.unsqueeze(1) + torch.arange(width, device=labels.device)).clamp(max=labels.shape[1] - 1)
    window = labels.gather(1, positions)
    # A clamped position repeats the last token, which must not count twice.
    beyond = torch.arange(width, device=labels.device) > kept.sum(dim=1, keepdim=True)
    window = window.masked_fill(beyond, -100)
    window[:, 0] = -100
    return positions, window


def bare(network: nn.Module) -> nn.Module:
    """The Hugging Face or Peft model inside AnswerModel, DDP or FSDP wrappers."""
    inner = network
    while not isinstance(inner, AnswerModel) and isinstance(wrapped := getattr(inner, "module", None), nn.Module):
        inner = wrapped
    return inner.model if isinstance(inner, AnswerModel) else inner


def core_model(model: nn.Module) -> "PreTrainedModel":
    """The Hugging Face model without the Peft wrapper; adapters stay active in its layers."""
    from peft import PeftModel

    return cast("PreTrainedModel", model.get_base_model() if isinstance(model, PeftModel) else model)


@contextmanager
def adapter_off(network: nn.Module) -> Iterator[None]:
    """The reference model: the same weights with the adapter switched off, and no gradient.

    Raises BadInput for a model without an adapter, whose earlier weights are gone once it has moved.
    """
    from peft import PeftModel

    model = bare(network)
    if not isinstance(model, PeftModel):
        raise BadInput("the reference model", "there is no adapter to switch off", "cache reference values beforehand")
    with model.disable_adapter(), torch.no_grad():
        yield
