"""A maker: what it is given, and the candidates that it leaves, one for each value of its one number.

Statistics are taken once, in a pass over the samples; a candidate is computed from them, so that trying ten values
costs ten probes and no further pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.records.interventions import GateRecord, Intervention
from unlearn.data import Assigned
from unlearn.models.encoding import Encoder
from unlearn.models.families import Family
from unlearn.models.forward import AnswerModel, core_model, language_layers
from unlearn.presets import Numbers

LAST = "mlp.down_proj"
"""The last linear of an MLP within a layer: its inputs are the keys that edits look values up by."""

Made = tuple[Intervention, Mapping[str, Tensor]]
Gate = tuple[GateRecord, Mapping[str, Tensor]]
"""A gate and its tensors."""


@dataclass(frozen=True)
class Given:
    """What a maker works with: the model as it is, no weight of which moves, its samples, and the method's numbers."""

    network: AnswerModel
    encoder: Encoder
    data: Assigned
    numbers: Numbers
    beneath: str
    """Digest of the base and of all that lies on it."""
    seed: int
    out: Path
    """Folder of the run, where a maker that trains keeps its checkpoints."""

    @property
    def model(self) -> nn.Module:
        """The Hugging Face model."""
        return core_model(self.network.model)

    @property
    def family(self) -> Family:
        """The model's family."""
        return self.network.family

    @property
    def layers(self) -> nn.ModuleList:
        """Layers of the language model; raises BadInput for a family without such a list."""
        return language_layers(self.model, self.family)

    def layer_path(self, layer: int) -> str:
        """Module path of a layer."""
        return f"{self.family.language}.layers.{layer}"

    def last_linear(self, layer: int) -> tuple[str, nn.Linear]:
        """Path and module of the last linear of a layer's MLP; raises BadInput for a layer without a plain one."""
        path = f"{self.layer_path(layer)}.{LAST}"
        found = dict(self.layers[layer].named_modules()).get(LAST)
        if not isinstance(found, nn.Linear):
            raise BadInput(path, "is no linear layer: experts or another MLP", "choose another method or model")
        return path, found

    def depth(self, share: float) -> int:
        """The layer at a share of the depth, from 0."""
        return min(len(self.layers) - 1, round(share * len(self.layers)))


@dataclass(frozen=True)
class Candidates:
    """What a maker found: a candidate for each value of the number that it sweeps."""

    number: str
    """What is swept, in words."""
    values: tuple[float, ...]
    make: Callable[[float], Made]
    """The intervention and its tensors at one of the values, from statistics at hand."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Samples that went through the model, by set."""


Maker = Callable[[Given], Candidates]


def edit(form: str, numbers: Mapping[str, JsonValue], tensors: Mapping[str, Tensor]) -> Made:
    """An edit of weights and its tensors."""
    return Intervention(kind="edit", form=form, numbers=dict(numbers)), tensors


def steering(
    form: str, numbers: Mapping[str, JsonValue], tensors: Mapping[str, Tensor], *, gate: Gate | None = None
) -> Made:
    """Steering of hidden states, with the gate that says of which prompts; of all where there is none."""
    record, parts = gate or (None, {})
    return Intervention(kind="steering", form=form, numbers=dict(numbers), gate=record), {**tensors, **parts}


def guard(
    form: str,
    texts: tuple[str, ...],
    *,
    numbers: Mapping[str, JsonValue] | None = None,
    gate: Gate | None = None,
    leaks: bool = False,
    oracle: bool = False,
) -> Made:
    """A guard round the model: what it says, and the gate that says to which prompts."""
    record, parts = gate or (None, {})
    told = dict(numbers or {})
    made = Intervention(kind="guard", form=form, texts=texts, gate=record, numbers=told, leaks=leaks, oracle=oracle)
    return made, parts
