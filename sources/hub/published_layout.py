"""Dataset folders of another layout, such as a clone of the published benchmark, seen in the layout of our exports."""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from schemas.errors import BadInput

SPLIT_NAMES = ("complete_split.json", "selective_split.json", "persona_split.json")
_SPLIT_PLACES = ("data/split", "split", "splits", ".")


PARQUET = frozenset({".parquet"})


def data_suffix(file: Path) -> str:
    """How a data file's name ends: `.parquet`, or `.json.gz` with both halves where it is compressed."""
    return "".join(file.suffixes[-2:]) if file.suffix == ".gz" else file.suffix


def data_configs(folder: Path, suffixes: Collection[str] = PARQUET) -> dict[str, tuple[Path, ...]]:
    """Data files by config, as the card's `configs` say; without a card, by the folder that they lie in."""
    found = _configs_of_card(folder / "README.md", suffixes)
    if not found:
        for file in sorted(folder.rglob("*")):
            if data_suffix(file) in suffixes:
                found.setdefault(file.parent.name, []).append(file)
    return {name: tuple(dict.fromkeys(files)) for name, files in sorted(found.items()) if files}


def split_files(folder: Path, splits: Path | None) -> dict[str, Path]:
    """The published split files by name: those of `splits` where it is given, else those that the folder has."""
    if splits is not None:
        found = {name: splits / name for name in SPLIT_NAMES if (splits / name).is_file()}
        if not found:
            advice = "name the folder that holds them (data/split of the published code)"
            raise BadInput(str(splits), f"has none of {', '.join(SPLIT_NAMES)}", advice)
        return found
    return {
        name: folder / place / name
        for name in SPLIT_NAMES
        for place in reversed(_SPLIT_PLACES)
        if (folder / place / name).is_file()
    }


def is_export(folder: Path, splits: Path | None) -> bool:
    """Whether the folder has our layout already, so that it can be read as it is."""
    return splits is None and any((folder / "data").glob("*/*.parquet"))


def view_as_export(folder: Path, view: Path, *, splits: Path | None) -> Path:
    """Links in `view` that show the folder in our layout: data/<config>/*.parquet, data/split/*.json, its pictures.

    Raises BadInput for a folder without any Parquet file. What stood in `view` is replaced; nothing is copied.
    """
    configs = data_configs(folder)
    if not configs:
        raise BadInput(str(folder), "holds no Parquet file", "name a build, an exported dataset, or a clone of one")
    part = view.with_name(f"{view.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    for config, files in configs.items():
        (part / "data" / config).mkdir(parents=True, exist_ok=True)
        names = _names(files)
        for file in files:
            (part / "data" / config / names[file]).symlink_to(file.absolute())
    (part / "data" / "split").mkdir(parents=True, exist_ok=True)
    for name, file in split_files(folder, splits).items():
        (part / "data" / "split" / name).symlink_to(file.absolute())
    for entry in sorted(folder.iterdir()):
        if entry.name != "data" and not entry.name.startswith("."):
            (part / entry.name).symlink_to(entry.absolute())
    shutil.rmtree(view, ignore_errors=True)
    part.rename(view)
    return view


def _names(files: tuple[Path, ...]) -> Mapping[Path, str]:
    """File names in the order of the files; those of several folders are numbered, so that none hides another."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return dict(zip(files, names, strict=True))
    return {file: f"{number:05d}-{file.name}" for number, file in enumerate(files)}


def card_metadata(card: Path) -> Mapping[str, object]:
    """What stands at the head of a card; empty where there is no card, no head, or one that is no YAML."""
    if not card.is_file():
        return {}
    front = card.read_text(encoding="utf-8", errors="replace").removeprefix("---\n").partition("\n---")[0]
    try:
        content = yaml.safe_load(front)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _configs_of_card(card: Path, suffixes: Collection[str]) -> dict[str, list[Path]]:
    entries = card_metadata(card).get("configs")
    found: dict[str, list[Path]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or "config_name" not in entry:
            continue
        name = str(entry["config_name"])
        if "/" in name or name.startswith("."):
            raise BadInput(str(card), f"has a config called {name!r}", "a config's name is no path")
        for pattern in _patterns(entry.get("data_files")):
            found.setdefault(name, []).extend(_matches(card.parent, pattern, suffixes))
    return found


def _patterns(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _patterns(value.get("path"))
    return [pattern for each in value for pattern in _patterns(each)] if isinstance(value, list) else []


def _matches(folder: Path, pattern: str, suffixes: Collection[str]) -> list[Path]:
    if pattern.startswith(("/", "..")) or "://" in pattern:
        return []
    return [file for file in sorted(folder.glob(pattern)) if data_suffix(file) in suffixes]
