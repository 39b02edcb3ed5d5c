"""One unlearning run: data, model, method and loop put together, and a run folder that says all about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from curation.prompts import probe_prompt
from schemas.problems import BadInput
from schemas.words import Setting

if TYPE_CHECKING:
    from unlearn.data import Modalities
    from unlearn.presets import Preset
    from unlearn.runs import RunRecord


def run_unlearning(
    *,
    dataset: Path,
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
    device: str = "cpu",
    trust_remote_code: bool = False,
    allow_missing: bool = False,
    stop_after: int | None = None,
) -> "RunRecord":
    """Unlearn the forget set of a setting from a model into the run folder `out`; returns the run's record.

    `overrides` are numbers of unlearn/presets.py by name; `steps`, `epochs` and `lr` are the common ones of them.
    `stop_after` ends this call after so many steps, as if it had been killed there. Raises BadInput before anything is
    written for wrong use, and for a folder that holds another run or is being written to.
    """
    from unlearn.checkpoints import run_lock
    from unlearn.data import read_samples
    from unlearn.execute import prune_run, train_run
    from unlearn.methods import method_named
    from unlearn.prepare import prepare
    from unlearn.runs import read_record

    chosen = method_named(method, boundary=boundary)
    common = {"steps": steps, "epochs": epochs, "lr": lr}
    typed = {**(overrides or {}), **{name: value for name, value in common.items() if value is not None}}
    data = read_samples(
        dataset, setting=setting, ratio=ratio, modality=modality, target=target, allow_missing=allow_missing
    )
    found = read_record(out)
    if found is not None and not resume:
        raise BadInput(str(out), f"holds a run of {found.method}", "resume it with --resume, or name another folder")
    ready = prepare(
        out,
        data,
        chosen,
        model=model,
        preset=preset,
        modality=modality,
        typed=typed,
        seed=seed,
        device=device,
        trust_remote_code=trust_remote_code,
        ask=probe_prompt,
    )
    with run_lock(out / ".running"):
        if chosen.prunes:
            return prune_run(ready, found=found)
        return train_run(ready, found=found, stop_after=stop_after)
