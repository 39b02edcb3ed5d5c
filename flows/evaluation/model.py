"""Which model is evaluated, and what is laid over it: an adapter, a run of unlearning, an attack on its weights."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from flows.evaluation.guarding import (
    Forgotten,
    check_before_server,
    check_fits,
    guarded,
    parts_before_server,
    reads_states,
)
from schemas.errors import BadInput, first_line
from schemas.protocols.responder import ChoiceScorer, Decoding, Responder
from schemas.records.evaluation import MODEL_ATTACKS, AttackName, EvaluationRecord
from schemas.records.interventions import INTERVENTIONS, Intervention
from schemas.records.interventions import beneath as digest_of
from schemas.storage.artifacts import digest, write_json
from schemas.storage.tables import file_sha256

if TYPE_CHECKING:
    from unlearn.interventions.parts import Part
    from unlearn.interventions.stack import Laid
    from unlearn.models.loading import LoadedModel
    from unlearn.runs.record import RunRecord

CHECKS = "checks.json"
"""In the folder of a model's evaluations: what the checks at load found of it."""
LONGEST_LABEL = 60
"""Characters."""
Overlay = Callable[["LoadedModel"], "LoadedModel"]
"""What an attack does to a model before it is asked."""


@dataclass(frozen=True)
class Evaluated:
    """A model by its identity, not loaded yet."""

    spec: str
    """Folder, Hub id, or `openai:<base-url>#<model>`."""
    overlay: Path | None
    """Run folder or adapter folder."""
    run: "RunRecord | None"
    identity: str
    """Of the weights that are asked, label included; two runs that came to the same weights share it."""
    name: str
    label: str = ""
    stack: tuple[Intervention, ...] = ()
    """What is laid over it, lowest first, as far as a run left it as interventions; all of it, exposed or not."""
    exposed: bool = False
    """Steering and guards are taken off."""

    @property
    def folder(self) -> str:
        """Name of the folder of all its evaluations: another model gets another one."""
        return f"{self.name}-{digest(self.identity)[:8]}"

    @property
    def knows_general(self) -> bool:
        """It is the embedded world's target, which was taught general pictures too, or was made of it."""
        from flows.resources.sandbox_target import KEY_FILE  # which brings the embedded world with it

        return self.local and (Path(self.spec) / KEY_FILE).is_file()

    @property
    def local(self) -> bool:
        """It runs in this process, so its weights can be attacked and its likelihoods read."""
        return not self.spec.startswith("openai:")


def check_named(model: str, overlay: Path | None, *, label: str = "") -> None:
    """Raise BadInput for a model or adapter that cannot be one by its name and files, before torch is imported."""
    from eval.responders.spec import parse_spec
    from unlearn.models.digests import ADAPTER_CONFIG
    from unlearn.models.model_folder import check_adapter_folder, check_model_folder
    from unlearn.runs.record import chain, read_record

    if len(label) > LONGEST_LABEL:
        raise BadInput(f"label {label[:20]}…", f"has {len(label)} characters", f"use at most {LONGEST_LABEL}")
    parsed = parse_spec(model if model.startswith(("hf:", "openai:")) else f"hf:{model}")
    overlay = overlay or parsed.adapter
    if parsed.kind == "openai":
        if overlay is not None and not (overlay / INTERVENTIONS).is_file():
            found = "is laid over a model behind a server"
            raise BadInput(str(overlay), found, "serve the model with its adapter, or name its folder as --model")
        if overlay is not None:
            check_before_server(overlay)
        return
    check_model_folder(parsed.model)
    if overlay is None:
        return
    record = read_record(overlay)
    if record is None:
        if not any(overlay.glob(ADAPTER_CONFIG)) and not any(overlay.glob(f"*/{ADAPTER_CONFIG}")):
            found = "holds neither a run nor an adapter" if overlay.is_dir() else "no such folder"
            raise BadInput(str(overlay), found, "name a run folder of ppubench unlearn, or a saved adapter")
        check_adapter_folder(overlay)
    elif not record.outcome:
        advice = "finish it with ppubench unlearn --resume, or name another folder"
        raise BadInput(str(overlay), "holds a run that has not finished", advice)
    else:
        chain(overlay)


def identify(
    model: str, overlay: Path | None, *, label: str = "", trust_remote_code: bool = False, exposed: bool = False
) -> Evaluated:
    """Settle what `model` and `overlay` name, without loading weights; `exposed` takes off steering and guards.

    `overlay` is a run folder of `ppubench unlearn` or a folder with a saved adapter; `label` tells apart what cannot
    be told from here; an adapter from elsewhere without one is named by its folder. Raises BadInput for an unfinished
    run, a run or adapter on another base, for anything laid over a server's model, and for a label too long for a
    folder's name.
    """
    check_named(model, overlay, label=label)
    found = _unlabelled(model, overlay, trust_remote_code=trust_remote_code, exposed=exposed)
    if exposed and all(part.on_weights for part in found.stack):
        problem = "has neither steering nor a guard over it that could be taken off"
        raise BadInput(found.name, problem, "evaluate it without --exposed")
    if not label:
        return found if found.overlay is None or found.run else replace(found, label=_folder_label(found.overlay))
    name, identity = _plain(f"{found.name}-{label}"), f"{found.identity} label {label}"
    return replace(found, identity=identity, name=name, label=label)


def _folder_label(adapter: Path) -> str:
    """What an adapter is called: its folder, and the one around it where many are called alike."""
    place = adapter.resolve()
    common = re.fullmatch(r"adapter(_model)?|checkpoint-\d+|default|final|last|best|output|lora", place.name, re.I)
    return "/".join(place.parts[-2 if common else -1 :])[-LONGEST_LABEL:]


def _unlabelled(model: str, overlay: Path | None, *, trust_remote_code: bool, exposed: bool) -> Evaluated:
    from eval.responders.spec import parse_spec

    parsed = parse_spec(model if model.startswith(("hf:", "openai:")) else f"hf:{model}")
    overlay = overlay or parsed.adapter
    if parsed.kind == "openai":
        from eval.responders.remote import model_name, served_model

        identity, name = served_model(parsed.base_urls, parsed.model), _plain(model_name(parsed.model))
        if overlay is None:
            return Evaluated(model, None, None, identity, name)
        before = check_before_server(overlay)
        around = identity if exposed else f"{identity}+{digest_of('', before)}"
        return Evaluated(model, overlay, None, around, _plain(f"{name}-{overlay.name}"), overlay.name, tuple(before),
                         exposed)  # fmt: skip
    from unlearn.models.model_folder import check_adapter

    base = _base_identity(parsed.model, trust_remote_code=trust_remote_code)
    if overlay is None:
        return Evaluated(parsed.model, None, None, base, _plain(Path(parsed.model).name))
    run = _finished_run(overlay, parsed.model)
    if run is None:
        check_adapter(overlay, base=parsed.model)
    name = f"{Path(parsed.model).name}-{overlay.name}" if run is None else f"{run.method}-s{run.seed}"
    if run is not None and (run.outcome == "interventions" or run.after):
        stack, identity = _stack(overlay, parsed.model, base, exposed=exposed)
        name = f"{name}-exposed" if exposed else name
        return Evaluated(parsed.model, overlay, run, identity, _plain(name), stack=stack, exposed=exposed)
    return Evaluated(parsed.model, overlay, run, f"{base}+{_overlay_digest(overlay, run)}", _plain(name))


def _stack(run: Path, model: str, base: str, *, exposed: bool) -> tuple[tuple[Intervention, ...], str]:
    """What a run and those before it left over the base, and the identity of the model with it.

    Without its steering and guards a model whose weights nothing changed is the base itself.
    """
    from unlearn.runs.record import stack_of

    start, under, parts = stack_of(run, model)
    whole = tuple(part.intervention for part in parts)
    kept = [each for each in whole if each.on_weights or not exposed]
    plain = start == model and not kept
    return whole, base if plain else f"{base}+{digest_of(under, kept)}"


def check_thinks(evaluated: Evaluated, *, trust_remote_code: bool = False) -> None:
    """Raise BadInput for a local model whose template knows no thinking; of servers the check asks that."""
    from schemas.protocols.prompt_form import written_form
    from unlearn.models.processors import load_processor

    if evaluated.local:
        processor = load_processor(evaluated.spec, trust_remote_code=trust_remote_code)
        written_form(processor, where=evaluated.spec, thinking=True)


def as_served(evaluated: Evaluated, *, thinking: bool = False) -> Evaluated:
    """A model behind servers with what they refuse to be told in its identity, since its answers depend on it.

    A server that does not answer is passed over: what was asked before stands, and asking says what is wrong.
    """
    if evaluated.local:
        return evaluated
    from eval.responders.spec import open_servers, parse_spec
    from schemas.recipes.build_recipe import ServersConfig

    responder = open_servers(parse_spec(evaluated.spec), ServersConfig())
    try:
        responder.check(images=False, decoding=Decoding(thinking=thinking))
    except BadInput:
        return evaluated
    return replace(evaluated, identity=evaluated.identity + responder.dialect.said)


def open_evaluated(
    evaluated: Evaluated,
    *,
    batch: int,
    device: str,
    attack: Overlay | None = None,
    trust_remote_code: bool = False,
    checks: Path | None = None,
    forgotten: Forgotten | None = None,
) -> tuple[Responder, ChoiceScorer | None]:
    """Load the model with all that is laid over it; the second half is None where likelihoods cannot be read.

    In this order: base, adapters and edits, the attack on the weights, steering, guards. What was found at load is
    written to the file `checks`; `forgotten` is for gates that are told.
    """
    if not evaluated.local:
        from flows.resources.responders import open_responder

        before = [] if evaluated.overlay is None or evaluated.exposed else parts_before_server(evaluated.overlay)
        return guarded(open_responder(evaluated.spec, batch=batch), None, before, forgotten=forgotten)
    from eval.responders.local import LocalResponder
    from flows.resources.responders import as_local
    from unlearn.interventions.stack import lay_some
    from unlearn.models.adapters import without_adapter_layers

    laid, above = _opened(evaluated, device=device, trust_remote_code=trust_remote_code)
    loaded = laid.model
    local = as_local(loaded, evaluated.identity)
    if checks is not None:
        found = loaded.family.model_copy(update={"form": local.form or loaded.family.form})
        write_json(checks, found.model_dump(mode="json"))
    if attack is not None:
        loaded = attack(loaded)
    model = without_adapter_layers(loaded.model)
    check_fits(loaded, above)
    whole = lay_some(replace(laid, model=replace(loaded, model=model)), above).model
    live = whole.live if any(reads_states(part.intervention) for part in above) else None
    local = replace(local, model=model, processor=loaded.processor, live=live)
    asked = LocalResponder(local, batch=batch)
    return guarded(asked, asked, above, hidden=asked.fires, forgotten=forgotten)


def with_checks(record: EvaluationRecord, checks: Path) -> EvaluationRecord:
    """The record with what was found when its model was loaded, and the sentences of it among the notes."""
    if not checks.is_file():
        return record
    found: dict[str, JsonValue] = json.loads(checks.read_text())
    said = [f"At load: {note}." for note in cast("list[str]", found.get("notes", []))]
    return record.model_copy(update={"checks": found, "notes": (*record.notes, *said)})


def load_evaluated(evaluated: Evaluated, *, device: str, trust_remote_code: bool = False) -> "LoadedModel":
    """The weights of a local model with what is laid over them. Raises BadInput where steering or guards are too."""
    above = [part for part in evaluated.stack if not part.on_weights]
    if above and not evaluated.exposed:
        found = f"has {above[0].kind} {above[0].form} over it, which is no change of weights"
        raise BadInput(str(evaluated.overlay), found, "evaluate the run itself, or put its guard before a server")
    return _opened(evaluated, device=device, trust_remote_code=trust_remote_code)[0].model


def _opened(evaluated: Evaluated, *, device: str, trust_remote_code: bool) -> "tuple[Laid, list[Part]]":
    """The model with what changes its weights, and what is to be laid over it then, unless it is exposed."""
    from unlearn.interventions.stack import Laid, lay_some
    from unlearn.models.loading import load_model
    from unlearn.runs.record import stack_of

    if evaluated.run is not None and evaluated.overlay is not None:
        start, under, parts = stack_of(evaluated.overlay, evaluated.spec)
        loaded = load_model(start, device=device, trust_remote_code=trust_remote_code)
        laid = lay_some(Laid(loaded, loaded, under), [part for part in parts if part.intervention.on_weights])
        return laid, [] if evaluated.exposed else [part for part in parts if not part.intervention.on_weights]
    loaded = load_model(evaluated.spec, adapter=evaluated.overlay, device=device, trust_remote_code=trust_remote_code)
    return Laid(loaded, loaded, ""), []


def check_reads(evaluated: Evaluated, *, pictures: bool, trust_remote_code: bool = False) -> None:
    """Raise BadInput where pictures are asked about of a local language model that takes none."""
    if not (pictures and evaluated.local):
        return
    from transformers import AutoConfig

    from unlearn.models.anatomy import takes_no_picture

    config = AutoConfig.from_pretrained(evaluated.spec, trust_remote_code=trust_remote_code)
    if takes_no_picture(config):
        found = f"model type {config.model_type} takes no picture, and some questions show one"
        raise BadInput(evaluated.spec, found, "ask by text alone (--modality qa)")


def check_attack(evaluated: Evaluated, attack: AttackName | None) -> None:
    """Raise BadInput for an attack on weights that are not at hand."""
    if attack in MODEL_ATTACKS and not evaluated.local:
        raise BadInput(f"attack {attack}", f"changes weights, and {evaluated.name} is behind a server", "name a folder")


def _base_identity(model: str, *, trust_remote_code: bool) -> str:
    """As flows.resources.responders.load_local names it."""
    from transformers import AutoConfig

    from unlearn.models.digests import folder_digest

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        reason = first_line(error)
        raise BadInput(model, f"cannot be read ({reason})", "name a model folder or a Hub id") from error
    if Path(model).is_dir():
        return f"hf:{config.model_type}@{folder_digest(Path(model))}"
    return f"hf:{model}@{config._commit_hash or 'unknown'}"


def _finished_run(folder: Path, base: str) -> "RunRecord | None":
    """The record if the folder is a run's; None if it is an adapter's."""
    from unlearn.models.model_folder import base_digest
    from unlearn.runs.record import read_record

    record = read_record(folder)
    if record is not None and record.base != (found_base := base_digest(base, known=record.base)):
        raise BadInput(str(folder), f"belongs to weights {record.base}, but {base} has {found_base}", "name its base")
    return record


def _overlay_digest(folder: Path, run: "RunRecord | None") -> str:
    """Of what lies over a base, where that is no stack."""
    from unlearn.models.digests import folder_digest
    from unlearn.runs.record import ADAPTER, PRUNED, WEIGHTS

    if run is None:
        return folder_digest(folder)
    if run.outcome == "pruned":
        return file_sha256(folder / PRUNED)[:32]
    return folder_digest(folder / (WEIGHTS if run.outcome == "weights" else ADAPTER))


def _plain(name: str) -> str:
    """A file name out of any name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "model"
