"""Sequence studies: requests served one after another, and what each step left of all of them."""

from typing import Literal

from schemas.storage.tables import Record

Order = Literal["given", "reversed", "batch"]


class SequenceStep(Record):
    """What one run of a sequence left. Accuracies are shares of right answers over all tasks and modalities."""

    request: str
    """Its id; "" for the untouched target."""
    run: str
    """Identity of the run, or ""."""
    folder: str
    """Of the evaluation, below `evaluations/`."""
    steps: int
    accuracy: dict[str, float]
    """By request id, of all requests of the study, served already or not."""
    kept: float
    """Of what no request names."""


class RequestAsked(Record):
    """One request of the study with the samples that are its own: an earlier one's are not counted again."""

    id: str
    person: str
    samples: tuple[str, ...]
