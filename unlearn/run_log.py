"""What a run writes while it goes: one JSON line a step, and how far it is."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tqdm import tqdm

from unlearn.gradients import Gradient

if TYPE_CHECKING:
    from unlearn.train import Numbers

log = logging.getLogger(__name__)

LOG_FILE = "log.jsonl"
SPEAK_EVERY_S = 30
"""Between two lines about how far a run is, where no bar shows it."""


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


@contextmanager
def progress(total: int, start: int, *, shown: bool) -> Iterator[Callable[[int, int, float], None]]:
    """What a run tells while it goes: a bar on a terminal, else a line now and then.

    Yields what is to be told after each step: steps done, steps that there will be, and the loss.
    """
    with tqdm(
        total=total, initial=start, disable=None if shown else True, desc="training", unit="step", leave=False
    ) as bar:
        began = said = time.monotonic()

        def tell(done: int, end: int, loss: float) -> None:
            nonlocal said
            bar.total = end
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()
            now = time.monotonic()
            if shown and bar.disable and now - said >= SPEAK_EVERY_S:
                said = now
                left = (now - began) / (done - start) * (end - done)
                log.info("training: step %d of about %d, loss %.3f, about %s left", done, end, loss, duration(left))

        yield tell


def duration(seconds: float) -> str:
    """Such as "40 s" or "5 min", rounded up."""
    return f"{math.ceil(seconds)} s" if seconds <= 90 else f"{math.ceil(seconds / 60)} min"
