"""A model on disk: whether a name can be one, and digests of weights; asked before torch is imported."""

import hashlib
import json
from pathlib import Path

from schemas.errors import BadInput
from schemas.storage.tables import file_sha256

BASE_FILE = "base.json"
"""Beside a saved adapter: the digest of the weights that it belongs to."""


def check_model_folder(named: str) -> None:
    """Raise BadInput for what is neither a model folder nor of the form of a Hub id, NAME or OWNER/NAME."""
    looks_local = named.startswith((".", "/", "~")) or Path(named).exists() or named.count("/") > 1 or not named
    if looks_local and not (Path(named) / "config.json").is_file():
        found = "has no config.json" if Path(named).is_dir() else "no such folder"
        raise BadInput(named, found, "name a model folder as save_pretrained writes it, or a Hub id")


def check_adapter_folder(folder: Path) -> None:
    """Raise BadInput for a folder without an adapter that can be loaded."""
    if not (folder / "adapter_config.json").is_file():
        raise BadInput(str(folder), "has no adapter_config.json", "name a folder with a saved adapter")
    if not (folder / "adapter_model.safetensors").is_file():
        raise BadInput(str(folder), "has no adapter_model.safetensors", "pickled adapters are not loaded; convert it")


def check_base(adapter: Path, *, base: str) -> None:
    """Raise BadInput where an adapter says that it was trained on other weights than those of the folder `base`."""
    file = adapter / BASE_FILE
    if file.is_file() and Path(base).is_dir():
        wanted, found = json.loads(file.read_text())["weights"], digest_of_weights(Path(base))
        if wanted != found:
            raise BadInput(
                str(adapter), f"was trained on weights {wanted}, but {base} has {found}", "name the base it belongs to"
            )


def digest_of_weights(folder: Path) -> str:
    """Digest (32 hex digits) of a model folder's weights and tokenizer; where the folder lies does not enter."""
    files = sorted(folder.glob("*.safetensors")) + sorted(folder.glob("tokenizer*.json")) + [folder / "config.json"]
    lines = [f"{file.name} {file_sha256(file)}" for file in files if file.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def base_digest(model: str) -> str:
    """Digest of a model folder's weights; of a Hub id, the id itself."""
    return digest_of_weights(Path(model)) if Path(model).is_dir() else f"hub:{model}"
