"""Processors of model folders: loaded with what is installed as far as pictures need it, else with an install line."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from schemas.errors import BadInput, first_line
from unlearn.models.anatomy import takes_no_picture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

_PIP_NAMES = {"PIL": "pillow", "cv2": "opencv-python", "TorchVision": "torchvision", "Torchvision": "torchvision"}


def register_video_stub() -> None:
    """Let processors with a part for videos load where torchvision is missing; pictures need no video processor.

    What the folder says of its video processor is kept, so that a model saved again still has it. Does nothing where
    torchvision is installed.
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
    load = AutoVideoProcessor.from_pretrained
    if not isinstance(load, partial):  # else that is done already
        setattr(AutoVideoProcessor, "from_pretrained", staticmethod(partial(_load_or_stand_in, load)))  # noqa: B010


def _load_or_stand_in(load: Callable[..., object], path: str, **options: object) -> object:
    """A folder's video processor; where that wants torchvision, something with its name and settings in its place."""
    from transformers.utils.hub import cached_file
    from transformers.video_processing_utils import VideoProcessorMixin

    try:
        return load(path, **options)
    except (ImportError, ValueError, OSError, AttributeError):
        settings: dict[str, object] = {}
        for name in ("processor_config.json", "video_preprocessor_config.json"):
            file = cached_file(path, name, _raise_exceptions_for_missing_entries=False)
            if file is not None:
                found = json.loads(Path(file).read_text())
                settings |= found.get("video_processor") or (found if name.startswith("video") else {})
    kind = str(settings.get("video_processor_type") or "StandInVideoProcessor")
    usual = {"merge_size": 2, "temporal_patch_size": 2, "patch_size": 14, "size": {"longest_edge": 1}}
    stand_in = type(kind, (VideoProcessorMixin,), {**usual, **settings, "to_dict": lambda self: dict(settings)})
    return stand_in()


def missing_package(error: Exception) -> str:
    """The package whose absence an error of transformers is about, or ""."""
    said = r"requires the (\w+) library|`?pip install ([\w.-]+)`?|No module named '(\w+)|requires `(\w+)`"
    found = re.search(said, str(error))
    named = next((group for group in found.groups() if group), "") if found else ""
    return _PIP_NAMES.get(named, named.lower())


class TextProcessor:
    """A tokenizer in a processor's place, for models without eyes: a prompt is its text, and pictures have no place."""

    image_processor = None

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer = tokenizer
        self.chat_template = tokenizer.chat_template

    def __call__(
        self, *, text: list[str], images: object = None, add_special_tokens: bool, return_tensors: str
    ) -> object:
        """The tokenizer's tensors; `images` must be None."""
        if images is not None:
            raise ValueError("a language model without eyes takes no picture")
        return self.tokenizer(text=text, add_special_tokens=add_special_tokens, return_tensors=return_tensors)

    def apply_chat_template(self, turns: list[dict[str, object]], **told: object) -> object:
        """The tokenizer's, whose templates want each turn as one text."""
        plain = [{**turn, "content": _text_of(turn["content"])} for turn in turns]
        return self.tokenizer.apply_chat_template(plain, **told)  # type: ignore[arg-type]

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the tokenizer's files."""
        self.tokenizer.save_pretrained(folder)


def _text_of(content: object) -> str:
    return (
        content
        if isinstance(content, str)
        else "".join(str(part.get("text", "")) for part in cast("list[dict[str, object]]", content))
    )


def load_processor(path: str | Path, *, trust_remote_code: bool = False) -> "ProcessorMixin":
    """The processor of a model folder or Hub id; of a model without eyes its tokenizer.

    Raises BadInput if it has none, or none that takes pictures though the model does.
    """
    from transformers import AutoConfig, AutoProcessor, AutoTokenizer, PreTrainedTokenizerBase

    register_video_stub()
    where, advice = str(path), "copy the processor's files of the original model into the folder"
    try:
        text = takes_no_picture(AutoConfig.from_pretrained(where, trust_remote_code=trust_remote_code))
        kind = AutoTokenizer if text else AutoProcessor
        found = kind.from_pretrained(where, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        if package := missing_package(error):
            advice = f"pip install {package}, or all that families need: pip install 'ppubench[families]'"
            raise BadInput(where, f"its processor needs the package {package}", advice) from error
        raise BadInput(where, f"has no processor that loads ({first_line(error)})", advice) from error
    if text and isinstance(found, PreTrainedTokenizerBase):
        return cast("ProcessorMixin", TextProcessor(found))
    if getattr(found, "image_processor", None) is None or getattr(found, "tokenizer", None) is None:
        raise BadInput(str(path), "has a tokenizer but no image processor", advice)
    return cast("ProcessorMixin", found)
