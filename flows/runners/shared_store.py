"""Storage that machines without a common folder share: files of a build, under any address that fsspec knows.

Every machine works on a folder of its own; what it needs it pulls, and what it has made it pushes, marks and manifests
last, so that what is marked is there. Nothing is taken for part of an artifact because it lies in its folder: the
manifest, or before there is one the marks, say what is.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from fsspec.core import url_to_fs

from flows.pipeline.build_folder import MARKS
from schemas.errors import BadInput, Unfinished
from schemas.storage.artifacts import MANIFEST, TIMING, read_manifest, write_atomically
from schemas.storage.atomic_files import PART
from schemas.vocabulary import Stage

log = logging.getLogger(__name__)

PROBE_FILE = ".ppubench-probe"
STATE = f"{MARKS}/key.json"
"""Where a stage at work says what it is made under: there the key stands with the digest of what it reads."""
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az"})
"""Kinds of storage without folders, where making one would make a bucket: a wrong name is to be said, not made."""


class Store:
    """A live resource: one build's files at an fsspec address, by their places in the build's folder."""

    def __init__(self, url: str) -> None:
        """Raises BadInput for an address of a kind that fsspec does not know or that needs a package more."""
        self.url = url
        try:
            # Others write there too: what was listed a moment ago says nothing.
            self._files, self._root = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as problem:
            advice = "install what it names, or use another kind of address"
            raise BadInput(f"--store {url}", f"cannot be used ({problem})", advice) from problem

    def check(self) -> None:
        """Raise BadInput unless files can be written, read and deleted there."""
        token = b"ppubench"
        try:
            self.write(PROBE_FILE, token)
            read = self.read(PROBE_FILE)
            self._files.rm_file(self._place(PROBE_FILE))
        except Exception as problem:  # noqa: BLE001 - every kind of storage has its own exceptions
            reason = " ".join(str(problem).split()) or type(problem).__name__
            raise BadInput(
                f"--store {self.url}", f"cannot be written to ({reason})", "mend it or name another"
            ) from None
        if read != token:
            raise BadInput(f"--store {self.url}", "does not give back what was written to it", "name another")

    def _place(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _make_folder(self, name: str) -> None:
        kinds = self._files.protocol
        if not BUCKETS.intersection([kinds] if isinstance(kinds, str) else kinds):
            self._files.makedirs(str(PurePosixPath(self._place(name)).parent), exist_ok=True)

    @contextmanager
    def _at_work(self, name: str) -> Iterator[None]:
        """What goes wrong at the storage is said in a line; nothing that was done is lost by it."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as problem:
            reason = " ".join(str(problem).split()) or type(problem).__name__
            raise Unfinished(f"{self.url}: {name}: {type(problem).__name__}: {reason}") from problem

    def write(self, name: str, content: bytes) -> None:
        """Write a small file."""
        with self._at_work(name):
            self._make_folder(name)
            self._files.pipe_file(self._place(name), content)

    def read(self, name: str) -> bytes | None:
        """Content of a small file, or None if there is none."""
        try:
            with self._at_work(name):
                content: bytes = self._files.cat_file(self._place(name))
        except FileNotFoundError:
            return None
        return content

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file right in a folder of the build, by its name; nothing if there is no such folder."""
        try:
            with self._at_work(folder):
                self._files.invalidate_cache()
                entries = self._files.ls(self._place(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {PurePosixPath(one["name"]).name: int(one["size"]) for one in entries if one["type"] == "file"}

    def folders(self, folder: str) -> list[str]:
        """Names of the folders right in a folder of the build."""
        try:
            with self._at_work(folder):
                entries = self._files.ls(self._place(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(PurePosixPath(one["name"]).name for one in entries if one["type"] == "directory")

    def push(self, build: Path, names: Iterable[str]) -> None:
        """Upload files of the build's folder, in the order given."""
        for name in names:
            with self._at_work(name):
                self._make_folder(name)
                self._files.put_file(str(build / name), self._place(name))

    def pull(self, build: Path, names: Iterable[str]) -> None:
        """Download files into the build's folder, whole or not at all; those that are not there are left out."""
        for name in names:
            content = self.read(name)
            if content is not None:
                write_atomically(build / name, content)

    def pull_whole(self, build: Path, name: str, *, sha256: str) -> None:
        """Download a file of a finished artifact; raise BadInput where it is not what the manifest says."""
        content = self.read(name)
        if content is None or hashlib.sha256(content).hexdigest() != sha256:
            found = "is not there, though a manifest names it" if content is None else "has another sha256"
            advice = f"delete {PurePosixPath(name).parent} there and run the command again"
            raise BadInput(f"{self.url}/{name}", f"is not what its manifest says ({found})", advice)
        write_atomically(build / name, content)

    def clear(self, folder: str, *, first: str) -> None:
        """Delete a folder of the build, and of it one file first: the one that says that the others are there."""
        with self._at_work(folder):
            self._files.invalidate_cache()
            if self._files.exists(self._place(f"{folder}/{first}")):
                self._files.rm_file(self._place(f"{folder}/{first}"))
            if self._files.exists(self._place(folder)):
                self._files.rm(self._place(folder), recursive=True)

    def forget(self, name: str) -> None:
        """Delete a file."""
        with self._at_work(name):
            self._files.rm_file(self._place(name))

    def push_artifact(self, build: Path, stage: Stage, batch: int) -> None:
        """Upload a finished artifact, its manifest last, unless the very same is there; another one goes first."""
        folder = f"{stage}/{batch}"
        if self.read(f"{folder}/{MANIFEST}") == (build / folder / MANIFEST).read_bytes():
            return
        manifest = read_manifest(build / folder)
        tables = [entry.path for entry in manifest.files if "/" not in entry.path] if manifest is not None else []
        self.clear(folder, first=MANIFEST)
        self.push(build, [*(f"{folder}/{name}" for name in tables), f"{folder}/{MANIFEST}"])

    def begin(self, build: Path, stage: Stage, batch: int, state: str) -> None:
        """Make room for a stage at work: what another state left there goes, and what stands here is uploaded."""
        folder = f"{stage}/{batch}"
        if not self.holds(stage, batch, state):
            self.clear(folder, first=MANIFEST)
            self.write(f"{folder}/{STATE}", state.encode())
        there = self.sizes(folder) | {f"{MARKS}/{name}": size for name, size in self.sizes(f"{folder}/{MARKS}").items()}
        here = {
            path.relative_to(build / folder).as_posix(): path.stat().st_size
            for path in (build / folder).rglob("*")
            if path.is_file() and path.suffix != PART
        }
        missing = [name for name, size in here.items() if name not in (TIMING, STATE) and there.get(name) != size]
        marks_last = sorted(missing, key=lambda name: (name.startswith(MARKS), name))
        self.push(build, [f"{folder}/{name}" for name in marks_last])

    def holds(self, stage: Stage, batch: int, state: str) -> bool:
        """Whether a stage at work was begun there in this state."""
        return self.read(f"{stage}/{batch}/{STATE}") == state.encode()
