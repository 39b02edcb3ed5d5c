"""The charts of a report with their titles, texts, and the table and CSV that hold the same figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.comparison.arm_labels import TARGET
from eval.pages.page import Download, csv_download
from eval.pages.text_tables import Table, percent
from eval.report.csv_rows import ConsistencyRow, OutcomeRow, consistency_rows, curve_rows, outcome_rows
from eval.report.findings import Condition
from eval.report.plots import (
    CONSISTENCY,
    Bar,
    Drawing,
    attack_chart,
    consistency_chart,
    forget_retain_chart,
    outcome_chart,
)
from eval.report.result_tables import attack_chart_table, consistency_table, curve_table, outcome_table
from schemas.storage.tables import Record
from schemas.vocabulary import ROLES

BROKEN = 0.3
"""Share of retained facts that the untouched target may lose under an attack before its bars mean little."""


@dataclass(frozen=True)
class Chart:
    """One chart: drawing, what it shows, and its figures as a table and as a link to CSV."""

    anchor: str
    title: str
    text: str
    drawing: Markup
    """JSON of the figure."""
    height: int
    table: Table
    download: Download


CURVE_TEXT = (
    "Each line is one run from its start (top left) on; the best corner is the top right. The large mark is the "
    "checkpoint that was kept and evaluated. Shares of probed answers that come exactly, of the start."
)
CHOSEN_TEXT = (
    "Of each method the charts and open tables show the learning rate, or other numbers, that did best by the runs' "
    "own probes; all of them are in the folded tables and in the CSV files."
)
OUTCOME_TEXT = (
    "A forgotten fact should not be answered correctly; how it is answered instead tells whether the model refuses, "
    "guesses, or has broken down. Another subject's value: the answer is true of another subject under the same "
    "property, and of nobody asked about. No answer: the question failed; it counts in no share of the tables."
)
ATTACK_TEXT = (
    "Of the facts that the untouched target gives and the model no longer does when asked plainly, the share that it "
    "gives under the attack; the mean over seeds. Whiskers: 95 % intervals over subjects and seeds. High bars mean "
    "that the fact was hidden, not forgotten."
)
CONSISTENCY_TEXT = (
    "Each fact is asked by the person's name and by the picture. "
    "A fact that is gone in one of them only is still there."
)


def charts(condition: Condition, *, matched: Sequence[float]) -> Iterator[Chart]:
    """The charts for which there is something to draw."""
    labels = (*condition.chosen, TARGET)
    points = [row for row in curve_rows(condition) if row.arm in labels]
    if points:
        curves = [(label, curve) for label, curve in condition.curves if label in labels]
        drawing = forget_retain_chart(curves, labels=labels, matched=matched)
        text = CURVE_TEXT if len(condition.chosen) == len(condition.labels) else f"{CURVE_TEXT} {CHOSEN_TEXT}"
        yield _chart("curve", condition, "Forgetting against retaining during training", text, drawing,
                     curve_table(points), points)  # fmt: skip
    outcomes = [row for row in outcome_rows(condition) if row.arm in labels]
    if outcomes:
        drawing = outcome_chart(_outcome_bars(outcomes))
        yield _chart("outcome", condition, "What became of the answers", OUTCOME_TEXT, drawing,
                     outcome_table(outcomes), outcomes)  # fmt: skip
    recoveries = [row for row in condition.recoveries if row.metric == "recovery" and not row.modality]
    came_back = [row for row in recoveries if row.arm in labels]
    if came_back:
        drawing = attack_chart(came_back, labels=labels)
        text = " ".join((ATTACK_TEXT, *_attacks_that_break(condition)))
        yield _chart("attack", condition, "What comes back under attack", text, drawing,
                     attack_chart_table(came_back), came_back)  # fmt: skip
    consistent = [row for row in consistency_rows(condition) if row.arm in labels]
    if consistent:
        drawing = consistency_chart(_consistency_bars(consistent))
        yield _chart("consistency", condition, "Text and picture: gone in both, or in one", CONSISTENCY_TEXT, drawing,
                     consistency_table(consistent), consistent)  # fmt: skip


def _chart(
    kind: str, condition: Condition, title: str, text: str, drawing: Drawing, table: Table, rows: Sequence[Record]
) -> Chart:
    return Chart(
        anchor=f"{kind}-chart-{condition.anchor}",
        title=title,
        text=text,
        drawing=Markup(drawing.content),  # noqa: S704  (JSON without "<"; its labels are escaped in eval.report.plots)
        height=drawing.height,
        table=table,
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


def _consistency_bars(rows: Sequence[ConsistencyRow]) -> list[Bar]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        found.setdefault((row.role, row.arm), {})[row.metric] = row.share
    ordered = sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != TARGET))
    return [Bar(arm, role, {part.name: shares.get(part.name, 0.0) for part in CONSISTENCY})
            for (role, arm), shares in ordered]  # fmt: skip


def _attacks_that_break(condition: Condition) -> Iterator[str]:
    """A sentence for each attack under which the untouched target itself no longer answers the compared task."""
    whole = {
        row.attack: row.value
        for row in condition.recoveries
        if (row.arm, row.metric, row.task, row.modality) == (TARGET, "lost", condition.task, "")
    }
    for attack, lost in whole.items():
        if lost > BROKEN:
            yield (
                f"Under {attack.replace('_', ' ')} the untouched target itself loses {percent(lost)} of what it knew: "
                "that little comes back there says little."
            )
