"""bzip2 decompressed block by block in several threads: blocks begin at any bit, and are found by their mark."""

import bz2
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from pathlib import Path

from sources.dump.blocks import Block, CutStream, Place, damaged

BLOCK_MARK, END_MARK = 0x314159265359, 0x177245385090
"""The 48 bits at the start of a block (pi) and at the end of a stream (the root of pi)."""
MARK_BITS, CHECKSUM_BITS = 48, 32
CHUNK_BYTES = 2**20
LONGEST_SPAN_BYTES = 8 * 2**20
"""Of compressed data without a mark: more than any block has."""
MOST_JOINED = 4
"""Spans tried as one block, where bits inside a block look like a mark (once in a terabyte)."""
_HEADER = int.from_bytes(b"BZh9", "big")


@dataclass(frozen=True, slots=True)
class Span:
    """The bits from one mark to the next, as a number."""

    start: int
    """Bits of the file before it."""
    length: int
    """In bits."""
    bits: int
    is_block: bool
    """It begins with the mark of a block, not with the end of a stream."""


def find_marks(data: bytes, *, upto: int) -> list[tuple[int, bool]]:
    """(bit, is it a block's mark) of every mark in the data that begins before byte `upto`, in order."""
    found: list[tuple[int, bool]] = []
    padded = data + b"\0"
    for mark, is_block in ((BLOCK_MARK, True), (END_MARK, False)):
        for shift in range(8):
            wanted = mark << (8 - shift)
            mask = ((1 << MARK_BITS) - 1) << (8 - shift)
            whole = wanted.to_bytes(7, "big")[1:6]  # The bytes that the mark fills whatever lies around it.
            at = padded.find(whole, 1)
            while at >= 0 and at - 1 < upto:
                if int.from_bytes(padded[at - 1 : at + 6], "big") & mask == wanted:
                    found.append(((at - 1) * 8 + shift, is_block))
                at = padded.find(whole, at + 1)
    return sorted(found)


def spans(file: BufferedReader, start_bit: int, path: Path) -> Iterator[Span]:
    """The spans of a file from a bit on, in order; raises CutStream if it ends within a block."""
    base = start_bit // 8
    file.seek(base)
    data, searched = b"", 0
    marks: list[tuple[int, bool]] = []
    while chunk := file.read(CHUNK_BYTES):
        data += chunk
        upto = max(len(data) - 6, 0)
        fresh = find_marks(data[searched:], upto=upto - searched)
        marks += [(bit + searched * 8, kind) for bit, kind in fresh if base * 8 + searched * 8 + bit >= start_bit]
        searched = upto
        for (bit, is_block), (following, _) in pairwise(marks):
            yield _span(data, bit, following, base, is_block=is_block)
        marks = marks[-1:]
        done = marks[0][0] // 8 if marks else upto
        data, base, searched = data[done:], base + done, searched - done
        marks = [(bit - done * 8, kind) for bit, kind in marks]
        if len(data) > LONGEST_SPAN_BYTES:
            raise damaged(path, base, "no bzip2 block ends here")
    if marks and not marks[0][1]:
        yield _span(data, marks[0][0], len(data) * 8, base, is_block=False)
    else:
        raise CutStream


def _span(data: bytes, bit: int, following: int, base: int, *, is_block: bool) -> Span:
    first, last = bit // 8, -(-following // 8)
    number = int.from_bytes(data[first:last], "big") >> (last * 8 - following)
    length = following - bit
    return Span(base * 8 + bit, length, number & ((1 << length) - 1), is_block)


def decompressed(span: Span) -> bytes | None:
    """The content of a block, or None if the bits are no whole block."""
    if span.length < MARK_BITS + CHECKSUM_BITS:
        return None
    checksum = span.bits >> (span.length - MARK_BITS - CHECKSUM_BITS) & ((1 << CHECKSUM_BITS) - 1)
    whole = _HEADER << span.length | span.bits
    whole = (whole << MARK_BITS | END_MARK) << CHECKSUM_BITS | checksum  # One block's checksum is its stream's.
    length = 32 + span.length + MARK_BITS + CHECKSUM_BITS
    padding = -length % 8
    try:
        return bz2.decompress((whole << padding).to_bytes((length + padding) // 8, "big"))
    except (OSError, ValueError):
        return None


def joined(first: Span, second: Span) -> Span:
    """Two neighbouring spans as one: what lies between was no mark."""
    bits = first.bits << second.length | second.bits
    return Span(first.start, first.length + second.length, bits, first.is_block)


def bzip2_blocks(path: Path, start: Place, *, threads: int) -> Iterator[Block]:
    """The blocks of a bzip2 file from a place on; every one of them is a place to start at."""
    total = start.before
    waiting: deque[tuple[Span, Future[bytes | None]]] = deque()
    cut = False
    with path.open("rb") as file, ThreadPoolExecutor(threads) as pool:
        coming = spans(file, start.position, path)
        while True:
            while not cut and len(waiting) < 2 * threads + MOST_JOINED:
                try:
                    span = next(coming, None)
                except CutStream:
                    span, cut = None, True
                if span is None:
                    break
                waiting.append((span, pool.submit(decompressed, span)))
            if not waiting:
                break
            span, result = waiting.popleft()
            if not span.is_block:
                continue
            content = result.result()
            if content is None:
                content = _rejoined(span, waiting)
            if content is None:
                raise damaged(path, span.start // 8, "a block cannot be decompressed")
            yield Block(content, total, Place(span.start, total), (span.start + span.length) // 8)
            total += len(content)
    if cut:
        raise CutStream


def _rejoined(span: Span, waiting: deque[tuple[Span, Future[bytes | None]]]) -> bytes | None:
    """The content of a block that a false mark has cut, its other parts taken off the queue; None if it is none."""
    for count in range(1, min(MOST_JOINED, len(waiting)) + 1):
        span = joined(span, waiting[count - 1][0])
        if (content := decompressed(span)) is not None:
            for _ in range(count):
                waiting.popleft()
            return content
    return None
