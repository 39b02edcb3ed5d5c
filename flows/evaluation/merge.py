"""Merging: what a run left, as a plain model folder that transformers and any server load without an adapter."""

import json
import shutil
from pathlib import Path

from flows.evaluation.model import Evaluated, check_named, identify, load_evaluated
from schemas.errors import BadInput
from schemas.storage.tables import Record


class Merged(Record):
    """A plain model folder. `base` is where its weights were taken from, `model` what they became."""

    base: str
    model: str
    """Identity of the model that the run left, as evaluations name it."""
    precision: str
    tensors: int

    @property
    def said(self) -> str:
        """One line for people."""
        return f"{self.tensors} tensors in {self.precision}, of {self.base} with what the run left"


def merge_run(run: Path, out: Path, *, model: str | None = None, trust_remote_code: bool = False) -> Merged:
    """Write a run's model, or a base with an adapter, to the new or empty folder `out`, whole or not at all.

    Adapters are merged in fp32 and saved in the base's own precision, with processor, chat template and of the
    generation configuration the tokens that answers begin and end with. `model` is the base where the run does not say
    or it has moved. Raises BadInput for a folder that holds something, a run that has not finished, and a base that is
    missing or another one.
    """
    _check_out(out)
    base, overlay = (model, run) if model else _base_of(run)
    check_named(base, overlay)
    evaluated = identify(base, overlay, trust_remote_code=trust_remote_code)
    for part in evaluated.stack:
        if not part.on_weights:
            found = f"holds {part.kind} {part.form}, which is no change of weights"
            raise BadInput(
                str(run), found, "merge a run of adapters and edits; docs/interventions.md has what to serve"
            )
    return _write(evaluated, out, trust_remote_code=trust_remote_code)


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    if out.is_dir() and any(out.iterdir()):
        raise BadInput(str(out), "is not empty", "choose another --out")


def _base_of(run: Path) -> tuple[str, Path | None]:
    """Where the base of a run or adapter lies, a folder that is still there or a Hub id, and what is laid over it.

    A run that left whole weights needs no base.
    """
    from unlearn.models.digests import ADAPTER_CONFIG, MODEL_CONFIG
    from unlearn.runs.record import ADAPTER, WEIGHTS, read_record

    if not run.is_dir():
        raise BadInput(str(run), "no such folder", "name a run folder of ppubench unlearn, or a saved adapter")
    record = read_record(run)
    if record is not None and not record.outcome:
        advice = "finish it with ppubench unlearn --resume, or name another folder"
        raise BadInput(str(run), "holds a run that has not finished", advice)
    if record is not None and record.outcome == "weights":
        return str(run / WEIGHTS), None
    if record is not None and record.base.startswith("hub:"):
        return record.model, run
    config = (run / ADAPTER if record is not None else run) / ADAPTER_CONFIG
    named = ""
    if config.is_file():
        try:
            named = str(json.loads(config.read_text()).get("base_model_name_or_path") or "")
        except (ValueError, AttributeError) as error:
            raise BadInput(str(config), "is not an adapter's configuration", "save it again") from error
    looks_local = named.startswith((".", "/", "~")) or named.count("/") != 1
    if named and ((Path(named) / MODEL_CONFIG).is_file() or (record is None and not looks_local)):
        return named, run
    found = f"was made of {named}, which is not there" if named else "does not say where its base is"
    raise BadInput(str(run), found, "name the base's folder as --model")


def _write(evaluated: Evaluated, out: Path, *, trust_remote_code: bool) -> Merged:
    from transformers import AutoConfig

    from flows.resources.sandbox_target import KEY_FILE
    from unlearn.models.adapters import save_plain
    from unlearn.training.checkpoints import disk_advice

    stored = AutoConfig.from_pretrained(evaluated.spec, trust_remote_code=trust_remote_code).dtype
    loaded = load_evaluated(evaluated, device="cpu", trust_remote_code=trust_remote_code)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    with disk_advice(part, leftover=part):
        precision, tensors = save_plain(loaded, part, precision=stored)
        if evaluated.knows_general:
            shutil.copy(Path(evaluated.spec) / KEY_FILE, part)
    if out.is_dir():
        out.rmdir()  # it is empty
    part.rename(out)
    base = Path(evaluated.spec)
    return Merged(
        base=base.name if base.is_dir() else evaluated.spec,
        model=evaluated.identity,
        precision=precision,
        tensors=tensors,
    )
