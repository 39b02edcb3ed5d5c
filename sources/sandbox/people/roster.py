"""Who lives in the embedded world: names, sex, dates, occupations and how widely they are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from schemas.records.entities import TimeValue
from sources.sandbox.people import names
from sources.sandbox.people.entities import date

NOW = 2026
"""The year in which the world is told; nothing in it is later."""
SUBJECT_SITELINKS = 12
"""Every subject has at least so many sitelinks; relatives have at most nine."""
MOST_SITELINKS = 52

NO_IMAGES = "Q902000001"
"""Facts, but neither P18 nor a category."""
FEW_VIEWS = "Q902000002"
"""Facts, but only two pictures."""
NO_STATEMENTS = "Q902000003"
"""A label and a description, no statement but P31."""
NAMESAKE = "Q902000004"
"""Facts and pictures, under the same name as one of the subjects."""
ODD_NAME = "Q902000005"
"""Facts and pictures, under a name with quotes, a slash, dots, non-Latin letters and an emoji."""
NO_LABEL = "Q902000006"
"""Facts and pictures, but no English label."""
EXTRA = (NO_IMAGES, FEW_VIEWS, NO_STATEMENTS, NAMESAKE, ODD_NAME, NO_LABEL)
"""People that a search or their QID reaches, but no selection: the query service does not know them."""

PLANTED_NAMES = (("Ásta", "Þórn"), ("Luc", "D'Arvel"), ('Odile "Finch"', "Marchbanks"))
"""The first subjects: names with non-ASCII letters, an apostrophe, quotes."""
ODD_LABEL = 'J. R. "A/C" Молот 🎷'


@dataclass(frozen=True)
class Person:
    """One person before anything is said about them. `index` counts subjects from 0, then the extra people."""

    index: int
    qid: str
    given: str
    family: str
    name: str
    female: bool
    born: TimeValue
    died: TimeValue | None
    occupations: tuple[str, ...]
    """QIDs, most important first."""
    sitelinks: int


def subject_qid(index: int) -> str:
    """QID of the index-th subject."""
    return f"Q{900_000_001 + index}"


def _born(index: int, rng: Random) -> TimeValue:
    if index == 3:
        return date(rng.randrange(1862, 1880), rng.randrange(1, 13), rng.randrange(1, 29), julian=True)
    year = rng.randrange(1886, 1948) if dead(index) else rng.randrange(1938, 1988)
    month, day = rng.randrange(1, 13), rng.randrange(1, 29)
    return date(year) if index % 6 == 4 else date(year, month) if index % 6 == 1 else date(year, month, day)


def dead(index: int) -> bool:
    """Every fourth person is dead."""
    return index % 4 == 3


def _died(index: int, born: TimeValue, rng: Random) -> TimeValue | None:
    if not dead(index):
        return None
    return date(born.year + rng.randrange(52, 74), rng.randrange(1, 13), rng.randrange(1, 29))


def _full_names(people: int, rng: Random) -> Iterator[tuple[str, str, bool]]:
    """Given name, family name and sex; no two full names are the same."""
    women, men = names.deal(rng, names.WOMEN), names.deal(rng, names.MEN)
    families = names.deal(rng, names.family_names(rng, most=max(64, people + 16)))
    for index in range(people):
        female = index % 2 == 0
        if index < len(PLANTED_NAMES):
            yield (*PLANTED_NAMES[index], female)
        else:
            yield next(women if female else men), next(families), female


def make_roster(*, people: int, seed: int, occupations: Iterator[str]) -> tuple[Person, ...]:
    """The subjects, then the extra people in the order of EXTRA."""
    rng = Random(f"{seed}:roster")
    total = people + len(EXTRA)
    found: list[Person] = []
    for index, (given, family, female) in enumerate(_full_names(total, rng)):
        qid = subject_qid(index) if index < people else EXTRA[index - people]
        name = f"{given} {family}"
        if qid == NAMESAKE:
            given, family, name, female = found[3].given, found[3].family, found[3].name, found[3].female
        elif qid == ODD_NAME:
            name = ODD_LABEL
        born = _born(index, rng)
        work = tuple(next(occupations) for _ in range(2 if index % 3 == 0 else 1))
        sitelinks = rng.randrange(SUBJECT_SITELINKS, MOST_SITELINKS + 1)
        died = _died(index, born, rng)
        found.append(Person(index, qid, given, family, name, female, born, died, work, sitelinks))
    return tuple(found)
