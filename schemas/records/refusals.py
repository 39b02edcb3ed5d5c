"""Why a picture is refused: a reason code of schemas.records.drops and what was found, before it becomes a drop row."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """A reason code of schemas.records.drops.REASONS and one phrase that says what was found."""

    reason: str
    detail: str
