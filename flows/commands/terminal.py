"""What the commands share: the application, JSON on stdout, and progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from schemas.errors import BadInput
from schemas.progress import Lines, Progress, reporting
from schemas.vocabulary import PUBLISHED_SETTING, SETTINGS, Setting

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.progress import TaskID

Options = TypeVar("Options", bound="DataclassInstance")
"""A frozen record of a command's arguments and options."""

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


def taking(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Makes a command of a function of one frozen record: the record's fields are the command's words.

    Fields are annotated as typer wants parameters; those without a default are required.
    """

    def as_command(run: Callable[[Options], None]) -> Callable[..., None]:
        def command(**words: object) -> None:
            run(options(**words))

        hints = get_type_hints(options, include_extras=True)
        command.__doc__ = run.__doc__
        command.__annotations__ = hints
        setattr(command, "__signature__", Signature([_word(field, hints) for field in fields(options)]))  # noqa: B010
        return command

    return as_command


def _word(field: "Field[Any]", hints: Mapping[str, Any]) -> Parameter:
    default = Parameter.empty if field.default is MISSING else field.default
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])


def print_json(value: object) -> None:
    print(json.dumps(value, sort_keys=True, ensure_ascii=False))


def setting_named(value: str) -> Setting:
    for setting in SETTINGS:
        if value in (setting, PUBLISHED_SETTING[setting]):
            return setting
    raise BadInput(f"setting {value!r}", "is not a setting", f"choose one of {', '.join(SETTINGS)}")
