"""An audit on disk: one HTML page without a network, the same as Markdown, and every figure as CSV."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.audit.rows import Audited, RouteRow, audit_rows, effort_rows
from eval.audit.tables import (
    PersonFacts,
    agreement_table,
    cost_table,
    further_table,
    gone_table,
    mute_table,
    not_run_table,
    notes_table,
    people_of,
)
from eval.audit.words import at_what_cost, is_it_gone
from eval.metrics.bootstrap import FEWEST_SUBJECTS
from eval.pages.page import Link, render
from eval.pages.text_tables import Table, markdown_table, plain
from schemas.storage.artifacts import write_atomically
from schemas.storage.csv_text import csv_text

HTML, MARKDOWN, CSV, EFFORT = "audit.html", "audit.md", "routes.csv", "effort.csv"
TEMPLATE = Path(__file__).with_name("audit.html.j2")


@dataclass(frozen=True)
class AuditSection:
    """All about one model under one setting, ready to be shown."""

    anchor: str
    title: str
    is_it_gone: str
    at_what_cost: str
    gone: Table
    cost: Table
    open: tuple[Table, ...]
    folded: tuple[Table, ...]
    told: tuple[Table, ...]
    """Of words rather than figures: what routes left out, and what was not tried."""
    people: tuple[PersonFacts, ...]
    rows: tuple[RouteRow, ...]


@dataclass(frozen=True)
class AuditFiles:
    """What an audit's report left behind."""

    html: Path
    markdown: Path
    csv: Path
    answers: tuple[str, str]
    """Of the first model: is it gone, and at what cost."""


def audit_section(audited: Audited) -> AuditSection:
    """The figures of one model, worked out and worded."""
    rows = audit_rows(audited)
    finer = audit_rows(audited, measure="score")
    gone, cost = gone_table(rows), cost_table(rows)
    graded = replace(gone_table(finer), caption="Is it gone? How much of each fact (0 to 100 %), not whether")
    dearer = replace(cost_table(finer), caption="At what cost? How much of each")
    told = (further_table(audited), notes_table(audited), not_run_table(rows))
    name = f"{audited.name} {audited.condition}"
    return AuditSection(
        anchor="audit-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
        title=f"{audited.name}: {audited.condition}",
        is_it_gone=is_it_gone(rows),
        at_what_cost=at_what_cost(rows),
        gone=gone,
        cost=cost,
        open=tuple(table for table in (gone, cost) if table.rows),
        folded=tuple(table for table in (mute_table(rows), graded, dearer) if table.rows),
        told=tuple(table for table in told if table.rows),
        people=tuple(people_of(audited)),
        rows=(*rows, *finer),
    )


def agreement_of(sections: Sequence[AuditSection]) -> Table:
    """Whether the measures order the runs alike."""
    return agreement_table([[row for row in each.rows if row.measure == "score"] for each in sections])


def write_audit(audits: Sequence[Audited], *, title: str, out: Path) -> AuditFiles:
    """Write audit.html, audit.md and routes.csv into `out`, and effort.csv, which alone says what it took.

    There is at least one audit; the same records give the same bytes but for effort.csv.
    """
    sections = [audit_section(each) for each in audits]
    agreement = agreement_of(sections)
    page = render(
        TEMPLATE,
        title=title,
        links=[*(Link(each.anchor, each.title) for each in sections), Link("reading", "how to read")],
        scripts=[],
        sections=sections,
        agreement=agreement,
        fewest=FEWEST_SUBJECTS,
    )
    write_atomically(out / CSV, csv_text([row for each in sections for row in each.rows]))
    write_atomically(out / EFFORT, csv_text([row for each in audits for row in effort_rows(each)]))
    write_atomically(out / HTML, page)
    write_atomically(out / MARKDOWN, f"# {plain(title)}\n\n{audit_markdown(sections, agreement)}")
    first = sections[0]
    return AuditFiles(out / HTML, out / MARKDOWN, out / CSV, (first.is_it_gone, first.at_what_cost))


def audit_markdown(sections: Sequence[AuditSection], agreement: Table) -> str:
    """The two answers and the tables of each model, as Markdown; facts one by one stand in the page alone."""
    parts: list[str] = []
    for each in sections:
        parts += [f"## {plain(each.title)}", ""]
        parts += [f"**{each.gone.caption}** {plain(each.is_it_gone)}", ""]
        parts += [f"**{each.cost.caption}** {plain(each.at_what_cost)}", ""]
        parts += [markdown_table(table) for table in (*each.open, *each.told)]
    parts += [markdown_table(agreement)] if agreement.rows else []
    return "\n".join(parts)
