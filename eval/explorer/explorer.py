"""The explorer: one HTML file in which a build is looked through, and its funnel as a picture."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from eval.explorer.build_reader import BuildTables
from eval.explorer.counts import (
    CONDITION_WORDS,
    MODALITY_WORDS,
    VERDICT_WORDS,
    Tally,
    condition_table,
    count_table,
    verdict_table,
)
from eval.explorer.funnel import Funnel, funnels
from eval.explorer.page_rows import FactLine, SubjectLine
from eval.explorer.subject_pages import STRIP_SIZE, dossiers
from eval.pages.page import Download, Link, csv_download, json_text, render
from eval.pages.text_tables import Table
from schemas.progress import Progress, silent
from schemas.storage.artifacts import write_atomically
from schemas.storage.tables import Record

EXPLORER, FUNNEL = "explorer.html", "funnel.svg"
HERE = Path(__file__).parent
TEMPLATE, FUNNEL_TEMPLATE = HERE / "explorer.html.j2", "funnel.svg.j2"


class StageLine(Record):
    """A stage of the build as the overview lists it."""

    stage: str
    says: str
    state: str
    """made, stood, stale, missing or unfinished."""
    rows: str
    left_out: int


class FunnelRow(Record):
    """One step of a funnel, or one reason of it, for the CSV."""

    funnel: str
    step: str
    count: int
    left_out_for: str
    left_out: int


@dataclass(frozen=True)
class Origin:
    """What the pages say about a build besides its tables."""

    name: str
    command: str
    """The command that makes what is missing."""
    statements: str
    """Address of a statement's page before the QID, or "" where the subjects are fictional."""
    stages: tuple[StageLine, ...]


@dataclass(frozen=True)
class Explored:
    """What was written."""

    html: Path
    funnel: Path
    subjects: int
    facts: int
    bytes: int


@dataclass(frozen=True)
class Counted:
    """A table of the overview with the data behind it."""

    anchor: str
    table: Table
    download: Download
    text: str = ""


@dataclass(frozen=True)
class Blob:
    """The dossier of a subject, deflated, and the strip of its views, both as base64."""

    subject_id: str
    dossier: str
    views: str


def write_explorer(
    tables: BuildTables,
    origin: Origin,
    *,
    out: Path,
    progress: Progress = silent,
) -> Explored:
    """Write `explorer.html` and `funnel.svg` into `out`; a build with stages missing shows what it has."""
    tally, blobs = Tally(), []
    pairs: set[tuple[str, str]] = set()
    for opened in dossiers(tables, progress=progress):
        tally.add(opened.dossier)
        pairs |= {(pair.left.image_id, pair.right.image_id) for pair in opened.dossier.pairs}
        content = opened.dossier.model_dump_json().encode()
        views = base64.b64encode(opened.views).decode() if opened.views else ""
        blobs.append(Blob(opened.dossier.subject_id, _packed(content), views))
    found = funnels(tables)
    page = render(
        TEMPLATE,
        title=f"Build {origin.name}",
        links=[Link("overview", "Overview"), Link("subjects", "Subjects"), Link("facts", "Facts")],
        scripts=[(HERE / "explorer.js").read_text()],
        origin=origin,
        extra_style=(HERE / "explorer.css").read_text(),
        funnels=found,
        funnel_data=csv_download(f"{origin.name} funnel", _funnel_rows(found)) if found else None,
        counted=_counted(origin.name, tally),
        missing=tables.missing(),
        subjects=tally.subjects,
        facts=len(tally.facts),
        known=sum(line.qa == "known" == line.vqa for line in tally.facts),
        views=sum(line.views for line in tally.subjects),
        duplicates=len(pairs),
        index=_packed(_index(tally)),
        words=json_text(
            {
                "verdicts": dict(VERDICT_WORDS), "conditions": dict(CONDITION_WORDS),
                "modalities": dict(MODALITY_WORDS), "statements": origin.statements, "strip": list(STRIP_SIZE),
            }
        ),
        blobs=blobs,
    )  # fmt: skip
    write_atomically(out / EXPLORER, page)
    write_atomically(out / FUNNEL, funnel_picture(found[0] if found else Funnel("facts", "Nothing yet", ())))
    size = (out / EXPLORER).stat().st_size
    return Explored(out / EXPLORER, out / FUNNEL, len(tally.subjects), len(tally.facts), size)


def funnel_picture(funnel: Funnel) -> str:
    """The funnel as an SVG that follows the reader's light or dark theme."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(FUNNEL_TEMPLATE).render(funnel=funnel)


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 6)).decode()


def _index(tally: Tally) -> bytes:
    subjects = TypeAdapter(list[SubjectLine]).dump_json(tally.subjects)
    facts = TypeAdapter(list[FactLine]).dump_json(tally.facts)
    return b'{"subjects":' + subjects + b',"facts":' + facts + b"}"


def _counted(name: str, tally: Tally) -> list[Counted]:
    found = []
    if verdicts := tally.by_verdict():
        data = csv_download(f"{name} verdicts", verdicts)
        text = "A fact is in the dataset if it is known by name and by face."
        found.append(Counted("verdicts", verdict_table(verdicts), data, text))
    if conditions := tally.by_condition():
        data = csv_download(f"{name} conditions", conditions)
        text = "Controls should hardly ever be right: an answer that comes without the face was not known by face."
        found.append(Counted("conditions", condition_table(conditions), data, text))
    for anchor, caption, what, rows in (
        ("classes", "Facts by sensitivity class", "class", tally.by_class()),
        ("occupations", "Facts by occupation group", "occupation group", tally.by_group()),
        ("properties", "Facts by property", "property", tally.by_property()),
    ):
        if rows:
            table = count_table(caption, what, rows, classes=anchor == "properties")
            found.append(Counted(anchor, table, csv_download(f"{name} {anchor}", rows)))
    return found


def _funnel_rows(found: Sequence[Funnel]) -> list[FunnelRow]:
    rows = []
    for funnel in found:
        for step in funnel.steps:
            rows.append(FunnelRow(funnel=funnel.name, step=step.name, count=step.count, left_out_for="", left_out=0))
            rows.extend(
                FunnelRow(
                    funnel=funnel.name,
                    step=step.name,
                    count=step.count,
                    left_out_for=each.reason,
                    left_out=each.count,
                )
                for each in step.left
            )
    return rows
