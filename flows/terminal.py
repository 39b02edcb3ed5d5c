"""What the commands share: the application, JSON on stdout, and the progress bar on stderr."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from schemas.problems import BadInput
from schemas.words import PUBLISHED_SETTING, SETTINGS, Setting

app = typer.Typer(
    name="ppubench",
    help="Regenerate PPU-Bench, unlearn on it and measure what was forgotten and what was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One machine-readable object on stdout.")]


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr; silent where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        known: dict[str, int] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in known:
                known[stage] = int(bars.add_task(stage, total=total))
            bars.update(known[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def print_json(value: object) -> None:
    print(json.dumps(value, sort_keys=True, ensure_ascii=False))


def setting_named(value: str) -> Setting:
    for setting in SETTINGS:
        if value in (setting, PUBLISHED_SETTING[setting]):
            return setting
    raise BadInput(f"setting {value!r}", "is not a setting", f"choose one of {', '.join(SETTINGS)}")
