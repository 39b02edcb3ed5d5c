"""What the command line prints about a study and its report, and about a build's explorer."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.records.study import StudyRecord

if TYPE_CHECKING:
    from eval.explorer.explorer import Explored
    from eval.report.report import ReportFiles


def print_study(record: StudyRecord, files: "ReportFiles | None", folder: Path) -> None:
    """What became of each unit, the verdicts, and where everything lies."""
    console = _console()
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
    console = _console()
    for headline in files.headlines:
        console.print(escape(headline))
    console.print(f"report    {escape(str(files.html))}   (open it in a browser; it needs no network)")
    console.print(f"tables    {escape(', '.join(str(path) for path in (files.markdown, *files.tables)))}")


def print_explorer(explored: "Explored") -> None:
    """What the explorer shows, and where it is."""
    console = _console()
    size = f"{explored.bytes / 1e6:.1f} MB"
    console.print(f"explorer  {escape(str(explored.html))}   (open it in a browser; it needs no network)")
    console.print(f"shows     {explored.subjects:,} subjects, {explored.facts:,} facts, {size}")
    console.print(f"funnel    {escape(str(explored.funnel))}")


def _console() -> Console:
    # A pipe has no width of its own; wide enough that no path is folded.
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, width=160, soft_wrap=True)
