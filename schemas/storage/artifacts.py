"""Stage folders: `<build>/<stage>/<batch>/` holds tables and, written last by rename, manifest.json."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue, ValidationError

from schemas.errors import BadInput
from schemas.storage.atomic_files import replacing
from schemas.storage.tables import Record, file_sha256
from schemas.vocabulary import Stage

log = logging.getLogger(__name__)

FORMAT = 1
"""Version of the build folder's layout. A folder with a larger number was written by a newer ppubench."""

MANIFEST = "manifest.json"
TIMING = "timing.txt"
"""When a stage ran and how long; kept out of the manifest, so that two equal builds have equal manifests."""
LIBRARIES = ("datasets", "imagehash", "numpy", "pillow", "pyarrow", "pydantic", "torch", "transformers")


class FileEntry(Record):
    """One file of an artifact."""

    path: str
    """Relative to the artifact's folder, with forward slashes; `../../hub/…` for the exported dataset."""
    sha256: str
    bytes: int
    rows: int | None


class Manifest(Record):
    """What a finished stage made, from what. No manifest means unfinished."""

    format: int = FORMAT
    stage: Stage
    batch: Annotated[int, Field(ge=0)]
    version: int
    """Of the stage's code: raised when its output changes."""
    key: str
    config: dict[str, JsonValue]
    inputs: dict[str, str]
    """Keys of the artifacts read, by `<stage>/<batch>`, and of anything else that was read (source, target)."""
    rows_in: int
    rows_out: dict[str, int]
    """Rows by table."""
    drops: dict[str, int]
    """Dropped rows by reason."""
    files: tuple[FileEntry, ...]
    libraries: dict[str, str]
    notes: dict[str, JsonValue] = {}
    """Figures that a reader of the stage wants: shares, radii, counts."""


def cache_folder() -> Path:
    """Where what several builds and runs share is kept: $PPUBENCH_CACHE, or ~/.cache/ppubench.

    Where there is no home that can be written, .cache/ppubench of the folder that the command runs in.
    """
    if named := os.environ.get("PPUBENCH_CACHE"):
        return Path(named).expanduser()
    beside = Path(".cache/ppubench").resolve()
    try:
        at_home = Path("~/.cache/ppubench").expanduser()
    except RuntimeError:  # no HOME, and nobody of this number among the users
        return beside
    return at_home if _takes_files(at_home) else beside


@cache
def _takes_files(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        log.info("%s: %s; what builds and runs share is kept in .cache/ppubench instead", folder, problem.strerror)
        return False
    return os.access(folder, os.W_OK)


def digest(value: JsonValue) -> str:
    """sha256 (first 32 hex digits) of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def stage_key(stage: str, version: int, config: Mapping[str, JsonValue], inputs: Mapping[str, str]) -> str:
    """The digest that says whether a stage's artifact is up to date."""
    return digest({"stage": stage, "version": version, "config": dict(config), "inputs": dict(inputs)})


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries whose behaviour reaches the output."""
    return {name: _installed(name) for name in LIBRARIES}


@cache
def _installed(name: str) -> str:
    return version(name)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader sees the old content or the new one, never half."""
    with replacing(path) as part, part.open("wb") as handle:
        handle.write(content.encode() if isinstance(content, str) else content)
        handle.flush()
        os.fsync(handle.fileno())


def write_json(path: Path, value: JsonValue) -> None:
    """Write a JSON file atomically, keys sorted, so that the same value gives the same bytes."""
    write_atomically(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Finish an artifact: from here on its key stands."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def write_timing(folder: Path, started: datetime, seconds: float) -> None:
    """Note when a stage started (UTC) and how long it took."""
    write_atomically(folder / TIMING, f"{started.isoformat(timespec='seconds')} {seconds:.3f}\n")


def read_seconds(folder: Path) -> float | None:
    """How long the stage took when it last ran, or None if that is not noted."""
    try:
        return float((folder / TIMING).read_text().split()[1])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished artifact, or None if the stage has not finished there."""
    path = folder / MANIFEST
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
            raise BadInput(
                str(path), f"format {found['format']} is newer than this ppubench ({FORMAT})", "upgrade ppubench"
            )
        return Manifest.model_validate(found)
    except (json.JSONDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(str(path), f"is not a manifest ({reason})", f"delete {folder} and build again") from error


def file_entry(folder: Path, path: Path, rows: int | None) -> FileEntry:
    """Describe a file by its place seen from `folder`."""
    return FileEntry(
        path=Path(os.path.relpath(path, folder)).as_posix(),
        sha256=file_sha256(path),
        bytes=path.stat().st_size,
        rows=rows,
    )
