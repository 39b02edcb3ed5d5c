"""Interventions: what makes a model forget, as a record that lies in a run's folder beside its tensors."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError

from schemas.errors import BadInput, first_line
from schemas.storage.artifacts import digest
from schemas.storage.tables import Record

Kind = Literal["adapter", "edit", "steering", "guard"]
GateSource = Literal["always", "hidden", "text", "oracle"]
Pool = Literal["last", "mean"]
FORMAT = 1
INTERVENTIONS = "interventions.json"
"""In a run's folder: its interventions in the order in which they are laid."""
ON_WEIGHTS: tuple[Kind, ...] = ("adapter", "edit")
"""Kinds that change weights: laid before an attack on the weights, and all that a thief of the weights gets."""


class GateRecord(Record):
    """When an intervention acts: always, or where a prompt's feature is as near to a centroid as `threshold`."""

    source: GateSource
    layer: int | None = None
    """Decoder layer, counted from 0, whose output is the feature of a hidden gate."""
    pool: Pool = "last"
    """The state at the prompt's last token, or the mean over its tokens, picture included."""
    threshold: float = 0.0
    """Cosine from which on the gate fires; above 1 it never does."""
    positives: Annotated[int, Field(ge=0)] = 0
    negatives: Annotated[int, Field(ge=0)] = 0
    """Prompts that the threshold was chosen with: of what is forgotten, and of what is kept (matched retain first)."""
    false_fire: float | None = None
    """Share of the negatives that the threshold was allowed to catch."""
    fires: dict[str, float] = {}
    """Share of prompts on which it fires, by group: forget, matched, retain, strangers."""
    salt: str = ""
    """Of the hashes that a text gate compares in place of words."""


class Intervention(Record):
    """One thing laid over a model: an adapter, an edit of weights, steering of states, or a guard round the answers.

    Its tensors lie apart, named `<module path>.<part>`; see unlearn.interventions.
    """

    kind: Kind
    form: str
    """peft; zeroed, scaled, low_rank, dense or seeded; linear, rotate or corrupt; refuse, prompt or restrict."""
    beneath: str = ""
    """Digest of the base and all interventions below, as `beneath` gives it; laid over nothing else."""
    numbers: dict[str, JsonValue] = {}
    """`strength` (1 where it is not given) and what else the form reads."""
    texts: tuple[str, ...] = ()
    """Refusals or instructions; words of what is forgotten only where `leaks` says so."""
    leaks: bool = False
    """Its files give away what was to be forgotten."""
    oracle: bool = False
    """It is told which questions are forgotten: a control, never ranked as a method."""
    gate: GateRecord | None = None
    content: str = ""
    """Digest of its tensors or of its adapter's folder."""

    @property
    def on_weights(self) -> bool:
        """Whether it changes weights, so that it stays where steering and guards are taken off."""
        return self.kind in ON_WEIGHTS


def beneath(base: str, stack: tuple[Intervention, ...] | list[Intervention]) -> str:
    """Digest of a base with interventions laid over it, lowest first; the base's own where there are none.

    Of each all that is said of it enters, its content too, so order, numbers and tensors all count.
    """
    found = base
    for each in stack:
        found = digest([found, each.model_dump(mode="json", exclude={"beneath"})])
    return found


def read_records(folder: Path) -> list[Intervention]:
    """The records of a saved stack, in order, without their tensors; raises BadInput where they cannot be read."""
    path = folder / INTERVENTIONS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise BadInput(str(path), f"is of format {found['format']}, not {FORMAT}", "upgrade ppubench")
        return [Intervention.model_validate(each) for each in found["interventions"]]
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        problem = f"is no list of interventions ({first_line(error)})"
        raise BadInput(str(path), problem, "copy the folder again, or make the run anew") from error
