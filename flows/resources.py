"""What a build needs besides its folder: its source, its target and its responders, opened when first asked for."""

import logging
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from schemas.recipes import BuildRecipe, RecordedSource, SandboxSource
from schemas.responders import Responder
from schemas.origins import Source
from sources.http import PoliteClient
from sources.recorded import RecordedSource as RecordedAnswers
from sources.sandbox.world import World, make_world
from sources.wikimedia import WikimediaSource

log = logging.getLogger(__name__)

SANDBOX = "hf:sandbox"


class Resources(AbstractContextManager["Resources"]):
    """A live resource: opens lazily, closes everything on exit. Safe to use from several threads."""

    def __init__(self, folder: Path, recipe: BuildRecipe) -> None:
        self.folder, self.recipe = folder, recipe
        self._stack, self._lock = ExitStack(), Lock()
        self._source: Source | None = None
        self._world: World | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def world(self) -> World:
        """The embedded world that the recipe describes."""
        source = self.recipe.source
        assert isinstance(source, SandboxSource)
        if self._world is None:
            self._world = make_world(people=source.people, seed=source.seed)
        return self._world
