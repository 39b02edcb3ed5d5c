"""The tables of figures by task, role and modality, of figures across tasks, and of paired differences."""

from collections.abc import Iterator, Sequence

from eval.comparison.arm_labels import TARGET
from eval.comparison.arm_metrics import ArmAnswers, Wanted, arm_answers, arm_figure, chance, why_not_able
from eval.comparison.paired import PairRow
from eval.metrics.aggregate import METRICS
from eval.metrics.bootstrap import FEWEST_SUBJECTS, Interval
from eval.pages.text_tables import Table, percent, signed_points, with_interval
from eval.report.findings import Condition
from schemas.records.evaluation import MetricRow
from schemas.vocabulary import MODALITIES, ROLES

WORDS = {"qa": "text", "vqa": "picture", "": "both"}
BY_TASK = (
    ("accuracy", "generation", "Generation: right answers"),
    ("accuracy", "cloze", "Cloze: right answers"),
    ("choice_accuracy_likelihood", "classification", "Classification: the likeliest option is right"),
    ("accuracy", "classification", "Classification: the right letter is written"),
)
"""Metric, task and caption of the tables by role and modality."""
FURTHER = (
    *(Wanted("boundary_auc", "generation", ROLES, (each,), f"boundary AUC, {WORDS[each]}") for each in MODALITIES),
    *(Wanted("boundary_accuracy", "generation", ROLES, (e,), f"boundary accuracy, {WORDS[e]}") for e in MODALITIES),
    Wanted("accuracy", "utility", ("",), MODALITIES, "general pictures"),
    *(Wanted("visual_identity", "generation", (e,), ("vqa",), f"true of the person shown, {e}") for e in ROLES),
    *(Wanted("accuracy", "identity", (e,), ("vqa",), f"names the person{', ' if e else ''}{e}") for e in ("", *ROLES)),
)
"""Figures that are not of one task, role and modality."""


def all_arms(condition: Condition) -> list[ArmAnswers]:
    """The answers of every arm, the untouched target's first."""
    labels = dict.fromkeys(label for label, _ in condition.evaluated)
    return [arm_answers(arm, [each.rows for label, each in condition.evaluated if label == arm]) for arm in labels]


def figure_tables(arms: Sequence[ArmAnswers]) -> Iterator[Table]:
    """A table per task with a row per arm; what the untouched target cannot do is said instead of shown."""
    target = next((arm for arm in arms if arm.label == TARGET), None)
    for metric, task, caption in BY_TASK:
        able, unable = [], []
        for modality in MODALITIES:
            found = [
                Wanted(metric, task, (role,), (modality,), f"{role}, {WORDS[modality]}")
                for role in ROLES
                if any((task, role, modality) in run for arm in arms for run in arm.runs)
            ]
            reason = why_not_able(target, found[0]) if found else None
            able += [] if reason else found
            unable += [f"{WORDS[modality]}: {reason}"] if reason else []
        able.sort(key=lambda each: ROLES.index("forget" if each.roles == ("forget",) else "retain"))
        note = f"The untouched target cannot do this task ({'; '.join(unable)}), so nothing can be read from it."
        if unable and not able:
            yield Table(caption, ("method", "right answers"), ((TARGET, "cannot do this task"),), note)
        else:
            yield _table(caption, arms, able, note if unable else _guessing(able))


def _guessing(columns: Sequence[Wanted]) -> str:
    share = chance(columns[0]) if columns else 0.0
    return f"Guessing gets {percent(share)}." if share else ""


def further_table(condition: Condition, arms: Sequence[ArmAnswers]) -> Table:
    """Figures across tasks: the boundary within a subject, general pictures, identity, and a user's own."""
    note = (
        "True of the person shown: of the answers beside a picture that are true of some subject, the share that is "
        "true of the one shown."
    )
    table = _table("Boundary and utility", arms, FURTHER, note)
    own = list(_own_figures(condition))
    columns = (*table.columns, *(heading for heading, _ in own))
    rows = {arm.label: (arm.label,) for arm in arms} | {row[0]: row for row in table.rows}
    filled = tuple((*row, *(found.get(label, "–") for _, found in own)) for label, row in rows.items())
    return Table(table.caption, columns, filled if len(columns) > 1 else (), table.note)


def _table(caption: str, arms: Sequence[ArmAnswers], wanted: Sequence[Wanted], note: str) -> Table:
    """A row per arm and a column per figure that any arm has; n stands in the heading where all arms have the same."""
    found = [[arm_figure(arm, each) for each in wanted] for arm in arms]
    present = [place for place in range(len(wanted)) if any(row[place] is not None for row in found)]
    same = {place: {_asked(row[place], arm) for row, arm in zip(found, arms, strict=True)} - {""} for place in present}
    columns = tuple(
        wanted[place].heading + (f", n = {next(iter(same[place]))}" if len(same[place]) == 1 else "")
        for place in present
    )
    rows = tuple(
        (arm.label, *(_cell(row[place], arm, alike=len(same[place]) == 1) for place in present))
        for row, arm in zip(found, arms, strict=True)
    )
    shown = [row[place] for row in found for place in present]
    few = any(each is not None and each.low is None for each in shown)
    notes = [note, f"Without an interval: of fewer than {FEWEST_SUBJECTS} subjects, too few for one." if few else ""]
    seeds = any(len(arm.runs) > 1 for arm in arms)
    notes.append(
        "Over several seeds: the mean, its interval over subjects and seeds; n is of one run." if seeds else ""
    )
    return Table(caption, ("method", *columns), rows if present else (), " ".join(filter(None, notes)))


def _asked(figure: Interval | None, arm: ArmAnswers) -> str:
    return "" if figure is None else f"{figure.n / len(arm.runs):.4g}"


def _cell(figure: Interval | None, arm: ArmAnswers, *, alike: bool) -> str:
    if figure is None:
        return "–"
    share = with_interval(figure.value, figure.low, figure.high)
    return share if alike else f"{share}, n = {_asked(figure, arm)}"


def _own_figures(condition: Condition) -> Iterator[tuple[str, dict[str, str]]]:
    """Heading and cells by arm of figures of a user's own, from the records: their answers' values are not kept."""
    found: dict[tuple[str, str, str, str], dict[str, list[MetricRow]]] = {}
    for label, each in condition.evaluated:
        for row in each.record.metrics:
            if row.metric not in METRICS and row.role:
                place = (row.metric, row.task, row.role, row.modality)
                found.setdefault(place, {}).setdefault(label, []).append(row)
    for (metric, task, role, modality), arms in sorted(found.items()):
        words = f", {WORDS[modality]}" if modality else ""
        heading = f"{metric.replace('_', ' ')}, {task}, {role}{words}"
        yield heading, {label: _own_cell(rows) for label, rows in arms.items()}


def _own_cell(rows: Sequence[MetricRow]) -> str:
    values = [row.value for row in rows]  # they need not be shares
    mean = f"{sum(values) / len(values):.3g}"
    return mean if len(rows) == 1 else f"{mean} ({min(values):.3g}–{max(values):.3g})"


def pair_table(condition: Condition, arms: Sequence[ArmAnswers]) -> Table:
    """The main figures of the only pair side by side, or of every arm beside the best, in points."""
    target = next((arm for arm in arms if arm.label == TARGET), None)
    alone = len({(row.a, row.b) for row in condition.pairs}) == 1
    main = [row for row in condition.pairs if _is_main(row, condition, target, by_modality=alone)]
    if alone:
        return _side_by_side(main, f"{main[0].a} and {main[0].b} on the same questions" if main else "")
    headings = dict.fromkeys(_heading(row) for row in main)
    cells = {(row.b, _heading(row)): row for row in main}
    rows = tuple(
        (arm, *(_marked(cells[arm, each]) if (arm, each) in cells else "–" for each in headings))
        for arm in dict.fromkeys(row.b for row in main)
    )
    best = main[0].a if main else ""
    note = f"In points: the method's figure less that of {best}, on the same questions. {REAL}"
    return Table(f"Each method beside {best}, question by question", ("method", *headings), rows, note)


def _marked(row: PairRow) -> str:
    return f"{_apart(row)}{', real' if row.real else ''}"


REAL = (
    "Real: the 95 % interval, over subjects (and seeds, where there are several), leaves out zero. Of many figures "
    "one in twenty leaves it out by chance."
)


def pair_table_of_all(condition: Condition) -> Table:
    """Every figure of the only pair; of many arms these are in differences.csv."""
    if len({(row.a, row.b) for row in condition.pairs}) != 1:
        return Table("", (), ())
    return _side_by_side(condition.pairs, f"Every figure of {condition.pairs[0].a} and {condition.pairs[0].b}")


def _side_by_side(rows: Sequence[PairRow], caption: str) -> Table:
    cells = tuple(
        (_heading(row), _amount(row, row.left), _amount(row, row.right), _apart(row), _worth(row),
         str(row.n))
        for row in rows
    )  # fmt: skip
    a, b = (rows[0].a, rows[0].b) if rows else ("", "")
    columns = ("figure", a, b, f"{b} less {a}, in points", "standing", "n")
    return Table(caption, columns, cells, REAL)


def _is_main(row: PairRow, condition: Condition, target: ArmAnswers | None, *, by_modality: bool) -> bool:
    if row.task == "utility":
        return row.metric == "accuracy"
    asked = condition.modalities
    if row.modality not in (asked if by_modality or len(asked) == 1 else ("",)):
        return row.metric == "boundary_accuracy" and not row.modality
    if row.metric in ("choice_accuracy_likelihood", "boundary_accuracy"):
        return bool(row.role) or not by_modality
    able = why_not_able(target, Wanted("accuracy", row.task, ROLES, (row.modality,) if row.modality else asked)) is None
    return bool(row.role) and row.metric == condition.metric and row.task == condition.task and able


def _heading(row: PairRow) -> str:
    named = {"choice_accuracy_likelihood": "likeliest option right", "boundary_accuracy": "boundary accuracy"}
    metric = named.get(row.metric, row.metric.replace("_", " "))
    task = {"utility": "general pictures", "": ""}.get(row.task, row.task)
    if row.metric in named:
        task = ""
    words = [metric, task, row.role, WORDS[row.modality] if row.modality and row.task != "utility" else ""]
    return ", ".join(word for word in words if word)


def _worth(row: PairRow) -> str:
    return "real" if row.real else "too few subjects" if row.low is None else "may be chance"


def _amount(row: PairRow, value: float) -> str:
    return f"{value:.3f} nats" if row.metric == "nll" else f"{100 * value:.1f} %"


def _apart(row: PairRow) -> str:
    if row.metric != "nll":
        return signed_points(row.value, row.low, row.high)
    ends = "" if row.low is None or row.high is None else f" [{row.low:+.3f}, {row.high:+.3f}]"
    return f"{row.value:+.3f} nats{ends}"
