"""A build's identity (build.json) and lock: whose folder it is, opened by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from flows.pipeline.build_folder import BuildFolder
from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe, read_build_recipe
from schemas.storage.artifacts import FORMAT
from schemas.storage.tables import Record

RECIPE, IDENTITY, LOCK = "recipe.toml", "build.json", ".lock"

ANSWERS = "answers"
"""Folder of the responders' replies as they arrived; kept, so that another judging rule asks nothing again."""


class BuildIdentity(Record):
    """build.json: which recipe a build folder belongs to and which layout it has."""

    format: int
    name: str
    source: str
    """Kind of the source and what names it; two builds of different people never share a folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of a build, study or audit; the lock goes with the process, so a killed one leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(
            str(folder), "another ppubench is at work on it", "wait for it, or choose another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def open_build(folder: Path) -> BuildFolder:
    """An existing build folder with the recipe that it was built from."""
    if not folder.is_dir():
        raise BadInput(str(folder), "no such build folder", "make one with `ppubench build RECIPE.toml`")
    if not (folder / IDENTITY).exists():
        raise BadInput(
            str(folder), f"is not a build ({IDENTITY} is missing)", "name a folder that `ppubench build` made"
        )
    identity = read_identity(folder)
    recipe = read_build_recipe(folder / RECIPE)
    if identity_of(recipe) != identity:
        raise BadInput(str(folder / RECIPE), "does not belong to this build", "build again from the right recipe")
    return BuildFolder(folder, recipe)


def identity_of(recipe: BuildRecipe) -> BuildIdentity:
    """What build.json of a build by this recipe says."""
    how = {"contact", "cache", "folder", "timeout_s", "routes", "limits"}
    source = recipe.source.model_dump(mode="json", exclude=how)
    return BuildIdentity(format=FORMAT, name=recipe.name, source=" ".join(f"{k}={source[k]}" for k in sorted(source)))


def read_identity(folder: Path) -> BuildIdentity:
    """What build.json says; raises BadInput where it is damaged, or of a newer ppubench."""
    path = folder / IDENTITY
    try:
        identity = BuildIdentity.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        advice = "delete that file and run `ppubench build` with the folder's own recipe.toml"
        raise BadInput(str(path), "is damaged", advice) from error
    if identity.format > FORMAT:
        advice = f"upgrade ppubench (this is {version('ppubench')})"
        raise BadInput(str(path), f"layout {identity.format} is newer than this ppubench reads ({FORMAT})", advice)
    return identity
