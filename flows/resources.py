"""What a build needs besides its folder: its source, its target and its responders, opened when first asked for."""

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from filelock import FileLock

from schemas.origins import Source
from schemas.problems import BadInput
from schemas.recipes import BuildRecipe, RecordedSource, SandboxSource
from schemas.responders import Responder
from sources.client import PoliteClient
from sources.recorded import RecordedSource as RecordedAnswers
from sources.sandbox.world import World, make_world
from sources.wikimedia import WikimediaSource

log = logging.getLogger(__name__)

SANDBOX = "hf:sandbox"
TARGET = "target"


def cache_folder() -> Path:
    """Where what several builds share is kept: $PPUBENCH_CACHE, or ~/.cache/ppubench."""
    return Path(os.environ.get("PPUBENCH_CACHE", "~/.cache/ppubench")).expanduser()


def place_free(spec: str) -> str:
    """A responder's spec without what may differ between two runs of the same: port, credentials, folder."""
    kind, _, rest = spec.partition(":")
    if kind == "openai":
        url, _, model = rest.rpartition("#")
        return f"openai:{urlsplit(url).hostname}#{model}"
    return f"hf:{Path(rest).name}" if kind == "hf" and Path(rest).exists() else spec


class Resources(AbstractContextManager["Resources"]):
    """A live resource: opens lazily, closes everything on exit. Safe to use from several threads."""

    parallel_fetches = 2
    """Shards fetched at once."""

    def __init__(
        self,
        folder: Path,
        recipe: BuildRecipe,
        *,
        source: Source | None = None,
        responders: Mapping[str, Responder] | None = None,
    ) -> None:
        """`source` and `responders` (by spec) are open already: a caller's own, or a benchmark's."""
        self.folder, self.recipe = folder, recipe
        self._stack, self._lock = ExitStack(), Lock()
        self._source = source
        self._world: World | None = None
        self._responders: dict[str, Responder] = dict(responders or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def world(self) -> World:
        """The embedded world that the recipe describes."""
        source = self.recipe.source
        if not isinstance(source, SandboxSource):
            raise BadInput(f"responder {SANDBOX}", "answers only about the embedded world", "name the target's model")
        if self._world is None:
            self._world = make_world(people=source.people, seed=source.seed)
        return self._world

    def source_identity(self) -> str:
        """Identity of the source, without opening a connection."""
        if self._source is not None:
            return self._source.identity
        return self.world().identity if isinstance(self.recipe.source, SandboxSource) else self.source().identity

    def source(self) -> Source:
        """The recipe's source, opened on first use and kept until the build ends."""
        with self._lock:
            if self._source is None:
                self._source = self._open_source()
            return self._source

    def _open_source(self) -> Source:
        source, width = self.recipe.source, self.recipe.images.width
        if isinstance(source, RecordedSource):
            return RecordedAnswers(source.folder)
        if isinstance(source, SandboxSource):
            from sources.sandbox.server import COMMONS_HOST, QUERY_HOST, WIKIDATA_HOST, serve

            running = self._stack.enter_context(serve(self.world()))
            return WikimediaSource(
                PoliteClient(contact=None, routes=running.routes, attempts=4, backoff_s=0.05),
                width=width,
                wikidata_host=WIKIDATA_HOST,
                commons_host=COMMONS_HOST,
                query_host=QUERY_HOST,
                identity=self.world().identity,
            )
        return WikimediaSource(PoliteClient(contact=source.contact, cache=source.cache), width=width)

    def responder(self, spec: str) -> Responder:
        """The responder of a spec, opened once. `hf:sandbox` is the build's own target, which must be taught by now."""
        with self._lock:
            if spec not in self._responders:
                from flows.responders import open_responder

                named = f"hf:{self.folder / TARGET}" if spec == SANDBOX else spec
                self._responders[spec] = open_responder(named, batch=self.recipe.probe.batch)
            return self._responders[spec]

    def responder_identity(self, spec: str) -> str:
        """Identity of a responder for artifact keys, without loading a model."""
        if spec == SANDBOX and spec in self._responders:
            return self._responders[spec].identity
        if spec == SANDBOX:
            return f"sandbox:{self._target_key()}"
        kind, _, name = spec.partition(":")
        if kind == "hf" and Path(name).is_dir():
            from unlearn.models import digest_of_weights

            return f"hf:{digest_of_weights(Path(name))}"
        return place_free(spec)

    def _target_key(self) -> str:
        from flows.target import Teaching, target_key

        return target_key(self.world(), Teaching())

    def prepare_target(self) -> None:
        """Have the embedded world's target in the build folder, taught now or taken from the cache."""
        if self.recipe.probe.responder != SANDBOX or SANDBOX in self._responders:
            return
        from flows.target import KEY_FILE, ensure_target

        kept = cache_folder() / "targets" / self._target_key()
        here = self.folder / TARGET
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{kept}.lock"):
            ensure_target(self.world(), kept)
        if not (here / KEY_FILE).is_file() or (here / KEY_FILE).read_bytes() != (kept / KEY_FILE).read_bytes():
            part = here.with_name(f".{TARGET}.part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(kept, part)
            shutil.rmtree(here, ignore_errors=True)
            part.rename(here)

    def target_description(self) -> str:
        """What the probed target is, in words without a local path."""
        spec = self.recipe.probe.responder
        if spec == SANDBOX:
            return "a tiny Qwen3-VL that was taught most facts of the embedded world"
        kind, _, name = spec.partition(":")
        if kind == "openai":
            return name.rpartition("#")[2]
        return Path(name).name if Path(name).exists() else name
