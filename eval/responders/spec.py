"""From a responder's spec, such as `hf:<folder>` or `openai:<base-url>[,<base-url>…]#<model>`, to the responder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from eval.responders.remote import RemoteResponder
from schemas.errors import BadInput
from schemas.protocols.responder import Responder, ResponderKind
from schemas.recipes.build_recipe import ServersConfig

if TYPE_CHECKING:
    from eval.responders.local import LocalModel

LoadLocal = Callable[[str, Path | None], "LocalModel"]
"""Loads a model folder or Hub id, with an adapter or None. The loader lives in unlearn/models/loading.py; flows
hands it in.
"""

FORMS = "write hf:<folder or id>[+<adapter folder>] or openai:<base-url>[,<base-url>…]#<model>"


@dataclass(frozen=True)
class ResponderSpec:
    """A spec, taken apart."""

    kind: ResponderKind
    model: str
    adapter: Path | None = None
    base_urls: tuple[str, ...] = ()
    """Servers that all have the model, asked in turn."""


def parse_spec(spec: str) -> ResponderSpec:
    """Take a spec apart; raises BadInput for anything that is not one of the two forms."""
    kind, _, rest = spec.partition(":")
    if kind == "hf" and rest:
        path, plus, adapter = rest.rpartition("+")
        # A folder may have a plus sign in its name, so what exists as a whole is one path.
        if plus and path and adapter and not Path(rest).exists():
            return ResponderSpec(kind="hf", model=path, adapter=Path(adapter))
        return ResponderSpec(kind="hf", model=rest)
    if kind == "openai" and rest:
        addresses, hash_sign, model = rest.rpartition("#")
        if not hash_sign or not model:
            raise BadInput(f"responder {spec!r}", "names no model", FORMS)
        urls = tuple(dict.fromkeys(url.strip().rstrip("/") for url in addresses.split(",")))
        if not all(_is_address(url) for url in urls):
            raise BadInput(f"responder {spec!r}", "has no http(s) address", FORMS)
        return ResponderSpec(kind="openai", model=model, base_urls=urls)
    raise BadInput(f"responder {spec!r}", "is not a responder", FORMS)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def open_responder(spec: str, *, batch: int, load_local: LoadLocal, servers: ServersConfig | None = None) -> Responder:
    """The responder that a spec names. `batch` is prompts a batch of a local model; `servers` how servers are asked.

    Raises BadInput for a spec or a model that cannot be used. A server is first talked to when it is asked something.
    """
    parsed = parse_spec(spec)
    if parsed.kind == "hf":
        from eval.responders.local import LocalResponder

        return LocalResponder(load_local(parsed.model, parsed.adapter), batch=batch)
    return open_servers(parsed, servers or ServersConfig())


def open_servers(parsed: ResponderSpec, servers: ServersConfig) -> RemoteResponder:
    """The model behind the servers of an `openai:` spec."""
    return RemoteResponder(
        parsed.base_urls,
        parsed.model,
        concurrency=servers.concurrency,
        requests_per_minute=servers.requests_per_minute,
        timeout_s=servers.timeout_s,
        image_side=servers.image_side,
    )
