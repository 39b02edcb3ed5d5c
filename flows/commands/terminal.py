"""What the commands share: the application, JSON on stdout, and progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from schemas.errors import BadInput
from schemas.progress import Lines, Progress, reporting
from schemas.vocabulary import PUBLISHED_SETTING, SETTINGS, Setting

if TYPE_CHECKING:
    from rich.progress import TaskID

app = typer.Typer(
    name="ppubench",
    help="Regenerate PPU-Bench, unlearn on it and measure what was forgotten and what was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One machine-readable object on stdout.")]


def taking_options(command: Callable[[Any], None]) -> Callable[..., None]:
    """A command whose options are the fields of one record, from a function that takes that record alone."""
    [(_, record), *_] = get_type_hints(command).items()
    kinds = get_type_hints(record, include_extras=True)
    options = [
        Parameter(
            each.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if each.default is MISSING else each.default,
            annotation=kinds[each.name],
        )
        for each in fields(record)
    ]

    def taken(**given: object) -> None:
        command(record(**given))

    taken.__doc__ = command.__doc__
    vars(taken)["__signature__"] = Signature(options)
    return taken


@contextmanager
def showing_progress(what: str) -> Iterator[Progress]:
    """Progress on stderr: bars on a terminal, else a line every half minute. `what` is the command at work.

    `schemas.progress.report` tells the same.
    """
    if not sys.stderr.isatty():
        with Lines(what, lambda line: print(line, file=sys.stderr, flush=True)) as lines, reporting(lines):
            yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    text = TextColumn("{task.description:<10}")
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        known: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in known:
                known[stage] = bars.add_task(stage, total=total)
            bars.update(known[stage], completed=done, total=total)

        with reporting(show):
            yield show


def print_json(value: object) -> None:
    print(json.dumps(value, sort_keys=True, ensure_ascii=False))


def setting_named(value: str) -> Setting:
    for setting in SETTINGS:
        if value in (setting, PUBLISHED_SETTING[setting]):
            return setting
    raise BadInput(f"setting {value!r}", "is not a setting", f"choose one of {', '.join(SETTINGS)}")
