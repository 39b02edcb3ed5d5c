"""What a run writes while it goes: one JSON line a step, and how far it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from schemas.progress import report

if TYPE_CHECKING:
    from unlearn.training.gradients import Gradient


Numbers = Mapping[str, float | tuple[int, ...]]

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


def write_line(lines: IO[str] | None, step: int, gradient: "Gradient", numbers: "Numbers") -> None:
    """One line: step, loss, terms, means of what was measured, and further numbers."""
    if lines is None:
        return
    row: dict[str, float | tuple[int, ...]] = {"step": step, "loss": gradient.loss, **numbers}
    row.update({f"term.{name}": value for name, value in gradient.terms.items()})
    row.update({f"mean.{name}": value for name, value in gradient.measured.items()})
    if gradient.cosine is not None:
        row["cosine"] = gradient.cosine
    row.update({f"norm.{name}": value for name, value in gradient.norms.items()})
    lines.write(json.dumps(row) + "\n")
    lines.flush()


class StepCount:
    """How far the loop is, told to whoever wants to know."""

    def __init__(self, total: int, start: int, *, shown: bool) -> None:
        self._total, self._done, self._shown = total, start, shown

    def __enter__(self) -> "StepCount":
        self._tell(self._done)
        return self

    def update(self, total: int) -> None:
        """One more step is done, of so many that there will be."""
        self._done, self._total = self._done + 1, total
        self._tell(self._done)

    def __exit__(self, *_: object) -> None:
        self._tell(self._total)  # however the loop ended, it is over

    def _tell(self, done: int) -> None:
        if self._shown:
            report("training", done, self._total)
