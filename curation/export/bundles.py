"""All that one subject brings to the export, so that a release is written one subject at a time."""

from schemas.records.build_rows import Assignment, AttackPrompt, Fact, Knowledge, Portrait, Question, Subject
from schemas.storage.tables import Record


class SubjectBundle(Record):
    """A subject with its rows of every stage. Rows of other subjects must not be among them."""

    subject: Subject
    portraits: tuple[Portrait, ...]
    """Spares (view None) are ignored."""
    facts: tuple[Fact, ...]
    """All candidates, known or not."""
    questions: tuple[Question, ...]
    knowledge: tuple[Knowledge, ...]
    assignments: tuple[Assignment, ...]
    attacks: tuple[AttackPrompt, ...]
