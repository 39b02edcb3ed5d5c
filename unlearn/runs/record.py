"""The folder of one run: its record, written when it starts and completed when it ends, and what it leaves behind."""

import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import JsonValue, ValidationError

from schemas.errors import BadInput
from schemas.records.interventions import Intervention, beneath, read_records
from schemas.storage.artifacts import write_json
from schemas.storage.tables import Record
from schemas.vocabulary import Setting
from unlearn.models.families import Family
from unlearn.models.model_folder import base_digest
from unlearn.training.checkpoints import latest_checkpoint
from unlearn.training.log import LOG_FILE
from unlearn.training.probes import Asked, Probe

if TYPE_CHECKING:
    from unlearn.interventions.parts import Part
    from unlearn.interventions.stack import Laid
    from unlearn.models.loading import LoadedModel

log = logging.getLogger(__name__)

FORMAT = 1
RECORD, ADAPTER, WEIGHTS, PRUNED, MASK = "run.json", "adapter", "weights", "pruned.json", "mask.safetensors"
START = "start.safetensors"


class RunRecord(Record):
    """All that a run was made of and how it ended. `status` is "running" until it has ended."""

    format: int = FORMAT
    status: Literal["running", "finished", "stopped"]
    reason: str = ""
    """Why it ended: "finished", "nan" or what a guard said."""
    identity: str
    """Digest of method, numbers, data, base and seed; a checkpoint of another identity is refused."""
    method: str
    code: str = ""
    """Digest of the user's file that the method comes from, or ""."""
    title: str
    terms: tuple[str, ...]
    masked_terms: tuple[str, ...]
    preset: str
    sections: tuple[str, ...]
    """Sections of presets.toml that the numbers come from, later ones winning."""
    numbers: dict[str, JsonValue]
    setting: Setting
    ratio: int | None
    modality: str
    target: str
    seed: int
    model: str
    """Name of the base model's folder, or its Hub id."""
    base: str
    """Digest of the base weights."""
    family: Family | None = None
    """What the checks at load found of the base; None in records of earlier versions."""
    data: str
    """Digest of the samples and their roles."""
    forget_samples: int
    retain_samples: int
    matched_subjects: int
    """Subjects with forget and retain samples; without any the boundary term is zero."""
    answers: dict[str, int] = {}
    """Samples of answer groups, by group; answers.jsonl holds what they ask and answer."""
    known: str = ""
    """Digest of answer groups, factors and values that the method reads; "" where it reads none."""
    missing_ids: int
    """Ids that the split names and the data lacks (only where that was allowed)."""
    planned_steps: int
    parameters: int
    trained_parameters: int
    steps: int = 0
    seconds: float = 0.0
    """Of this process; a resumed run counts from its resumption."""
    best_rule: str
    best_step: int | None = None
    best_score: float | None = None
    asked: Asked = Asked()
    """What the probes of this run look at, by subject."""
    start: Probe
    best: Probe | None = None
    """Of the weights that were kept."""
    last: Probe | None = None
    """Of the weights after the last step."""
    mask_kept: float | None = None
    """Share of trained weights that the saliency mask lets masked terms move."""
    pruned_share: float | None = None
    swept: str = ""
    """What a maker varied, in words, and `chosen` the value that was kept."""
    chosen: float | None = None
    sweep: dict[str, Probe] = {}
    """What each share of pruned neurons, or each value that a maker tried, led to."""
    made_s: float | None = None
    """Seconds that a maker's statistics took, without the probes of what it tried."""
    bytes: int | None = None
    """Of the tensors that a maker left."""
    samples_seen: dict[str, int] = {}
    """Samples that went through the model for statistics, by set."""
    fires: dict[str, float] = {}
    """Of the gate: the share of prompts on which it fires, by group: forget, matched, retain, strangers."""
    outcome: Literal["", "adapter", "weights", "pruned", "interventions"] = ""
    """What the run left: a folder of that name, pruned.json or interventions.json."""
    after: str = ""
    """Folder of the earlier run that it was laid upon, seen from its own; "" if it was made on its base alone."""
    beneath: str = ""
    """Digest of the base with all that earlier runs left, where there was one."""

    @property
    def made_of(self) -> dict[str, JsonValue]:
        """All that decides the run but method and seed: runs that agree in it are seeds of one arm."""
        terms = {"terms": " ".join(self.terms), "masked terms": " ".join(self.masked_terms), "code": self.code}
        return {**self.numbers, **terms, "modality": self.modality, "data": self.data, "base": self.base}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the base's family, such as why its samples do not share rows."""
        return () if self.family is None else self.family.notes

    @property
    def refuses(self) -> bool:
        """It was trained on refusals, which may hide an answer and leave it as likely as before."""
        return any("refusal" in group or "mixed" in group for group in self.answers)

    @property
    def likelihood_left(self) -> float | None:
        """Geometric mean of p(answer token) of forget answers, kept weights over start; None before the end."""
        return None if self.best is None else math.exp(self.start.forget_nll - self.best.forget_nll)

    @property
    def broke_down(self) -> bool:
        """A loss that was not finite ended it: what is kept is not where the method leads."""
        return self.reason == "nan"

    @property
    def ending(self) -> str:
        """How it ended, one line for people."""
        if self.pruned_share is not None:
            return f"{self.status}: {100 * self.pruned_share:g} % of the neurons are pruned"
        if self.chosen is not None:
            return f"{self.status}: of what was tried, {self.chosen:g} is kept ({self.swept})"
        after = f"{self.status} after {self.steps} of {self.planned_steps} steps"
        if self.broke_down:
            kept = f"step {self.best_step}" if self.best_step is not None else f"step {self.steps}, the last update"
            return f"{after}: the loss is not finite; the weights of {kept} are kept"
        return after if self.reason == self.status else f"{after}: {self.reason}"


def has_begun(folder: Path) -> bool:
    """Whether a run in this folder has done a step or ended; a record alone says only what somebody wanted."""
    record, log_lines = read_record(folder), folder / LOG_FILE
    logged = log_lines.is_file() and log_lines.stat().st_size > 0
    return logged or latest_checkpoint(folder) is not None or (record is not None and record.outcome != "")


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json, atomically."""
    write_json(folder / RECORD, record.model_dump(mode="json"))


def read_record(folder: Path) -> RunRecord | None:
    """The record of a run folder, or None if no run has started there; raises BadInput if it cannot be read."""
    path = folder / RECORD
    try:
        return RunRecord.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(str(path), f"is not a run record ({reason})", "name another folder") from error


def base_for(folder: Path, model: str) -> str:
    """The base's digest for a run in a folder: as the folder's own record names it, or those of the runs beside it.

    So what an earlier version began, a run or a study, is gone on with as the same.
    """
    beside = sorted(path.parent for path in folder.parent.glob(f"*/{RECORD}"))
    for place in (folder, *beside):
        try:
            record = read_record(place)
        except BadInput:
            if place == folder:
                raise
            continue  # what lies beside may be no run of ours
        if record is not None and base_digest(model, known=record.base) == record.base:
            return record.base
    return base_digest(model)


def open_run(folder: Path, base: str, *, device: str = "cpu", trust_remote_code: bool = False) -> "LoadedModel":
    """The model that a run left behind, on its base. Raises BadInput for an unfinished run or another base."""
    return open_stack(folder, base, device=device, trust_remote_code=trust_remote_code).model


def open_stack(
    folder: Path, base: str, *, device: str = "cpu", trust_remote_code: bool = False, weights_only: bool = False
) -> "Laid":
    """What a run and the runs that it came after left, laid over the base in order, lowest first.

    `weights_only` leaves out what changes no weights: what a thief of the weights gets. Raises BadInput for a run that
    is unfinished, missing from the chain or not what it was, and for another base.
    """
    from unlearn.interventions.stack import Laid, lay_some
    from unlearn.models.loading import load_model

    start, digest, parts = stack_of(folder, base)
    loaded = load_model(start, device=device, trust_remote_code=trust_remote_code)
    chosen = [part for part in parts if part.intervention.on_weights or not weights_only]
    return lay_some(Laid(loaded, loaded, digest), chosen)


def acts_on_prompts(folder: Path) -> bool:
    """Whether a run, or one that it came after, left steering or a guard, which a thief of its weights takes off."""
    left = [place for place, record in chain(folder) if record.outcome == "interventions"]
    return any(not each.on_weights for place in left for each in read_records(place))


def stack_of(folder: Path, base: str) -> "tuple[str, str, list[Part]]":
    """Where the weights lie that a run's stack lies on, their digest, and the parts of all runs in its chain.

    The weights are the base's, or those of the last run of the chain that left whole ones. Nothing large is loaded.
    """
    runs = chain(folder)
    whole = max((number for number, (_, record) in enumerate(runs) if record.outcome == "weights"), default=None)
    if whole is None:
        start, under = base, runs[-1][1].base
        if (found_base := base_digest(base, known=under)) != under:
            raise BadInput(str(folder), f"belongs to weights {under}, but {base} has {found_base}", "name its base")
    else:
        runs, start = runs[whole + 1 :], str(runs[whole][0] / WEIGHTS)
        under = base_digest(start)
    digest = under
    found: list[Part] = []
    for place, record in runs:
        if record.beneath not in ("", digest):
            problem = f"was made on {record.beneath}, but what lies beneath it is {digest}"
            raise BadInput(str(place), problem, "put back the earlier run as it was, or make this one again")
        found += parts_of(place, record, under=digest)
        digest = beneath(under, [part.intervention for part in found])
    return start, under, found


def chain(folder: Path) -> "list[tuple[Path, RunRecord]]":
    """A finished run with the runs that it came after, the first one first.

    Raises BadInput for a folder without a run, an unfinished one, and an earlier one that is not there.
    """
    found: list[tuple[Path, RunRecord]] = []
    place: Path | None = folder
    while place is not None:
        record = read_record(place)
        if record is None or not record.outcome:
            problem = "holds no run" if record is None else "holds a run that has not finished"
            if found:
                raise BadInput(str(found[0][0]), f"came after {place}, which {problem}", "put the earlier run back")
            raise BadInput(str(place), problem, "finish it with ppubench unlearn --resume, or name another folder")
        if any(place.resolve() == other.resolve() for other, _ in found):
            raise BadInput(str(place), "came after itself", "mend `after` in its run.json")
        found.insert(0, (place, record))
        place = place / record.after if record.after else None
    return found


def parts_of(folder: Path, record: RunRecord, *, under: str) -> "list[Part]":
    """What a run left, as parts of a stack; `under` is the digest of what they lie on. Whole weights are no parts."""
    from unlearn.interventions.edits import zeroed_tensors
    from unlearn.interventions.files import read_stack
    from unlearn.interventions.neurons import read_pruned
    from unlearn.interventions.parts import Part, stacked

    if record.outcome == "interventions":
        return read_stack(folder, beneath=under)
    if record.outcome == "adapter":
        return stacked(under, [Part(Intervention(kind="adapter", form="peft"), folder=folder / ADAPTER)])
    if record.outcome == "pruned":
        pruned = read_pruned(folder / PRUNED, base=record.base)
        numbers: dict[str, JsonValue] = {"unit": pruned.unit, "share": pruned.share}
        made = Intervention(kind="edit", form="zeroed", numbers=numbers)
        return stacked(under, [Part(made, zeroed_tensors(pruned))])
    return []
