"""One self-contained HTML page about runs and evaluations, with the same figures as Markdown and CSV beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eval.charts import (
    OUTCOME_WORDS,
    Bar,
    Drawing,
    attack_chart,
    consistency_chart,
    forget_retain_chart,
    outcome_chart,
    plotly_script,
)
from eval.report_data import TARGET, Condition, Findings, conditions, metric_rows
from eval.report_rows import FigureRow, OutcomeRow, curve_rows, figure_row, figures, outcome_rows
from eval.report_tables import attack_table, figure_table, further_table, matched_table, ranking_table, run_table
from eval.shell import Download, Link, csv_download, page_file, render
from eval.tables import Table, csv_text, markdown_table, percent, plain
from eval.verdicts import Verdict, verdict
from schemas.artifacts import write_atomically
from schemas.problems import BadInput
from schemas.results import MetricRow
from schemas.tables import Record
from schemas.words import ROLES

HTML, MARKDOWN = "report.html", "report.md"
TEMPLATE = "report.html.j2"
BROKEN = 0.3
"""Share of retained facts that the untouched target may lose under an attack before its bars mean little."""


@dataclass(frozen=True)
class ReportFiles:
    """What a report left behind."""

    html: Path
    markdown: Path
    tables: tuple[Path, ...]
    headlines: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """One chart: drawing, what it shows, and the data behind it as a link."""

    anchor: str
    title: str
    text: str
    drawing: Markup
    """JSON of the figure."""
    height: int
    download: Download


@dataclass(frozen=True)
class Section:
    """All about one condition."""

    condition: Condition
    verdict: Verdict
    ranking: Table
    matched: Table
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


def write_files(findings: Findings, *, out: Path) -> ReportFiles:
    """Write report.html, report.md and the CSV tables into `out`.

    Raises BadInput where nothing was found, or where two runs cannot be compared (it names what differs).
    """
    found = conditions(findings)
    if not found:
        raise BadInput(str(out), "there is no run and no evaluation to report", "finish one with ppubench study first")
    sections = [_section(condition, findings) for condition in found]
    files: dict[str, list[Record]] = {
        "comparison.csv": [row for each in found for row in each.ranking],
        "matched.csv": [row for each in found for row in each.matched],
        "metrics.csv": [row for each in found for row in figures(each)],
        "curves.csv": [row for each in found for row in curve_rows(each)],
        "outcomes.csv": [row for each in found for row in outcome_rows(each, findings)],
    }
    tables: list[Path] = []
    for name, rows in files.items():
        if rows:
            write_atomically(out / name, csv_text(rows))
            tables.append(out / name)
    write_atomically(out / HTML, _page(findings, sections))
    write_atomically(out / MARKDOWN, _markdown(findings, sections))
    headlines = tuple(f"{each.verdict.condition}: {each.verdict.headline}" for each in sections)
    return ReportFiles(out / HTML, out / MARKDOWN, tuple(tables), headlines)


def _page(findings: Findings, sections: Sequence[Section]) -> str:
    links = [Link(each.condition.anchor, each.condition.name) for each in sections]
    links += [Link("failed", "failed runs")] if findings.failed else []
    runs = run_table([each.condition for each in sections])
    links += [Link("runs", "runs")] if runs.rows else []
    return render(
        TEMPLATE,
        title=findings.title,
        links=[*links, Link("reading", "how to read")],
        scripts=[plotly_script(), page_file("report.js")],
        metric=findings.metric.replace("_", " "),
        task=findings.task,
        sections=sections,
        failed=findings.failed,
        runs=runs,
        target=TARGET,
        outcome_words=OUTCOME_WORDS,
    )


def _section(condition: Condition, findings: Findings) -> Section:
    return Section(
        condition=condition,
        verdict=verdict(condition),
        ranking=ranking_table(condition),
        matched=matched_table(condition),
        charts=tuple(_charts(condition, findings)),
        tables=tuple(
            table
            for table in (figure_table(condition), attack_table(condition), further_table(condition))
            if table.rows
        ),
    )


def _charts(condition: Condition, findings: Findings) -> Iterator[Chart]:
    labels = (*condition.labels, TARGET)
    if condition.curves:
        drawing = forget_retain_chart(condition.curves, labels=labels, matched=findings.matched)
        yield _chart("curve", condition, "Forgetting against retaining during training", CURVE_TEXT, drawing,
                     list(curve_rows(condition)))  # fmt: skip
    rows = list(outcome_rows(condition, findings))
    if rows:
        drawing = outcome_chart(_outcome_bars(rows))
        yield _chart("outcome", condition, "What became of the answers", OUTCOME_TEXT, drawing, rows)
    attacked = list(_recovery(condition))
    if attacked:
        drawing = attack_chart(attacked, labels=labels)
        behind = [figure_row(row, label, None) for label, row in attacked]
        text = " ".join((ATTACK_TEXT, *_attacks_that_break(condition)))
        yield _chart("attack", condition, "What comes back under attack", text, drawing, behind)
    bars, behind = _consistency(condition)
    if bars:
        drawing = consistency_chart(bars)
        yield _chart("consistency", condition, "Text and picture: gone in both, or in one", CONSISTENCY_TEXT, drawing,
                     behind)  # fmt: skip


CURVE_TEXT = (
    "Each line is one run from its start (top left) on; the best corner is the top right. The large mark is the "
    "checkpoint that was kept and evaluated. Shares of probed answers that come exactly, of the start."
)
OUTCOME_TEXT = (
    "A forgotten fact should not be answered correctly; how it is answered instead tells whether the model refuses, "
    "guesses, names another person's value or has broken down."
)
ATTACK_TEXT = (
    "Of the facts that the model no longer gives when asked plainly, the share that it gives under the attack. "
    "Whiskers: 95 % intervals over subjects. High bars mean that the fact was hidden, not forgotten. "
    "Of the first seed, where there are several."
)
CONSISTENCY_TEXT = (
    "Each fact is asked by the person's name and by the picture. "
    "A fact that is gone in one of them only is still there."
)


def _chart(kind: str, condition: Condition, title: str, text: str, drawing: Drawing, rows: Sequence[Record]) -> Chart:
    return Chart(
        anchor=f"{kind}-chart-{condition.anchor}",
        title=title,
        text=text,
        drawing=Markup(drawing.content),  # noqa: S704  (JSON without "<"; its labels are escaped in eval.charts)
        height=drawing.height,
        download=csv_download(f"{kind}_{condition.anchor}", rows),
    )


def _outcome_bars(rows: Sequence[OutcomeRow]) -> list[Bar]:
    bars = []
    for role in ROLES:
        for arm in dict.fromkeys(row.arm for row in rows):
            own = [row for row in rows if (row.arm, row.role) == (arm, role)]
            total = sum(row.count for row in own)
            if total:
                shares: dict[str, float] = {}
                for row in own:
                    shares[row.outcome] = shares.get(row.outcome, 0.0) + row.count / total
                bars.append(Bar(arm, role, shares))
    return bars


def _recovery(condition: Condition) -> Iterator[tuple[str, MetricRow]]:
    """Recovery over both modalities where there is such a row, else of each; first seed of each arm."""
    seen: set[tuple[str, str]] = set()
    for label, record in condition.attacked:
        rows = [row for row in record.metrics if row.metric == "recovery" and row.task in ("generation", "")]
        whole = [row for row in rows if not row.modality] or rows
        if whole and label != TARGET and (label, str(record.attack)) not in seen:
            seen.add((label, str(record.attack)))
            yield label, whole[0]


def _attacks_that_break(condition: Condition) -> Iterator[str]:
    """A sentence for each attack under which the untouched target itself no longer answers."""
    for label, record in condition.attacked:
        lost = [row.value for row in record.metrics if row.metric == "lost"]
        if label == TARGET and lost and sum(lost) / len(lost) > BROKEN:
            name = str(record.attack).replace("_", " ")
            yield (
                f"Under {name} the untouched target itself loses {percent(sum(lost) / len(lost))} of what it knew: "
                "that little comes back there says little."
            )


def _consistency(condition: Condition) -> tuple[list[Bar], list[FigureRow]]:
    names = ("right_in_both", "wrong_in_qa_only", "wrong_in_vqa_only", "wrong_in_both")
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    behind = []
    for name in names:
        for label, row in metric_rows(condition, name):
            if row.task == "generation" and row.role:
                found.setdefault((row.role, label), {}).setdefault(name, []).append(row.value)
                behind.append(figure_row(row, label, None))
    bars = [
        Bar(label, role, {name: sum(values) / len(values) for name, values in shares.items()})
        for (role, label), shares in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != TARGET))
    ]
    return bars, behind


def _markdown(findings: Findings, sections: Sequence[Section]) -> str:
    parts = [f"# {plain(findings.title)}", ""]
    for section in sections:
        parts += [f"## {plain(section.verdict.condition)}", "", f"**{plain(section.verdict.headline)}**", ""]
        parts += [plain(" ".join(section.verdict.details)), ""]
        for table in (section.ranking, section.matched, *section.tables):
            if table.rows:
                parts.append(markdown_table(table))
    if findings.failed:
        rows = tuple((unit.name, unit.reason) for unit in findings.failed)
        parts.append(markdown_table(Table("Runs that failed", ("run", "reason"), rows)))
    return "\n".join(parts)
