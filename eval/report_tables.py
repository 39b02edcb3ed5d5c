"""The tables of a report as text cells."""

from collections.abc import Iterator, Sequence

from eval.metrics import METRICS
from eval.report_data import TARGET, Condition
from eval.tables import Table, percent, points, with_interval
from eval.verdicts import standing
from schemas.results import MetricRow
from schemas.words import MODALITIES, ROLES, TASKS

WORDS = {"qa": "text", "vqa": "picture", "": "both"}
FURTHER = (
    ("boundary_auc", "generation", "", "boundary AUC"),
    ("boundary_accuracy", "generation", "", "boundary accuracy"),
    ("accuracy", "utility", "", "general pictures"),
    ("visual_identity", "generation", "", "answers show who it is"),
    ("accuracy", "identity", "", "names the person"),
)
"""Metric, task, role and heading of figures that are not of one task."""


def ranking_table(condition: Condition) -> Table:
    """The arms by score, and how each stands to the highest."""
    rows = tuple(
        (
            row.arm,
            percent(row.forgotten),
            percent(row.retained),
            with_interval(row.score, row.low, row.high),
            "" if row.best else points(row.behind, row.behind_low, row.behind_high),
            standing(row),
        )
        for row in condition.ranking
    )
    columns = ("method", "forgotten", "retained", "score", "behind the highest", "standing")
    return Table("Which method is better", columns, rows)


def matched_table(condition: Condition) -> Table:
    """Retain at matched forgetting, a row per arm."""
    lefts = sorted({row.left for row in condition.matched}, reverse=True)
    cells = {(row.arm, row.left): row for row in condition.matched}
    rows = []
    for arm in dict.fromkeys(row.arm for row in condition.matched):
        found = [cells[arm, left] for left in lefts]
        shown = [
            with_interval(row.value, row.low, row.high) if row.value is not None else
            f"not reached ({row.reached} of {row.runs} runs)"
            for row in found
        ]  # fmt: skip
        rows.append((arm, *shown))
    columns = ("method", *(f"retained where {percent(left)} of the forget set is left" for left in lefts))
    return Table("Retained at matched forgetting, during training", columns, tuple(rows))


def figure_table(condition: Condition) -> Table:
    """Accuracy by task, role and modality, a row per arm."""
    places = [(task, role, modality) for task in TASKS for role in ROLES for modality in MODALITIES]
    wanted = [("accuracy", *place) for place in places]
    table = _by_arm(condition, wanted)
    present = [number for number in range(len(wanted)) if any(row[number + 1] != "–" for row in table)]
    columns = tuple(f"{wanted[n][1]}, {wanted[n][2]}, {WORDS[wanted[n][3]]}" for n in present)
    rows = tuple((row[0], *(row[number + 1] for number in present)) for row in table)
    return Table("Accuracy by task, role and modality", ("method", *columns), rows if present else ())


def further_table(condition: Condition) -> Table:
    """Figures across tasks: the boundary within a subject, general pictures, identity."""
    wanted, columns = [], []
    for metric, task, role, heading in (*FURTHER, *_own_figures(condition)):
        for modality in ("qa", "vqa", ""):
            if any(_is(row, metric, task, role, modality) for _, row in _plain_rows(condition)):
                wanted.append((metric, task, role, modality))
                columns.append(f"{heading}, {WORDS[modality]}" if modality else heading)
    rows = tuple(_by_arm(condition, wanted)) if wanted else ()
    return Table("Boundary and utility", ("method", *columns), rows)


def _own_figures(condition: Condition) -> Iterator[tuple[str, str, str, str]]:
    """Figures of a user's own, which the list of ours does not have, by role."""
    own = {row.metric for _, row in _plain_rows(condition) if row.metric not in METRICS}
    for metric in sorted(own):
        for task in TASKS:
            for role in ROLES:
                yield metric, task, role, f"{metric.replace('_', ' ')}, {task}, {role}"


def attack_table(condition: Condition) -> Table:
    """What came back of the forgotten and what was lost of the retained under each attack."""
    rows = []
    for label, record in condition.attacked:
        own = [row for row in record.metrics if row.task in ("generation", "")]
        cells = [_first(own, "recovery", modality) for modality in MODALITIES]
        cells += [_first(own, "lost", modality) for modality in MODALITIES]
        seed = "" if record.seed is None else str(record.seed)
        if label != TARGET or any(cell != "–" for cell in cells):
            rows.append((label, seed, str(record.attack).replace("_", " "), *cells))
    columns = ("method", "seed", "attack", "came back, text", "came back, picture", "lost of retained, text",
               "lost of retained, picture")  # fmt: skip
    return Table("Attacks", columns, tuple(rows))


def run_table(found: Sequence[Condition]) -> Table:
    """The runs that were reported, with how each ended."""
    rows = []
    for condition in found:
        for label, curve in condition.curves:
            kept = "" if curve.kept is None else f"{curve.kept:g}"
            length = f"{curve.points[-1].position:g}"
            rows.append((label, curve.title, condition.name, str(curve.seed), f"{curve.lr:g}", curve.unit, length, kept,
                         curve.reason or curve.status))  # fmt: skip
    columns = ("method", "what it is", "setting", "seed", "learning rate", "measured by", "length", "kept at", "ended")
    return Table("Runs", columns, tuple(rows))


def _plain_rows(condition: Condition) -> Iterator[tuple[str, MetricRow]]:
    for label, each in condition.evaluated:
        for row in each.record.metrics:
            yield label, row


def _is(row: MetricRow, metric: str, task: str, role: str, modality: str) -> bool:
    return (row.metric, row.task, row.role, row.modality) == (metric, task, role, modality)


def _by_arm(condition: Condition, wanted: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, ...]]:
    """A row per arm; over several seeds the mean with the lowest and highest."""
    table = []
    for arm in dict.fromkeys(label for label, _ in condition.evaluated):
        cells = []
        for place in wanted:
            found = [row for label, row in _plain_rows(condition) if label == arm and _is(row, *place)]
            cells.append(_over_seeds(found))
        table.append((arm, *cells))
    return table


def _over_seeds(rows: Sequence[MetricRow]) -> str:
    if not rows:
        return "–"
    if rows[0].metric not in METRICS:  # a user's own figure need not be a share
        values = [row.value for row in rows]
        mean = f"{sum(values) / len(values):.3g}"
        return mean if len(rows) == 1 else f"{mean} ({min(values):.3g}–{max(values):.3g})"
    if len(rows) == 1:
        return with_interval(rows[0].value, rows[0].low, rows[0].high)
    values = [row.value for row in rows]
    return f"{percent(sum(values) / len(values))} ({100 * min(values):.0f}–{100 * max(values):.0f})"


def _first(rows: Sequence[MetricRow], metric: str, modality: str) -> str:
    for row in rows:
        if row.metric == metric and row.modality == modality:
            return with_interval(row.value, row.low, row.high)
    return "–"
