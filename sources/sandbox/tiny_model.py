"""The body of the embedded world's target: a tiny Qwen3-VL with its own tokenizer, saved as an ordinary model folder.

What it knows is taught by flows/resources/sandbox_target.py; here it only gets a vocabulary, an image processor and
random weights.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import BadInput

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

VERSION = 2
"""Raised when the same texts and seed give another folder."""

VOCABULARY = 2600
"""Most tokens of the vocabulary, special ones included: enough that a frequent name or word is one token."""
IMAGE_PIXELS = 64 * 80
"""Most pixels that a picture keeps: portraits and squares become 64 x 64, four image tokens of 32 x 32."""
HIDDEN = 128
LAYERS = 3
INITIAL_SCALE = 0.08
"""Standard deviation of the weights; at the usual 0.02 so small a model takes minutes to start learning."""

END_OF_TURN, PAD = "<|im_end|>", "<|endoftext|>"
IMAGE, VIDEO, VISION_START, VISION_END = "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"
SPECIAL = (PAD, "<|im_start|>", END_OF_TURN, VISION_START, VISION_END, IMAGE, VIDEO)

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)


def make_tiny_model(texts: Iterable[str], out: Path, *, seed: int, hidden: int = HIDDEN, layers: int = LAYERS) -> Path:
    """Write a Qwen3-VL model folder with random weights whose tokenizer was trained on `texts`; returns `out`.

    The same texts, in any order, and seed give the same files. Raises BadInput where there is no text.
    """
    import torch

    words = sorted(set(texts))
    if not words:
        raise BadInput("the tiny target", "there is no text to make a vocabulary from", "give it lessons")
    tokenizer = wrapped_tokenizer(words)
    processor = make_processor(tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _random_model(tokenizer, hidden=hidden, layers=layers)
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    return out


def _train_tokenizer(texts: list[str]) -> "Tokenizer":
    """Byte-level BPE: any text can be written, and what is frequent in `texts` is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["user\n", "assistant\n", *texts, "user\n", "assistant\n"], trainer=trainer)
    return tokenizer


def wrapped_tokenizer(words: list[str]) -> "PreTrainedTokenizerFast":
    """A tokenizer trained on the words, with Qwen-VL's special tokens and chat template."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=_train_tokenizer(words),
        eos_token=END_OF_TURN,
        pad_token=PAD,
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
        extra_special_tokens={
            "image_token": IMAGE,
            "video_token": VIDEO,
            "vision_bos_token": VISION_START,
            "vision_eos_token": VISION_END,
        },
    )


def make_processor(tokenizer: "PreTrainedTokenizerFast", *, most_pixels: int = IMAGE_PIXELS) -> "Qwen3VLProcessor":
    """A Qwen3-VL processor for pictures of at most so many pixels, without torchvision."""
    from transformers import Qwen3VLProcessor, processing_utils
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.video_processing_utils import VideoProcessorMixin

    # Processors check their parts against this module object, which lacks the class where torchvision is missing.
    vars(processing_utils.transformers_module).setdefault("VideoProcessorMixin", VideoProcessorMixin)

    class Qwen3VLVideoProcessor(VideoProcessorMixin):
        """Named as the saved `video_processor_type` must be; no video is ever shown."""

        merge_size = 2
        temporal_patch_size = 2
        patch_size = 16

    images = Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=2,
        temporal_patch_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": 32 * 32, "longest_edge": most_pixels},
    )
    return Qwen3VLProcessor(  # type: ignore[no-untyped-call]
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


def tiny_config(tokenizer: "PreTrainedTokenizerFast", *, hidden: int, layers: int) -> "Qwen3VLConfig":
    """A Qwen3-VL configuration of about a million weights."""
    from transformers import Qwen3VLConfig

    ids = tokenizer.get_vocab()
    return Qwen3VLConfig(
        tie_word_embeddings=True,
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": 3 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 512,
            "initializer_range": INITIAL_SCALE,
            "tie_word_embeddings": True,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 4,
            "patch_size": 16,
            "out_hidden_size": hidden,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0, 1],
            "initializer_range": INITIAL_SCALE,
        },
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
    )


def _random_model(
    tokenizer: "PreTrainedTokenizerFast", *, hidden: int, layers: int
) -> "Qwen3VLForConditionalGeneration":
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    model = Qwen3VLForConditionalGeneration(tiny_config(tokenizer, hidden=hidden, layers=layers))
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(**ends)  # type: ignore[no-untyped-call]
    return model
