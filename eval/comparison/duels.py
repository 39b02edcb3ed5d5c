"""Pairs of methods that a study asks to be compared: what one has more than the other, at the same numbers."""

from collections.abc import Callable, Mapping, Sequence

from eval.comparison.ranking import Arm
from schemas.records.study import ArmRow
from schemas.storage.tables import Record
from schemas.vocabulary import Setting


class DuelRow(Record):
    """The score of `second` less that of `first`, on the same drawn subjects, and over seeds."""

    first: str
    second: str
    numbers: str
    """What the runs of one method differ in, such as "lr 0.001"; "" where they do not."""
    setting: Setting
    ratio: int | None
    value: float
    low: float | None
    high: float | None
    real: bool
    """The 95 % interval leaves out zero."""


def duel_rows(
    arms: Sequence[Arm], wanted: Sequence[tuple[str, str]], *, by: Callable[[Sequence[Arm]], Sequence[ArmRow]]
) -> list[DuelRow]:
    """Each wanted pair of methods at all numbers with which both ran, in that order; `by` ranks two arms."""
    found = []
    for first, second in wanted:
        ours, theirs = _by_numbers(arms, first), _by_numbers(arms, second)
        for numbers in sorted(ours.keys() & theirs.keys()):
            found += [
                _seen_from(first, second, numbers, row) for row in by([ours[numbers], theirs[numbers]]) if not row.best
            ]
    return found


def _seen_from(first: str, second: str, numbers: str, behind: ArmRow) -> DuelRow:
    sign = 1 if behind.method == first else -1  # where the first is behind, the second is ahead
    low, high = behind.behind_low, behind.behind_high
    return DuelRow(
        first=first,
        second=second,
        numbers=numbers,
        setting=behind.setting,
        ratio=behind.ratio,
        value=sign * behind.behind,
        low=None if low is None or high is None else min(sign * low, sign * high),
        high=None if low is None or high is None else max(sign * low, sign * high),
        real=behind.real,
    )


def _by_numbers(arms: Sequence[Arm], method: str) -> Mapping[str, Arm]:
    return {arm.label.removeprefix(method).strip(): arm for arm in arms if arm.method == method}
