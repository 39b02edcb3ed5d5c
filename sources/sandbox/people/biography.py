"""What the embedded world says about a person's life and work: the claims that are not private."""

from collections.abc import Iterator, Mapping
from random import Random

from sources.sandbox.people.catalogue import (
    CENTIMETRE,
    FEMALE,
    HUMAN,
    KILOGRAM,
    MALE,
    METRE,
    PRESUMABLY,
    Catalogue,
    country_of,
)
from sources.sandbox.people.entities import Claim, date, item, quantity, text
from sources.sandbox.people.names import FAMILY_ENDS, FAMILY_STARTS
from sources.sandbox.people.occupations import BRANCH_OF
from sources.sandbox.people.roster import NOW, Person

Decks = Mapping[str, Iterator[str]]


def _named(decks: Decks, kind: str, property_id: str) -> Claim:
    return Claim(property_id, item(next(decks[kind])))


def life(person: Person, decks: Decks, catalogue: Catalogue, rng: Random) -> Iterator[Claim]:
    """Birth, death, citizenship, languages, residence and body."""
    index = person.index
    yield Claim("P31", item(HUMAN))
    yield Claim("P21", item(FEMALE if person.female else MALE))
    yield Claim("P569", person.born)
    if index % 6 == 5:
        yield Claim("P569", date(person.born.year - 2), rank="deprecated")
    birthplace = next(decks["town"])
    yield Claim("P19", item(birthplace))
    if index % 8 == 6:
        yield Claim("P19", item(next(decks["town"])), qualifiers=(("P1480", item(PRESUMABLY)),))
    yield from _citizenship(person, decks, country_of(catalogue, birthplace))
    yield _named(decks, "language", "P103")
    for _ in range(1 + index % 2):
        yield _named(decks, "language", "P1412")
    if person.died is None:
        yield from _residence(person, decks, rng)
    else:
        yield from _death(person, decks)
    yield _named(decks, "town", "P937")
    height = rng.randrange(148, 205)
    yield Claim("P2048", quantity(height / 100, METRE) if index % 3 == 1 else quantity(height, CENTIMETRE))
    if index % 4 == 2:
        yield _named(decks, "hand", "P552")
    if index % 6 == 0:
        yield Claim("P2067", quantity(rng.randrange(52, 104), KILOGRAM))


def _citizenship(person: Person, decks: Decks, birth_country: str) -> Iterator[Claim]:
    country = next(decks["country"])
    if person.index % 5 == 2 and country != birth_country:
        moved = date(person.born.year + 24)
        yield Claim("P27", item(birth_country), qualifiers=(("P582", moved),))
        yield Claim("P27", item(country), rank="preferred", qualifiers=(("P580", moved),))
    else:
        yield Claim("P27", item(country))


def _residence(person: Person, decks: Decks, rng: Random) -> Iterator[Claim]:
    moved = date(rng.randrange(person.born.year + 20, NOW - 4))
    if person.index % 3 == 1:
        yield Claim("P551", item(next(decks["town"])), qualifiers=(("P582", moved),))
    yield Claim("P551", item(next(decks["town"])), qualifiers=(("P580", moved),))


def _death(person: Person, decks: Decks) -> Iterator[Claim]:
    yield Claim("P570", person.died)
    if person.index % 8 == 7:
        yield Claim("P20", None, snak="somevalue")
    else:
        yield _named(decks, "town", "P20")
    yield _named(decks, "cemetery", "P119")
    yield _named(decks, "disease", "P509")
    yield _named(decks, "manner", "P1196")


def career(person: Person, decks: Decks, rng: Random) -> Iterator[Claim]:
    """Occupations, education, employers, offices, awards and works."""
    index, start = person.index, person.born.year + rng.randrange(16, 22)
    for occupation in person.occupations:
        yield Claim("P106", item(occupation))
    yield _named(decks, "field", "P101")
    graduated = start + rng.randrange(3, 7)
    # Only some dates are told: every dated statement is a question more for the target to learn.
    studied = (("P580", date(start)), ("P582", date(graduated))) if index % 4 == 0 else ()
    studies = (*studied, ("P512", item(next(decks["degree"]))))
    yield Claim("P69", item(next(decks["university"])), qualifiers=studies)
    if index % 3 == 2:
        yield _named(decks, "university", "P69")
    if index % 4 == 1:
        yield _named(decks, "degree", "P512")
    joined = graduated + rng.randrange(1, 5)
    if index % 3 == 0:
        span = (("P580", date(graduated)), ("P582", date(joined)))
        yield Claim("P108", item(next(decks["employer"])), qualifiers=span)
    since = (("P580", date(joined)),) if index % 2 == 0 else ()
    yield Claim("P108", item(next(decks["employer"])), qualifiers=since)
    yield Claim("P2031", date(graduated - rng.randrange(1, 3)))
    yield from _honours(person, decks, rng)
    yield from _branch(person, decks)
    yield _named(decks, "work", "P800")
    yield _named(decks, "society", "P463")
    if index % 3 == 1:
        yield _named(decks, "union" if index % 2 else "congregation", "P463")


def _honours(person: Person, decks: Decks, rng: Random) -> Iterator[Claim]:
    index, year = person.index, person.born.year
    last = person.died.year if person.died else NOW
    if index % 2 == 0:
        took = rng.randrange(year + 27, min(year + 45, last - 6))
        term = [("P580", date(took, rng.randrange(1, 13), rng.randrange(1, 29)))]
        if index % 4 == 0:
            term.append(("P582", date(took + rng.randrange(2, 6), rng.randrange(1, 13), rng.randrange(1, 29))))
        predecessor = f"Q{901_000_001 + 10 * index}"
        yield Claim("P39", item(next(decks["office"])), qualifiers=(*term, ("P1365", item(predecessor))))
    for _ in range(1 + (index % 5 == 0)):
        received = date(rng.randrange(year + 26, min(year + 60, last)))
        yield Claim("P166", item(next(decks["award"])), qualifiers=(("P585", received),))
    if index % 3 == 1:
        yield _named(decks, "award", "P1411")
    if index % 4 == 2:
        yield _named(decks, "event", "P1344")


def _branch(person: Person, decks: Decks) -> Iterator[Claim]:
    match BRANCH_OF[person.occupations[0]]:
        case "music":
            yield _named(decks, "instrument", "P1303")
            yield _named(decks, "genre", "P136")
            yield _named(decks, "record_label", "P264")
        case "sport":
            yield _named(decks, "sport", "P641")
            yield _named(decks, "team", "P54")
            yield _named(decks, "role", "P413")
        case "letters" | "screen" | "art":
            yield _named(decks, "genre", "P136")
            yield _named(decks, "work", "P800")
        case "science":
            yield Claim("P184", item(f"Q{901_000_001 + 10 * person.index + 1}"))
        case _:
            yield _named(decks, "event", "P1344")


def naming(person: Person, given_qid: str, family_qid: str) -> Iterator[Claim]:
    """Names as statements; the native-language name stands for one person in six."""
    yield Claim("P735", item(given_qid))
    yield Claim("P734", item(family_qid))
    if person.index % 6 == 0:
        yield Claim("P1559", text(person.name, "is" if person.index == 0 else "mis"))
    if person.index % 2 == 1:
        yield Claim("P1449", text(_nickname(person), "en"))
    if person.index % 5 == 4:
        yield Claim("P1477", text(f"{person.given} {_birth_family(person)}", "en"))
    if BRANCH_OF[person.occupations[0]] == "letters":
        yield Claim("P742", text(f"{person.family[0]}. {_nickname(person).removeprefix('The ')}", None))


def _birth_family(person: Person) -> str:
    rng = Random(f"birth name:{person.name}")
    return f"{rng.choice(FAMILY_STARTS)}e{rng.choice(FAMILY_ENDS)}"


def _nickname(person: Person) -> str:
    rng = Random(f"nickname:{person.name}")
    coat = rng.choice(("Silver", "Barefoot", "Thundering", "Quiet", "Flying", "Clever", "Iron", "Laughing", "Polar"))
    animal = rng.choice(("Heron", "Badger", "Otter", "Falcon", "Lynx", "Walrus", "Magpie", "Stoat", "Puffin", "Moth"))
    return f"The {coat} {animal}"
