"""What a run writes while it goes: one JSON line a step, and a progress bar."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from tqdm import tqdm

from unlearn.gradients import Gradient

if TYPE_CHECKING:
    from unlearn.train import Numbers

LOG_FILE = "log.jsonl"


@contextmanager
def log_file(folder: Path | None, step: int) -> Iterator[IO[str] | None]:
    """The run's log, open for appending; lines from `step` on, of a run that went further before it died, are cut."""
    if folder is None:
        yield None
        return
    path = folder / LOG_FILE
    kept = []
    if path.is_file() and step > 0:
        whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line in whole if json.loads(line)["step"] < step]
    path.write_text("".join(kept))
    with path.open("a") as handle:
        yield handle


def write_line(lines: IO[str] | None, step: int, gradient: Gradient, numbers: "Numbers") -> None:
    """One line: step, loss, terms, means of what was measured, and further numbers."""
    if lines is None:
        return
    row: dict[str, float | tuple[int, ...]] = {"step": step, "loss": gradient.loss, **numbers}
    row.update({f"term.{name}": value for name, value in gradient.terms.items()})
    row.update({f"mean.{name}": value for name, value in gradient.measured.items()})
    if gradient.cosine is not None:
        row["cosine"] = gradient.cosine
    lines.write(json.dumps(row) + "\n")
    lines.flush()


def progress_bar(total: int, start: int, *, shown: bool) -> "tqdm[NoReturn]":
    """A progress bar on stderr, silent where that is not a terminal."""
    return tqdm(total=total, initial=start, disable=None if shown else True, desc="training", unit="step", leave=False)
