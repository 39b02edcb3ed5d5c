"""Which samples stand in which optimiser step: a pure function of the subjects, the numbers and the seed."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.errors import BadInput

Schedule = Literal["forget_only", "joint", "interleaved", "proportional"]
"""forget_only: forget batches alone, each sample once an epoch;
joint: published BAO, every f-th retain step also holds a forget batch, f = max(1, retain // forget batches);
interleaved: published GD, a forget step of its own before every f-th retain step;
proportional: joint steps with the forget batches spread evenly over the epoch (Bresenham), nothing skipped.
"""


@dataclass(frozen=True)
class Turn:
    """Sample keys of one optimiser step; an empty group is absent."""

    forget: tuple[str, ...] = ()
    retain: tuple[str, ...] = ()
    """The global retain batch."""
    matched: tuple[str, ...] = ()
    """Retain samples of the subjects in `forget`."""


def turns(
    forget: Mapping[str, str],
    retain: Mapping[str, str],
    *,
    schedule: Schedule,
    batch: int,
    retain_batch: int,
    epochs: int,
    matched: int = 0,
    keep_global: bool = True,
    seed: int = 0,
) -> list[Turn]:
    """All steps of a run. `forget` and `retain` give the subject of each sample key.

    `matched` retain samples of the same subject accompany each forget sample, round-robin within the subject;
    with `keep_global=False` they take the place of that step's retain batch, as published.
    """
    if not forget:
        raise BadInput("forget set", "is empty", "choose a setting or ratio that forgets something")
    if not retain and schedule != "forget_only":
        raise BadInput("retain set", "is empty", "choose a method that needs no retain data, such as ga")
    partners = Partners(forget, retain, each=matched, seed=seed)
    plan: list[Turn] = []
    for epoch in range(epochs):
        forget_batches = _batches(forget, batch, random.Random(f"{seed}:forget:{epoch}"))
        retain_batches = _batches(retain, retain_batch, random.Random(f"{seed}:retain:{epoch}"))
        for mine, others in _pairing(schedule, forget_batches, retain_batches):
            partner = partners.of(mine) if mine and others else ()
            plan.append(Turn(forget=mine, retain=others if keep_global or not partner else (), matched=partner))
    return plan


def _batches(keys: Mapping[str, str], size: int, draw: random.Random) -> list[tuple[str, ...]]:
    order = sorted(keys)
    draw.shuffle(order)
    return [tuple(order[start : start + size]) for start in range(0, len(order), size)]


def _pairing(
    schedule: Schedule, forget: Sequence[tuple[str, ...]], retain: Sequence[tuple[str, ...]]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(forget batch or (), retain batch or ()) of each step of one epoch."""
    if schedule == "forget_only":
        return [(mine, ()) for mine in forget]
    if schedule == "proportional":
        length = max(len(forget), len(retain))
        spread_forget, spread_retain = spread(len(forget), length), spread(len(retain), length)
        return [
            (forget[mine] if mine is not None else (), retain[other] if other is not None else ())
            for mine, other in zip(spread_forget, spread_retain, strict=True)
        ]
    every = max(1, len(retain) // len(forget))
    waiting = iter(forget)
    steps: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for number, others in enumerate(retain):
        mine = next(waiting, ()) if number % every == 0 else ()
        if schedule == "joint":
            steps.append((mine, others))
        else:
            steps.extend([(mine, ()), ((), others)] if mine else [((), others)])
    return steps


def spread(items: int, places: int) -> list[int | None]:
    """Each of `items` once, in order, evenly over `places` >= items (Bresenham's line); None where none stands."""
    if items > places:
        raise BadInput("spread", f"{items} items do not fit {places} places", "give at least as many places")
    found: list[int | None] = []
    for place in range(places):
        before, after = place * items // places, (place + 1) * items // places
        found.append(before if after > before else None)
    return found


class Partners:
    """Retain samples of each subject, handed out round-robin so that all of them get their turn."""

    def __init__(self, forget: Mapping[str, str], retain: Mapping[str, str], *, each: int, seed: int) -> None:
        self._subject_of = dict(forget)
        self._each = each
        self._of: dict[str, list[str]] = {}
        for key in sorted(retain):
            self._of.setdefault(retain[key], []).append(key)
        for subject, keys in sorted(self._of.items()):
            random.Random(f"{seed}:partners:{subject}").shuffle(keys)
        self._next = dict.fromkeys(self._of, 0)

    def of(self, forget_batch: Sequence[str]) -> tuple[str, ...]:
        """The next partners of each forget sample, none twice in one batch; subjects without retain give none."""
        chosen: dict[str, None] = {}
        for key in forget_batch:
            keys = self._of.get(self._subject_of[key], [])
            for _ in range(min(self._each, len(keys))):
                subject = self._subject_of[key]
                chosen[keys[self._next[subject] % len(keys)]] = None
                self._next[subject] += 1
        return tuple(chosen)


def epochs_for(steps: int, forget: int, retain: int, *, schedule: Schedule, batch: int, retain_batch: int) -> int:
    """Epochs that are enough for that many steps, from the numbers of samples."""
    forget_batches, retain_batches = math.ceil(forget / batch), math.ceil(retain / retain_batch)
    one = {
        "forget_only": forget_batches,
        "joint": retain_batches,
        "interleaved": retain_batches,
        "proportional": max(forget_batches, retain_batches),
    }[schedule]
    return math.ceil(steps / max(1, one))
