"""A dump file as blocks, whatever its compression, which is told by its first bytes and not by its name."""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol

from schemas.errors import BadInput
from sources.dump.blocks import BLOCK_BYTES, Block, CutStream, Place, damaged
from sources.dump.bzip2 import bzip2_blocks

Compression = Literal["none", "gzip", "bzip2", "zstd"]

READ_BYTES = 2**18
BLOCKS_AHEAD = 3
"""Decompressed while the caller works on one: lines with people take long, others no time."""
_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    *((bytes((0x50 + digit, 0x2A, 0x4D, 0x18)), "zstd") for digit in range(16)),  # pzstd begins with such a frame.
)
_OTHER_MAGIC = {b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"\x04\x22\x4d\x18": "lz4"}


class Decompressor(Protocol):
    """What the decompressors of one gzip member and of one zstd frame have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def compression_of(path: Path) -> Compression:
    """The compression of a file; raises BadInput for a file that can be no dump."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "name Wikidata's dump, such as latest-all.json.gz") from None
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})", "name a dump file") from None
    if not head:
        raise BadInput(str(path), "is empty", "download the dump again")
    for magic, name in _OTHER_MAGIC.items():
        if head.startswith(magic):
            raise BadInput(str(path), f"is compressed with {name}", "compress it with gzip, bzip2 or zstd instead")
    return next((compression for magic, compression in _MAGIC if head.startswith(magic)), "none")


def read_blocks(path: Path, start: Place, *, threads: int) -> Iterator[Block]:
    """The decompressed dump from a place on; decompression runs in threads of its own, beside the caller.

    `threads` is used by bzip2, whose blocks do not depend on each other; gzip and zstd are read by one thread.
    Raises CutStream after the last block if the file ends too early, and BadInput where its bytes are damaged.
    """
    match compression_of(path):
        case "bzip2":
            return _ahead(bzip2_blocks(path, start, threads=threads))
        case "gzip":
            return _ahead(_member_blocks(path, start, _Gunzip, zlib.error))
        case "zstd":
            return _ahead(_member_blocks(path, start, *_zstd()))
        case "none":
            return _ahead(_plain_blocks(path, start))


def _ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, the next ones being made, in order and by one thread, while the caller works on one."""
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(next, blocks, None) for _ in range(BLOCKS_AHEAD))
        while (block := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, blocks, None))
            yield block


def _plain_blocks(path: Path, start: Place) -> Iterator[Block]:
    with path.open("rb") as file:
        file.seek(start.position)
        position = start.position
        while content := file.read(BLOCK_BYTES):
            yield Block(content, position, Place(position, position), position + len(content))
            position += len(content)


def _zstd() -> tuple[Callable[[], Decompressor], type[Exception]]:
    try:
        from backports.zstd import ZstdDecompressor, ZstdError
    except ImportError:
        raise BadInput("a dump in zstd", "needs a package more", "pip install 'ppubench[dump]'") from None
    return ZstdDecompressor, ZstdError


def _member_blocks(
    path: Path, start: Place, opened: Callable[[], Decompressor], error: type[Exception]
) -> Iterator[Block]:
    """Blocks of a file of gzip members or zstd frames, one after the other; each of them is a place to start at."""
    with path.open("rb") as file:
        file.seek(start.position)
        place, total, data = start, start.before, b""
        decompressor: Decompressor | None = None
        while True:
            if not data and (decompressor is None or decompressor.needs_input):
                data = file.read(READ_BYTES)
                if not data:
                    break
            if decompressor is None:
                data = data.lstrip(b"\0")  # Padding after the last member.
                if not data:
                    continue
                place, decompressor = Place(file.tell() - len(data), total), opened()
            try:
                content = decompressor.decompress(data, BLOCK_BYTES)
            except error as problem:
                raise damaged(path, file.tell(), str(problem)) from problem
            data = b""
            if content:
                yield Block(content, total, place, file.tell())
                total += len(content)
            if decompressor.eof:
                data, decompressor = decompressor.unused_data, None
        if decompressor is not None:
            raise CutStream
