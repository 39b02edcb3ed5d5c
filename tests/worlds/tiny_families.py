"""Tiny random models of many families with their real processors, from data/tiny_families.json; templates are written
after the real ones.

In a configuration "V" stands for the number of words, and `ids` names configuration keys that hold a token's number.
"""

import functools
import importlib
import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText, GenerationConfig, PreTrainedTokenizerFast

from unlearn.models.processors import register_video_stub

FAMILIES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "tiny_families.json").read_text())
REFUSED = ("instructblip", "blip-2", "florence2", "paligemma")
TEXTS = ("Where was Ada Lovelace born?", "In London", "user assistant User Assistant system", "Look and answer: Vienna")


def tiny_family(name: str, folder: Path, **text_config: Any) -> Path:
    """A model folder of a family; `text_config` are settings of its language model that are wanted otherwise."""
    row = FAMILIES[name]
    tokenizer = _tokenizer(row)
    words = len(tokenizer) + 8
    config = {key: _with_words(value, words) for key, value in row["config"].items()}
    special = {key: getattr(tokenizer, key) for key in ("pad_token_id", "bos_token_id", "eos_token_id")}
    config["text_config"] = {**config["text_config"], "vocab_size": words, **special, **text_config}
    config |= {key: _ids(tokenizer, token) for key, token in row["ids"].items()}
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(CONFIG_MAPPING[row.get("type", name)](**config))
    with torch.no_grad():
        for path, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.1)
            elif path.endswith("_gate") and weight.numel() == 1:
                weight.fill_(0.5)  # mllama opens its cross attention in training only
    ends = [tokenizer.eos_token_id, *([_ids(tokenizer, row["extra_end"])] if "extra_end" in row else [])]
    model.generation_config = GenerationConfig(
        eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id
    )
    model.save_pretrained(folder)
    _processor(row, tokenizer).save_pretrained(folder)
    return folder


def _ids(tokenizer: PreTrainedTokenizerFast, token: str | list[str]) -> int | list[int]:
    return tokenizer.convert_tokens_to_ids(token)


def _with_words(value: Any, words: int) -> Any:
    if isinstance(value, dict):
        return {key: _with_words(each, words) for key, each in value.items()}
    return words if value == "V" else value


def _tokenizer(row: dict[str, Any]) -> PreTrainedTokenizerFast:
    bos, eos, pad = row.get("bos"), row["eos"], row.get("pad", "<pad>")
    special = list(dict.fromkeys([pad, eos, *([bos] if bos else []), *row["named"].values(), *row.get("more", ())]))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340 + len(special), special_tokens=special, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    if row.get("adds_bos"):
        start = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=start)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad, padding_side="left",
        extra_special_tokens=row["named"],
    )  # fmt: skip


def _processor(row: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> Any:
    module, kind = row["images"].split(":")
    home = importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}")
    options = dict(row.get("pk", {}))
    if row.get("video") or module == "qwen2_vl":
        options["video_processor"] = _no_videos()()
    if options.pop("hears", False):
        options["feature_extractor"] = transformers.Gemma4AudioFeatureExtractor()
    if options.pop("qformer", False):
        options["qformer_tokenizer"] = tokenizer
    if row["chat"]:
        options["chat_template"] = _template(row)
    return getattr(transformers, row["proc"])(
        image_processor=getattr(home, kind)(**row["ip"]), tokenizer=tokenizer, **options
    )


@functools.cache
def _no_videos() -> type:
    from transformers.video_processing_utils import VideoProcessorMixin

    register_video_stub()
    settings = {"merge_size": 2, "temporal_patch_size": 2, "patch_size": 14, "size": {"longest_edge": 1}}
    return type("NoVideos", (VideoProcessorMixin,), {**settings, "to_dict": lambda self: {"video_processor_type": "X"}})


def _template(row: dict[str, Any]) -> str:
    """A chat template: what stands before and after each message, with ROLE in it, and what opens the answer."""
    chat = row["chat"]
    after = chat["after"] if isinstance(chat["after"], list) else [chat["after"]] * 2
    names = chat.get("names") or {"user": "user", "assistant": "assistant"}
    opening, _, rest = chat["before"].partition("ROLE")
    role = _by_role(_text(names["user"]), _text(names["assistant"])) if "ROLE" in chat["before"] else ""
    thought = _text("<think>\n\n</think>\n\n") if row.get("thinking") else ""
    asked = "enable_thinking is defined and enable_thinking is false"
    begun = _text("<think>\n")
    opened = f"{{%- if {asked} -%}}{thought}{{%- else -%}}{begun}{{%- endif -%}}" if thought else ""
    return (
        f"{_text(chat.get('start', ''))}{{%- for m in messages -%}}{_text(opening)}{role}{_text(rest)}"
        f"{_by_role(_text(row.get('user_open', '')), thought)}"
        "{%- for p in m['content'] -%}{%- if p['type'] == 'image' -%}"
        f"{_text(row['picture'])}"
        "{%- else -%}{{ p['text'] }}{%- endif -%}{%- endfor -%}"
        f"{_by_role(_text(after[0]), _text(after[1]))}{{%- endfor -%}}"
        f"{{%- if add_generation_prompt -%}}{_text(chat.get('prompt', ''))}{opened}{{%- endif -%}}"
    )


def _text(text: str) -> str:
    return "{{ " + json.dumps(text) + " }}" if text else ""


def _by_role(user: str, assistant: str) -> str:
    return f"{{%- if m['role'] == 'assistant' -%}}{assistant}{{%- else -%}}{user}{{%- endif -%}}"
