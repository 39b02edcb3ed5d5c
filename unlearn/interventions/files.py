"""A stack on disk: `interventions.json` with the records in order, `<n>.safetensors`, and `<n>/` of an adapter."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from schemas.errors import BadInput, first_line
from schemas.records.interventions import FORMAT, INTERVENTIONS, Intervention, beneath, read_records
from schemas.storage.artifacts import write_json
from unlearn.interventions.parts import Part, content_of, stacked
from unlearn.training.checkpoints import disk_advice, write_tensors


def save_stack(folder: Path, parts: Sequence[Part], *, base: str, below: Sequence[Intervention] = ()) -> list[Part]:
    """Write a stack that was made on `base` with `below` laid over it; the records last. Returns it with its digests.

    Raises BadInput as `stacked` does.
    """
    ready = stacked(base, parts, below=below)
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(ready):
        if part.tensors:
            write_tensors(folder / f"{number}.safetensors", part.tensors, {})
        if part.folder is not None and part.folder.resolve() != (folder / str(number)).resolve():
            leftover = folder / f"{number}.part"
            shutil.rmtree(leftover, ignore_errors=True)
            with disk_advice(folder, leftover=leftover):
                shutil.copytree(part.folder, leftover)
            shutil.rmtree(folder / str(number), ignore_errors=True)
            leftover.rename(folder / str(number))
    records = [part.intervention.model_dump(mode="json") for part in ready]
    write_json(folder / INTERVENTIONS, {"format": FORMAT, "interventions": list(records)})
    return ready


def read_stack(folder: Path, *, beneath: str) -> list[Part]:
    """Read a stack that lies on what has the digest `beneath` (of a plain base: the digest of its weights).

    Raises BadInput where it belongs on something else, where one is missing from the middle, where files are missing
    or cut off, and where tensors are not those that were saved.
    """
    parts: list[Part] = []
    under = beneath
    for number, record in enumerate(read_records(folder)):
        if record.beneath != under:
            raise _out_of_order(folder, number, record, under)
        part = _read_part(folder, number, record)
        if content_of(part) != record.content:
            found = f"the files of part {number} ({part.name}) are not those that were saved"
            raise BadInput(str(folder / INTERVENTIONS), found, "copy the folder again")
        parts.append(part)
        under = _next(under, record)
    return parts


def _next(under: str, record: Intervention) -> str:
    return beneath(under, [record])


def _out_of_order(folder: Path, number: int, record: Intervention, under: str) -> BadInput:
    name = f"part {number} ({record.kind} {record.form})"
    if number == 0:
        found = f"{name} was made on {record.beneath}, not on {under}"
        return BadInput(str(folder / INTERVENTIONS), found, "lay it on what it was made on")
    found = f"{name} was made on something else than what stands before it: one is missing, or their order is another"
    return BadInput(str(folder / INTERVENTIONS), found, "copy the folder again; a stack is not cut by hand")


def _read_part(folder: Path, number: int, record: Intervention) -> Part:
    part = Part(record)
    if record.kind == "adapter":
        inside = folder / str(number)
        if not inside.is_dir():
            raise BadInput(str(inside), "the adapter's folder is missing", "copy the folder again")
        return replace(part, folder=inside)
    file = folder / f"{number}.safetensors"
    if not file.is_file() and content_of(part) == record.content:
        return part  # it has no tensors
    try:
        return replace(part, tensors=load_file(file))
    except (OSError, SafetensorError) as error:
        raise BadInput(str(file), f"cannot be read ({first_line(error)})", "copy the folder again") from error
