"""One unlearning run: data, model, method and loop put together, and a run folder that says all about it."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from curation.probing.prompt import probe_prompt
from flows.resources.datasets import open_dataset
from flows.resources.user_code import find_method
from schemas.errors import BadInput
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from unlearn.data import Assigned, Modalities
    from unlearn.presets import Preset
    from unlearn.runs.record import RunRecord


log = logging.getLogger(__name__)


def run_unlearning(
    *,
    dataset: str | Path,
    method: str,
    setting: Setting,
    model: str,
    out: Path,
    ratio: int | None = None,
    preset: "Preset" = "default",
    modality: "Modalities" = "both",
    target: str | None = None,
    boundary: bool = False,
    resume: bool = False,
    seed: int = 0,
    steps: int | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    overrides: Mapping[str, JsonValue] | None = None,
    memory_gb: float | None = None,
    device: str = "cpu",
    trust_remote_code: bool = False,
    allow_missing: bool = False,
    revision: str | None = None,
    splits: Path | None = None,
    stop_after: int | None = None,
) -> "RunRecord":
    """Unlearn the forget set of a setting from a model into the run folder `out`; returns the run's record.

    `method` is one of `ppubench methods`, or FILE.py:NAME of a user's own. `overrides` are numbers of
    unlearn/presets.py by name; `steps`, `epochs` and `lr` are the common ones of them. `memory_gb` is what the run may
    take; it changes how steps are cut and no result.
    `stop_after` ends this call after so many steps, as if it had been killed there. Raises BadInput before anything is
    written for wrong use, and for a folder that holds another run, of which a step was done, or is being written to.
    """
    # Names, numbers and folders are looked at first, and only then torch is imported.
    from unlearn.data import read_samples
    from unlearn.models.model_folder import check_model_folder
    from unlearn.presets import numbers_for
    from unlearn.runs.record import has_begun, read_record
    from unlearn.training.processes import check_device, own_device, refuse_several, wait_for_all, writes

    chosen = find_method(method, boundary=boundary)
    if chosen.prunes:
        refuse_several(f"method {chosen.name}")
    if memory_gb is not None:
        refuse_several("a run with --memory")
    common = {"steps": steps, "epochs": epochs, "lr": lr}
    typed = {**(overrides or {}), **{name: value for name, value in common.items() if value is not None}}
    numbers_for(chosen.name, preset=preset, parameters=0, family="", overrides=typed, own=chosen.numbers)
    check_model_folder(model)
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    found = read_record(out)
    if found is not None and not resume and has_begun(out):
        raise BadInput(str(out), f"holds a run of {found.method}", "resume it with --resume, or name another folder")
    data = read_samples(
        open_dataset(dataset, revision=revision, splits=splits),
        setting=setting,
        ratio=ratio,
        modality=modality,
        target=target,
        allow_missing=allow_missing,
    )
    _show_mismatch(data)
    check_device(device)

    from unlearn.runs.execute import prune_run, train_run
    from unlearn.runs.prepare import prepare
    from unlearn.training.checkpoints import run_lock

    wait_for_all(device)  # before one of them writes what another takes for an earlier run
    ready = prepare(
        out,
        data,
        chosen,
        model=model,
        preset=preset,
        modality=modality,
        typed=typed,
        seed=seed,
        device=own_device(device),
        trust_remote_code=trust_remote_code,
        ask=probe_prompt,
        memory=None if memory_gb is None else int(memory_gb * 1e9),
    )
    with run_lock(out / ".running") if writes() else nullcontext():
        if chosen.prunes:
            return prune_run(ready, found=found)
        return train_run(ready, found=found, stop_after=stop_after)


def _show_mismatch(data: "Assigned") -> None:
    """Say how many ids the split names and the data lacks, and the other way round."""
    if data.missing:
        first = data.missing[0]
        log.warning("%d ids of the %s split are not in the data (first %s)", len(data.missing), data.setting, first)
    if data.unassigned:
        log.warning("%d samples have no role in the %s split and are not used", data.unassigned, data.setting)
