"""Preflight: what can be known to be wrong with a recipe, and how long its sources will take, before anything is
asked.
"""

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from curation.facts.properties import load_properties
from curation.images.faces import require_detector
from eval.responders.spec import parse_spec
from flows.resources.resources import SANDBOX, Resources
from flows.stages.select_subjects import POOL_TIMES
from schemas.errors import BadInput
from schemas.progress import duration
from schemas.recipes.build_recipe import AUTHOR, BUILT_IN, POLISHER, RATER, TEMPLATES, BuildRecipe
from schemas.recipes.source_recipe import WikimediaEndpoints
from schemas.vocabulary import Service, Stage
from sources.http_client.rate_limits import LIMITS, UNLIMITED, Limit, stricter
from sources.http_client.user_agent import checked_contact
from sources.wikimedia.source import WIKIDATA_HOST
from sources.wikimedia.wikidata import BANDS, BATCH, PAGE
from unlearn.models.model_folder import check_adapter_folder, check_model_folder


def check_recipe(recipe: BuildRecipe) -> None:
    """Raise BadInput for unknown properties and for responders, raters and authors that cannot be meant."""
    if isinstance(recipe.source, WikimediaEndpoints):
        checked_contact(recipe.source.contact)
    if recipe.screen.faces != "off":
        require_detector()
    table = load_properties()
    known = sorted({*table.by_id, *(f"{row.base}/{row.qualifier}" for row in table.qualifiers)})
    for name in recipe.facts.exclude:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else "name properties of curation/facts/properties.toml, such as P19"
            )
            raise BadInput("[facts] exclude", f"{name!r} is not a property that is asked", hint)
    if recipe.split.rater != BUILT_IN:
        _check_worker(RATER, recipe.split.rater, other=BUILT_IN)
    if recipe.attack.author != TEMPLATES:
        _check_worker(AUTHOR, recipe.attack.author, other=TEMPLATES)
    if recipe.workers.polisher:
        _check_worker(POLISHER, recipe.workers.polisher, other='""')
    if recipe.probe.responder == SANDBOX:
        if recipe.source.kind != "sandbox":
            found = f"{SANDBOX} knows only the embedded world, and the source is {recipe.source.kind}"
            raise BadInput("[probe] responder", found, "name the target: hf:<path-or-id> or openai:<base-url>#<model>")
    else:
        _check_spec("[probe] responder", recipe.probe.responder, other=SANDBOX)


def check_servers(resources: Resources, stages: Collection[Stage]) -> None:
    """Ask every server that the stages need one small question, before anything else is done for them.

    Raises BadInput, in one line, for a server that is not there, wants another key, does not have the model, or does
    not take what it will be sent; see eval.responders.server_check.
    """
    recipe = resources.recipe
    if "probe" in stages:
        resources.check_target()
    for stage, spec in (
        ("questions", recipe.workers.polisher),
        ("split", recipe.split.rater),
        ("attack", recipe.attack.author),
    ):
        if stage in stages and spec.startswith("openai:"):
            resources.language_model(spec).check(images=False, schemas=True)


def _check_worker(where: str, spec: str, *, other: str) -> None:
    _check_spec(where, spec, other=other)
    if not spec.startswith("openai:"):
        advice = f"serve it (transformers serve, vLLM, …) and write openai:<base-url>#<model>; or {other}"
        raise BadInput(where, f"{spec!r} is no language model behind a server", advice)


def _check_spec(where: str, spec: str, *, other: str) -> None:
    try:
        parsed = parse_spec(spec)
    except BadInput as problem:
        raise BadInput(where, f"{spec!r} {problem.found}", f"{problem.advice}; or {other}") from None
    if parsed.kind == "hf":
        try:
            check_model_folder(parsed.model)
            if parsed.adapter is not None:
                check_adapter_folder(parsed.adapter)
        except BadInput as problem:
            raise BadInput(where, f"{problem.where}: {problem.found}", problem.advice) from None


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
        return f"at most {total:,} requests ({parts}); at the services' limits about {duration(self.seconds)}"


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
