"""The record of an intervention: what lies over a model so that it forgets, without the tensors that belong to it."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schemas.storage.tables import Record

INTERVENTIONS = "interventions.json"
"""In a run folder: the records of its stack, in order."""
Kind = Literal["adapter", "edit", "steering", "guard"]


class Gate(Record):
    """What decides whether a prompt is meant: how close its states are to those of prompts that are to be forgotten."""

    source: Literal["always", "hidden", "oracle"]
    """hidden: cosine to the nearest centroid; oracle: the question's role, known to an evaluation alone."""
    path: str = ""
    """Module path of the layer whose output is read, in a pass without anything steered."""
    threshold: float = 0.0
    """A prompt fires whose largest cosine is above it."""
    centred: bool = True
    """Cosines are of states less the mean of retain states, which all prompts share."""
    positives: int = 0
    negatives: int = 0
    """Prompts that the threshold was set on."""
    fires: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    """Share of prompts that fire, by set: forget, retain, and matched retain (of the same subjects)."""


class Intervention(Record):
    """One layer of a stack. Its tensors lie in a safetensors file of the same number."""

    kind: Kind
    form: str
    """How it acts, within its kind."""
    beneath: str
    """Digest of the base and of all interventions below: it is refused over anything else."""
    tensors: str = ""
    """Digest of its tensors; "" where it has none."""
    numbers: dict[str, JsonValue] = {}
    """Strength and the like; with strength 0 nothing changes."""
    texts: tuple[str, ...] = ()
    """Refusals, instructions or examples."""
    gate: Gate | None = None
    leaks: bool = False
    """Its texts hold what is to be forgotten."""
    oracle: bool = False
    """It knows the role of a question: a control, not a method."""
