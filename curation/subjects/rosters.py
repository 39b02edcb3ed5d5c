"""Rosters: who is asked for, line by line, and what each name was taken to mean."""

from schemas.storage.tables import Record


class RosterLine(Record):
    """One line of a roster, or one entry of a recipe's `subjects`: a name, a QID, or both."""

    line: int
    name: str = ""
    qid: str = ""
    subject_id: str = ""
    """"" lets the build number the subject."""
    complete_rank: int | None = None

    @property
    def asked(self) -> str:
        """What the line asks for, as messages name it."""
        return self.name or self.qid


class Resolution(Record):
    """What a name was taken to mean, or why that is left to the maintainer."""

    asked: str
    qid: str
    """"" where it is doubtful."""
    label: str
    reason: str
    """A reason of schemas.records.drops where it is doubtful, else ""."""
    note: str
    """What speaks for it, and who else might be meant."""
