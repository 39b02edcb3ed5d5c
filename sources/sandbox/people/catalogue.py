"""The value items of the embedded world: invented places, institutions and works under real Wikidata classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from schemas.records.entities import ItemValue
from sources.sandbox.people import names
from sources.sandbox.people.entities import Claim, Draft, item
from sources.sandbox.people.entity_json import ARCHIVE, WIKIPEDIA
from sources.sandbox.people.occupations import OCCUPATIONS

HUMAN, MALE, FEMALE = "Q5", "Q6581097", "Q6581072"
CENTIMETRE, METRE, KILOGRAM = "Q174728", "Q11573", "Q11570"
DOLLAR, EURO, CROWN = "Q4917", "Q4916", "Q919000002"
"""Two real currencies, and one of the world's own that no table of units knows."""
PRESUMABLY, ALLEGEDLY = "Q18122778", "Q32188232"
BAND_CLASS = "Q215380"

ASPECTS = (
    "Fisheries", "Canals", "Observatories", "Weather", "Archives", "Festivals", "Railways", "Apiaries", "Harbours",
    "Antiquities", "Sanitation", "Bridges", "Cartography", "Vineyards", "Telegraphs", "Botany", "Mines", "Theatres",
    "Lighthouses", "Customs", "Forestry", "Statistics",
)  # fmt: skip
FIELDS = (
    "tidal-acoustics", "moss-taxonomy", "glacier-optics", "kite-meteorology", "bell-metallurgy", "harbour-law",
    "island-linguistics", "lantern-chemistry", "polar-botany", "bridge-dynamics", "comparative-folklore",
    "honey-economics", "seismic-archaeology", "cloud-statistics", "amber-palaeontology", "river-hydraulics",
    "night-photography", "puppet-dramaturgy", "salt-mineralogy", "textile-history", "choral-pedagogy",
    "lichen-genetics", "dune-ecology", "rope-topology", "canal-logistics", "paper-conservation", "orchard-pathology",
    "whale-bioacoustics", "street-typography", "alpine-cardiology", "meteor-spectroscopy", "sleep-neurology",
)  # fmt: skip
GENRES = (
    "harbour-blues", "clockwork-pop", "fjord-folk", "lantern-jazz", "salt-rock", "moor-ballad", "glass-ambient",
    "canal-swing", "nordic-noir", "pastoral-satire", "epistolary-romance", "magic-travelogue", "courtroom-farce",
    "gothic-comedy", "chamber-opera", "sea-epic", "minimal-waltz", "street-opera", "memory-play", "winter-pastoral",
)  # fmt: skip
INSTRUMENTS = (
    "cello", "hurdy-gurdy", "nyckelharpa", "concertina", "theremin", "harpsichord", "bassoon", "oboe", "viola",
    "glass-harmonica", "bagpipes", "lute", "dulcimer", "zither", "celesta", "marimba", "clavichord", "cornett", "shawm",
    "banjo",
)  # fmt: skip
SPORTS = (
    "rowing", "ice-stock", "archery", "fencing", "bandy", "biathlon", "curling", "korfball", "orienteering", "pelota",
    "water-polo", "luge", "ski-jumping", "squash", "handball", "sailing", "judo", "trampolining", "hurling",
    "floorball",
)  # fmt: skip
ROLES = (
    "stroke", "bowman", "sweeper", "anchor", "pivot", "libero", "skipper", "wingman", "playmaker", "goalkeeper",
    "lead-climber", "second",
)  # fmt: skip
CRIMES = (
    "tax-evasion", "perjury", "smuggling", "forgery", "bribery", "embezzlement", "contempt-of-court", "insider-trading",
    "poaching", "libel", "trespassing", "counterfeiting", "arson-of-a-boathouse", "obstruction-of-justice",
    "false-accounting", "illegal-gambling",
)  # fmt: skip
BLOOD_TYPES = (
    "A positive", "A negative", "B positive", "B negative", "AB positive", "AB negative", "O positive", "O negative",
)  # fmt: skip
FIRMS, MAKERS = ("Sons", "Daughters", "Partners"), ("Shipyards", "Instruments", "Press")
TRADES = ("Glass", "Clock", "Cable", "Paper", "Film", "Harbour")
EMBLEMS = ("Meadow", "Anchor", "Sunrise", "Oak", "Harvest", "Granite", "Swan", "Beehive")
TEAMS = ("Rovers", "Otters", "Comets", "Wanderers", "Herons")
MOMENTS, YARDS = ("Night", "Year", "Coast"), ("Hill", "Grove", "Gate", "Chapel")
GATHERINGS = ("Bridges", "Harbours", "Islands", "Winters")
TITLES = ("Doctor", "Master", "Licentiate", "Bachelor")
MISHAPS = (
    "natural causes", "shipwreck", "avalanche", "fall from a horse", "lightning strike", "ballooning accident",
    "duel", "mountaineering accident", "collapse of a bridge", "bee stings", "ice fall", "tidal wave",
)  # fmt: skip
DIGNITIES = (
    "Freedom",
    "Justice",
    "Reform",
    "Progress",
    "Unity",
    "Heritage",
    "Workers",
    "Farmers",
    "Citizens",
    "Radical",
)


def _spaced(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.replace("-", " ") for word in words)


@dataclass(frozen=True)
class Kind:
    """A kind of value item: its Wikidata class, what its description says, and its labels."""

    name: str
    instance_of: str
    description: str
    labels: tuple[str, ...]
    in_country: bool = False


FIXED_KINDS: tuple[Kind, ...] = (
    Kind("country", "Q6256", "country", names.COUNTRIES),
    Kind("language", "Q34770", "language", names.TONGUES),
    Kind("crime", "Q83267", "crime", _spaced(CRIMES)),
    Kind("field", "Q11862829", "academic discipline", _spaced(FIELDS)),
    Kind("genre", "Q188451", "genre", _spaced(GENRES)),
    Kind("instrument", "Q34379", "musical instrument", _spaced(INSTRUMENTS)),
    Kind("sport", "Q31629", "type of sport", _spaced(SPORTS)),
    Kind("role", "Q1781513", "position on a team", _spaced(ROLES)),
    Kind("blood", "Q179899", "human blood type", BLOOD_TYPES),
    Kind("hand", "Q726994", "handedness", ("left-handedness", "right-handedness", "ambidexterity")),
    Kind("orientation", "Q17888", "sexual orientation", ("heterosexuality", "homosexuality", "bisexuality")),
    Kind("manner", "Q2438541", "manner of death", MISHAPS),
    Kind("ethnic", "Q41710", "ethnic group", tuple(f"{tribe} people" for tribe in names.TRIBES)),
)
"""Kinds whose labels are the same in every world."""


@dataclass(frozen=True)
class Catalogue:
    """All value items by QID, and the QIDs of each kind in a shuffled order."""

    drafts: Mapping[str, Draft]
    kinds: Mapping[str, tuple[str, ...]]

    def decks(self, rng: Random) -> dict[str, Iterator[str]]:
        """An endless deck of QIDs per kind, none coming back before the others were dealt."""
        return {name: names.deal(rng, qids) for name, qids in sorted(self.kinds.items())}


def _kinds(rng: Random, most: int) -> list[Kind]:
    """Every kind; those whose labels are compounds have at most `most` of them."""

    def made(pattern: str, *parts: Sequence[str]) -> tuple[str, ...]:
        return names.compounds(rng, pattern, *parts, most=most)

    def mixed(*groups: tuple[str, ...]) -> tuple[str, ...]:
        share = -(-most // len(groups))
        return tuple(label for group in groups for label in group[:share])

    vales, patrons, adjectives, things = names.VALES, names.PATRONS, names.ADJECTIVES, names.THINGS
    towns = made("{0}{1}", names.TOWN_STARTS, names.TOWN_ENDS)
    return [
        *FIXED_KINDS,
        Kind("town", "Q515", "city", towns, in_country=True),
        Kind("university", "Q3918", "university", mixed(
            made("{0} University", vales), made("{0} Polytechnic", vales), made("{0} Academy of {1}", vales, ASPECTS)),
            in_country=True),
        Kind("employer", "Q4830453", "enterprise", mixed(
            made("{0} & {1} {2}", patrons[:15], FIRMS, MAKERS),
            made("{0} {1} Company", patrons[15:], TRADES),
            made("{0} Institute for {1}", vales, ASPECTS)), in_country=True),
        Kind("award", "Q618779", "award", mixed(
            made("{0} Prize", patrons), made("{0} Medal for {1}", patrons, ASPECTS),
            made("{0} {1} Award", adjectives, things))),
        Kind("party", "Q7278", "political party", made("{0} {1} Party", EMBLEMS, DIGNITIES)),
        Kind("religion", "Q9174", "religion", mixed(
            made("Way of the {0} {1}", adjectives, things), made("Church of the {0} {1}", adjectives, things))),
        Kind("disease", "Q12136", "disease", made("{0} {1}", patrons, ("syndrome", "fever", "anaemia", "palsy"))),
        Kind("team", "Q12973014", "sports team", made("{0} {1}", vales, TEAMS)),
        Kind("office", "Q4164871", "public office", mixed(
            made("Minister of {0}", ASPECTS), made("Warden of the {0} of {1}", things, vales),
            made("Governor of {0}", vales))),
        Kind("work", "Q386724", "creative work", mixed(
            made("The {0} {1}", adjectives, things), made("{1} of the {0} {2}", adjectives, things, MOMENTS))),
        Kind("society", "Q48204", "learned society", made("{0} Society of {1}", patrons, ASPECTS)),
        Kind("union", "Q178790", "trade union", made("United Guild of {0} Workers", things)),
        Kind("congregation", "Q1530022", "religious organisation",
             made("Brotherhood of the {0} {1}", adjectives, things)),
        Kind("degree", "Q189533", "academic degree", made("{0} of {1}", TITLES, ASPECTS)),
        Kind("record_label", "Q18127", "record label", made("{0} Records", things)),
        Kind("cemetery", "Q39614", "cemetery", made("{0} {1} Cemetery", adjectives, YARDS)),
        Kind("event", "Q1656682", "event", made("{0} {1} Congress", adjectives, GATHERINGS)),
    ]  # fmt: skip


def _aliases(kind: Kind, label: str) -> tuple[str, ...]:
    match kind.name:
        case "university":
            return ("".join(word[0] for word in label.split() if word[0].isupper()) + "-" + label[:3].upper(),)
        case "town":
            return (f"City of {label}",)
        case "party":
            return (label.removesuffix(" Party") + "s",)
        case "work" if label.startswith("The "):
            return (label.removeprefix("The "),)
        case "ethnic":
            return (label.removesuffix(" people"),)
        case _:
            return ()


def _fixed() -> list[Draft]:
    """Items that keep their real QIDs, with the classes that policy and units read, and two invented singletons."""
    real = {
        HUMAN: ("human", "Q55983715"), MALE: ("male", "Q48264"), FEMALE: ("female", "Q48264"),
        CENTIMETRE: ("centimetre", "Q3647172"), METRE: ("metre", "Q3647172"), KILOGRAM: ("kilogram", "Q3647172"),
        PRESUMABLY: ("presumably", "Q53737447"), ALLEGEDLY: ("allegedly", "Q53737447"),
        WIKIPEDIA: ("English Wikipedia", "Q10876391"), BAND_CLASS: ("musical group", "Q2088357"),
        DOLLAR: ("United States dollar", "Q8142"), EURO: ("euro", "Q8142"),
        ARCHIVE: ("National Archive of Velmark", "Q166118"), CROWN: ("Velmark crown", "Q8142"),
    }  # fmt: skip
    spellings = {
        CENTIMETRE: ("cm", "centimeter"), METRE: ("m", "meter"), KILOGRAM: ("kg",), CROWN: ("crowns", "VMK"),
        DOLLAR: ("US dollar", "USD"), EURO: ("EUR",),
    }  # fmt: skip
    return [
        Draft(qid, label, aliases=spellings.get(qid, ()), sitelinks=20, claims=(Claim("P31", item(kind)),))
        for qid, (label, kind) in real.items()
    ]


def _classes(kinds: Sequence[Kind]) -> list[Draft]:
    superclasses = {"Q7278": "Q43229", "Q178790": "Q43229", "Q1530022": "Q43229", "Q12136": "Q2057971"}
    found = {kind.instance_of: kind.description for kind in kinds} | {"Q43229": "organization", "Q28640": "profession"}
    return [
        Draft(qid, label, sitelinks=30, claims=(Claim("P279", item(superclasses.get(qid, "Q35120"))),))
        for qid, label in sorted(found.items())
    ]


def make_catalogue(*, people: int, seed: int) -> Catalogue:
    """The value items for a world of so many people; pools grow with it, so that answers rarely coincide."""
    rng = Random(f"{seed}:catalogue")
    kinds = _kinds(rng, max(48, 2 * people))
    drafts: dict[str, Draft] = {draft.qid: draft for draft in (*_fixed(), *_classes(kinds))}
    by_kind: dict[str, tuple[str, ...]] = {}
    countries = tuple(f"Q{910_000_001 + number}" for number in range(len(names.COUNTRIES)))
    for place, kind in enumerate(kinds):
        qids = tuple(f"Q{910_000_001 + 100_000 * place + number}" for number in range(len(kind.labels)))
        by_kind[kind.name] = qids
        for qid, label in zip(qids, kind.labels, strict=True):
            claims = [Claim("P31", item(kind.instance_of))]
            if kind.in_country:
                claims.append(Claim("P17", item(rng.choice(countries))))
            drafts[qid] = Draft(
                qid, label, kind.description, _aliases(kind, label), rng.randrange(1, 40), tuple(claims)
            )
    for occupation in OCCUPATIONS:
        claims = [Claim("P31", item("Q28640"))]
        drafts[occupation.qid] = Draft(occupation.qid, occupation.label, "profession", (), 45, tuple(claims))
    by_kind["occupation"] = tuple(occupation.qid for occupation in OCCUPATIONS)
    return Catalogue(drafts, by_kind)


def country_of(catalogue: Catalogue, place: str) -> str:
    """QID of the country that a place lies in."""
    for claim in catalogue.drafts[place].claims:
        if claim.property_id == "P17" and isinstance(claim.value, ItemValue):
            return claim.value.qid
    raise KeyError(f"{place} lies in no country")
