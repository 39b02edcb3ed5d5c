"""One self-contained HTML page about runs and evaluations, with the same figures as Markdown and CSV beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.audit.audit_files import AuditSection, agreement_of, audit_markdown, audit_section
from eval.comparison.arm_labels import TARGET
from eval.metrics.bootstrap import FEWEST_SUBJECTS
from eval.metrics.failures import MOST_FAILED
from eval.pages.page import Link, render
from eval.pages.text_tables import Table, markdown_table, percent, plain
from eval.report.chart_sections import Chart, charts
from eval.report.conclusions import Verdict, verdict
from eval.report.csv_rows import curve_rows, figures, outcome_rows
from eval.report.findings import Condition, Findings, conditions
from eval.report.metric_tables import all_arms, figure_tables, further_table, pair_table, pair_table_of_all
from eval.report.plots import OUTCOME_WORDS, plotly_script
from eval.report.result_tables import (
    attack_table,
    duel_table,
    exposed_table,
    failure_table,
    gate_table,
    load_table,
    matched_table,
    other_numbers_table,
    ranking_table,
    run_table,
)
from schemas.errors import BadInput
from schemas.storage.artifacts import write_atomically
from schemas.storage.csv_text import csv_text
from schemas.storage.tables import Record

HTML, MARKDOWN = "report.html", "report.md"
TEMPLATE, SCRIPT = Path(__file__).with_name("report.html.j2"), Path(__file__).with_name("report.js")


@dataclass(frozen=True)
class ReportFiles:
    """What a report left behind."""

    html: Path
    markdown: Path
    tables: tuple[Path, ...]
    headlines: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """All about one condition: tables before the charts and after them, each followed by some that are collapsed."""

    condition: Condition
    verdict: Verdict
    first: tuple[Table, ...]
    folded: tuple[Table, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]
    of_all: tuple[Table, ...]


def write_files(findings: Findings, *, out: Path) -> ReportFiles:
    """Write report.html, report.md and the CSV tables into `out`.

    Raises BadInput where nothing was found, or where two runs cannot be compared (it names what differs).
    """
    found = conditions(findings)
    if not found:
        raise BadInput(str(out), "there is no run and no evaluation to report", "finish one with ppubench study first")
    sections = [_section(condition, findings) for condition in found]
    audits = [audit_section(each) for each in findings.audits]
    files: dict[str, list[Record]] = {
        "comparison.csv": [row for each in found for row in each.ranking],
        "pairs.csv": [row for each in found for row in each.duels],
        "matched.csv": [row for each in found for row in each.matched],
        "differences.csv": [row for each in found for row in each.pairs],
        "metrics.csv": [row for each in found for row in figures(each)],
        "attacks.csv": [row for each in found for row in each.recoveries],
        "curves.csv": [row for each in found for row in curve_rows(each)],
        "outcomes.csv": [row for each in found for row in outcome_rows(each)],
        "routes.csv": [row for each in audits for row in each.rows],
    }
    tables: list[Path] = []
    for name, rows in files.items():
        if rows:
            write_atomically(out / name, csv_text(rows))
            tables.append(out / name)
    write_atomically(out / HTML, _page(findings, sections, audits))
    write_atomically(out / MARKDOWN, _markdown(findings, sections, audits))
    headlines = (
        *(f"{each.title}: {each.is_it_gone}" for each in audits),
        *(f"{each.verdict.condition}: {each.verdict.headline}" for each in sections),
    )
    return ReportFiles(out / HTML, out / MARKDOWN, tuple(tables), headlines)


def _page(findings: Findings, sections: Sequence[Section], audits: Sequence[AuditSection]) -> str:
    links = [Link("gone", "is it gone?")] if audits else []
    links += [Link(each.condition.anchor, each.condition.name) for each in sections]
    links += [Link("failed", "failed runs")] if findings.failed else []
    runs = run_table([each.condition for each in sections])
    links += [Link("runs", "runs")] if runs.rows else []
    return render(
        TEMPLATE,
        title=findings.title,
        links=[*links, Link("reading", "how to read")],
        scripts=[plotly_script(), SCRIPT.read_text()],
        metric=findings.metric.replace("_", " "),
        task=findings.task,
        sections=sections,
        audits=audits,
        agreement=agreement_of(audits),
        unfinished=_unfinished(findings),
        failed=findings.failed,
        runs=runs,
        target=TARGET,
        outcome_words=OUTCOME_WORDS,
        fewest=FEWEST_SUBJECTS,
        most_failed=percent(MOST_FAILED),
    )


def _unfinished(findings: Findings) -> str:
    """That a study was interrupted, or ""."""
    if not findings.missing:
        return ""
    return (
        f"This study is not finished: {findings.missing} of its {findings.planned} planned units are missing here. "
        "The same ppubench study goes on with them."
    )


def _section(condition: Condition, findings: Findings) -> Section:
    every = all_arms(condition)
    arms = [arm for arm in every if arm.label in condition.main]
    first = (
        ranking_table(condition), duel_table(condition), matched_table(condition), pair_table(condition, arms),
    )  # fmt: skip
    folded = (other_numbers_table(condition), pair_table_of_all(condition), load_table(condition))
    of_all: list[Table] = []
    if len(arms) < len(every):
        of_all += [replace(table, caption=f"{table.caption} (all numbers)") for table in figure_tables(every)]
        of_all.append(attack_table(condition, [arm.label for arm in every], "Attacks (all numbers)"))
    tables = (
        *figure_tables(arms), attack_table(condition, condition.main), further_table(condition, arms),
        exposed_table(condition), gate_table(condition), failure_table(condition),
    )  # fmt: skip
    return Section(
        condition=condition,
        verdict=verdict(condition),
        first=tuple(table for table in first if table.rows),
        folded=tuple(table for table in folded if table.rows),
        charts=tuple(charts(condition, matched=findings.matched)),
        tables=tuple(table for table in tables if table.rows),
        of_all=tuple(table for table in of_all if table.rows),
    )


def _markdown(findings: Findings, sections: Sequence[Section], audits: Sequence[AuditSection]) -> str:
    parts = [f"# {plain(findings.title)}", ""]
    if findings.missing:
        parts += [plain(_unfinished(findings)), ""]
    parts += [audit_markdown(audits, agreement_of(audits))] if audits else []
    for section in sections:
        parts += [f"## {plain(section.verdict.condition)}", "", f"**{plain(section.verdict.headline)}**", ""]
        parts += [plain(" ".join(section.verdict.details)), ""]
        behind = [chart.table for chart in section.charts if not chart.anchor.startswith("curve")]  # points: curves.csv
        parts += [markdown_table(table) for table in (*section.first, *section.tables, *behind)]
        parts += [markdown_table(table) for table in (*section.folded, *section.of_all)]
    if findings.failed:
        rows = tuple((unit.name, unit.reason) for unit in findings.failed)
        parts.append(markdown_table(Table("Runs that failed", ("run", "reason"), rows)))
    return "\n".join(parts)
