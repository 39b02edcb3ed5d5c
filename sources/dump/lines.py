"""The lines of a dump: an array with one entity a line, or one entity a line without the array."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer
from sources.dump.blocks import START, Block, CutStream, Place

LONGEST_LINE_BYTES = 32 * 2**20
"""Wikidata refuses entities of more than a few megabytes; a longer line is skipped without being held in memory."""
SHOWN_BYTES = 80
MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs put first."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no entity."""

    offset: int
    """Decompressed bytes before it."""
    problem: str
    head: bytes
    """Its first bytes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """From where to go on: the start of a line."""

    offset: int = 0
    """Decompressed bytes before it."""
    place: Place = START
    """The last place at or before it."""
    ended: bool = False
    """The array's end was read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Neighbouring lines, without their ends."""

    offset: int
    """Decompressed bytes before them."""
    lines: list[bytes]
    too_long: BadLine | None
    """A line before them that was skipped."""
    after: Mark
    read: int
    """Bytes of the file that were read so far."""


class CutDump(Exception):
    """The dump ends too early. `half` is the line in whose middle it ends, if it does."""

    def __init__(self, half: BadLine | None) -> None:
        self.half = half
        super().__init__("the dump ends too early")


def begins_as_array(path: Path, blocks: Iterator[Block]) -> bool:
    """Whether the dump is an array ("[" on a line of its own); raises BadInput if its beginning is not a dump's."""
    text, cut = b"", False
    try:
        while len(text) < 3 or (text.startswith(b"[") and not text[1:].strip()):
            block = next(blocks, None)
            if block is None:
                break
            text = (text + block.content[:SHOWN_BYTES]).removeprefix(MARK).lstrip()
    except CutStream:
        cut = True
    if text.startswith(b"{") or (text.startswith(b"[") and text[1:].lstrip(b" \t\r").startswith(b"\n")):
        return text.startswith(b"[")
    if text == b"[" or (cut and not text):
        raise BadInput(str(path), "ends before its first line", "complete the download and run the same command")
    shown = text[:40].decode("utf-8", "replace")
    if text.startswith(b"["):
        raise BadInput(str(path), f"does not have one entity a line (it begins {shown!r})", "use Wikidata's own layout")
    if is_pointer(text):
        raise BadInput(str(path), FOUND, ADVICE)
    advice = "name a JSON dump of entities, such as latest-all.json.gz"
    raise BadInput(str(path), f"is no entity dump (it begins {shown!r})" if shown else "holds nothing", advice)


def dump_lines(
    blocks: Iterator[Block], start: Mark, *, is_array: bool, longest: int = LONGEST_LINE_BYTES
) -> Iterator[Batch]:
    """The lines from a mark on, one batch a block; what lies before the mark is skipped without being looked at.

    Raises CutDump after the last batch if the dump ends within a line, or if the array has no end.
    """
    begun, offset, place, ended = b"", start.offset, start.place, start.ended  # The line under way and its start.
    length, read, whole = 0, 0, True
    while True:
        try:
            block = next(blocks, None)
        except CutStream:
            block, whole = None, False
        if block is None:
            break
        read = block.read
        content = block.content[max(start.offset - block.start, 0) :]
        newline = content.rfind(b"\n") + 1
        if not newline:
            begun, length = _begun(begun, content, length, longest)
            place = place if length > len(content) else block.place
            continue
        too_long: BadLine | None = None
        if length + content.find(b"\n") > longest:
            cut_off = content.find(b"\n") + 1
            too_long = BadLine(offset, f"the line is longer than {longest:,} bytes", begun[:SHOWN_BYTES])
            lines = content[cut_off:newline].split(b"\n")[:-1]
            first = offset + length + cut_off
        else:
            lines, first = (begun + content[:newline]).split(b"\n")[:-1], offset
        ended = _ends(lines, ended)
        offset += length + newline
        begun, length = _begun(b"", content[newline:], 0, longest)
        place = block.place
        yield Batch(first, lines, too_long, Mark(offset, place, ended), read)
    yield from _last_line(begun, length, longest, is_array, Mark(offset, place, ended), read, whole=whole)


def _begun(begun: bytes, more: bytes, length: int, longest: int) -> tuple[bytes, int]:
    """The beginning of a line that went on, and its full length; of a line that is too long only its head is kept."""
    length += len(more)
    return (begun + more if length <= longest else (begun + more[:SHOWN_BYTES])[:SHOWN_BYTES]), length


def _ends(lines: list[bytes], ended: bool) -> bool:
    """Whether the last line with anything on it is the array's end."""
    last = next((line for line in reversed(lines) if line.strip()), None)
    return ended if last is None else last.strip() == b"]"


def _last_line(
    begun: bytes, length: int, longest: int, is_array: bool, at: Mark, read: int, *, whole: bool
) -> Iterator[Batch]:
    """What stands after the last line end; raises CutDump where something is missing after it."""
    text = begun.strip()
    if length > longest:
        raise CutDump(BadLine(at.offset, f"the line is longer than {longest:,} bytes", begun[:SHOWN_BYTES]))
    ended = at.ended or (is_array and text == b"]")
    if text and not ended:
        if is_array or not whole or not text.endswith(b"}"):
            raise CutDump(BadLine(at.offset, "the dump ends in the middle of the line", text[:SHOWN_BYTES]))
        yield Batch(at.offset, [text], None, Mark(at.offset + length, at.place, ended), read)
    if not ended and (is_array or not whole):
        raise CutDump(None)
