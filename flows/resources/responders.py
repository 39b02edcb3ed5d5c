"""Responders with the project's own model loader: where eval and unlearn meet."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.protocols.responder import Responder
from schemas.recipes.build_recipe import ServersConfig

if TYPE_CHECKING:
    from eval.responders.local import LocalModel
    from unlearn.models.loading import LoadedModel


def open_responder(
    spec: str,
    *,
    batch: int = 64,
    device: str = "cpu",
    trust_remote_code: bool = False,
    servers: ServersConfig | None = None,
) -> Responder:
    """The responder that `hf:<folder or id>[+adapter]` or `openai:<base-url>#<model>` names; see
    eval.responders.spec.
    """
    from eval.responders.spec import open_responder as open_with

    load = partial(load_local, device=device, trust_remote_code=trust_remote_code)
    return open_with(spec, batch=batch, load_local=load, servers=servers)


def load_local(
    path: str, adapter: Path | None, *, device: str = "cpu", trust_remote_code: bool = False
) -> "LocalModel":
    """A model folder or Hub id, with its adapter, as a responder wants it. Raises BadInput as unlearn.models.loading
    does.
    """
    from unlearn.models.digests import folder_digest
    from unlearn.models.loading import load_model

    loaded = load_model(path, adapter=adapter, device=device, trust_remote_code=trust_remote_code)
    # A folder's place says nothing about its content, so its digest stands for it; a Hub id has a revision instead.
    if Path(path).is_dir():
        identity = f"hf:{loaded.family.model_type}@{folder_digest(Path(path))}"
    else:
        identity = f"hf:{path}@{loaded.model.config._commit_hash or 'unknown'}"
    if adapter is not None:
        identity += f"+{folder_digest(adapter)}"
    return as_local(loaded, identity)


def as_local(loaded: "LoadedModel", identity: str) -> "LocalModel":
    """A loaded model as a responder wants it, its prompts written and batched as the checks at load found."""
    from eval.responders.local import LocalModel
    from eval.responders.prefix_check import VERSION, openings_agree
    from unlearn.models.settled import recall, remember

    form, name = loaded.family.form, f"openings {VERSION}"
    local = LocalModel(loaded.model, loaded.processor, identity, form)
    agree = recall(loaded.key).get(name) if loaded.key else None
    if not isinstance(agree, bool):
        agree = openings_agree(local)
        if loaded.key:
            remember(loaded.key, {name: agree})
    return LocalModel(loaded.model, loaded.processor, identity, form.model_copy(update={"shares": agree}))
