"""One unlearning run: data, model, method and loop put together, and a run folder that says all about it."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from curation.probing.prompt import probe_prompt
from flows.resources.datasets import open_dataset
from flows.resources.user_code import find_method
from schemas.dataset.split_files import Roles
from schemas.errors import BadInput
from schemas.records.requests import REQUESTS, ServedRequests
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from unlearn.data import Assigned, Modalities
    from unlearn.presets import Preset
    from unlearn.runs.record import RunRecord


log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class UnlearnRequest:
    """What is unlearned, by which method, from which model and with which numbers; not where the run is kept."""

    dataset: str | Path
    method: str
    """One of `ppubench methods`, or FILE.py:NAME of a user's own."""
    setting: Setting
    model: str
    ratio: int | None = None
    preset: "Preset" = "default"
    modality: "Modalities" = "both"
    target: str | None = None
    boundary: bool = False
    seed: int = 0
    steps: int | None = None
    epochs: int | None = None
    lr: float | None = None
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    """Numbers of unlearn/presets.py by name; `steps`, `epochs` and `lr` are the common ones of them."""
    memory_gb: float | None = None
    """What the run may take; it changes how steps are cut and no result."""
    device: str = "cpu"
    trust_remote_code: bool = False
    allow_missing: bool = False
    revision: str | None = None
    splits: Path | None = None
    after: Path | None = None
    """An earlier run, upon which this one goes."""
    roles: Roles | None = None
    """What is forgotten and kept, where it is not what the setting says: the roles of a request."""

    @property
    def typed(self) -> dict[str, JsonValue]:
        """The numbers that were given instead of the preset's."""
        common = {"steps": self.steps, "epochs": self.epochs, "lr": self.lr}
        return {**self.overrides, **{name: value for name, value in common.items() if value is not None}}


def run_unlearning(
    request: UnlearnRequest, out: Path, *, resume: bool = False, stop_after: int | None = None
) -> "RunRecord":
    """Unlearn the forget set of a setting from a model into the run folder `out`; returns the run's record.

    `stop_after` ends this call after so many steps, as if it had been killed there. Raises BadInput before anything is
    written for wrong use, and for a folder that holds another run, of which a step was done, or is being written to.
    """
    # Names, numbers and folders are looked at first, and only then torch is imported.
    from unlearn.methods.phases import check_phases
    from unlearn.models.model_folder import check_model_folder
    from unlearn.presets import numbers_for
    from unlearn.runs.record import chain, has_begun, read_record
    from unlearn.training.processes import check_device, own_device, refuse_several, wait_for_all, writes

    method = find_method(request.method, boundary=request.boundary)
    if not method.trains:
        refuse_several(f"method {method.name}")
    if request.memory_gb is not None:
        refuse_several("a run with --memory")
    typed = request.typed
    numbers, _ = numbers_for(
        method.name, preset=request.preset, parameters=0, family="", overrides=typed, own=method.numbers
    )
    check_phases(method, numbers)
    check_model_folder(request.model)
    if request.after is not None:
        chain(request.after)
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    found = read_record(out)
    if found is not None and not resume and has_begun(out):
        raise BadInput(str(out), f"holds a run of {found.method}", "resume it with --resume, or name another folder")
    data = _samples(request)
    if request.boundary:
        _check_boundary(data)
    if request.after is not None:
        _check_kept(data, request.after)
    check_device(request.device)

    from unlearn.runs.execute import prune_run, train_run
    from unlearn.runs.make import make_run
    from unlearn.runs.prepare import prepare
    from unlearn.training.checkpoints import run_lock

    wait_for_all(request.device)  # before one of them writes what another takes for an earlier run
    ready = prepare(
        out,
        data,
        method,
        model=request.model,
        preset=request.preset,
        modality=request.modality,
        typed=typed,
        seed=request.seed,
        device=own_device(request.device),
        trust_remote_code=request.trust_remote_code,
        ask=probe_prompt,
        memory=None if request.memory_gb is None else int(request.memory_gb * 1e9),
        after=request.after,
    )
    with run_lock(out / ".running") if writes() else nullcontext():
        if method.prunes:
            return prune_run(ready, found=found)
        if method.makes:
            return make_run(ready, found=found)
        return train_run(ready, found=found, stop_after=stop_after)


def _check_boundary(data: "Assigned") -> None:
    """Raise BadInput where no subject has forget and retain samples, so that an added boundary would be zero."""
    both = {each.subject_id for each in data.forget.values()} & {each.subject_id for each in data.retain.values()}
    if not both:
        found = f"no subject of the {data.setting} setting has forget and retain samples"
        raise BadInput("--boundary", found, "choose the selective or personalized setting, or leave it out")


def _check_kept(data: "Assigned", after: Path) -> None:
    """Raise BadInput where the retain set holds what the runs beneath were asked to forget: it would be learnt anew."""
    path = after / REQUESTS
    if not path.is_file():
        return
    gone = ServedRequests.model_validate_json(path.read_bytes()).gone
    if back := sorted({key.rpartition("|")[0] for key in data.retain} & gone):
        found = f"holds {len(back)} facts that were asked to be forgotten before, first {back[0]}"
        raise BadInput(f"the retain set after {after}", found, "leave them out: they would be learnt anew")


def _samples(request: UnlearnRequest) -> "Assigned":
    """The forget and retain samples; says how many ids the split names and the data lacks, and the other way round."""
    from unlearn.data import read_samples

    data = read_samples(
        open_dataset(request.dataset, revision=request.revision, splits=request.splits),
        setting=request.setting,
        ratio=request.ratio,
        modality=request.modality,
        target=request.target,
        allow_missing=request.allow_missing,
        roles=request.roles,
    )
    if data.missing:
        first = data.missing[0]
        log.warning("%d ids of the %s split are not in the data (first %s)", len(data.missing), data.setting, first)
    if data.unassigned:
        log.warning("%d samples have no role in the %s split and are not used", data.unassigned, data.setting)
    return data
