"""Roster files: who is asked for, line by line, what each name was taken to mean, and the maintainer's decisions."""

import csv
import difflib
import io
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from schemas.errors import BadInput
from schemas.storage.artifacts import write_atomically
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer
from schemas.storage.tables import Record

log = logging.getLogger(__name__)


class RosterLine(Record):
    """One line of a roster, or one entry of a recipe's `subjects`: a name, a QID, or both."""

    line: int
    name: str = ""
    qid: str = ""
    subject_id: str = ""
    """"" lets the build number the subject."""
    complete_rank: int | None = None

    @property
    def asked(self) -> str:
        """What the line asks for, as messages name it."""
        return self.name or self.qid


class Resolution(Record):
    """What a name was taken to mean, or why that is left to the maintainer."""

    asked: str
    qid: str
    """"" where it is doubtful."""
    label: str
    reason: str
    """A reason of schemas.records.drop_reasons where it is doubtful, else ""."""
    note: str
    """What speaks for it, and who else might be meant."""


COLUMNS = ("subject_id", "name", "qid", "complete_rank")

DECISIONS = ("asked", "qid", "reason", "candidates")

LEAVE_OUT = "-"
"""Written as a decision's qid: leave this one out."""

QID = re.compile(r"Q[1-9]\d*")

_ADDRESS = re.compile(
    r"(?:(?:https?:)?(?://)?(?:www\.|m\.)?wikidata\.org/"
    r"(?:(?:wiki|entity)/(?:Special:Entity(?:Data|Page)/|Item:)?|w/index\.php\?title=(?:Item:)?)|wd:|d:|wikidata:|item:)?"
    r"(Q[1-9][0-9]*)(?:\.json)?/?(?:[?#&].*)?",
    re.IGNORECASE,
)
_OTHER_ENTITY = re.compile(r"[PL][1-9][0-9]*|[Qq]0[0-9]*|[A-Za-z][A-Za-z0-9+.-]*://\S+")
_LISTED = re.compile(r"(?:[-*•–+]|\d+[.)])[ \t]+")
"""How a line of a list begins."""
_LINKED = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<address>[^)\s]*)\)|(?P<name>.+?)\s*[(\[](?P<id>[Qq][1-9]\d*)[)\]]")
"""A link in Markdown, and a name with its item in brackets."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How UTF-16 begins."""
_NO_TABLE = (
    (re.compile(rb"PK\x03\x04"), "is a spreadsheet or an archive", "save the table as CSV in UTF-8"),
    (re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE), "is a web page", "download the table itself, as CSV"),
    (re.compile(rb"\s*(?:\[\s*[{\"\]]|\{)"), "is JSON", "download the table as CSV"),
)
"""What people save in a table's place, by how it begins."""

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What parts the cells of tables as programs save them, besides commas."""
DOWNLOADED: Mapping[str, str] = {
    **dict.fromkeys(("item", "person", "human", "entity", "subject", "q", "wikidata", "wikidata_item", "wikidata item",
                     "wikidata id", "wikidata_id", "wikibase_item"), "qid"),
    **dict.fromkeys(("itemlabel", "personlabel", "humanlabel", "entitylabel", "subjectlabel", "label", "title"),
                    "name"),
}  # fmt: skip
"""Our columns by the headings of tables that the query service, PetScan and their like give."""
_UNSEEN = " \t\u00a0\u200b\u200e\u200f\u2060\ufeff"
"""Characters that nobody sees, and that come at the ends of copied text."""
_TAGGED = re.compile(r'"(.*)"(?:@[A-Za-z-]+|\^\^\S+)?')
"""A text of the query service's table with tabs: "Douglas Adams"@en."""
_RULE = re.compile(r":?-{2,}:?")
"""What parts the heading of a table in Markdown from its rows."""

_TOLD_SEPARATOR = re.compile(r"\Asep=.(\r?\n)", re.IGNORECASE)
"""The line by which Excel is told what parts the cells."""

REMARK = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)


def read_roster(path: Path, *, remarks: bool = False) -> list[RosterLine]:
    """The lines of a roster in order, empty ones left out.

    With a header of COLUMNS (any of them, name or qid among them) or of DOWNLOADED (of such a table, other columns are
    left out, which is logged), or without one: a name or a QID a line.
    With `remarks`, what follows a # at the start of a line or after a blank is left out.
    Raises BadInput, naming the line, for anything that cannot be meant, ids and ranks that come twice among it.
    """
    rows = _rows(path, remarks=remarks)
    if not rows:
        raise BadInput(str(path), "is empty", "write a name or a QID a line, or a CSV with a header")
    rows = _without_empty_columns(rows)
    head, rows = _as_ours(path, rows)
    if not set(head) & set(COLUMNS):
        if any(len(cells) > 1 for _, cells in rows):
            where = f"{path}, line {rows[0][0]}"
            raise BadInput(where, "has several columns and no header", f"name {', '.join(COLUMNS)}")
        for number, cells in rows:
            if separator := next((one for one in SEPARATORS if one in cells[0]), ""):
                found = f"has several cells parted by {SEPARATORS[separator]} and no header"
                raise BadInput(f"{path}, line {number}", found, f"name {', '.join(COLUMNS)} in a first line")
        lines = [_bare(path, number, cells[0]) for number, cells in rows]
    else:
        _check_head(path, rows[0][0], head)
        lines = [_line(path, number, head, cells) for number, cells in rows[1:]]
    if not lines:
        raise BadInput(str(path), "has a header and no line", "write a name or a QID a line")
    _check_single(path, lines)
    return lines


def _without_empty_columns(rows: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows without the columns that have neither a heading nor a cell, as spreadsheets leave them."""
    wide = max(len(cells) for _, cells in rows)
    kept = [at for at in range(wide) if any(at < len(cells) and cells[at] for _, cells in rows)]
    if len(rows[0][1]) < 2 or len(kept) == wide:
        return list(rows)
    return [(number, [cells[at] for at in kept if at < len(cells)]) for number, cells in rows]


def _as_ours(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The heading in our words, and the rows, of a downloaded table those cells alone that we know."""
    head = [cell.casefold().lstrip("?") for cell in rows[0][1]]
    if set(head) & set(COLUMNS):
        return head, rows
    ours = [DOWNLOADED.get(cell, "") for cell in head]
    known = {name: ours.index(name) for name in ("qid", "name") if name in ours}
    items = [cells[known["qid"]] for _, cells in rows[1:] if len(cells) > known["qid"]] if "qid" in known else []
    if not items or not all(qid_of(cell) or not cell for cell in items):
        return head, rows
    left = [cell for at, cell in enumerate(head) if at not in known.values()]
    if left:
        log.warning("%s: the columns %s are not read", path, ", ".join(left))
    wanted = {name: at for name, at in known.items() if name == "qid" or len(head) > 1}
    short = next(((number, cells) for number, cells in rows if len(cells) != len(head)), None)
    if short is not None:
        found = f"has {len(short[1])} cells, the header {len(head)}"
        raise BadInput(f"{path}, line {short[0]}", found, "mend the line")
    return list(wanted), [(number, [cells[at].replace("_", " ") if name == "name" else cells[at]
                                    for name, at in wanted.items()]) for number, cells in rows]  # fmt: skip


def _rows(path: Path, *, remarks: bool = False) -> list[tuple[int, list[str]]]:
    """Line number and stripped cells of every line that is not empty."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_UTF_16):
            raise BadInput(str(path), "is text in UTF-16", "save it as UTF-8")
        if is_pointer(raw):
            raise BadInput(str(path), FOUND, ADVICE)
        for begins, found, advice in _NO_TABLE:
            if begins.match(raw):
                raise BadInput(str(path), found, advice)
        content = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "name a file of names or QIDs; a recipe's stands beside it") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise BadInput(str(path), f"is not a text file in UTF-8 ({error})", "save it as UTF-8") from error
    if remarks:
        content = REMARK.sub("", content)
    content = _TOLD_SEPARATOR.sub(r"\1", content)
    separator, tagged = _separator(content)
    try:
        reader = csv.reader(
            io.StringIO(content, newline=""), delimiter=separator, strict=True,
            quoting=csv.QUOTE_NONE if tagged else csv.QUOTE_MINIMAL,
        )  # fmt: skip
        rows = [(reader.line_num, [_cell(cell, tagged=tagged) for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}", f"is not CSV ({error})", "mend the quotes") from error
    ruled = separator == "|"
    return [
        (number, cells)
        for number, cells in rows
        if any(cells) and not (ruled and all(not cell or _RULE.fullmatch(cell) for cell in cells))
    ]


def _cell(text: str, *, tagged: bool) -> str:
    found = _TAGGED.fullmatch(text.strip()) if tagged else None
    return (found[1] if found else text).strip()


def _separator(content: str) -> tuple[str, bool]:
    """What parts the cells, a comma unless the first line, taken so, is a heading that we know.

    Also whether texts are tagged with their language, as in the query service's table with tabs.
    """
    head = next((line for line in content.splitlines() if line.strip()), "")
    for separator in SEPARATORS:
        cells = {cell.strip().strip('"').casefold() for cell in head.split(separator)}
        if separator in head and {cell.lstrip("?") for cell in cells} & {*COLUMNS, *DECISIONS, *DOWNLOADED}:
            return separator, separator == "\t" and any(cell.startswith("?") for cell in cells)
    return ",", False


def qid_of(text: str) -> str:
    """The QID of a cell: Q42, q42, wd:Q42, or the address of its page or entity; "" for anything else."""
    found = _ADDRESS.fullmatch(text.strip(_UNSEEN + "<>[]\r\n"))
    return found[1].upper() if found else ""


def _check_head(path: Path, number: int, head: list[str]) -> None:
    for cell in head:
        if cell not in COLUMNS or head.count(cell) > 1:
            near = difflib.get_close_matches(cell, COLUMNS, n=1)
            known = f"name each of {', '.join(COLUMNS)} once"
            hint = f"did you mean {near[0]}?" if near and cell not in COLUMNS else known
            raise BadInput(f"{path}, line {number}", f"column {cell[:40]!r} is not known or comes twice", hint)
    if not {"name", "qid"} & set(head):
        raise BadInput(f"{path}, line {number}", "has neither a name nor a qid column", "add one")


def _bare(path: Path, number: int, cell: str) -> RosterLine:
    cell = _LISTED.sub("", cell.strip(_UNSEEN), count=1)
    linked = _LINKED.fullmatch(cell)
    name = (linked["text"] or linked["name"] or "") if linked else ""
    qid = qid_of((linked["address"] or linked["id"] or "") if linked else cell)
    if qid:
        return RosterLine(line=number, qid=qid, name="" if qid_of(name) else name)
    if _OTHER_ENTITY.fullmatch(cell):
        raise BadInput(f"{path}, line {number}", f"{cell[:80]} is no item", "write a person's id as Q42, or the name")
    return RosterLine(line=number, name=cell)


def _line(path: Path, number: int, head: list[str], cells: list[str]) -> RosterLine:
    where = f"{path}, line {number}"
    if len(cells) != len(head):
        raise BadInput(where, f"has {len(cells)} cells, the header {len(head)}", "mend the line")
    found = dict(zip(head, cells, strict=True))
    name, qid, subject_id, rank = (found.get(column, "") for column in ("name", "qid", "subject_id", "complete_rank"))
    name = name.strip(_UNSEEN)
    if not name and not qid:
        raise BadInput(where, "has neither a name nor a qid", "name somebody, or delete the line")
    if qid and not qid_of(qid):
        raise BadInput(where, f"{qid[:40]!r} is no QID", "write it as Q42")
    if subject_id and not (subject_id.isascii() and subject_id.isdigit() and len(subject_id) >= 3 and int(subject_id)):
        raise BadInput(where, f"{subject_id[:40]!r} is no subject id", "write three or more digits, such as 007")
    if rank and not (rank.isascii() and rank.isdigit() and int(rank)):
        raise BadInput(where, f"{rank[:40]!r} is no rank", "write a whole number from 1, or nothing")
    qid = qid_of(qid)
    return RosterLine(line=number, name=name, qid=qid, subject_id=subject_id, complete_rank=int(rank) if rank else None)


def _check_single(path: Path, lines: Iterable[RosterLine]) -> None:
    """Ids and ranks must not come twice; a person who does is for the build to report."""
    seen: dict[tuple[str, int], int] = {}
    for line in lines:
        for column, value in (("subject_id", int(line.subject_id or 0)), ("complete_rank", line.complete_rank or 0)):
            if value and (first := seen.setdefault((column, value), line.line)) != line.line:
                found = f"{column} {value} stands on line {first} already"
                raise BadInput(f"{path}, line {line.line}", found, "mend one of them")


def read_decisions(path: Path) -> dict[str, str]:
    """QID (or LEAVE_OUT) by name, of the lines that the maintainer has filled in; {} if there is no such file."""
    if not path.exists():
        return {}
    rows = _rows(path)
    if not rows or tuple(rows[0][1]) != DECISIONS:
        raise BadInput(str(path), f"does not begin with {','.join(DECISIONS)}", "delete it to have it made again")
    decisions: dict[str, str] = {}
    for number, cells in rows[1:]:
        if len(cells) != len(DECISIONS):
            raise BadInput(f"{path}, line {number}", f"has {len(cells)} cells, not {len(DECISIONS)}", "mend the line")
        asked, qid = cells[:2]
        if qid and qid != LEAVE_OUT and not qid_of(qid):
            advice = f"write a QID, or {LEAVE_OUT} to leave out"
            raise BadInput(f"{path}, line {number}", f"{qid[:40]!r} is no QID", advice)
        if qid:
            decisions[asked] = qid_of(qid) or qid
    return decisions


def write_doubts(path: Path, doubts: Iterable[Resolution], decisions: Mapping[str, str]) -> None:
    """The doubtful names with their candidates and room for a decision; decisions that were taken stay."""
    rows = {asked: [asked, qid, "decided", ""] for asked, qid in decisions.items()}
    rows |= {doubt.asked: [doubt.asked, "", doubt.reason, doubt.note] for doubt in doubts}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(DECISIONS)
    writer.writerows(rows[asked] for asked in sorted(rows))
    write_atomically(path, text.getvalue())
