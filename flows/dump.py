"""From Wikidata's dump to a folder that serves as a source: people, what their statements name, and what those need."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from curation.properties import PropertyTable, load_properties
from curation.values import further_values, needed_values
from flows.build import LOCK, locked
from schemas.entities import Entity
from schemas.problems import BadInput
from schemas.tables import Record
from sources.dump import read_stored
from sources.dump_entities import PeopleRule
from sources.dump_extract import (
    COMMIT_BYTES,
    DumpManifest,
    Progress,
    Wish,
    read_manifest,
    read_progress,
    read_round,
    request_digest,
    write_manifest,
)
from sources.dump_lines import BadLine
from sources.dump_store import FILE, DumpStore
from sources.dump_streams import compression_of

log = logging.getLogger(__name__)

ROUNDS = ("people", "values", "classes")
"""What each reading of the dump is for: people; what their statements name; what those are or lie in."""
SHOWN_LINES = 5
_QID = re.compile(r"Q[1-9]\d{0,17}")
_MEGABYTE = 1_000_000
_BATCH = 500

Show = Callable[[str, int, int], None]
"""Name of a round, done, total."""


class DumpReport(Record):
    """What `ppubench dump` says at its end."""

    folder: str
    manifest: DumpManifest
    bad_lines: tuple[str, ...]
    """The first of them, in words."""
    done_before: bool
    """There was nothing left to do."""


def extract(
    dump: Path,
    out: Path,
    *,
    rule: PeopleRule | None = None,
    qids: frozenset[str] = frozenset(),
    allow_cut: bool = False,
    progress: Show = lambda stage, done, total: None,
    threads: int | None = None,
    commit_bytes: int = COMMIT_BYTES,
) -> DumpReport:
    """Read the dump in three rounds and keep the people of a rule, or those named, with all that their facts need.

    Killed, it goes on where it was. Of contact data and the like, which policy excludes, no value is kept.
    Raises BadInput for a file that is no dump, a dump that ends too early (unless `allow_cut`), and a folder of
    another extraction.
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
        manifest = _manifest(dump, store, request, rule, numbers)
    write_manifest(out, manifest)
    return _report(out, manifest, done_before=False)


def read_qids(path: Path) -> frozenset[str]:
    """QIDs of a text or CSV file: the first column of every line, under a heading or not, "#" starts a comment.

    Raises BadInput with the number of the first line that has none.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"cannot be read ({error})", "name a text file with a QID on every line") from None
    found: set[str] = set()
    for number, line in enumerate(lines, start=1):
        fields = re.split(r"[,;\s]+", line.partition("#")[0].strip(), maxsplit=1)
        if _QID.fullmatch(fields[0]):
            found.add(fields[0])
        elif fields[0] and not (number == 1 and not fields[0].startswith("Q")):
            raise BadInput(f"{path}, line {number}", f"{fields[0][:40]!r} is no QID", "write QIDs such as Q42")
    if not found:
        raise BadInput(str(path), "names nobody", "write one QID a line")
    return frozenset(found)


def _never_stored(table: PropertyTable) -> frozenset[str]:
    """Excluded properties whose values are nobody's business; other excluded ones say whom and what an item is."""
    excluded = (row for row in table.by_id.values() if row.policy == "exclude")
    return frozenset(row.id for row in excluded if row.sensitivity not in ("public", "biographical"))


def _is_unfinished(out: Path, dump: Path, wish: Wish) -> bool:
    """Whether the folder is empty, or an unfinished extraction of the same people from this dump, or its beginning."""
    if not out.is_dir():
        return False
    if not (out / FILE).is_file():
        return all(path.name == LOCK for path in out.iterdir())
    with closing(DumpStore(out, writing=False)) as store:
        request, size = store.state("request"), int(store.state("size") or 0)
    return request is None or (dump.stat().st_size >= size and request == request_digest(dump, wish, size=size))


def _entities(store: DumpStore, numbers: list[int]) -> Iterator[list[Entity]]:
    for start in range(0, len(numbers), _BATCH):
        read = map(read_stored, store.entities(numbers[start : start + _BATCH]).values())
        yield [entity for entity in read if isinstance(entity, Entity)]


def _needed(store: DumpStore, table: PropertyTable) -> frozenset[int]:
    """Numbers of the items that the people's facts and occupation groups are read from."""
    found: set[int] = set()
    for people in _entities(store, store.numbers(round_=1)):
        for person in people:
            found.update(int(qid[1:]) for qid in (*needed_values(person, table), *person.items("P106")))
    return frozenset(found)


def _still_needed(store: DumpStore, table: PropertyTable, round_: int) -> frozenset[int]:
    """Numbers of the items that the second or third round looks for; the same whenever a round goes on."""
    needed = _needed(store, table)
    if round_ == 2:
        return needed - frozenset(store.numbers(round_=1))
    found: set[int] = set()
    for values in _entities(store, sorted(needed)):
        further = further_values({value.qid: value for value in values}, table)
        found.update(int(qid[1:]) for qid in further)
    return frozenset(found - set(store.numbers(round_=1)) - set(store.numbers(round_=2)))


def _megabytes(progress: Show, name: str) -> Callable[[int, int], None]:
    return lambda done, size: progress(f"{name} (MB)", done // _MEGABYTE, max(size // _MEGABYTE, 1))


def _manifest(
    dump: Path, store: DumpStore, request: str, rule: PeopleRule | None, numbers: frozenset[int]
) -> DumpManifest:
    done: Progress = read_progress(store)
    missing = sorted(numbers - set(store.numbers(round_=1)))
    return DumpManifest(
        dump=dump.name,
        dump_bytes=dump.stat().st_size,
        request=request,
        rule=rule,
        asked=len(numbers),
        people=store.count(round_=1),
        values=store.count(round_=2) + store.count(round_=3),
        lines=done.lines,
        bytes=done.bytes,
        bad_lines=len(store.bad_lines()),
        cut=done.cut,
        missing=tuple(f"Q{number}" for number in missing),
        identity=f"dump:{store.digest()}",
    )


def _report(out: Path, manifest: DumpManifest, *, done_before: bool) -> DumpReport:
    with closing(DumpStore(out, writing=False)) as store:
        shown = tuple(_in_words(line) for line in store.bad_lines()[:SHOWN_LINES])
    return DumpReport(folder=str(out), manifest=manifest, bad_lines=shown, done_before=done_before)


def _in_words(line: BadLine) -> str:
    head = line.head[:40].decode("utf-8", "replace")
    return f"at byte {line.offset:,} of the JSON: {line.problem} (it begins {head!r})"
