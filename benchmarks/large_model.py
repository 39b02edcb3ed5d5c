"""Qwen3-VL models of the published shapes with random weights: costs do not depend on what a model knows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch

from sources.sandbox import tiny_model
from sources.sandbox.tiny_model import make_processor, wrapped_tokenizer

Size = Literal["tiny", "2b", "8b"]
PICTURE_SIDE = 448
"""Pixels; a square picture of this side is 196 image tokens."""

# Shapes of Qwen/Qwen3-VL-2B-Instruct and Qwen/Qwen3-VL-8B-Instruct (config.json of those repositories).
# "tiny" has their kinds of layers only: the scripts run with it on a CPU.
_TEXT: dict[Size, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 8},
    "2b": {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16},
    "8b": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32},
}
_VISION: dict[Size, dict[str, int | list[int]]] = {
    "tiny": {"depth": 2, "hidden_size": 64, "intermediate_size": 128, "deepstack_visual_indexes": [0]},
    "2b": {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "deepstack_visual_indexes": [5, 11, 17]},
    "8b": {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "deepstack_visual_indexes": [8, 16, 24]},
}
_VOCABULARY: dict[Size, int] = {"tiny": 4_000, "2b": 151_936, "8b": 151_936}


def make_large_model(texts: Iterable[str], out: Path, *, size: Size, seed: int, device: str) -> Path:
    """Write a bf16 model folder whose tokenizer was trained on `texts`; the weights are drawn on `device`."""
    from transformers import GenerationConfig, Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = wrapped_tokenizer(sorted(set(texts)))
    ids, processor = tokenizer.get_vocab(), make_processor(tokenizer, most_pixels=PICTURE_SIDE**2)
    config = Qwen3VLConfig(
        tie_word_embeddings=size != "8b",
        text_config={
            **_TEXT[size],
            "vocab_size": _VOCABULARY[size],
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 262_144,
            "tie_word_embeddings": size != "8b",
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            **_VISION[size],
            "num_heads": 16,
            "patch_size": 16,
            "out_hidden_size": _TEXT[size]["hidden_size"],
            "num_position_embeddings": 2304,
        },
        image_token_id=ids[tiny_model.IMAGE],
        video_token_id=ids[tiny_model.VIDEO],
        vision_start_token_id=ids[tiny_model.VISION_START],
        vision_end_token_id=ids[tiny_model.VISION_END],
    )
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = Qwen3VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(**ends)  # type: ignore[no-untyped-call]
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    return out
