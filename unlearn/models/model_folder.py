"""Models and adapters on disk: whether a name or folder can be one, and of which base; asked before torch comes in."""

import json
from pathlib import Path

from schemas.errors import BadInput
from unlearn.models.digests import ADAPTER_CONFIG, ADAPTER_WEIGHTS, MODEL_CONFIG, belongs_to, folder_digest

BASE_FILE = "base.json"
"""Beside an adapter that ppubench saved: the digest of the weights that it belongs to."""


def check_model_folder(named: str) -> None:
    """Raise BadInput for what is neither a model's folder nor of the form of a Hub id, NAME or OWNER/NAME.

    A folder with an adapter is no model's: with its model beside it, loaders disagree on which of the two it is.
    """
    looks_local = named.startswith((".", "/", "~")) or Path(named).exists() or named.count("/") > 1 or not named
    if (Path(named) / ADAPTER_CONFIG).is_file():
        beside = " beside its model" if (Path(named) / MODEL_CONFIG).is_file() else ", not a model"
        advice = "name the base's folder as --model and a folder with the adapter alone as --adapter"
        raise BadInput(named, f"holds an adapter{beside}", advice)
    if looks_local and not (Path(named) / MODEL_CONFIG).is_file():
        found = f"has no {MODEL_CONFIG}" if Path(named).is_dir() else "no such folder"
        raise BadInput(named, found, "name a model folder as save_pretrained writes it, or a Hub id")


def check_adapter(adapter: Path, *, base: str) -> None:
    """Look at an adapter's folder before any weights are read.

    Raises BadInput as check_adapter_folder does, and for an adapter of another base.
    """
    check_adapter_folder(adapter)
    _check_base(adapter, base=base)


def check_adapter_folder(adapter: Path) -> None:
    """Raise BadInput for a folder without an adapter, with several, or with a pickled one."""
    if not (adapter / ADAPTER_CONFIG).is_file():
        inside = sorted(path.parent.name for path in adapter.glob(f"*/{ADAPTER_CONFIG}"))
        if len(inside) > 1:
            found = f"holds several adapters ({', '.join(inside[:4])})"
            raise BadInput(str(adapter), found, f"name one of them, such as {adapter / inside[0]}")
        advice = f"name {adapter / inside[0]}" if inside else "name a folder with a saved adapter"
        raise BadInput(str(adapter), f"has no {ADAPTER_CONFIG}", advice)
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        pickled = any(adapter.glob("adapter_model.*")) or any(adapter.glob("*.bin"))
        said = ", only pickled weights, which are never loaded because they can run code" if pickled else ""
        raise BadInput(str(adapter), f"has no {ADAPTER_WEIGHTS}{said}", "save the adapter as safetensors")


def _check_base(adapter: Path, *, base: str) -> None:
    """Refuse an adapter that says which weights it belongs to, if they are others."""
    file = adapter / BASE_FILE
    if not Path(base).is_dir():
        return
    if file.is_file():
        wanted = str(json.loads(file.read_text())["weights"])
        if not belongs_to(wanted, Path(base)):
            found = f"was trained on weights {wanted}, but {base} has {folder_digest(Path(base))}"
            raise BadInput(str(adapter), found, "name the base it belongs to")
        return
    try:
        named = str(json.loads((adapter / ADAPTER_CONFIG).read_text()).get("base_model_name_or_path") or "")
    except (ValueError, AttributeError) as error:
        raise BadInput(str(adapter / ADAPTER_CONFIG), "is not an adapter's configuration", "save it again") from error
    other = Path(named)
    if named and (other / MODEL_CONFIG).is_file() and folder_digest(other) != folder_digest(Path(base)):
        raise BadInput(str(adapter), f"was trained on {named}, whose weights {base} does not have", "name its own base")


def base_digest(model: str, *, known: str = "") -> str:
    """Digest of a model folder; of a Hub id, the id itself. `known`, of a record, if it is another digest of the same.

    So runs that were started before digests covered more than files go on, and go on being found.
    """
    if not Path(model).is_dir():
        return f"hub:{model}"
    return known if known and belongs_to(known, Path(model)) else folder_digest(Path(model))
