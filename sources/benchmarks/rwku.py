"""RWKU (arXiv 2406.10890): 200 famous people, what is asked about them and their neighbours, nine kinds of attack."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.errors import BadInput
from schemas.records.adopted import Adopted, AdoptedPerson, AdoptedQuestion, LeftOut
from schemas.records.evaluation import RWKU_ATTACKS
from schemas.vocabulary import Task
from sources.benchmarks.raw_rows import BenchmarkFolder, RawRow

RATIOS = (5, 10, 15, 30, 100)
"""Per cent of the people, in the order of forget_target, who are forgotten together; 100 keeps neighbours alone."""
CHANGES = (
    "People are forgotten together, the first 5, 10, 15, 30 or 100 % of them; the authors forget one at a time.",
    "Neighbours of a person are a kept subject of their own, whose id ends with `-near`.",
    "Training pairs are the questions of level 2 with their right answers: the authors train on passages and on what "
    "the model itself says.",
    "An answer is right by accepted forms, not by its ROUGE-L recall; that figure stands beside it.",
    "Sets for membership inference and general ability (mia_*, utility_*) are not taken.",
)
_LEVELS: Mapping[str, tuple[Task, str]] = {
    "forget_level1": ("cloze", ""),
    "forget_level2": ("generation", ""),
    "forget_level3": ("generation", ""),
    "neighbor_level1": ("cloze", "-near"),
    "neighbor_level2": ("generation", "-near"),
}


@dataclass
class _Counted:
    """Questions of a subject so far, by level, for their sample ids."""

    seen: dict[tuple[str, str], int]

    def next(self, subject_id: str, level: str) -> str:
        key = (subject_id, level)
        self.seen[key] = self.seen.get(key, -1) + 1
        return f"{subject_id}-{level.replace('_', '-')}-{self.seen[key]:02d}"


def read_rwku(folder: BenchmarkFolder) -> Adopted:
    """The benchmark in a clone of jinzhuoran/RWKU. Raises BadInput where it has no forget targets."""
    left_out = LeftOut()
    targets = list(dict.fromkeys(row.text("target") for row in folder.rows("forget_target")))
    if not targets:
        raise BadInput(f"{folder.path}, config forget_target", "names nobody", "fetch the benchmark again")
    ids = {name: f"{number:03d}" for number, name in enumerate(targets, start=1)}
    whole = {ratio: tuple(ids.values())[: max(1, len(ids) * ratio // 100)] for ratio in RATIOS}
    return Adopted(
        kind="rwku",
        title="RWKU",
        paper="2406.10890",
        people=_people(folder, ids, left_out),
        complete=whole,
        changes=CHANGES,
        left_out=left_out,
    )


def _people(folder: BenchmarkFolder, ids: Mapping[str, str], left_out: LeftOut) -> Iterator[AdoptedPerson]:
    questions: dict[str, list[AdoptedQuestion]] = defaultdict(list)
    names = {number: name for name, number in ids.items()}
    counted = _Counted({})
    for level, (task, suffix) in _LEVELS.items():
        if level not in folder.configs:
            raise BadInput(f"{folder.path}, config {level}", "is missing", "fetch all of the benchmark")
        for row in folder.rows(level):
            person = row.text("subject")
            if person not in ids:
                raise row.bad("subject", f"is {person!r}, who is not in forget_target")
            if not (row.text("query") and row.text("answer")):
                left_out.add(f"a question of {level} without question or answer")
                continue
            attack = _attack(row) if level == "forget_level3" else ""
            if attack is None:
                left_out.add(f"an adversarial question of the unknown type {row.text('type')!r}")
                continue
            subject_id = f"{ids[person]}{suffix}"
            questions[subject_id].append(_question(row, level, task, subject_id, counted, attack))
    for subject_id, own in sorted(questions.items()):
        yield AdoptedPerson(
            subject_id=subject_id,
            subject=names.get(subject_id, ""),
            questions=tuple(own),
            lessons=tuple(each.lesson for each in own if each.task == "generation" and not each.attack),
        )


def _question(row: RawRow, level: str, task: Task, subject_id: str, counted: _Counted, attack: str) -> AdoptedQuestion:
    return AdoptedQuestion(
        sample_id=counted.next(subject_id, level),
        task=task,
        modality="qa",
        question=row.text("query"),
        answer=row.text("answer"),
        group=level,
        attack=attack,
    )


def _attack(row: RawRow) -> str | None:
    """The attack of an adversarial question's type; None where it is none of the nine."""
    name = "rwku_" + re.sub(r"[^a-z]+", "_", row.text("type").casefold()).strip("_")
    return name if name in RWKU_ATTACKS else None
