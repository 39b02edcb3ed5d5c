"""A build on disk: its batches, and the state of an artifact's folder while its stage is at work and after."""

import json
import logging
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe
from schemas.storage.artifacts import MANIFEST, TIMING, FileEntry, Manifest, file_entry, read_manifest, write_json
from schemas.storage.atomic_files import PART
from schemas.storage.tables import file_sha256
from schemas.vocabulary import Stage

log = logging.getLogger(__name__)

CARD = "README.md"
"""The dataset's card, which its maintainer may edit."""
MARKS = "unfinished"
"""Folder of the marks of finished shards; removed when the manifest is written."""


@dataclass(frozen=True)
class BuildFolder:
    """One batch of a build on disk: `<path>/<stage>/<batch>/`."""

    path: Path
    recipe: BuildRecipe
    """With the selection of this batch."""
    batch: int = 0
    earlier: tuple["BuildFolder", ...] = ()
    """The batches before this one, from batch 0."""
    followed: bool = False
    """A later batch was added: the files of the dataset that all batches share are that one's."""

    def artifact(self, stage: Stage) -> Path:
        """Folder of a stage's artifact in the current batch."""
        return self.path / stage / str(self.batch)


def standing_manifest(build: BuildFolder, stage: Stage, key: str) -> Manifest | None:
    """The manifest if the artifact is up to date: its key is this one, and its files are there in full size.

    Of files outside of the artifact (the dataset) only the newest batch says that they are there: it lists them all.
    The card of the dataset may have another size, since its maintainer writes in it.
    """
    folder = build.artifact(stage)
    manifest = read_manifest(folder)
    if manifest is None or manifest.key != key:
        return None
    wanted = [entry for entry in manifest.files if not (build.followed and entry.path.startswith("../"))]
    return manifest if all(_is_whole(folder / entry.path, entry) for entry in wanted) else None


def _is_whole(path: Path, entry: FileEntry) -> bool:
    by_hand = entry.path.startswith("../") and path.name == CARD
    return path.is_file() and (by_hand or path.stat().st_size == entry.bytes)


def check_bytes(folder: Path) -> None:
    """Refuse an input whose tables are not the bytes that its manifest names."""
    manifest = read_manifest(folder)
    for entry in manifest.files if manifest is not None else ():
        path = folder / entry.path
        if path.suffix == ".parquet" and path.parent == folder and file_sha256(path) != entry.sha256:
            advice = f"delete {folder} and run the command again"
            raise BadInput(str(path), "is not what its manifest says (another sha256)", advice)


def make_room(folder: Path, key: str) -> None:
    """Empty the folder of anything made under another key; keep the finished shards of this one."""
    mark = folder / MARKS / "key.json"
    if _marked(mark) == key and not (folder / MANIFEST).exists():
        for part in folder.rglob(f"*{PART}"):
            part.unlink()
        return
    if folder.is_file() or folder.parent.is_file():
        raise BadInput(str(folder), "is a file where a stage's folder belongs", "move it away")
    if folder.exists():
        (folder / MANIFEST).unlink(missing_ok=True)  # first: from here on the artifact is unfinished
        shutil.rmtree(folder)
    write_json(mark, key)


def _marked(mark: Path) -> JsonValue:
    """The key that unfinished shards belong to, or None if that cannot be told."""
    try:
        found: JsonValue = json.loads(mark.read_text())
    except (OSError, ValueError):
        return None
    return found


def _is_output(folder: Path, path: Path) -> bool:
    top = path.relative_to(folder).parts[0]
    return top not in (MARKS, MANIFEST, TIMING) and path.suffix != PART


def tally(folder: Path) -> tuple[tuple[FileEntry, ...], dict[str, int], dict[str, int], int]:
    """Files, row counts by table, drops by reason and rows read, from the marks of the shards."""
    rows: dict[str, int] = {}
    rows_in = 0
    drops: Counter[str] = Counter()
    for mark in sorted((folder / MARKS).glob("*-*.json")):
        content = json.loads(mark.read_text())
        rows.update(content["rows"])
        drops.update(content["drops"])
        rows_in += content["rows_in"]
    files: list[FileEntry] = []
    by_table: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and _is_output(folder, path)):
        count = rows.get(path.name)
        files.append(file_entry(folder, path, count))
        if count is not None:
            by_table[path.name.rsplit("-", 1)[0].split("-")[0]] += count
    return tuple(files), dict(sorted(by_table.items())), dict(sorted(drops.items())), rows_in
