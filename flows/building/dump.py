"""From Wikidata's dump to a folder that serves as a source: people, what their statements name, and what those need."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from curation.facts.linked_entities import further_values, needed_values
from curation.facts.properties import PropertyTable, load_properties
from curation.subjects.roster import COLUMNS, read_roster
from flows.pipeline.build_identity import LOCK, locked
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.records.entities import Entity
from schemas.storage.tables import Record
from sources.dump.entity_filter import PeopleRule
from sources.dump.extract import (
    COMMIT_BYTES,
    DumpManifest,
    RoundState,
    Wish,
    read_manifest,
    read_progress,
    read_round,
    request_digest,
    write_manifest,
)
from sources.dump.lines import BadLine
from sources.dump.source import read_stored
from sources.dump.store import FILE, DumpStore
from sources.dump.streams import compression_of
from sources.wikimedia.entity_parser import QID
from sources.wikimedia.redaction import CONTACT

log = logging.getLogger(__name__)

ROUNDS = ("people", "values", "classes")
"""What each reading of the dump is for: people; what their statements name; what those are or lie in."""
SHOWN_LINES = 5
_CELL_END = re.compile(r"[,;\s]+")
_LIKE_A_QID = re.compile(r"[Qq]?\d")
_MEGABYTE = 1_000_000
_BATCH = 50
"""Entities in memory at once: a person with their statements takes 0.1 MB."""


class DumpReport(Record):
    """What `ppubench dump` says at its end."""

    folder: str
    manifest: DumpManifest
    bad_lines: tuple[str, ...]
    """The first of them, in words."""
    done_before: bool
    """There was nothing left to do."""
    without_qid: tuple[str, ...] = ()
    """Names on the list of people that have no QID there; a dump is not searched by name."""


class Asked(Record):
    """Who a list of people asks for."""

    qids: frozenset[str]
    without_qid: tuple[str, ...] = ()


def extract(
    dump: Path,
    out: Path,
    *,
    rule: PeopleRule | None = None,
    qids: frozenset[str] = frozenset(),
    allow_cut: bool = False,
    progress: Progress = silent,
    threads: int | None = None,
    commit_bytes: int = COMMIT_BYTES,
) -> DumpReport:
    """Read the dump in three rounds and keep the people of a rule, or those named, with all that their facts need.

    Killed, it goes on where it was. Of contact data and the like, which policy excludes, no value is kept.
    Raises BadInput for a file that is no dump, a dump that ends too early (unless `allow_cut`), and a folder of
    another extraction. One that took a cut dump as it was starts again once the dump has grown.
    """
    compression_of(dump)
    table = load_properties()
    blanked = _never_stored(table)
    numbers = frozenset(int(qid[1:]) for qid in qids)
    size, wish = dump.stat().st_size, Wish(rule, numbers, blanked)
    finished = read_manifest(out)
    request = request_digest(dump, wish, size=size)
    if finished is not None and finished.request == request and finished.dump_bytes == size:
        return _report(out, finished, done_before=True)
    if finished is not None or (out.exists() and not _is_unfinished(out, dump, wish)):
        raise BadInput(str(out), "holds something else than this extraction", "name another folder with --out")
    with locked(out), closing(DumpStore(out, writing=True)) as store:
        _begin(store, dump, size, allow_cut=allow_cut)
        store.write([], [], {"request": request, "size": str(size)}, round_=1)
        for number, name in enumerate(ROUNDS, start=1):
            needed = wish if number == 1 else Wish(None, _still_needed(store, table, number), wish.blanked)
            if read_progress(store).round_ == number:
                log.info("reading %s for %s", dump.name, f"{len(needed.numbers):,} {name}" if needed.numbers else name)
                read_round(
                    dump,
                    store,
                    needed,
                    allow_cut=allow_cut,
                    threads=threads or len(os.sched_getaffinity(0)),
                    advance=_megabytes(progress, name),
                    commit_bytes=commit_bytes,
                )
            if number == 1 and not store.count(round_=1):
                raise BadInput(str(dump), "holds none of the people asked for", f"delete {out} and ask for others")
        manifest = _manifest(dump.name, size, store, request, rule, numbers)
    write_manifest(out, manifest)
    return _report(out, manifest, done_before=False)


def read_qids(path: Path) -> Asked:
    """Whom a file asks for: a roster (CSV with a heading, as a build reads it), or QIDs in the first column.

    The latter may have a heading, further columns, quotes, and commas, semicolons or blanks; "#" starts a comment.
    Raises BadInput with the number of the first line that is neither, and for a file without any QID.
    """
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"cannot be read ({error})", "name a text file with a QID on every line") from None
    head = [cell.strip(' "').casefold() for cell in next(filter(None, lines), "").split(",")]
    is_roster = set(head) <= set(COLUMNS) or (head[0] != "qid" and not set(head).isdisjoint(COLUMNS))
    asked = _of_roster(path) if is_roster else _of_list(path, lines)
    if not asked.qids:
        raise BadInput(str(path), "names nobody by QID", "write one QID a line, or a roster with a column qid")
    return asked


def _of_roster(path: Path) -> Asked:
    lines = read_roster(path, remarks=True)
    return Asked(
        qids=frozenset(_checked(path, line.line, line.qid) for line in lines if line.qid),
        without_qid=tuple(line.name for line in lines if not line.qid),
    )


def _of_list(path: Path, lines: list[str]) -> Asked:
    cells = [(number, _CELL_END.split(line)[0].strip('"')) for number, line in enumerate(lines, start=1) if line]
    if cells and not _LIKE_A_QID.match(cells[0][1]):  # A heading.
        del cells[0]
    return Asked(qids=frozenset(_checked(path, number, qid) for number, qid in cells))


def _checked(path: Path, number: int, qid: str) -> str:
    if not QID.fullmatch(qid):
        raise BadInput(f"{path}, line {number}", f"{qid[:40]!r} is no QID", "write QIDs such as Q42")
    return qid


def _never_stored(table: PropertyTable) -> frozenset[str]:
    """Excluded properties whose values are nobody's business, and all that gives an address.

    Other excluded ones say whom and what an item is.
    """
    excluded = (row for row in table.by_id.values() if row.policy == "exclude")
    return CONTACT | {row.id for row in excluded if row.sensitivity not in ("public", "biographical")}


def _begin(store: DumpStore, dump: Path, size: int, *, allow_cut: bool) -> None:
    """Let an extraction of a dump that was cut start again if the dump has grown; else it is still cut."""
    if not read_progress(store).cut:
        return
    if size > int(store.state("size") or 0):
        log.warning("%s was taken cut and has grown since: it is read from its start", dump.name)
        store.clear()
    elif not allow_cut:
        advice = "complete the download and run the same command, or take what there is with --allow-cut"
        raise BadInput(str(dump), "ends too early, and the extraction was begun with --allow-cut", advice)


def _is_unfinished(out: Path, dump: Path, wish: Wish) -> bool:
    """Whether the folder is empty, or an unfinished extraction of the same people from this dump, or its beginning."""
    if not out.is_dir():
        return False
    if not (out / FILE).is_file():
        return all(path.name == LOCK for path in out.iterdir())
    with closing(DumpStore(out, writing=False)) as store:
        request, size = store.state("request"), int(store.state("size") or 0)
    return request is None or (dump.stat().st_size >= size and request == request_digest(dump, wish, size=size))


def _entities(store: DumpStore, numbers: list[int]) -> list[Entity]:
    return [entity for entity in map(read_stored, store.entities(numbers).values()) if isinstance(entity, Entity)]


def _people(store: DumpStore) -> Iterator[Entity]:
    """The people of the first round, a few in memory at once."""
    last = 0
    while numbers := store.numbers(round_=1, after=last, limit=_BATCH):
        yield from _entities(store, numbers)
        last = numbers[-1]


def _needed(store: DumpStore, table: PropertyTable) -> set[int]:
    """Numbers of the items that the people's facts and occupation groups are read from."""
    found: set[int] = set()
    for person in _people(store):
        found.update(int(qid[1:]) for qid in (*needed_values(person, table), *person.items("P106")))
    return found


def _still_needed(store: DumpStore, table: PropertyTable, round_: int) -> set[int]:
    """Numbers of the items that the second or third round looks for; the same whenever a round goes on."""
    needed = _needed(store, table)
    if round_ == 2:
        store.discard_kept(needed, before=2)
        return needed
    found: set[int] = set()
    numbers = sorted(needed)
    for start in range(0, len(numbers), _BATCH):
        values = {value.qid: value for value in _entities(store, numbers[start : start + _BATCH])}
        found.update(int(qid[1:]) for qid in further_values(values, table))
    store.discard_kept(found, before=3)
    return found


def _megabytes(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, size: progress(f"{name} (MB)", done // _MEGABYTE, max(size // _MEGABYTE, 1))


def _manifest(
    dump: str, size: int, store: DumpStore, request: str, rule: PeopleRule | None, numbers: frozenset[int]
) -> DumpManifest:
    done: RoundState = read_progress(store)
    missing = set(numbers)
    store.discard_kept(missing, before=2)
    return DumpManifest(
        dump=dump,
        dump_bytes=size,
        request=request,
        rule=rule,
        asked=len(numbers),
        people=store.count(round_=1),
        values=store.count(round_=2) + store.count(round_=3),
        lines=done.lines,
        bytes=done.bytes,
        bad_lines=len(store.bad_lines()),
        cut=done.cut,
        missing=tuple(f"Q{number}" for number in sorted(missing)),
        identity=f"dump:{store.digest()}",
    )


def _report(out: Path, manifest: DumpManifest, *, done_before: bool) -> DumpReport:
    with closing(DumpStore(out, writing=False)) as store:
        shown = tuple(_in_words(line) for line in store.bad_lines()[:SHOWN_LINES])
    return DumpReport(folder=str(out), manifest=manifest, bad_lines=shown, done_before=done_before)


def _in_words(line: BadLine) -> str:
    head = line.head[:40].decode("utf-8", "replace")
    return f"at byte {line.offset:,} of the JSON: {line.problem} (it begins {head!r})"
