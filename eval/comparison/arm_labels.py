"""What a report calls what was evaluated: the untouched target, arms of runs, and models from outside.

Runs are seeds of one arm only where all that they are made of, but the seed, is equal.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from schemas.records.evaluation import EvaluationRecord
from schemas.records.study import Curve
from schemas.vocabulary import Setting

TARGET = "untouched target"
"""The model that was evaluated as it is, without a run and without a label."""
SHORT = 8
"""Digits of a digest that a label shows."""
EXPOSED = " (exposed)"
"""Behind the name of an arm whose steering and guards were taken off."""
MOST_NAMED = 4
"""Numbers that a label names; of more that differ, only those that are needed to tell the arms apart."""
FIRST = ("lr", "steps", "epochs")


@dataclass(frozen=True)
class ReportedRun:
    """A run as far as its label depends on it. `made_of` is empty where the record does not say it."""

    identity: str
    method: str
    seed: int | None
    made_of: Mapping[str, JsonValue]


@dataclass(frozen=True)
class ArmNames:
    """The names of the arms of one setting (and ratio)."""

    runs: Mapping[str, str]
    """By the run's identity."""
    outside: Mapping[str, str]
    """By the user's label: models that no run of ppubench made. Models of one label are seeds of one arm."""
    elsewhere: frozenset[str]
    """Names of arms whose runs unlearned another forget set than the one asked about."""

    def of(self, record: EvaluationRecord) -> str:
        """The name of the arm that an evaluation belongs to."""
        if record.run:
            return self.runs[record.run] + (EXPOSED if record.exposed else "")
        return self.outside[record.label] if record.label else TARGET

    def family(self, arm: str, method: str) -> str:
        """Arms of one family are one method with other numbers, of which a report shows the best."""
        apart = arm in self.elsewhere or arm in self.outside.values() or arm.endswith(EXPOSED)
        return arm if apart else method


def arm_names(
    curves: Sequence[Curve], records: Sequence[EvaluationRecord], setting: Setting, ratio: int | None
) -> ArmNames:
    """Names for all runs, and models from outside, that were probed or evaluated under a setting."""
    here = (setting, ratio)
    trained = {each.run: (each.trained_setting, each.trained_ratio) for each in records if each.trained_setting}
    runs = {each.run: ReportedRun(each.run, each.method, each.seed, each.made_of) for each in records if each.run}
    runs |= {
        each.run: ReportedRun(each.run, each.method, each.seed, each.made_of or {"lr": each.lr}) for each in curves
    }
    names, elsewhere = dict[str, str](), set[str]()
    for place in sorted({trained.get(run, here) for run in runs}, key=str):
        labels = arm_labels(each for run, each in runs.items() if trained.get(run, here) == place)
        if place != here:
            words = f"{place[0]} {place[1]} %" if place[1] else place[0]
            labels = {run: f"{label} trained on {words}" for run, label in labels.items()}
            elsewhere.update(labels.values())
        names |= labels
    taken = {TARGET, *names.values()}
    given = sorted({each.label for each in records if each.label and not each.run})
    outside = {label: f"{label} (outside)" if label in taken else label for label in given}
    return ArmNames(names, outside, frozenset(elsewhere))


def arm_labels(runs: Iterable[ReportedRun]) -> dict[str, str]:
    """By identity the label of the run's arm: its method, with what differs where a method was run in several ways.

    Two runs of one seed that nothing recorded tells apart are no seeds of each other, and are named by identity.
    """
    by_method: dict[str, list[ReportedRun]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
    labels: dict[str, str] = {}
    for method, own in by_method.items():
        keys = _telling([run.made_of for run in own if run.made_of])
        named = {run.identity: _label(method, run.made_of, keys) for run in own}
        twice = Counter((named[run.identity], run.seed) for run in own)
        unclear = {label for (label, _), count in twice.items() if count > 1}
        labels |= {run: f"{label} run {run[:SHORT]}" if label in unclear else label for run, label in named.items()}
    return labels


def _label(method: str, made_of: Mapping[str, JsonValue], keys: Sequence[str]) -> str:
    words = " ".join(f"{key.replace('_', ' ')} {_text(made_of.get(key))}" for key in keys)
    return f"{method} {words}" if words and made_of else method


def _telling(found: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    """The keys in which they differ, those that people type first."""
    differ = [key for key in {key for each in found for key in each} if len({_exact(each, key) for each in found}) > 1]
    differ.sort(key=lambda key: (FIRST.index(key) if key in FIRST else len(FIRST), key))
    if len(differ) <= MOST_NAMED:
        return differ
    needed: list[str] = []
    for key in differ:
        if _ways(found, [*needed, key]) > _ways(found, needed):
            needed.append(key)
    return needed


def _ways(found: Sequence[Mapping[str, JsonValue]], keys: Sequence[str]) -> int:
    return len({tuple(_exact(each, key) for key in keys) for each in found})


def _exact(made_of: Mapping[str, JsonValue], key: str) -> str:
    value = made_of.get(key)
    return json.dumps(float(value) if isinstance(value, int) and not isinstance(value, bool) else value, sort_keys=True)


def _text(value: JsonValue) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value[:SHORT] if len(value) == 32 else value or "none"  # 32 digits are a digest
    return "none" if value is None else json.dumps(value)
