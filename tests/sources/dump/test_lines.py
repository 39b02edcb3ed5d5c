"""The lines of a dump, however its blocks are cut, from any line on, with what is not a line of a dump."""

import bz2
import gzip
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadInput
from sources.dump.blocks import Block, CutStream, Place
from sources.dump.lines import Batch, CutDump, Mark, begins_as_array, dump_lines
from sources.dump.streams import read_blocks

ARRAY = b'[\n{"id":"Q1"},\n{"id":"Q22"},\n\n,\n{"id":"Q333"}\n]\n'
LINES = ARRAY.split(b"\n")[:-1]


def blocks(content: bytes, cuts: list[int] | None = None, *, cut_stream: bool = False) -> Iterator[Block]:
    edges = [0, *sorted(cut % (len(content) + 1) for cut in cuts or []), len(content)]
    for start, end in pairwise(edges):
        if end > start:
            yield Block(content[start:end], start, Place(start, start), end)
    if cut_stream:
        raise CutStream


def batches(
    content: bytes, cuts: list[int] | None = None, start: Mark | None = None, longest: int = 100
) -> list[Batch]:
    return list(dump_lines(blocks(content, cuts), start or Mark(), is_array=True, longest=longest))


@given(st.lists(st.integers(0, len(ARRAY)), max_size=12))
def test_blocks_may_be_cut_anywhere(cuts: list[int]) -> None:
    found = batches(ARRAY, cuts)
    assert [line for batch in found for line in batch.lines] == LINES
    for batch in found:
        assert ARRAY[batch.offset :].startswith(b"\n".join(batch.lines))


@given(st.lists(st.integers(0, len(ARRAY)), max_size=12), st.data())
def test_reading_goes_on_from_the_mark_after_any_batch(cuts: list[int], data: st.DataObject) -> None:
    found = batches(ARRAY, cuts)
    number = data.draw(st.integers(0, len(found) - 1))
    mark = found[number].after
    assert mark.place.before <= mark.offset
    before = [line for batch in found[: number + 1] for line in batch.lines]
    rest = [
        Block(block.content, block.start, block.place, block.read)
        for block in blocks(ARRAY, cuts)
        if block.start >= mark.place.before
    ]
    after = [line for batch in dump_lines(iter(rest), mark, is_array=True) for line in batch.lines]
    assert before + after == LINES


@given(st.lists(st.integers(0, 400), max_size=12))
def test_a_huge_line_is_skipped_wherever_blocks_are_cut(cuts: list[int]) -> None:
    content = b"[\n{1},\n" + b"x" * 300 + b"\n{2}\n]\n"
    found = batches(content, [*cuts, *range(60, 300, 60)])  # A block is shorter than the longest line.
    assert [line for batch in found for line in batch.lines if line.startswith(b"{")] == [b"{1},", b"{2}"]
    assert all(content[batch.offset :].startswith(b"\n".join(batch.lines)) for batch in found)
    [bad] = [batch.too_long for batch in found if batch.too_long]
    assert (bad.offset, bad.problem) == (7, "the line is longer than 100 bytes")
    assert len(bad.head) <= 80


@pytest.mark.parametrize("cut", [5, 14, 20])
def test_a_dump_cut_in_mid_line_says_where(cut: int) -> None:
    with pytest.raises(CutDump) as caught:
        batches(ARRAY[:cut])
    half = caught.value.half
    assert (
        half is None
        if ARRAY[:cut].endswith(b"\n")
        else half is not None and ARRAY[half.offset - 1 : half.offset] == b"\n"
    )


def test_an_array_without_its_end_is_cut_also_at_a_line_end() -> None:
    with pytest.raises(CutDump) as caught:
        batches(b'[\n{"id":"Q1"},\n')
    assert caught.value.half is None


def test_a_whole_array_may_lack_the_last_line_end() -> None:
    assert [line for batch in batches(ARRAY[:-1]) for line in batch.lines] == LINES[:-1]


def test_lines_without_an_array_need_no_end() -> None:
    found = list(dump_lines(blocks(b'{"id":"Q1"}\n{"id":"Q2"}'), Mark(), is_array=False))
    assert [line for batch in found for line in batch.lines] == [b'{"id":"Q1"}', b'{"id":"Q2"}']


def test_lines_without_an_array_from_a_cut_stream_are_cut() -> None:
    with pytest.raises(CutDump) as caught:
        list(dump_lines(blocks(b'{"id":"Q1"}\n{"id":"Q2"}', cut_stream=True), Mark(), is_array=False))
    assert caught.value.half is not None
    assert caught.value.half.offset == 12


def test_going_on_after_the_end_of_the_array_is_the_end() -> None:
    last = batches(ARRAY)[-1].after
    assert batches(ARRAY, start=last) == []


@pytest.mark.parametrize(
    ("content", "is_array"),
    [
        (b"[\n{}\n]", True),
        (b"\xef\xbb\xbf[\r\n{}", True),
        (b'{"id":1}\n', False),
        (b" \n[ \n{}", True),
        (b"[\n\n\n", True),
    ],
    ids=["array", "byte order mark", "lines", "blanks", "empty lines"],
)
def test_the_beginning_says_whether_it_is_an_array(content: bytes, is_array: bool) -> None:
    assert begins_as_array(Path("dump"), blocks(content, [1, 2])) is is_array


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'[{"id":"Q1"},{"id":"Q2"}]', "does not have one entity a line"),
        (b"<mediawiki xmlns=", "is no entity dump .*mediawiki"),
        (b"<!DOCTYPE html>", "is no entity dump"),
        (b"\n \n", "holds nothing"),
    ],
    ids=["one line", "xml", "html", "blanks"],
)
def test_what_does_not_begin_like_a_dump_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(BadInput, match=found):
        begins_as_array(Path("dump"), blocks(content))


@pytest.mark.parametrize("content", [b"", b"\n ", b"["], ids=["empty", "blanks", "bracket"])
def test_a_stream_cut_before_its_first_line_ends_too_early(content: bytes) -> None:
    with pytest.raises(BadInput, match="ends before its first line; complete the download"):
        begins_as_array(Path("dump"), blocks(content, cut_stream=True))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd.compress])
def test_a_file_cut_inside_its_first_block_ends_too_early(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "dump").write_bytes(pack(ARRAY * 100)[:12])
    with pytest.raises(BadInput, match="ends before its first line"):
        begins_as_array(tmp_path / "dump", read_blocks(tmp_path / "dump", Place(), threads=1))
