"""Reading a dump into a folder, in rounds: people first, then what their statements name; killed, it goes on."""

import hashlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BadInput
from schemas.storage.artifacts import digest, write_json
from schemas.storage.tables import Record
from sources.dump.blocks import Place
from sources.dump.entity_filter import Kept, PeopleRule, may_be_kept, number_of, read_line
from sources.dump.lines import MARK, SHOWN_BYTES, BadLine, Batch, CutDump, Mark, begins_as_array, dump_lines
from sources.dump.store import DumpStore
from sources.dump.streams import read_blocks

FORMAT = 1
MANIFEST = "dump.json"
COMMIT_BYTES = 32 * 2**20
"""Decompressed bytes after which what was kept is written: at most so much is read again after a kill."""
HEAD_BYTES = 2**20
"""Of the file, which tell one dump from another."""

Advance = Callable[[int, int], None]
"""Bytes of the file that were read, and its size."""


class DumpManifest(Record):
    """What a finished extraction holds. Written last: no manifest means unfinished."""

    format: int = FORMAT
    dump: str
    """Name of the dump's file."""
    dump_bytes: int
    request: str
    """Digest of the dump's beginning, the rule and the QIDs asked for."""
    rule: PeopleRule | None
    asked: int
    """QIDs asked for; 0 with a rule."""
    people: int
    values: int
    """Entities that the people's statements name, and what those lie in or are instances of."""
    lines: int
    bytes: int
    """Of the decompressed dump."""
    bad_lines: int
    cut: bool
    """The dump ended too early, and was taken as it is."""
    missing: tuple[str, ...]
    """QIDs asked for that the dump does not hold: deleted, merged (a dump has no redirects), or on a bad line."""
    identity: str


class RoundState(Record):
    """How far a round got."""

    round_: int = 1
    offset: int = 0
    position: int = 0
    before: int = 0
    ended: bool = False
    lines: int = 0
    """Of the first round."""
    bytes: int = 0
    cut: bool = False

    @property
    def mark(self) -> Mark:
        """Where the round goes on."""
        return Mark(self.offset, Place(self.position, self.before), self.ended)

    def at(self, mark: Mark, lines: int) -> "RoundState":
        """The same round, so much further."""
        found = {"offset": mark.offset, "position": mark.place.position, "before": mark.place.before}
        return self.model_copy(update={**found, "ended": mark.ended, "lines": self.lines + lines})


@dataclass(frozen=True)
class Wish:
    """What a round keeps: people of a rule, or entities by number."""

    rule: PeopleRule | None
    numbers: Set[int]
    blanked: frozenset[str]
    """Properties whose values are not stored."""


def request_digest(dump: Path, wish: Wish, *, size: int) -> str:
    """Says whether an extraction is of the same dump and the same people. `size` is what the dump had, in bytes."""
    with dump.open("rb") as file:
        head = hashlib.sha256(file.read(min(size, HEAD_BYTES))).hexdigest()
    rule = wish.rule.model_dump(mode="json") if wish.rule else None
    return digest({"head": head, "rule": rule, "numbers": [*sorted(wish.numbers)], "blanked": [*sorted(wish.blanked)]})


def read_progress(store: DumpStore) -> RoundState:
    """Where the extraction in a store stands; its start, if it has not begun."""
    text = store.state("progress")
    return RoundState() if text is None else RoundState.model_validate_json(text)


def read_round(
    dump: Path,
    store: DumpStore,
    wish: Wish,
    *,
    allow_cut: bool,
    threads: int,
    advance: Advance,
    commit_bytes: int = COMMIT_BYTES,
) -> None:
    """Read the dump from where the store stands to its end, and keep what is wished for.

    Memory does not grow with the dump. Raises BadInput if it ends too early, unless that is allowed; what was read is
    kept, and the same call goes on once the file is complete.
    """
    progress = read_progress(store)
    round_ = progress.round_
    is_array = begins_as_array(dump, read_blocks(dump, Place(), threads=1))
    batches = dump_lines(read_blocks(dump, progress.mark.place, threads=threads), progress.mark, is_array=is_array)
    size, written, cut = dump.stat().st_size, progress.offset, False
    kept, bad = list[Kept](), list[BadLine]()
    try:
        for batch in batches:
            lines = _sift(batch, wish, kept, bad)
            progress = progress.at(batch.after, lines if round_ == 1 else 0)
            advance(batch.read, size)
            if progress.offset - written >= commit_bytes:
                store.write(kept, bad, {"progress": progress.model_dump_json()}, round_=round_)
                kept, bad, written = [], [], progress.offset
    except CutDump as end:
        cut = True
        if not allow_cut:
            store.write(kept, bad, {"progress": progress.model_dump_json()}, round_=round_)
            where = "in the middle of a line" if end.half else "before the end of its array"
            found = f"ends {where}, after {progress.offset:,} bytes of JSON"
            advice = "complete the download and run the same command, or take what there is with --allow-cut"
            raise BadInput(str(dump), found, advice) from None
        bad += [end.half] if end.half else []
    finished = progress.model_copy(update={"bytes": progress.offset, "cut": cut}) if round_ == 1 else progress
    following = RoundState(round_=round_ + 1, lines=finished.lines, bytes=finished.bytes, cut=finished.cut)
    store.write(kept, bad, {"progress": following.model_dump_json()}, round_=round_)


def _sift(batch: Batch, wish: Wish, kept: list[Kept], bad: list[BadLine]) -> int:
    """Put what is wanted of the lines into `kept` and what is no entity into `bad`; returns the number of entities."""
    if batch.too_long is not None:
        bad.append(batch.too_long)
    offset, entities = batch.offset, 0
    for whole in batch.lines:
        line = whole
        if not (line.startswith(b"{") and line.endswith((b"},", b"}"))):  # Else it is one of millions of good ones.
            line = line.removeprefix(MARK).strip(b" \t\r,")
        if line.startswith(b"{") and line.endswith((b"},", b"}")):
            entities += 1
            if (
                may_be_kept(line, wish.rule)
                if wish.rule is not None
                else number_of(line.rstrip(b","), wish.numbers) in wish.numbers
            ):
                found = _read(line.rstrip(b","), wish, offset, bad)
                if found is not None:
                    kept.append(found)
        elif line not in (b"", b"[", b"]"):
            bad.append(BadLine(offset, "the line is no JSON object", line[:SHOWN_BYTES]))
        offset += len(whole) + 1
    return entities


def _read(line: bytes, wish: Wish, offset: int, bad: list[BadLine]) -> Kept | None:
    try:
        return read_line(line, wish.blanked, wish.rule)
    except (ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        bad.append(BadLine(offset, problem, line[:SHOWN_BYTES]))
        number = number_of(line.rstrip(b","))
        return Kept(qid=f"Q{number}", problem=problem, is_person=True) if number >= 0 else None


def write_manifest(folder: Path, manifest: DumpManifest) -> None:
    """Finish the extraction."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def read_manifest(folder: Path) -> DumpManifest | None:
    """The manifest of a finished extraction, or None. Raises BadInput for one that is damaged or newer."""
    path = folder / MANIFEST
    try:
        return DumpManifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        reason = str(error).splitlines()[0]
        found = f"is no manifest of a dump ({reason})"
        raise BadInput(str(path), found, f"delete {folder} and extract again") from error
