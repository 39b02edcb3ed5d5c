"""The parts of a recipe that say where people come from and who they are: [source] and [select]."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.vocabulary import Service

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
QidText = Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]


class Config(BaseModel):
    """A section of a recipe: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SandboxSource(Config):
    """The embedded world: fictional people served over loopback."""

    kind: Literal["sandbox"]
    people: Annotated[int, Field(ge=4, le=5000)] = 24
    seed: int = 7


class ServiceLimit(Config):
    """How fast one service may be asked. Wikimedia's own limits can only be tightened by it."""

    per_minute: Annotated[float, Field(ge=1)] | None = None
    burst: Positive = 10
    """Requests that may start at once; the rest of the minute's is spread evenly."""
    connections: Positive | None = None


class WikimediaEndpoints(Config):
    """Live Wikidata and Commons, or stand-ins for them."""

    kind: Literal["wikidata"]
    contact: Annotated[str, Field(min_length=5)]
    """E-mail address or user page of whoever runs the build; the User-Agent policy requires it."""
    cache: Path | None = None
    """Folder of the response cache; none named: $PPUBENCH_CACHE/wikimedia, and no cache for stand-ins."""
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds without a byte after which a request is made again."""
    routes: dict[str, Annotated[str, Field(pattern=r"^https?://[^/@\s]+/?$")]] = {}
    """Stand-ins by host ("www.wikidata.org" = "http://127.0.0.1:8000"): the only private addresses that are asked."""
    limits: dict[Service, ServiceLimit] = {}
    """Limits of stand-ins, which have none otherwise, or tighter ones for the real services."""


class RecordedSource(Config):
    """A folder of recorded API answers."""

    kind: Literal["recorded"]
    folder: Path


class DumpExtract(Config):
    """A folder that `ppubench dump` made of Wikidata's dump."""

    kind: Literal["dump"]
    folder: Path
    commons: WikimediaEndpoints | None = None
    """Where pictures come from; without it there are none."""


SourceConfig = Annotated[SandboxSource | WikimediaEndpoints | RecordedSource | DumpExtract, Field(discriminator="kind")]


class SelectConfig(Config):
    """Who becomes a subject: named people, a roster, or the source's own selection."""

    subjects: tuple[str, ...] = ()
    """Names or QIDs, in order. Empty, and no roster: all people that the source selects."""
    roster: str = ""
    """A CSV file of names or QIDs, with published ids and ranks where it has them; relative to the recipe's folder."""
    doubtful: Literal["stop", "leave_out"] = "leave_out"
    """Names that are not clear are written to BUILD/resolve.csv; the build then stops, or goes on without them."""
    limit: Positive = 500
    min_sitelinks: Count = 10
    """Whoever the source selects has at least so many sitelinks: with fewer, people are hardly public figures."""
    occupations: tuple[QidText, ...] = ()
    """QIDs; the source's selection is narrowed to people who state one of them (P106)."""
    countries: tuple[QidText, ...] = ()
    """QIDs of countries of citizenship (P27)."""
    born: tuple[int, ...] = ()
    """First and last year of birth; empty: any."""
    living: Literal["any", "living", "dead"] = "any"
    """Dead: by anything stated that implies death, or born 115 years before `year`. Living: everybody else."""
    rank_by: Literal["sitelinks", "sitelinks_and_pageviews"] = "sitelinks"
    """Pageviews are those of the English article in the year before `year`; one request a candidate."""
    balance: bool = False
    """Take as many of each occupation group as there are, evenly, from three times as many candidates."""
    year: Positive = 2026
    """The year by which age is judged: without a sign of death, someone born 115 years before it counts as dead."""

    @model_validator(mode="after")
    def _one_way(self) -> "SelectConfig":
        if self.subjects and self.roster:
            raise ValueError("subjects and roster both say who; keep one of them")
        narrowed = bool(self.occupations or self.countries or self.balance or self.rank_by != "sitelinks")
        narrowed |= bool(self.born) or self.living != "any"
        if narrowed and (self.subjects or self.roster):
            raise ValueError("occupations, countries, born, living, rank_by and balance are for the source's selection")
        if self.born and (len(self.born) != 2 or self.born[0] > self.born[1]):
            raise ValueError(f"born = {list(self.born)} is not a first and a last year")
        return self
