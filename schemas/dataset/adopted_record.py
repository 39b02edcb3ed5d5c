"""adopted.json: which benchmark a dataset folder was made of, from where, under which licence, and what was changed."""

from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BadInput
from schemas.storage.tables import Record

ADOPTED = "adopted.json"


class AdoptedSummary(Record):
    """What adopting made."""

    subjects: int
    samples: int
    rows: dict[str, int]
    """By config."""
    forgotten: dict[str, int]
    """Subjects by ratio."""
    left_out: dict[str, int]
    """Items by reason."""


class AdoptedRecord(AdoptedSummary):
    """What was adopted, and what came of it."""

    kind: str
    title: str
    paper: str
    """arXiv id, or ""."""
    source: str
    """Hub id with its commit, or the folder's name."""
    licence: str
    """As the source's card states it; "" where it states none."""
    changes: tuple[str, ...]


def read_adopted(hub: Path) -> AdoptedRecord | None:
    """The record of an adopted dataset's folder; None for any other dataset. Raises BadInput for a damaged one."""
    path = hub / ADOPTED
    if not path.is_file():
        return None
    try:
        return AdoptedRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(str(path), "is no record of an adopted benchmark", "adopt the benchmark again") from error
