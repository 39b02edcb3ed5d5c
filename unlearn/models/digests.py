"""Digests of model and adapter folders: equal where answers are, whatever the files' cut, place or order of keys."""

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from schemas.errors import BadInput
from schemas.storage.tables import file_sha256

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MODEL_CONFIG, INDEX = "config.json", "model.safetensors.index.json"
_READ = (
    MODEL_CONFIG, "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json",
    "chat_template.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "tekken.json",
)  # fmt: skip
"""JSON files that decide what a model folder answers, besides its weights."""
_READ_WHOLE = (
    "*.jinja",
    "additional_chat_templates/*.jinja",
    "*.tiktoken",
    "*.model",
    "*.py",
    "merges.txt",
    "vocab.txt",
)
_SILENT = (
    "_commit_hash", "_name_or_path", "auto_mapping", "base_model_name_or_path", "dtype", "inference_mode",
    "peft_version", "revision", "torch_dtype", "transformers_version",
)  # fmt: skip
"""Keys of configurations that change no answer: where something came from, and what the loader is told anyway."""
USED_OF_GENERATION = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Keys of generation_config.json that answers depend on; decoding is the evaluation's own
(eval/responders/local.py).
"""
_CHUNK = 2**24


def folder_digest(folder: Path) -> str:
    """Digest (32 hex digits) of all that decides the answers of a model's or adapter's folder.

    Tensors by name, type, shape and bytes, however they are sharded; configuration, tokenizer, processor, chat template
    and code; where the folder lies does not enter. Raises BadInput for weights that cannot be read.
    """
    return _digest(folder, _stamp(folder))


@lru_cache(maxsize=64)
def _digest(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    del stamp  # only tells files that changed from those that did not
    lines = sorted(_tensor_lines(folder))
    if is_adapter(folder):
        lines.append(f"{ADAPTER_CONFIG} {_of_json(folder / ADAPTER_CONFIG, unordered=True)}")
    else:
        lines += [f"{name} {_of_json(folder / name)}" for name in _READ if (folder / name).is_file()]
        lines.append(f"generation {json.dumps(generation_tokens(folder), sort_keys=True)}")
        whole = sorted({path for pattern in _READ_WHOLE for path in folder.glob(pattern)})
        lines += [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}" for path in whole]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and no model."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / MODEL_CONFIG).is_file()


def belongs_to(wanted: str, folder: Path) -> bool:
    """Whether `wanted` is the digest of a model folder, as it is made now or as it was until version 0.1."""
    return wanted in (folder_digest(folder), digest_by_files(folder))


def digest_by_files(folder: Path) -> str:
    """The digest that runs and adapters were saved with until version 0.1: of weight files, tokenizer and config."""
    files = sorted(folder.glob("*.safetensors")) + sorted(folder.glob("tokenizer*.json")) + [folder / MODEL_CONFIG]
    lines = [f"{file.name} {file_sha256(file)}" for file in files if file.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def weight_files(folder: Path) -> list[Path]:
    """The files that the loader reads weights from, in the order in which it looks for them."""
    if is_adapter(folder):
        return [folder / ADAPTER_WEIGHTS] if (folder / ADAPTER_WEIGHTS).is_file() else []
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if not (folder / INDEX).is_file():
        return []
    try:
        named = json.loads((folder / INDEX).read_text())["weight_map"].values()
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise BadInput(
            str(folder / INDEX), f"is no index of weights ({error})", "copy the model's files again"
        ) from error
    files = [folder / str(name) for name in sorted(set(named))]
    for file in files:
        if not file.is_file():
            raise BadInput(str(folder), f"lacks {file.name}, which its index names", "copy the model's files again")
    return files


def generation_tokens(folder: Path) -> dict[str, JsonValue]:
    """Of generation_config.json what answers depend on; empty without that file."""
    path = folder / "generation_config.json"
    if not path.is_file():
        return {}
    found = _read_json(path)
    return {name: found[name] for name in USED_OF_GENERATION if name in found} if isinstance(found, dict) else {}


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and len(path.relative_to(folder).parts) <= 2)
    stats = [(path, path.stat()) for path in files]
    return tuple((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _tensor_lines(folder: Path) -> Iterator[str]:
    for file in weight_files(folder):
        try:
            with file.open("rb") as handle:
                length = int.from_bytes(handle.read(8), "little")
                if length >= file.stat().st_size:
                    raise ValueError("is too short for its header")
                header = json.loads(handle.read(length))
                for name, entry in header.items():
                    if name == "__metadata__":
                        continue
                    begin, end = entry["data_offsets"]
                    handle.seek(8 + length + begin)
                    content = hashlib.sha256()
                    for start in range(begin, end, _CHUNK):
                        content.update(handle.read(min(_CHUNK, end - start)))
                    yield f"{name} {entry['dtype']} {entry['shape']} {content.hexdigest()}"
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(str(file), "is no safetensors file, or is cut off", "copy the file again") from error


def _of_json(path: Path, *, unordered: bool = False) -> str:
    found = without_silent(_read_json(path), unordered=unordered)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _read_json(path: Path) -> JsonValue:
    try:
        return cast("JsonValue", json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise BadInput(str(path), "is not JSON", "copy the file again") from error


def without_silent(value: JsonValue, *, unordered: bool) -> JsonValue:
    """The value without keys that change nothing; of `unordered` ones (peft writes sets) also the lists sorted."""
    if isinstance(value, dict):
        return {key: without_silent(each, unordered=unordered) for key, each in value.items() if key not in _SILENT}
    if isinstance(value, list):
        parts = [without_silent(each, unordered=unordered) for each in value]
        return sorted(parts, key=json.dumps) if unordered else parts
    return value
