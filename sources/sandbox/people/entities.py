"""Entities of the embedded world before they become JSON: labels, aliases and claims as plain frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from schemas.records.entities import ItemValue, QuantityValue, Rank, SnakType, TextValue, TimeValue, Value

Sourcing = Literal["stated", "url", "imported", "none"]
"""How a claim is referenced: P248 with P813, P854, P143 alone (imported from Wikipedia), or not at all."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement. `value` is None for somevalue and novalue."""

    property_id: str
    value: Value | None
    rank: Rank = "normal"
    snak: SnakType = "value"
    qualifiers: tuple[tuple[str, Value], ...] = ()
    sourcing: Sourcing = "stated"


@dataclass(frozen=True, slots=True)
class Draft:
    """One entity. `labels` holds languages other than English that differ from it (an item without English has "")."""

    qid: str
    label: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    sitelinks: int = 0
    claims: tuple[Claim, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def items(self, property_id: str) -> tuple[str, ...]:
        """QIDs that the claims of one property name, in order."""
        values = (claim.value for claim in self.claims if claim.property_id == property_id)
        return tuple(value.qid for value in values if isinstance(value, ItemValue))


def item(qid: str) -> ItemValue:
    """A value that is an entity."""
    return ItemValue(qid=qid)


def text(content: str, language: str | None = None) -> TextValue:
    """A string, or a monolingual text where `language` is set."""
    return TextValue(text=content, language=language)


def date(year: int, month: int = 0, day: int = 0, *, julian: bool = False) -> TimeValue:
    """A date as precise as its parts are given: year (9), month (10) or day (11)."""
    precision = 9 if month == 0 else 10 if day == 0 else 11
    return TimeValue(year=year, month=month, day=day, precision=precision, julian=julian)


def quantity(amount: float, unit: str | None = None) -> QuantityValue:
    """An amount; `unit` is the unit's QID, None for a bare number."""
    return QuantityValue(amount=amount, unit=unit)


PROPERTY_LABELS: dict[str, tuple[str, str]] = {
    "P17": ("country", "wikibase-item"),
    "P18": ("image", "commonsMedia"),
    "P19": ("place of birth", "wikibase-item"),
    "P20": ("place of death", "wikibase-item"),
    "P21": ("sex or gender", "wikibase-item"),
    "P22": ("father", "wikibase-item"),
    "P25": ("mother", "wikibase-item"),
    "P26": ("spouse", "wikibase-item"),
    "P27": ("country of citizenship", "wikibase-item"),
    "P31": ("instance of", "wikibase-item"),
    "P39": ("position held", "wikibase-item"),
    "P40": ("child", "wikibase-item"),
    "P54": ("member of sports team", "wikibase-item"),
    "P69": ("educated at", "wikibase-item"),
    "P91": ("sexual orientation", "wikibase-item"),
    "P101": ("field of work", "wikibase-item"),
    "P102": ("member of political party", "wikibase-item"),
    "P103": ("native language", "wikibase-item"),
    "P106": ("occupation", "wikibase-item"),
    "P108": ("employer", "wikibase-item"),
    "P119": ("place of burial", "wikibase-item"),
    "P131": ("located in the administrative territorial entity", "wikibase-item"),
    "P136": ("genre", "wikibase-item"),
    "P140": ("religion or worldview", "wikibase-item"),
    "P143": ("imported from Wikimedia project", "wikibase-item"),
    "P166": ("award received", "wikibase-item"),
    "P172": ("ethnic group", "wikibase-item"),
    "P184": ("doctoral advisor", "wikibase-item"),
    "P213": ("ISNI", "external-id"),
    "P248": ("stated in", "wikibase-item"),
    "P264": ("record label", "wikibase-item"),
    "P279": ("subclass of", "wikibase-item"),
    "P373": ("Commons category", "string"),
    "P413": ("position played on team / speciality", "wikibase-item"),
    "P463": ("member of", "wikibase-item"),
    "P509": ("cause of death", "wikibase-item"),
    "P551": ("residence", "wikibase-item"),
    "P512": ("academic degree", "wikibase-item"),
    "P552": ("handedness", "wikibase-item"),
    "P569": ("date of birth", "time"),
    "P570": ("date of death", "time"),
    "P580": ("start time", "time"),
    "P582": ("end time", "time"),
    "P585": ("point in time", "time"),
    "P641": ("sport", "wikibase-item"),
    "P669": ("located on street", "wikibase-item"),
    "P670": ("house number", "string"),
    "P734": ("family name", "wikibase-item"),
    "P735": ("given name", "wikibase-item"),
    "P737": ("influenced by", "wikibase-item"),
    "P742": ("pseudonym", "string"),
    "P800": ("notable work", "wikibase-item"),
    "P813": ("retrieved", "time"),
    "P854": ("reference URL", "url"),
    "P856": ("official website", "url"),
    "P937": ("work location", "wikibase-item"),
    "P968": ("e-mail address", "url"),
    "P1050": ("medical condition", "wikibase-item"),
    "P1196": ("manner of death", "wikibase-item"),
    "P1303": ("instrument", "wikibase-item"),
    "P1329": ("phone number", "string"),
    "P1344": ("participant in", "wikibase-item"),
    "P1365": ("replaces", "wikibase-item"),
    "P1366": ("replaced by", "wikibase-item"),
    "P1399": ("convicted of", "wikibase-item"),
    "P1411": ("nominated for", "wikibase-item"),
    "P1412": ("languages spoken, written or signed", "wikibase-item"),
    "P1449": ("nickname", "monolingualtext"),
    "P1429": ("has pet", "wikibase-item"),
    "P1477": ("birth name", "monolingualtext"),
    "P1480": ("sourcing circumstances", "wikibase-item"),
    "P1534": ("end cause", "wikibase-item"),
    "P1559": ("name in native language", "monolingualtext"),
    "P1853": ("blood type", "wikibase-item"),
    "P1971": ("number of children", "quantity"),
    "P2002": ("X (Twitter) username", "external-id"),
    "P2031": ("work period (start)", "time"),
    "P2032": ("work period (end)", "time"),
    "P2048": ("height", "quantity"),
    "P2067": ("mass", "quantity"),
    "P2218": ("net worth", "quantity"),
    "P2868": ("subject has role", "wikibase-item"),
    "P3373": ("sibling", "wikibase-item"),
    "P5102": ("nature of statement", "wikibase-item"),
    "P6375": ("street address", "monolingualtext"),
}
"""English label and datatype of every property that the world uses, as wbgetentities would give them."""
