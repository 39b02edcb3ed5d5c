"""From what was found to what is in the dataset: how many came to each step, and why the others did not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eval.explorer.build_reader import BuildTables
from schemas.records.drop_reasons import REASONS
from schemas.vocabulary import Stage

DECODING = frozenset({"broken_file", "too_small", "too_large", "animated", "not_an_image", "not_a_portrait"})
"""Reasons of the screen that hold for a file by itself."""
OF_SUBJECTS = frozenset({"too_few_views", "no_image"})
"""Reasons of the screen that leave out a person, not a file."""


@dataclass(frozen=True)
class Left:
    """What was left out before a step for one reason."""

    reason: str
    because: str
    count: int


@dataclass(frozen=True)
class Step:
    """One step: how many are left, what fell out on the way there, and what came on top."""

    name: str
    count: int
    share: float
    """Of the largest step of the funnel, 0-1."""
    left: tuple[Left, ...]
    added: int
    """More than the step before minus what was left out (facts that qualifiers give)."""

    @property
    def dropped(self) -> int:
        return sum(each.count for each in self.left)


@dataclass(frozen=True)
class Funnel:
    """The steps of one kind of thing; steps of stages that have not finished are not there."""

    name: str
    title: str
    steps: tuple[Step, ...]


def funnels(tables: BuildTables) -> tuple[Funnel, ...]:
    """Statements to samples, pictures to views, and people; only the steps that the build has reached."""
    read, made = _Counts(tables), tables.missing()
    facts = [("statements at the source", read.rows_in("facts"), Counter[str]())]
    facts += [("facts that can be asked about", read.out("facts", "facts"), read.drops("facts"))]
    if "questions" not in made:
        asked = read.rows_in("questions") - sum(read.drops("questions").values())
        facts += [("facts with questions", asked, read.drops("questions"))]
    if "probe" not in made:
        known = read.rows_in("probe") - sum(read.drops("probe").values())
        facts += [("facts that the target knows", known, read.drops("probe"))]
    if "split" not in made:
        roles = read.rows_in("split") - sum(read.drops("split").values())
        facts += [("samples with roles", roles, read.drops("split"))]
    pictures = [("files found", read.rows_in("images"), Counter[str]())]
    pictures += [("files with a free licence", read.out("images", "images"), read.drops("images"))]
    people = [("people looked up", read.rows_in("select"), Counter[str]())]
    people += [("subjects", read.out("select", "subjects"), read.drops("select"))]
    if "screen" not in made:
        drops = read.drops("screen")
        broken = Counter({reason: count for reason, count in drops.items() if reason in DECODING})
        persons = Counter({reason: count for reason, count in drops.items() if reason in OF_SUBJECTS})
        pictures += [("files that decode", read.out("screen", "hashes"), broken)]
        pictures += [("pictures kept", read.out("screen", "portraits"), drops - broken - persons)]
        people += [("subjects with enough pictures", read.out("screen", "subjects"), persons)]
    if "split" not in made:
        people += [("subjects with known facts", read.out("split", "personas"), Counter())]
    found = [
        ("facts", "From statements to samples", facts, "facts"),
        ("pictures", "From files to pictures", pictures, "images"),
        ("people", "People", people, "select"),
    ]
    return tuple(Funnel(name, title, _steps(steps)) for name, title, steps, first in found if first not in made)


class _Counts:
    """Sums over the batches of a build."""

    def __init__(self, tables: BuildTables) -> None:
        self._tables = tables

    def rows_in(self, stage: Stage) -> int:
        return sum(manifest.rows_in for manifest in self._tables.manifests(stage))

    def out(self, stage: Stage, table: str) -> int:
        return sum(manifest.rows_out.get(table, 0) for manifest in self._tables.manifests(stage))

    def drops(self, stage: Stage) -> Counter[str]:
        total: Counter[str] = Counter()
        for manifest in self._tables.manifests(stage):
            total.update(manifest.drops)
        return total


def _steps(found: Sequence[tuple[str, int, Counter[str]]]) -> tuple[Step, ...]:
    largest = max(1, *(count for _, count, _ in found))
    steps = []
    before: int | None = None
    for name, count, drops in found:
        left = tuple(
            Left(reason, REASONS.get(reason, "This reason is not in the list."), number)
            for reason, number in sorted(drops.items(), key=lambda pair: (-pair[1], pair[0]))
            if number
        )
        added = 0 if before is None else max(0, count - (before - sum(drops.values())))
        steps.append(Step(name, count, count / largest, left, added))
        before = count
    return tuple(steps)
