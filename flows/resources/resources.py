"""What a build needs besides its folder: its source, its target and its responders, opened when first asked for."""

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from filelock import FileLock

from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.protocols.annotator import Worker
from schemas.protocols.responder import Decoding, Responder
from schemas.protocols.source import Source
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import DumpExtract, RecordedSource, SandboxSource, WikimediaEndpoints
from schemas.storage.artifacts import cache_folder, write_json
from sources.http_client.client import PoliteClient, Retries
from sources.http_client.rate_limits import Limit
from sources.sandbox.world import World, make_world
from sources.wikimedia.recorded import RecordedSource as RecordedAnswers
from sources.wikimedia.source import WIKIDATA_HOST, WikimediaSource

if TYPE_CHECKING:
    from eval.annotators.budget import Ledger
    from eval.responders.remote import RemoteResponder

log = logging.getLogger(__name__)

SANDBOX = "hf:sandbox"
TARGET = "target"
REFUSED = Path("answers", "refused.json")
"""In a build folder: what the target's servers refuse to be told."""


def without_location(spec: str) -> str:
    """A responder's spec without what may differ between two runs of the same: port, credentials, folder."""
    kind, _, rest = spec.partition(":")
    if kind == "openai":
        from eval.responders.remote import server_identity
        from eval.responders.spec import parse_spec

        parsed = parse_spec(spec)
        return server_identity(parsed.base_urls, parsed.model)
    return f"hf:{Path(rest).name}" if kind == "hf" and Path(rest).exists() else spec


def _place(source: WikimediaEndpoints) -> str:
    """Which Wikidata this is: a stand-in's artifacts never count as the real one's. No port is named."""
    base = source.routes.get(WIKIDATA_HOST)
    return f"wikidata:{WIKIDATA_HOST}" + (f" at {urlsplit(base).hostname}" if base else "")


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
        offline: bool = False,
    ) -> None:
        """`source` and `responders` (by spec) are open already: a caller's own, or a benchmark's.

        With `offline`, Wikimedia's answers come from the cache alone.
        """
        self.folder, self.recipe, self._offline = folder, recipe, offline
        self._client: PoliteClient | None = None
        self._asked: list[PoliteClient] = []
        self._stack, self._lock = ExitStack(), Lock()
        self._source = source
        self._world: World | None = None
        self._responders: dict[str, Responder] = dict(responders or {})
        self._given = frozenset(self._responders)
        """Specs whose responder the caller brought: one opened here must not change what artifacts are called."""
        self._language_models: dict[str, RemoteResponder] = {}
        self._ledger: Ledger | None = None

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
            self._world = make_world(people=source.people, seed=source.seed, cache=cache_folder() / "worlds")
        return self._world

    def source_identity(self) -> str:
        """Identity of the source, without opening a connection."""
        if self._source is not None:
            return self._source.identity
        source = self.recipe.source
        if isinstance(source, WikimediaEndpoints):
            return _place(source)
        return self.world().identity if isinstance(source, SandboxSource) else self.source().identity

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
        if isinstance(source, DumpExtract):
            from sources.dump.source import DumpSource

            return DumpSource(source.folder, pictures=self._open_wikimedia(source.commons) if source.commons else None)
        if isinstance(source, SandboxSource):
            from sources.sandbox.server import server

            running = self._stack.enter_context(server.serve(self.world()))
            return WikimediaSource(
                self._asking(
                    PoliteClient(contact=None, routes=running.routes, retries=Retries(attempts=4, backoff_s=0.01))
                ),
                width=width,
                wikidata_host=server.WIKIDATA_HOST,
                commons_host=server.COMMONS_HOST,
                query_host=server.QUERY_HOST,
                pageviews_host=server.PAGEVIEWS_HOST,
                identity=self.world().identity,
            )
        return self._open_wikimedia(source)

    def _open_wikimedia(self, source: WikimediaEndpoints) -> WikimediaSource:
        cache = source.cache or (None if source.routes else cache_folder() / "wikimedia")
        self._client = PoliteClient(
            contact=source.contact,
            cache=cache,
            offline=self._offline,
            routes=source.routes,
            limits={service: Limit(**limit.model_dump()) for service, limit in source.limits.items()},
            retries=Retries(timeout_s=source.timeout_s),
        )
        return WikimediaSource(self._asking(self._client), width=self.recipe.images.width, identity=_place(source))

    def _asking(self, client: PoliteClient) -> PoliteClient:
        self._stack.enter_context(client)
        self._asked.append(client)
        return client

    def stop_asking(self) -> None:
        """Ask the source nothing more; a thread that would gets Unfinished. A caller's own source is let be."""
        for client in self._asked:
            client.stop()

    def requests_sent(self) -> int:
        """Requests that went to Wikimedia or its stand-ins so far."""
        return self._client.requests_sent if self._client is not None else 0

    def responder(self, spec: str) -> Responder:
        """The responder of a spec, opened once. `hf:sandbox` is the build's own target, which must be taught by now."""
        with self._lock:
            if spec not in self._responders:
                from flows.resources.responders import open_responder

                named = f"hf:{self.folder / TARGET}" if spec == SANDBOX else spec
                self._responders[spec] = open_responder(
                    named, batch=self.recipe.probe.batch, servers=self.recipe.servers
                )
            return self._responders[spec]

    def check_target(self) -> None:
        """Where the target is behind servers, ask them one small question and show them a picture; see their check.

        What they refuse to be told is kept in the build folder, for its artifacts are called by it.
        """
        from eval.responders.remote import RemoteResponder

        spec, config = self.recipe.probe.responder, self.recipe.probe
        if not spec.startswith("openai:") or not isinstance(responder := self.responder(spec), RemoteResponder):
            return
        responder.check(images=True, decoding=Decoding(seed=self.recipe.seed))
        if config.sampled:
            responder.check(images=True, decoding=Decoding(temperature=config.temperature, seed=self.recipe.seed + 1))
        with self._lock:
            kept = self._refused()
            if kept.get(spec_key := self._place_of(spec), "") != responder.dialect.said:
                (self.folder / REFUSED).parent.mkdir(parents=True, exist_ok=True)
                write_json(self.folder / REFUSED, {**kept, spec_key: responder.dialect.said})

    def language_model(self, spec: str) -> "RemoteResponder":
        """The language model of an `openai:` spec as a worker uses it, opened once."""
        from eval.responders.spec import open_servers, parse_spec

        with self._lock:
            if spec not in self._language_models:
                servers = self.recipe.servers.model_copy(update={"image_side": 0})
                self._language_models[spec] = open_servers(parse_spec(spec), servers)
            return self._language_models[spec]

    def ledger(self) -> "Ledger":
        """The kept answers of all of the build's language models, with what they have cost; opened once."""
        from eval.annotators.budget import Budget, Ledger

        config = self.recipe.workers
        with self._lock:
            if self._ledger is None:
                budget = Budget(config.max_tokens, config.max_cost, config.price_in, config.price_out)
                self._ledger = self._stack.enter_context(Ledger(self.folder / "answers" / "workers", budget))
            return self._ledger

    def worker(
        self,
        spec: str,
        where: str,
        *,
        progress: Progress = silent,
    ) -> Worker:
        """A language model that fills forms; `where` is the key of the recipe that names it."""
        from eval.annotators.annotator import LanguageWorker

        model, ledger = self.language_model(spec), self.ledger()
        return LanguageWorker(model, ledger, fall_back=self.recipe.workers.fall_back, where=where, progress=progress)

    def responder_identity(self, spec: str) -> str:
        """Identity of a responder for artifact keys, without loading a model."""
        if spec == SANDBOX and spec in self._given:
            return self._responders[spec].identity
        if spec == SANDBOX:
            return f"sandbox:{self._target_key()}"
        kind, _, name = spec.partition(":")
        if kind == "hf" and Path(name).is_dir():
            from unlearn.models.digests import folder_digest

            return f"hf:{folder_digest(Path(name))}"
        place = self._place_of(spec)
        return place + (self._refused().get(place, "") if kind == "openai" else "")

    def _place_of(self, spec: str) -> str:
        """A spec without places, with what is made of pictures for a server."""
        side = self.recipe.servers.image_side
        return without_location(spec) + (f"@{side}px" if spec.startswith("openai:") and side else "")

    def _refused(self) -> dict[str, str]:
        """By target behind servers: which parameters they were last found to refuse."""
        try:
            found = json.loads((self.folder / REFUSED).read_text())
        except FileNotFoundError:
            return {}
        return {str(name): str(said) for name, said in found.items()}

    def _target_key(self) -> str:
        from flows.resources.sandbox_target import Teaching, target_key

        return target_key(self.world(), Teaching())

    def prepare_target(self) -> None:
        """Have the embedded world's target in the build folder, taught now or taken from the cache."""
        if self.recipe.probe.responder != SANDBOX or SANDBOX in self._given:
            return
        from flows.resources.sandbox_target import ensure_target, holds, place_target

        here, key = self.folder / TARGET, self._target_key()
        if holds(here, key):
            return  # also where the cache is gone: a batch added later asks the same target
        kept = cache_folder() / "targets" / key
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{kept}.lock"):
            ensure_target(self.world(), kept)
        place_target(kept, here)

    def target_description(self) -> str:
        """What the probed target is, in words without a local path."""
        spec = self.recipe.probe.responder
        if spec == SANDBOX:
            return "a tiny Qwen3-VL that was taught most facts of the embedded world"
        kind, _, name = spec.partition(":")
        if kind == "openai":
            from eval.responders.chat import plain_model

            return plain_model(name.rpartition("#")[2])
        return Path(name).name if Path(name).exists() else name
