"""Progress: how far a long phase is. One reporter a process; where nobody looks at bars, a line every half minute."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) as often as something is done; `total` may grow."""

EVERY_S = 30.0


def silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""


_told: list[Progress] = []


def report(what: str, done: int, total: int) -> None:
    """Tell the reporter of this process, from places that are handed none: the training loop, a model's download."""
    (_told[-1] if _told else silent)(what, done, total)


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Have `report` tell this reporter while the context lasts, from all threads."""
    _told.append(progress)
    try:
        yield
    finally:
        _told.remove(progress)


Item = TypeVar("Item")


def counted(what: str, items: Sequence[Item]) -> Iterator[Item]:
    """The items, one after the other; `report` is told of each that is done."""
    for done, item in enumerate(items):
        report(what, done, len(items))
        yield item
    report(what, len(items), len(items))


@dataclass
class _Phase:
    """How far one phase is. Where it began is not always 0: an earlier call may have done some of it."""

    began: float
    first: int
    done: int
    total: int

    def line(self, what: str, now: float) -> str:
        """`probe: 412 of 1,514, 1 min 30 s so far, about 4 min to go`."""
        took = now - self.began
        said = f"{what}: {self.done:,} of {self.total:,}, {duration(took)} so far"
        if self.done <= self.first:
            return said
        return f"{said}, about {duration(took * (self.total - self.done) / (self.done - self.first))} to go"


class Lines:
    """A live resource: writes, every so many seconds, one line about the phase that was heard of last.

    It speaks by itself, so that a phase which counts nothing for minutes is not silent either.
    """

    def __init__(
        self,
        what: str,
        write: Callable[[str], None],
        *,
        every_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`what` is at work until it is said how far something is; `write` gets the lines, one at a time."""
        self._what, self._write, self._every_s, self._clock = what, write, every_s or EVERY_S, clock
        self._began = clock()
        self._phases: dict[str, _Phase] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        with self._lock:
            phase = self._phases.pop(what, None) or _Phase(self._clock(), done, done, total)
            phase.done, phase.total = done, total
            if done < total:
                self._phases[what] = phase  # behind all others: the one that was heard of last

    def line(self) -> str:
        """What there is to say now."""
        with self._lock:
            now = self._clock()
            for what, phase in reversed(self._phases.items()):
                return phase.line(what, now)
        return f"{self._what}: at work, {duration(now - self._began)} so far"

    def _speak(self) -> None:
        while not self._ended.wait(self._every_s):
            self._write(self.line())

    def __enter__(self) -> "Lines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def duration(seconds: float) -> str:
    """A time as people say it: 45 s, 1 min 30 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")
