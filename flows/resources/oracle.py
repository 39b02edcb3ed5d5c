"""The oracle: a model of the embedded world that was taught all that the target was but a setting's forget set.

What a route gets of it is what guessing gets, for it never knew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from flows.pipeline.build_identity import IDENTITY, open_build
from flows.resources.resources import Resources
from schemas.dataset.folder import TRAIN_PREFIX, config_files, read_rows, training_targets
from schemas.dataset.split_files import read_roles
from schemas.errors import BadInput
from schemas.recipes.source_recipe import SandboxSource
from schemas.storage.artifacts import cache_folder
from schemas.vocabulary import Setting
from sources.sandbox.world import World

if TYPE_CHECKING:
    from flows.resources.sandbox_target import Teaching

COLUMNS = ("sample_id", "subject_id", "statement_id", "property_id")
ADVICE = "leave oracle out: facts that the target did not know stand in for it"


def world_of(hub: Path, model: str) -> World:
    """The embedded world of a build's dataset. Raises BadInput where no oracle of `model` can be taught from it."""
    from flows.resources.sandbox_target import Teaching, holds, target_key

    build = hub.parent
    if not (build / IDENTITY).is_file():
        raise BadInput(f"{hub}: an oracle", "needs a build, which says what its world is", ADVICE)
    opened = open_build(build)
    if not isinstance(opened.recipe.source, SandboxSource):
        raise BadInput(f"{build}: an oracle", "can only be taught of the embedded world", ADVICE)
    with Resources(build, opened.recipe) as resources:
        world = resources.world()
    if not holds(Path(model), target_key(world, Teaching())):
        found = "is not the target that this ppubench teaches this world, so an oracle would be no control of it"
        raise BadInput(str(model), found, f"build {build} again, or {ADVICE}")
    return world


def ensure_oracle(
    hub: Path, model: str, setting: Setting, ratio: int | None, *, out: Path, teaching: "Teaching | None" = None
) -> Path:
    """The oracle of a setting as the model folder `out`, taught now or taken from the cache. Returns `out`.

    It is taught in the target's own way (`flows.resources.sandbox_target`), or by other numbers (`teaching`). Where
    the setting forgets people whole it is not taught who is on their pictures either. Raises BadInput as `world_of`
    does.
    """
    from flows.resources.curriculum import Omitted
    from flows.resources.sandbox_target import Teaching, ensure_target, holds, place_target, target_key

    world = world_of(hub, model)
    roles = read_roles(hub, setting, ratio)
    gone = frozenset(fact for sample, subject, fact in _facts(hub) if roles.role(sample, subject) == "forget")
    if not gone:
        raise BadInput(f"{hub}: the {setting} setting", "forgets nothing that the dataset has", "build it again")
    omitted = Omitted(gone, whole=roles.of_subjects)
    numbers = teaching or Teaching()
    key = target_key(world, numbers, omitted)
    if holds(out, key):
        return out
    kept = cache_folder() / "targets" / key
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{kept}.lock"):
        ensure_target(world, kept, teaching=numbers, omitted=omitted)
    out.parent.mkdir(parents=True, exist_ok=True)
    place_target(kept, out)
    return out


def _facts(hub: Path) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """sample_id, subject_id, and statement with property, of every fact of the dataset."""
    for target in training_targets(hub):
        for file in config_files(hub, f"{TRAIN_PREFIX}{target}_qa"):
            for row in read_rows(file, needed=COLUMNS):
                yield row.text("sample_id"), row.text("subject_id"), (row.text("statement_id"), row.text("property_id"))
