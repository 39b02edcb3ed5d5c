"""What can be known to be wrong with a recipe before anything is fetched, asked or written."""

import difflib
from collections.abc import Collection

from curation.facts.properties import load_properties
from eval.responders.spec import parse_spec
from flows.resources.resources import SANDBOX, Resources
from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import WikimediaEndpoints
from schemas.vocabulary import Stage
from sources.http_client.user_agent import checked_contact
from unlearn.models.model_folder import check_adapter_folder, check_model_folder

BUILT_IN = "built-in"
TEMPLATES = "templates"
RATER, AUTHOR, POLISHER = "[split] rater", "[attack] author", "[workers] polisher"
"""Where a recipe names its language models."""


def check_recipe(recipe: BuildRecipe) -> None:
    """Raise BadInput for unknown properties and for responders, raters and authors that cannot be meant."""
    if isinstance(recipe.source, WikimediaEndpoints):
        checked_contact(recipe.source.contact)
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
