"""What a build from live sources will ask for, and how long the limits make it take: said before the first request."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flows.stages.select_subjects import POOL_TIMES
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import WikimediaEndpoints
from schemas.vocabulary import Service
from sources.http_client.rate_limits import LIMITS, UNLIMITED, Limit, stricter
from sources.wikimedia.source import WIKIDATA_HOST
from sources.wikimedia.wikidata import BANDS, BATCH, PAGE

NAMESAKES = 5
"""Candidates whose entities are looked at for each name."""
VALUES = 90
"""Entities of values and of their classes for each subject: a well-known person states so many different ones."""
LISTINGS = 3
"""Portraits by title, category, depicts."""
BYTES_PER_PIXEL = 0.2
HEIGHT_TO_WIDTH = 1.3
LATENCY_S = 0.3
"""From a request to its whole answer."""


@dataclass(frozen=True)
class Estimate:
    """At most so many requests by service, and seconds in all."""

    requests: Mapping[Service, int]
    seconds: float

    def said(self) -> str:
        """One line for the person who waits."""
        parts = ", ".join(f"{count:,} to {service}" for service, count in self.requests.items() if count)
        total = sum(self.requests.values())
        return f"at most {total:,} requests ({parts}); at the services' limits about {_duration(self.seconds)}"


def estimate(recipe: BuildRecipe, source: WikimediaEndpoints, *, named: int) -> Estimate:
    """For a build whose recipe names so many people (0: the source selects), with an empty cache."""
    config = recipe.select
    people = min(named or config.limit, config.limit)
    chosen = not named and (config.balance or config.rank_by != "sitelinks")
    pool = people * (POOL_TIMES if chosen else 1)
    entities = pool + (named * NAMESAKES) + people * (2 + VALUES)
    requests: dict[Service, int] = {
        "action": named + math.ceil(entities / BATCH) + people * LISTINGS,
        "query": 0 if named else len(BANDS) + 1 + math.ceil(pool / PAGE),
        "pageviews": pool if not named and config.rank_by != "sitelinks" else 0,
        "media": people * recipe.images.candidates,
    }
    picture = BYTES_PER_PIXEL * HEIGHT_TO_WIDTH * recipe.images.width**2
    took = {service: _seconds(count, limit_of(source, service), picture) for service, count in requests.items()}
    # Pictures are fetched while others are listed; everything else follows one after the other.
    return Estimate(requests, took["query"] + took["pageviews"] + max(took["action"], took["media"]))


def limit_of(source: WikimediaEndpoints, service: Service) -> Limit:
    """The limit at which a build asks a service."""
    own = source.limits.get(service)
    limit = Limit(**own.model_dump()) if own is not None else UNLIMITED
    return limit if WIKIDATA_HOST in source.routes else stricter(limit, LIMITS[service])


def _seconds(count: int, limit: Limit, picture_bytes: float) -> float:
    by_rate = max(0, count - limit.burst) * 60 / limit.per_minute if limit.per_minute else 0.0
    by_connections = count * LATENCY_S / (limit.connections or count or 1)
    by_bytes = count * picture_bytes / limit.bytes_per_second if limit.bytes_per_second else 0.0
    return max(by_rate, by_connections, by_bytes)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
