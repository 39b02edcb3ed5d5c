"""What the embedded world says about a person's private life: family, belief, health, money, offences, contact."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from schemas.records.entities import ItemValue
from sources.sandbox.people.biography import Decks
from sources.sandbox.people.catalogue import ALLEGEDLY, CROWN, DOLLAR, EURO, FEMALE, HUMAN, MALE
from sources.sandbox.people.entities import Claim, Draft, date, item, quantity, text
from sources.sandbox.people.names import FAMILY_ENDS, FAMILY_STARTS, MEN, WOMEN
from sources.sandbox.people.roster import NOW, Person

GATED = frozenset(
    (
        "P91",
        "P102",
        "P140",
        "P172",
        "P509",
        "P551",
        "P1050",
        "P1196",
        "P1399",
        "P1853",
        "P2218",
    )
)
"""Properties whose claims nearly always name a source, as Wikidata demands of them."""


def beliefs(person: Person, decks: Decks, rng: Random) -> Iterator[Claim]:
    """Party, religion, ethnic group, health, wealth and convictions, each for some people only."""
    index = person.index
    if index % 9 == 8:
        yield Claim("P102", None, snak="novalue")
    elif index % 2 == 0:
        left = date(min(person.born.year + 40, NOW - 2))
        if index % 4 == 2:
            yield Claim("P102", item(next(decks["party"])), qualifiers=(("P582", left),))
        yield Claim("P102", item(next(decks["party"])), rank="preferred" if index % 4 == 2 else "normal")
    if index % 3 != 1:
        yield Claim("P140", item(next(decks["religion"])))
    if index % 2 == 1:
        yield Claim("P172", item(next(decks["ethnic"])))
    if index % 3 == 0:
        yield Claim("P1050", item(next(decks["disease"])))
    if index % 4 == 1:
        yield Claim("P1853", item(next(decks["blood"])))
    if index % 3 == 2:
        amount = rng.randrange(11, 990) * 100_000
        yield Claim(
            "P2218",
            quantity(amount, (DOLLAR, EURO, CROWN)[index // 3 % 3]),
            qualifiers=(("P585", date(rng.randrange(2012, NOW - 1))),),
        )
    if index % 5 == 2:
        nature = (("P5102", item(ALLEGEDLY)),) if index % 10 == 7 else ()
        yield Claim("P1399", item(next(decks["crime"])), qualifiers=nature)
    if index % 7 == 3:
        yield Claim("P91", item(next(decks["orientation"])))


def contact(person: Person, rng: Random) -> Iterator[Claim]:
    """Contact data and handles: they stand at the source, and the pipeline must leave them out."""
    slug = f"person{person.index + 1}"
    number = f"+999 {rng.randrange(100, 1000)} {rng.randrange(1000, 10000)}"
    yield Claim("P856", text(f"https://{slug}.example/"), sourcing="none")
    yield Claim("P2002", text(f"{slug}_official"), sourcing="none")
    if person.index % 2 == 0:
        yield Claim("P968", text(f"mailto:{slug}@mail.example"), sourcing="none")
    if person.index % 3 == 0:
        yield Claim("P1329", text(number), sourcing="none")
    if person.index % 4 == 0:
        yield Claim("P6375", text(f"{rng.randrange(1, 200)} Ferry Lane", "en"), sourcing="none")
    yield Claim("P213", text(f"0000 0009 {rng.randrange(1000, 10000)} {person.index:04d}"))


@dataclass(frozen=True)
class Household:
    """Family claims of one person, and the relatives who are not subjects."""

    claims: tuple[Claim, ...]
    relatives: tuple[Draft, ...]


def _relative(qid: str, name: str, *, female: bool, born: int, sitelinks: int, what: str) -> Draft:
    claims = (
        Claim("P31", item(HUMAN)),
        Claim("P21", item(FEMALE if female else MALE)),
        Claim("P569", date(born)),
    )
    return Draft(qid, name, what, (), sitelinks, claims)


def make_household(person: Person, partner: Person | None, taken: set[str]) -> Household:
    """Relatives of a person. `partner` is a subject married to them; `taken` are full names in use, and grows.

    Every fourth relative is private (no or one sitelink); children of some are minors.
    """
    rng = Random(f"household:{person.qid}:{person.name}")
    claims: list[Claim] = []
    relatives: list[Draft] = []

    def add(place: int, *, female: bool, born: int, private: bool, what: str, kin: bool = True) -> ItemValue:
        family = person.family if kin else f"{rng.choice(FAMILY_STARTS)}o{rng.choice(FAMILY_ENDS)}"
        while (name := f"{rng.choice(WOMEN if female else MEN)} {family}") in taken:
            family = f"{family}-{rng.choice(('Aske', 'Bell', 'Dunn', 'Grey', 'Lark', 'Vane'))}"
        taken.add(name)
        qid = f"Q{901_000_001 + 10 * person.index + place}"
        links = rng.randrange(0, 2) if private else rng.randrange(5, 10)
        relatives.append(_relative(qid, name, female=female, born=born, sitelinks=links, what=what))
        return item(qid)

    index, year = person.index, person.born.year
    if index % 2 == 0:
        add(0, female=index % 4 == 0, born=year - 15, private=False, what="officeholder", kin=False)
    add(1, female=index % 4 == 1, born=year - 28, private=False, what="scholar", kin=False)
    if partner is not None:
        claims.append(Claim("P26", item(partner.qid), qualifiers=(("P580", date(max(year, partner.born.year) + 27)),)))
    elif index % 3 != 0:
        wed, parted = date(year + rng.randrange(22, 31)), date(year + rng.randrange(33, 38))
        ended = (("P580", wed), ("P582", parted)) if index % 6 == 2 else (("P580", wed),)
        what, kin, private = "spouse of a public figure", index % 6 == 2, index % 4 == 1
        spouse = add(2, female=not person.female, born=year + 1, private=private, what=what, kin=kin)
        claims.append(Claim("P26", spouse, qualifiers=ended))
    if index % 2 == 1:
        born = 2014 if person.died is None and year > 1970 else year + 30
        for place in range(3, 4 + index % 3):
            child = add(place, female=place == 3, born=born, private=place != 3 or born == 2014, what="child")
            claims.append(Claim("P40", child))
    if index % 4 == 1:
        claims.append(Claim("P1971", quantity(rng.randrange(1, 10))))
    if index % 4 == 3:
        claims.append(Claim("P22", None, snak="somevalue"))
    elif index % 2 == 0:
        claims.append(Claim("P22", add(6, female=False, born=year - 29, private=index % 8 == 4, what="father")))
    if index % 3 == 0:
        claims.append(Claim("P25", add(7, female=True, born=year - 26, private=False, what="mother", kin=False)))
    if index % 3 == 2:
        claims.append(Claim("P3373", add(8, female=index % 2 == 1, born=year + 3, private=False, what="sibling")))
    return Household(tuple(claims), tuple(relatives))
