"""The table of stages: what each reads, which numbers shape it, and the function that does it."""

from collections.abc import Callable, Mapping
from functools import partial

from pydantic import BaseModel, JsonValue

from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import StageRun, StageSpec
from flows.pipeline.verdicts import review_inputs
from flows.resources.resources import Resources, without_location
from flows.stages import attack, export, facts, images, probe, questions, screen, select_subjects, split
from flows.stages.roster_names import named_outside
from flows.stages.versions import VERSIONS
from schemas.recipes.build_recipe import BuildRecipe
from schemas.vocabulary import STAGES, Stage

READS: dict[Stage, tuple[Stage, ...]] = {
    "select": (),
    "facts": ("select",),
    "images": ("select",),
    "screen": ("select", "images"),
    "questions": ("facts", "screen"),
    "probe": ("facts", "screen", "questions"),
    "split": ("facts", "screen", "probe"),
    "attack": ("facts", "screen", "questions", "probe"),
    "export": ("facts", "screen", "questions", "probe", "split", "attack"),
}

ACROSS: dict[Stage, tuple[Stage, ...]] = {
    "select": ("select",),  # ids go on, and nobody comes twice
    "facts": ("select",),  # sample names that are taken
    "images": (),
    "screen": ("screen",),  # duplicates
    "questions": ("facts", "screen"),  # distractors, of those with enough pictures
    "probe": ("select", "facts", "screen"),  # strangers
    "split": ("split",),  # ranks, and who is forgotten
    "attack": (),
    "export": ("export",),  # files that stay, and what was counted
}
"""What a later batch reads of the earlier ones; an added batch never makes these again."""


def _numbers(*sections: BaseModel, **single: JsonValue) -> dict[str, JsonValue]:
    """The settings of a stage as they go into its key and manifest: no port, credential or local path among them."""
    numbers = dict(single)
    for section in sections:
        numbers |= section.model_dump(mode="json")
    for name in ("responder", "rater", "author", "polisher"):
        if isinstance(spec := numbers.get(name), str):
            numbers[name] = without_location(spec)
    return numbers


def _polisher(recipe: BuildRecipe) -> dict[str, JsonValue]:
    """Who polishes questions; nothing where nobody does."""
    spec = recipe.workers.polisher
    return {"polisher": spec, **_stand_in(recipe, spec)} if spec else {}


def _stand_in(recipe: BuildRecipe, spec: str) -> dict[str, JsonValue]:
    """Whether the built-in stands in for a language model; nothing where there is none to stand in for."""
    return {"fall_back": True} if recipe.workers.fall_back and spec.startswith("openai:") else {}


def _faces_off(numbers: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Numbers of a screen that does not look for faces, as they were before it could."""
    return {name: value for name, value in numbers.items() if (name, value) != ("faces", "off")}


CONFIGS: dict[Stage, Callable[[BuildRecipe], dict[str, JsonValue]]] = {
    "select": lambda recipe: _numbers(recipe.select.model_copy(update={"roster": ""}), shard=recipe.shard),
    "facts": lambda recipe: _numbers(recipe.facts),
    "images": lambda recipe: _numbers(recipe.images),
    "screen": lambda recipe: _faces_off(_numbers(recipe.screen)),
    "questions": lambda recipe: _numbers(recipe.questions, seed=recipe.seed, **_polisher(recipe)),
    "probe": lambda recipe: _numbers(recipe.probe, seed=recipe.seed),
    "split": lambda recipe: _numbers(
        recipe.split, seed=recipe.seed, sensitive=list(recipe.facts.sensitive), **_stand_in(recipe, recipe.split.rater)
    ),
    "attack": lambda recipe: _numbers(recipe.attack, seed=recipe.seed, **_stand_in(recipe, recipe.attack.author)),
    "export": lambda recipe: _numbers(
        recipe.export,
        seed=recipe.seed,
        source=recipe.source.kind,
        gated=recipe.facts.gated,
        split=_numbers(recipe.split),
        probe=_numbers(recipe.probe),
    ),
}
WORK: dict[Stage, Callable[[StageRun, Resources], None]] = {
    "select": select_subjects.select,
    "facts": facts.facts,
    "images": images.images,
    "screen": screen.screen,
    "questions": questions.questions,
    "probe": probe.probe,
    "split": split.split,
    "attack": attack.attack,
    "export": export.export,
}


def _nothing(build: BuildFolder) -> None:
    """Most stages need nothing made beforehand."""


def stage_table(resources: Resources) -> Mapping[Stage, StageSpec]:
    """The stages of a build with these resources."""

    def outside(stage: Stage, build: BuildFolder) -> Mapping[str, str]:
        if stage == "select":
            return {"source": resources.source_identity(), **named_outside(build)}
        if stage in ("facts", "images"):
            return {"source": resources.source_identity()}
        if stage == "probe":
            return {"responder": resources.responder_identity(build.recipe.probe.responder)}
        return review_inputs(stage, build)

    def work(stage: Stage, run: StageRun) -> None:
        WORK[stage](run, resources)

    def prepare(build: BuildFolder) -> None:
        resources.prepare_target()

    return {
        stage: StageSpec(
            name=stage,
            version=VERSIONS[stage],
            reads=READS[stage],
            config=CONFIGS[stage],
            work=partial(work, stage),
            outside=partial(outside, stage),
            across=ACROSS[stage],
            prepare=prepare if stage == "probe" else _nothing,
        )
        for stage in STAGES
    }
