"""Answers kept on disk, by request: a second build from the same cache needs no network."""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BadInput
from schemas.storage.artifacts import write_atomically
from schemas.storage.tables import Record

CACHE_VERSION = 1
VERSION_FILE = "cache-version"


class Stored(Record):
    """What is kept beside a body."""

    url: str
    status: int
    content_type: str
    etag: str
    retrieved: str
    """ISO 8601, UTC."""
    sha256: str
    """Of the body, so that a damaged file counts as absent."""
    deflated: bool


@dataclass(frozen=True)
class Answer:
    """Status and decoded body of an answer, fresh or from the cache."""

    status: int
    content_type: str
    body: bytes


def request_key(url: str, params: Mapping[str, str]) -> str:
    """sha256 of a GET request: the logical URL (no port of a stand-in server) and its parameters, sorted."""
    text = json.dumps(["GET", url, sorted(params.items())], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ResponseCache:
    """A folder of answers; safe for threads and for several processes, since files appear by rename.

    A stand-in's answers and the real ones are never kept in one folder, since their keys are the same.
    Raises BadInput where the folder was written by another version or kind, or cannot be used.
    """

    def __init__(self, folder: Path, *, stand_in: bool) -> None:
        self._folder = folder
        kind = f"{CACHE_VERSION} of a stand-in" if stand_in else str(CACHE_VERSION)
        marker = folder / VERSION_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = marker.read_text().strip() if marker.exists() else ""
            if not found:
                if any(not entry.name.startswith(VERSION_FILE) for entry in folder.iterdir()):
                    raise BadInput(str(folder), "is not empty and no response cache", "name another cache folder")
                write_atomically(marker, f"{kind}\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(str(folder), f"cannot be used as a cache ({error})", "name another cache folder") from error
        if found and found != kind:
            raise BadInput(
                str(folder),
                f"is a response cache of version {found[:30]!r}, not {kind!r}",
                "delete it or name another cache folder",
            )

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def get(self, key: str, *, redact: Callable[[Answer], Answer] = lambda answer: answer) -> Answer | None:
        """The stored answer, or None if there is none or its file is damaged.

        `redact` takes out what is not to be read; what an earlier version kept of it goes from the disk as well.
        """
        try:
            head, _, body = self._path(key).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        try:
            stored = Stored.model_validate_json(head)
            content = zlib.decompress(body) if stored.deflated else body
        except (ValidationError, zlib.error):
            return None
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            return None
        answer = Answer(status=stored.status, content_type=stored.content_type, body=content)
        redacted = redact(answer)
        if redacted.body != answer.body:
            self.put(key, redacted, url=stored.url, etag=stored.etag, retrieved=stored.retrieved)
        return redacted

    def put(self, key: str, answer: Answer, *, url: str, etag: str, retrieved: str) -> None:
        """Keep an answer; the file appears whole or not at all."""
        deflated = answer.content_type.startswith(("application/json", "application/sparql", "text/"))
        stored = Stored(
            url=url,
            status=answer.status,
            content_type=answer.content_type,
            etag=etag,
            retrieved=retrieved,
            sha256=hashlib.sha256(answer.body).hexdigest(),
            deflated=deflated,
        )
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as part:
                part.write(stored.model_dump_json().encode() + b"\n")
                part.write(zlib.compress(answer.body, 6) if deflated else answer.body)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
