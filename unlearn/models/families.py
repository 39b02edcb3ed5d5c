"""What differs between families of vision-language models, in one table; all the rest is read from their processors."""

from dataclasses import dataclass

from schemas.errors import BadInput


@dataclass(frozen=True)
class Family:
    """One family, by the `model_type` of its configuration.

    Module paths are relative to the model as AutoModelForImageTextToText loads it, without an adapter around it.
    """

    model_type: str
    language: str
    """Path of the language model, without its output layer."""
    vision: tuple[str, ...]
    """Paths of the vision tower and of what joins it to the language model."""
    placeholders: tuple[str, ...]
    """Tokens that stand for a picture or frame it: never trained on."""
    end_of_turn: str
    """What closes the assistant's turn."""
    nested_images: bool = False
    """The processor wants one list of pictures per text instead of one flat list."""
    packs: bool = False
    """Samples of one picture may share its tokens (unlearn/models/packing.py): it takes masks and positions of ours."""
    plain_head: bool = True
    """Logits are `lm_head(last hidden state)` and nothing else, so they can be computed where they are needed only."""


_QWEN_PLACEHOLDERS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")

FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        Family(
            model_type="qwen3_vl",
            language="model.language_model",
            vision=("model.visual",),
            placeholders=_QWEN_PLACEHOLDERS,
            end_of_turn="<|im_end|>",
            packs=True,
        ),
        Family(
            model_type="qwen2_5_vl",
            language="model.language_model",
            vision=("model.visual",),
            placeholders=_QWEN_PLACEHOLDERS,
            end_of_turn="<|im_end|>",
            packs=True,
        ),
        Family(
            model_type="gemma3",
            language="model.language_model",
            vision=("model.vision_tower", "model.multi_modal_projector"),
            placeholders=("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
            end_of_turn="<end_of_turn>",
            nested_images=True,
        ),
        Family(
            model_type="llava",
            language="model.language_model",
            vision=("model.vision_tower", "model.multi_modal_projector"),
            placeholders=("<image>",),
            end_of_turn="</s>",
        ),
    )
}


def family_of(model_type: str, *, where: str) -> Family:
    """The family of a model type; raises BadInput for a model that no family describes."""
    if model_type not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise BadInput(
            where,
            f"model type {model_type!r} is not known here (known: {known})",
            "add a row to unlearn/models/families.py",
        )
    return FAMILIES[model_type]
