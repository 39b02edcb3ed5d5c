"""What the command line prints about an extracted dump."""

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from flows.building.dump import DumpReport

SHOWN = 5
"""Of a list in one line."""


def print_dump(report: "DumpReport") -> None:
    """What was read, what was kept, what could not be, and where it lies."""
    found = report.manifest
    console = Console(highlight=False, soft_wrap=True)
    if report.done_before:
        console.print("was extracted before; nothing to do", markup=False)
    console.print(f"read      {found.lines:,} entities, {found.bytes / 1e6:,.1f} MB of JSON", markup=False)
    console.print(f"kept      {found.people:,} people, {found.values:,} entities that they need", markup=False)
    if found.missing:
        shown = _few(found.missing)
        console.print(
            f"missing   {len(found.missing):,} of {found.asked:,} QIDs ({shown}): deleted, or merged into others",
            markup=False,
        )
    if report.without_qid:
        console.print(
            f"left out  {len(report.without_qid):,} people without a QID on the list ({_few(report.without_qid)})",
            markup=False,
        )
    if found.bad_lines:
        console.print(f"left out  {found.bad_lines:,} lines that are no entity", markup=False)
        for line in report.bad_lines:
            console.print(f"          {line}", markup=False)
    if found.cut:
        console.print("note      the dump ends too early and was taken as it is", markup=False)
    console.print(f'folder    {report.folder}   (in a recipe: [source] kind = "dump", folder = …)', markup=False)


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
