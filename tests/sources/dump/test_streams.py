"""A dump's bytes out of every compression, from any place on, whole, cut or damaged."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadInput
from sources.dump.blocks import START, Block, CutStream, Place
from sources.dump.bzip2 import BLOCK_MARK, END_MARK, Span, bzip2_blocks, decompressed, find_marks, joined, spans
from sources.dump.streams import compression_of, read_blocks

CONTENT = b"".join(b"%d:%s\n" % (number, Random(number).randbytes(40).hex().encode()) for number in range(6000))
"""Half a megabyte: six blocks of bzip2's smallest size."""
THIRD = len(CONTENT) // 3

PACKED: dict[str, Callable[[], bytes]] = {
    "plain": lambda: CONTENT,
    "gzip": lambda: gzip.compress(CONTENT),
    "gzip-members": lambda: b"".join(gzip.compress(CONTENT[at : at + THIRD]) for at in range(0, len(CONTENT), THIRD)),
    "gzip-padded": lambda: gzip.compress(CONTENT) + bytes(512),
    "bzip2": lambda: bz2.compress(CONTENT, 1),
    "bzip2-streams": lambda: b"".join(
        bz2.compress(CONTENT[at : at + THIRD], 1) for at in range(0, len(CONTENT), THIRD)
    ),
    "zstd": lambda: zstd.compress(CONTENT),
    "zstd-frames": lambda: b"".join(zstd.compress(CONTENT[at : at + THIRD]) for at in range(0, len(CONTENT), THIRD)),
}


def packed(tmp_path: Path, name: str, *, without: int = 0) -> Path:
    path = tmp_path / "dump"
    content = PACKED[name]()
    path.write_bytes(content[: len(content) - without])
    return path


def read(path: Path, start: Place = START) -> list[Block]:
    return list(read_blocks(path, start, threads=2))


@pytest.mark.parametrize("name", PACKED)
def test_every_compression_gives_the_bytes_that_went_in(tmp_path: Path, name: str) -> None:
    blocks = read(packed(tmp_path, name))
    assert b"".join(block.content for block in blocks) == CONTENT
    assert [block.start for block in blocks[1:]] == [block.start + len(block.content) for block in blocks[:-1]]


@pytest.mark.parametrize(
    ("name", "places"), [("gzip-members", 3), ("zstd-frames", 3), ("bzip2", 6), ("bzip2-streams", 6)]
)
def test_reading_starts_again_at_members_frames_and_bzip2_blocks(tmp_path: Path, name: str, places: int) -> None:
    path = packed(tmp_path, name)
    found = sorted({block.place for block in read(path)}, key=lambda place: place.before)
    assert len(found) >= places
    for place in found:
        assert b"".join(block.content for block in read(path, place)) == CONTENT[place.before :]


@pytest.mark.parametrize("name", ["gzip", "gzip-members", "bzip2", "bzip2-streams", "zstd", "zstd-frames"])
def test_a_cut_file_gives_what_can_be_had_and_then_says_so(tmp_path: Path, name: str) -> None:
    blocks = read_blocks(packed(tmp_path, name, without=30_000), START, threads=2)
    found = b""

    def drain() -> None:
        nonlocal found
        for block in blocks:
            found += block.content

    with pytest.raises(CutStream):
        drain()
    assert CONTENT.startswith(found)
    assert len(found) > len(CONTENT) // 3 or name == "zstd"  # One frame of one zstd block has nothing before its end.


@pytest.mark.parametrize("name", ["gzip", "bzip2"])
def test_damaged_bytes_are_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path, name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is damaged near byte"):
        read(path)


def test_the_compression_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "latest-all.json.gz"
    path.write_bytes(bz2.compress(b"[\n]\n"))
    assert compression_of(path) == "bzip2"
    assert b"".join(block.content for block in read(path)) == b"[\n]\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (lzma.compress(b"["), "is compressed with xz"),
        (b"PK\3\4", "with zip"),
    ],
    ids=["missing", "empty", "xz", "zip"],
)
def test_what_can_be_no_dump_is_refused(tmp_path: Path, content: bytes | None, found: str) -> None:
    path = tmp_path / "dump.json.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=found):
        compression_of(path)


def test_a_folder_is_no_dump(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        compression_of(tmp_path)


@pytest.mark.parametrize("shift", range(8))
def test_a_mark_is_found_at_any_bit_of_a_byte(shift: int) -> None:
    bits = (BLOCK_MARK << 48 | END_MARK) << (16 - shift)
    data = bytes(3) + bits.to_bytes(14, "big") + bytes(2)
    assert find_marks(data, upto=len(data)) == [(24 + shift, True), (24 + shift + 48, False)]


@given(st.binary(max_size=400_000), st.integers(1, 3))
def test_bzip2_blocks_give_what_went_in(tmp_path_factory: pytest.TempPathFactory, content: bytes, level: int) -> None:
    path = tmp_path_factory.mktemp("bz2") / "dump"
    path.write_bytes(bz2.compress(content, level))
    assert b"".join(block.content for block in bzip2_blocks(path, START, threads=2)) == content


def test_bits_that_only_look_like_a_mark_are_joined_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path, "bzip2")
    with path.open("rb") as file:
        found = list(spans(file, 0, path))
    first = found[0]
    cut = first.length // 2
    parts = [
        Span(first.start, cut, first.bits >> (first.length - cut), True),
        Span(first.start + cut, first.length - cut, first.bits & ((1 << (first.length - cut)) - 1), True),
    ]
    assert joined(*parts) == first
    assert decompressed(parts[0]) is None
    monkeypatch.setattr("sources.dump.bzip2.spans", lambda file, bit, path: iter([*parts, *found[1:]]))
    assert b"".join(block.content for block in bzip2_blocks(path, START, threads=2)) == CONTENT
