"""What the checks at load found, kept by configuration, template and precision, so that a model is tried once."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue, ValidationError

from schemas.storage.artifacts import cache_folder, digest, write_json
from unlearn.models import packing_check
from unlearn.models.digests import without_silent
from unlearn.models.families import OVERRIDES, Family
from unlearn.models.packing_check import with_pattern
from unlearn.models.settling import VERSION, settle

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, ProcessorMixin

log = logging.getLogger(__name__)


def settled(model: "PreTrainedModel", processor: "ProcessorMixin", *, key: str, where: str) -> Family:
    """The model's family, from the cache or by the checks; raises BadInput as `settle` does."""
    kept = recall(key)
    try:
        return Family.model_validate(kept["family"])
    except (KeyError, ValidationError):
        found = with_pattern(model, processor, settle(model, processor, where=where))
    remember(key, {"family": found.model_dump(mode="json")})
    return found


def recall(key: str) -> dict[str, JsonValue]:
    """What is kept under a key; empty if nothing is, or nothing that can be read."""
    try:
        found = json.loads(_place(key).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(key: str, findings: Mapping[str, JsonValue]) -> None:
    """Keep findings beside those that are kept already. A cache that cannot be written costs time, not figures."""
    try:
        _place(key).parent.mkdir(parents=True, exist_ok=True)
        write_json(_place(key), {**recall(key), **findings})
    except OSError as error:
        log.info("what was found out about a model is not kept (%s)", error.strerror)


def _place(key: str) -> Path:
    return cache_folder() / "families" / f"{key}.json"


def family_key(model: "PreTrainedModel", processor: "ProcessorMixin") -> str:
    """Digest of all that the checks' result follows from, but for the weights' values."""
    import torch
    import transformers

    tokenizer = processor.tokenizer
    configuration: JsonValue = json.loads(json.dumps(model.config.to_dict(), default=str))
    scaling = getattr(processor, "image_processor", None)
    images: JsonValue = None if scaling is None else json.loads(json.dumps(scaling.to_dict(), default=str))
    template = getattr(processor, "chat_template", None) or tokenizer.chat_template
    special = sorted(map(str, tokenizer.all_special_tokens))
    tokens: list[JsonValue] = [len(tokenizer), *special, type(tokenizer).__name__]
    rows = cast("nn.Embedding", model.get_input_embeddings()).weight.shape[0]
    return digest(
        {
            "version": f"{VERSION}.{packing_check.VERSION}",
            "transformers": transformers.__version__, "torch": torch.__version__,
            "configuration": without_silent(configuration, unordered=False), "images": images,
            "processor": type(processor).__name__, "template": json.dumps(template, default=str),
            "tokens": tokens,
            "precision": [str(model.dtype), model.device.type, rows],
            "overrides": OVERRIDES.get(str(model.config.model_type), {}),
        }
    )  # fmt: skip
