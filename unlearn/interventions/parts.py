"""Parts of a stack: a record with its tensors, checked, digested and set upon what lies beneath."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from schemas.errors import BadInput
from schemas.records.interventions import Intervention, beneath

Tensors = Mapping[str, Tensor]
MOST_STRENGTH = 1000.0
"""More is a slip: no published strength comes near."""


@dataclass(frozen=True)
class Part:
    """One intervention with its tensors; of an adapter the folder that it was saved in."""

    intervention: Intervention
    tensors: Tensors = field(default_factory=dict)
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.intervention.kind} {self.intervention.form}"


def stacked(base: str, parts: Iterable[Part], *, below: Sequence[Intervention] = ()) -> list[Part]:
    """The parts in order, each record with its `content` and the digest of what lies `beneath` it.

    `base` is the digest of the base weights, `below` what lies under the first part. Raises BadInput for a part that
    says that it belongs on something else.
    """
    records = list(below)
    found: list[Part] = []
    for part in parts:
        under, content = beneath(base, records), content_of(part)
        record = part.intervention
        if record.beneath not in ("", under):
            told = f"was made on {record.beneath}, but is laid on {under}"
            raise BadInput(part.name, told, "lay it on what it was made on, in the order of its stack")
        if record.content not in ("", content):
            raise BadInput(part.name, "its tensors are not those that its record names", "make it again")
        record = record.model_copy(update={"beneath": under, "content": content})
        records.append(record)
        found.append(replace(part, intervention=record))
    return found


def content_of(part: Part) -> str:
    """Digest (32 hex digits) of tensors by name, type, shape and bytes; of an adapter that of its folder."""
    if part.folder is not None:
        from unlearn.models.digests import folder_digest

        return folder_digest(part.folder)
    whole = hashlib.sha256()
    for name in sorted(part.tensors):
        tensor = part.tensors[name].detach().cpu().contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()[:32]


def strength_of(record: Intervention) -> float:
    """The strength in its numbers, 1 where there is none; raises BadInput below 0, above 1000 and where it is none."""
    return number_of(record, "strength", default=1.0, most=MOST_STRENGTH)


def number_of(record: Intervention, name: str, *, default: float | None = None, most: float = math.inf) -> float:
    """A number of a record that may be 0 but not less; raises BadInput where it is missing or no such number."""
    where, value = f"{record.kind} {record.form}", record.numbers.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInput(where, f"its {name} is {value!r}", f"give a number for {name}")
    if value < 0:
        raise BadInput(
            where, f"its {name} is {value:g}", f"give a {name} of 0 or more; a sign belongs into the tensors"
        )
    if value > most:
        raise BadInput(where, f"its {name} is {value:g}", f"give a {name} of at most {most:g}")
    return float(value)


def by_module(part: Part) -> dict[str, dict[str, Tensor]]:
    """Tensors by module path and then by part, sorted; raises BadInput where one holds NaN or infinity.

    Names that begin with `gate.` are the gate's and are left out.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name in sorted(part.tensors):
        tensor = part.tensors[name]
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadInput(part.name, f"holds values that are not finite, at {name}", "make it again")
        path, _, kind = name.rpartition(".")
        if path != "gate":
            found.setdefault(path, {})[kind] = tensor
    return found


def wanted(part: Part, path: str, tensors: Mapping[str, Tensor], *names: str) -> list[Tensor]:
    """Those parts of a module's tensors; raises BadInput naming the first that is missing."""
    for name in names:
        if name not in tensors:
            raise BadInput(part.name, f"lacks the tensor {path}.{name}", "make it again")
    return [tensors[name] for name in names]
