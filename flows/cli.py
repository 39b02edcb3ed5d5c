"""The command line: imports the commands, runs one, and turns what goes wrong into one line and an exit status."""

import logging
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from typing import NoReturn

from typer import TyperException

from flows.commands import adopt, audit, build, dump, evaluate, models, publish
from flows.commands.interrupts import INTERRUPTED, ending_soon, heed_lost_interrupts
from flows.commands.terminal import app
from schemas.errors import BadInput, Unfinished

__all__ = ["adopt", "audit", "build", "dump", "evaluate", "main", "models", "publish"]


def _fail(message: str, status: int) -> NoReturn:
    print(f"ppubench: {message}", file=sys.stderr)
    raise SystemExit(status)


def _refuse_words(problem: TyperException, words: list[str]) -> NoReturn:
    """One line for words that the command line does not know or lacks; help that was asked for by no word at all."""
    said = problem.format_message().strip()
    if "\n" in said:
        print(said, file=sys.stderr)
        raise SystemExit(2)
    known = {command.name for command in app.registered_commands}
    shown = f"ppubench {words[0]} --help" if words and words[0] in known else "ppubench --help"
    _fail(f"{said.rstrip('.')} (see {shown})", 2)


def _again(words: list[str]) -> str:
    """How a command that did not end goes on."""
    resumes = words[:1] == ["unlearn"] and "--resume" not in words
    return "run the same command with --resume" if resumes else "run the same command again"


def _on_disk(problem: OSError) -> tuple[str, str]:
    """Where something went wrong with a file, and what; of the many of a copied folder the first."""
    if isinstance(problem, shutil.Error) and isinstance(problem.args[0], list):
        _, where, why = problem.args[0][0]
        return str(where), str(why)
    return str(problem.filename or "the disk"), str(problem.strerror or problem)


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit status: 0 done; 2 wrong use or bad input; 1 failed after starting; 130 interrupted."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # else its client tells of every retry
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for package in ("flows", "sources", "curation", "unlearn", "eval"):
        logging.getLogger(package).setLevel(logging.INFO)
    heed_lost_interrupts()
    words = sys.argv[1:] if arguments is None else arguments
    again = _again(words)
    interrupted = cache(lambda: print(f"ppubench: interrupted; {again} to go on", file=sys.stderr, flush=True))
    with ending_soon(interrupted):
        _run(words, again=again, interrupted=interrupted)


def _run(words: list[str], *, again: str, interrupted: Callable[[], None]) -> NoReturn:
    try:
        status = app(words, standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        raise SystemExit(status if isinstance(status, int) else 0)
    except KeyboardInterrupt:
        interrupted()
        raise SystemExit(INTERRUPTED) from None
    except BadInput as problem:
        _fail(str(problem), 2)
    except Unfinished as problem:
        _fail(f"{problem}; what was done is kept: {again} to go on", 1)
    except TyperException as problem:
        _refuse_words(problem, words)
    except OSError as problem:
        where, why = _on_disk(problem)
        _fail(f"{where}: {why}; mend it and {again}", 1)
    except Exception as problem:
        if os.environ.get("PPUBENCH_DEBUG"):
            raise
        _fail(f"{type(problem).__name__}: {problem}; {again} to go on, or with PPUBENCH_DEBUG=1 for details", 1)


if __name__ == "__main__":
    main()
