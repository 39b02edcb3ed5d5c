"""From a responder's spec, such as `hf:<folder>` or `openai:<base-url>#<model>`, to the responder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eval.local import LocalModel, LocalResponder
from eval.remote import RemoteResponder
from schemas.problems import BadInput
from schemas.responders import Responder, ResponderKind

LoadLocal = Callable[[str, Path | None], LocalModel]
"""Loads a model folder or Hub id, with an adapter or None. The loader lives in unlearn/models.py; flows hands it in."""

FORMS = "write hf:<folder or id>[+<adapter folder>] or openai:<base-url>#<model>"


@dataclass(frozen=True)
class ResponderSpec:
    """A spec, taken apart."""

    kind: ResponderKind
    model: str
    adapter: Path | None = None
    base_url: str = ""


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
        url, hash_sign, model = rest.rpartition("#")
        if not hash_sign or not model:
            raise BadInput(f"responder {spec!r}", "names no model", FORMS)
        if not url.startswith(("http://", "https://")):
            raise BadInput(f"responder {spec!r}", "has no http(s) address", FORMS)
        return ResponderSpec(kind="openai", model=model, base_url=url.rstrip("/"))
    raise BadInput(f"responder {spec!r}", "is not a responder", FORMS)


def open_responder(spec: str, *, batch: int, load_local: LoadLocal, concurrency: int = 16) -> Responder:
    """The responder that a spec names. `batch` is prompts a batch of a local model, `concurrency` open requests.

    Raises BadInput for a spec or a model that cannot be used. A server is first talked to when it is asked something.
    """
    parsed = parse_spec(spec)
    if parsed.kind == "hf":
        return LocalResponder(load_local(parsed.model, parsed.adapter), batch=batch)
    return RemoteResponder(parsed.base_url, parsed.model, concurrency=concurrency)
