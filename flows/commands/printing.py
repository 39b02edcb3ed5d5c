"""What the command line prints about a build, a study and its report: short tables for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.building.status import BEHIND, BatchReport, BuildReport, StageReport
from schemas.records.drop_reasons import explain
from schemas.records.review import ReviewFigures
from schemas.records.study import StudyRecord

if TYPE_CHECKING:
    from eval.explorer.explorer import Explored
    from eval.report.report import ReportFiles
    from eval.review.review_page import ReviewFiles
    from flows.building.review import ReadBack
    from schemas.records.evaluation import EvaluationRecord, MetricRow
    from unlearn.runs.record import RunRecord


SHOWN = (
    "accuracy", "exact_match", "rouge_l_recall", "choice_accuracy_likelihood", "consistent", "visual_identity",
    "boundary_auc", "boundary_accuracy", "recovery", "lost",
)  # fmt: skip
"""The metrics that the terminal shows, besides outcomes and figures of a user's own; evaluation.json has all."""

NAMED_SHOWN = 5
"""People of the recipe whom the selection left out, that are listed."""

UNKNOWN_SHOWN = 12
"""Unknown qualifiers that are listed, by property/qualifier with their statements."""

PEOPLE_SHOWN = 20
"""Added people that are listed, of those who joined and of those who were left out."""


def _console() -> Console:
    # A pipe has no width of its own; wide enough that no path is folded.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count and name != "drops")


def _stage_table(lines: Sequence[StageReport]) -> Table:
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column, align in (
        ("stage", "left"),
        ("state", "left"),
        ("rows", "left"),
        ("left out", "right"),
        ("s", "right"),
    ):
        table.add_column(column, justify="right" if align == "right" else "left", no_wrap=column != "rows")
    for line in lines:
        seconds = "" if line.seconds is None else f"{line.seconds:.1f}"
        dropped = sum(line.drops.values())
        table.add_row(line.stage, line.state, _counts(line.rows), f"{dropped:,}" if dropped else "", seconds)
    return table


def _print_batch(console: Console, batch: BatchReport) -> None:
    """A later batch: its stages, who joined, and who was left out and why."""
    console.print(f"batch {batch.batch}: {len(batch.asked)} asked for", style="bold")
    console.print(_stage_table(batch.stages))
    joined = [one for one in batch.people if one.state == "joined"]
    left_out = [one for one in batch.people if one.state == "left out"]
    for one in joined[:PEOPLE_SHOWN]:
        console.print(f"joined    {one.subject_id} {one.name} ({one.asked}): {one.samples} samples", markup=False)
    if len(joined) > PEOPLE_SHOWN:
        console.print(f"joined    {len(joined) - PEOPLE_SHOWN} more (--json lists all)")
    for one in left_out[:PEOPLE_SHOWN]:
        who = f"{one.subject_id} {one.name} ({one.asked})" if one.subject_id else one.asked
        why = " ".join(part for part in (explain(one.reason) if one.reason else "", one.detail) if part)
        console.print(f"left out  {who} by {one.stage}: {why}", markup=False)
    if len(left_out) > PEOPLE_SHOWN:
        console.print(f"left out  {len(left_out) - PEOPLE_SHOWN} more (--json lists all)")


def _print_left_out(console: Console, report: BuildReport) -> None:
    """Whom the recipe names and nobody will find in the dataset, and where doubtful names are decided."""
    for one in report.left_out[:NAMED_SHOWN]:
        why = " ".join(part for part in (explain(one.reason), one.detail) if part)
        console.print(f"left out  {one.asked} by select: {why}", markup=False)
    if len(report.left_out) > NAMED_SHOWN:
        console.print(f"left out  {len(report.left_out) - NAMED_SHOWN} more (--json lists all)")
    if report.left_out and report.doubtful:
        console.print(f"decide    {report.doubtful}   (fill in its column qid, and build again)")


def print_build(report: BuildReport) -> None:
    """The table of stages and the paths to look at."""
    console = _console()
    console.print(_stage_table(report.stages))
    for batch in report.batches:
        if any(line.state != "stood" for line in batch.stages):
            _print_batch(console, batch)
    _print_left_out(console, report)
    if report.dataset:
        console.print(f"dataset   {report.dataset}   (datasets.load_dataset({report.dataset!r}, CONFIG))")
        console.print(f"card      {report.dataset}/README.md")
    if report.target:
        console.print(f"target    {report.target}   (the model that was probed; unlearn it)")
    console.print(f"details   ppubench status {report.folder}")
    console.print(f"look      ppubench report {report.folder}   (every subject, picture and fact, in a browser)")


def print_run(record: "RunRecord", folder: Path) -> None:
    """What an unlearning run did to the probes of its forget and retain sets, and what it left where."""
    console = _console()
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column in ("", "forget exact match", "retain exact match", "forget NLL", "retain NLL"):
        table.add_column(column, justify="left" if not column else "right")
    for name, probe in (("start", record.start), ("kept", record.best), ("last", record.last)):
        if probe is not None:
            shares = (f"{100 * probe.forget_exact:.1f} %", f"{100 * probe.retain_exact:.1f} %")
            table.add_row(name, *shares, f"{probe.forget_nll:.2f}", f"{probe.retain_nll:.2f}")
    console.print(table)
    console.print(record.ending, markup=False)
    if record.fires:
        console.print(f"its gate fires on {_fires(record.fires)}", markup=False)
    if record.refuses and record.likelihood_left is not None:
        left = f"{100 * record.likelihood_left:.0f} %"
        console.print(f"old answers keep {left} of their likelihood per token: a refusal hides, it need not remove")
    console.print(f"run       {folder}   (record {folder}/run.json, weights {folder}/{record.outcome or 'none'})")


def _fires(shares: "Mapping[str, float]") -> str:
    return ", ".join(f"{100 * share:.1f} % of {group}" for group, share in shares.items())


def print_evaluation(record: "EvaluationRecord", out: Path) -> None:
    """Figures and outcomes by role, task and modality, with intervals, and where the predictions are."""
    console = _console()
    console.print(_figures(record.metrics))
    console.print(_outcomes(record.metrics))
    for name, score in record.lmms_eval.items():
        console.print(f"lmms-eval {name}: {score:.4g}", markup=False)
    for note in record.notes:
        console.print(f"note      {note}", markup=False)
    if record.exposed:
        console.print("exposed   steering and guards were taken off, as a thief of the weights does")
    if record.oracle:
        console.print("control   it was told which questions are forgotten: no method, and not ranked")
    if record.fires:
        console.print(f"gate      fires on {_fires(record.fires)} prompts", markup=False)
    console.print(f"asked     {record.questions:,} questions, {record.failed:,} without an answer")
    console.print(
        f"folder    {out / record.folder}   (evaluation.json has every figure, predictions.jsonl every answer)"
    )


def _figures(rows: "Sequence[MetricRow]") -> Table:
    from eval.metrics.aggregate import METRICS

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column in ("role", "task", "modality", "metric", "value", "95 % interval", "n"):
        table.add_column(column, justify="right" if column in ("value", "95 % interval", "n") else "left")
    for row in rows:
        if row.metric in SHOWN or row.metric not in METRICS:
            between = f"{row.low:.3f} to {row.high:.3f}" if row.low is not None and row.high is not None else ""
            table.add_row(
                row.role or "all",
                row.task,
                row.modality or "both",
                escape(row.metric),
                f"{row.value:.3f}",
                between,
                f"{row.n:,}",
            )
    return table


def _outcomes(rows: "Sequence[MetricRow]") -> Table:
    """What became of the answers, in per cent of each role, task and modality."""
    from schemas.records.evaluation import OUTCOMES

    shares: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        if row.metric.startswith("outcome_") and row.modality:
            place = shares.setdefault((row.role or "all", row.task, row.modality), {})
            place[row.metric.removeprefix("outcome_")] = row.value
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column in ("role", "task", "modality", *(f"{outcome.replace('_', ' ')} %" for outcome in OUTCOMES)):
        table.add_column(column, justify="right" if column.endswith("%") else "left")
    for names, found in shares.items():
        table.add_row(*names, *(f"{100 * found.get(outcome, 0.0):.1f}" for outcome in OUTCOMES))
    return table


def print_status(report: BuildReport) -> None:
    """The table of stages, and every drop reason with its sentence."""
    console = _console()
    console.print(_stage_table(report.stages))
    for batch in report.batches:
        _print_batch(console, batch)
    every = [report.stages, *(batch.stages for batch in report.batches)]
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column in ("stage", "left out", "reason", "because"):
        table.add_column(column, justify="right" if column == "left out" else "left")
    for line in (line for lines in every for line in lines):
        for reason, count in sorted(line.drops.items(), key=lambda pair: (-pair[1], pair[0])):
            table.add_row(line.stage, f"{count:,}", reason, explain(reason))
    if table.row_count:
        console.print(table)
    if report.review is not None:
        console.print(f"review    {_reviewed(report.review)}", markup=False)
    for change in report.rules_changed:
        console.print(f"changed   {change}", markup=False)
    if report.unknown_qualifiers:
        listed = [f"{name} ({count})" for name, count in report.unknown_qualifiers.items()]
        more = f" and {len(listed) - UNKNOWN_SHOWN} more (--json lists all)" if len(listed) > UNKNOWN_SHOWN else ""
        shown = ", ".join(listed[:UNKNOWN_SHOWN])
        console.print(
            f"unknown   qualifiers without a rule in curation/facts/qualifiers.toml: {shown}{more}", markup=False
        )
    if report.to_do:
        behind = dict.fromkeys(line.stage for lines in every for line in lines if line.state in BEHIND)
        console.print(f"to do: {', '.join(behind)}; {report.to_do}")


def print_study(record: StudyRecord, files: "ReportFiles | None", folder: Path) -> None:
    """What became of each unit, the verdicts, and where everything lies."""
    console = _unfolded_console()
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for column in ("unit", "state", "evaluations", "s", "why"):
        table.add_column(column, justify="right" if column in ("evaluations", "s") else "left")
    for unit in record.units:
        cells = (unit.name, unit.status, str(len(unit.evaluations)), f"{unit.seconds:.0f}", unit.reason)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
    failed = sum(unit.status == "failed" for unit in record.units)
    if failed:
        console.print(f"{failed} of {record.planned} failed; the same command tries them again")
    if files is not None:
        print_report(files)
    console.print(f"details   {escape(str(folder / 'study.json'))}")


def print_report(files: "ReportFiles") -> None:
    """The verdicts of a report and its files."""
    console = _unfolded_console()
    for headline in files.headlines:
        console.print(escape(headline))
    console.print(f"report    {escape(str(files.html))}   (open it in a browser; it needs no network)")
    console.print(f"tables    {escape(', '.join(str(path) for path in (files.markdown, *files.tables)))}")


def print_explorer(explored: "Explored") -> None:
    """What the explorer shows, and where it is."""
    console = _unfolded_console()
    size = f"{explored.bytes / 1e6:.1f} MB"
    console.print(f"explorer  {escape(str(explored.html))}   (open it in a browser; it needs no network)")
    console.print(f"shows     {explored.subjects:,} subjects, {explored.facts:,} facts, {size}")
    console.print(f"funnel    {escape(str(explored.funnel))}")


def print_review(files: "ReviewFiles", folder: Path) -> None:
    """Where a sample to be reviewed is, and what comes after."""
    console = _unfolded_console()
    console.print(f"page      {escape(str(files.html))}   (open it in a browser; {files.bytes / 1e6:.1f} MB)")
    console.print(f"table     {escape(str(files.csv))}   (the same {files.facts:,} facts, for a spreadsheet)")
    console.print(f"then      ppubench review {escape(str(folder))} --read FILE   (the CSV with the verdicts)")


def print_read_back(done: "ReadBack") -> None:
    """What a review file said, what the build's verdicts come to by now, and how they reach the dataset."""
    console = _unfolded_console()
    counts = {
        "new": done.new, "already there": done.again, "changed from before": done.turned, "left aside": len(done.aside),
    }  # fmt: skip
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    more = f"; {done.repeated:,} lines repeat another one" if done.repeated else ""
    more += f"; {done.open:,} lines without one" if done.open else ""
    console.print(f"read      {done.judged:,} verdicts ({said}){more}")
    if done.aside:
        console.print(f"aside     {escape(done.aside[0])} and others like it read otherwise now than when judged")
    console.print(f"review    {_reviewed(done.figures)}")
    if done.to_do:
        console.print(f"to do     {escape(done.to_do)}   (leaves out what was rejected, and writes the card anew)")


def _reviewed(figures: ReviewFigures) -> str:
    share, low, high = (100 * each for each in (figures.accepted / figures.judged, figures.low, figures.high))
    return (
        f"{figures.judged:,} facts judged, {figures.accepted:,} accepted: {share:.1f} % (95 % interval {low:.1f} to "
        f"{high:.1f} %); {figures.rejected:,} rejected"
    )


def _unfolded_console() -> Console:
    # A pipe has no width of its own; wide enough that no path is folded.
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, width=160, soft_wrap=True)
