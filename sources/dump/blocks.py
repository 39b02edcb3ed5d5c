"""Decompressed pieces of a dump, and the places in the file from which they can be read again."""

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput

BLOCK_BYTES = 4 * 2**20
"""Most decompressed bytes of a block (a bzip2 block that is one long run may have more)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where decompression can start: how far into the file, and how many decompressed bytes lie before it."""

    position: int = 0
    """In bytes; in bits for bzip2, whose blocks begin anywhere in a byte."""
    before: int = 0


START = Place()


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the decompressed dump."""

    content: bytes
    start: int
    """Decompressed bytes before it."""
    place: Place
    """The last place at or before its start."""
    read: int
    """Bytes of the file that were read so far."""


class CutStream(Exception):
    """The file ends before its end. Everything that could be had was handed out before."""


def damaged(path: Path, position: int, reason: str) -> BadInput:
    """The error of a file whose compressed bytes are not what was written."""
    found = f"is damaged near byte {position:,} ({reason})"
    return BadInput(str(path), found, "compare it with the published checksum and download it again")
