"""What the explorer shows of a subject: lines for lists and search, and a dossier that is read when it is opened."""

from typing import Literal

from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Role, Sensitivity, Setting, Stage, Task


class Shown(Record):
    """A picture as it is shown; `thumb` is base64 WebP, or "" where there is none."""

    image_id: str
    subject_id: str
    title: str
    thumb: str


class ViewShown(Shown):
    """A picture that was kept, with its licence."""

    view: str
    """001-004, or "" for a spare one."""
    page: str
    """Web page of the file, or "" if its address is not http(s)."""
    licence: str
    licence_page: str
    attribution: str
    change: str
    width: int
    height: int


class PairShown(Record):
    """Two pictures that were found to be the same."""

    left: Shown
    right: Shown
    distance: int
    exact: bool
    kept: str
    """image_id of the one that stays, or ""."""


class DropShown(Record):
    """Something of the subject that was left out."""

    stage: Stage
    item: str
    because: str
    detail: str


class FormShown(Record):
    """A fact in one form."""

    task: Task
    modality: Modality
    text: str
    paraphrases: tuple[str, ...]
    options: tuple[str, ...]
    label: str


class AskShown(Record):
    """One recorded answer of the target."""

    condition: str
    prompt: str
    picture: str
    """image_id of what was shown, or ""."""
    reply: str
    error: str
    matched: str


class KnowingShown(Record):
    """The verdict in one modality, with what was asked for it."""

    modality: Modality
    verdict: str
    agreeing: int
    asked: int
    control_matches: int
    controls: int
    asks: tuple[AskShown, ...]


class RoleShown(Record):
    """A role under a setting."""

    setting: Setting
    ratio: int | None
    role: Role


class FactShown(Record):
    """All about one fact."""

    fact_id: str
    sample_id: str
    property_id: str
    property_label: str
    answer_type: str
    sensitivity: Sensitivity
    gated: bool
    topic: str
    answer: str
    accepted: tuple[str, ...]
    withheld: tuple[str, ...]
    statement_id: str
    references: int
    cited: int
    legal_basis_hint: str
    forms: tuple[FormShown, ...]
    knowing: tuple[KnowingShown, ...]
    roles: tuple[RoleShown, ...]
    votes_forget: int
    votes: int
    left_out: tuple[DropShown, ...]


class Dossier(Record):
    """All about one subject."""

    subject_id: str
    qid: str
    name: str
    aliases: tuple[str, ...]
    description: str
    occupations: tuple[str, ...]
    group: str
    living: bool
    rank: int | None
    """In the complete setting; 1 is forgotten first."""
    persona: str
    persona_text: str
    views: tuple[ViewShown, ...]
    pairs: tuple[PairShown, ...]
    drops: tuple[DropShown, ...]
    facts: tuple[FactShown, ...]


class SubjectLine(Record):
    """A subject in the gallery and in search."""

    id: str
    qid: str
    name: str
    aliases: tuple[str, ...]
    description: str
    group: str
    living: bool
    facts: int
    known: int
    views: int
    spares: int
    duplicates: int
    licences: tuple[str, ...]


RoleOrNone = Literal["forget", "retain", ""]


class FactLine(Record):
    """A fact in the list of facts and in search."""

    id: str
    subject: str
    property_id: str
    property_label: str
    sensitivity: Sensitivity
    question: str
    answer: str
    qa: str
    """Verdict by name, or "" if it was not asked."""
    vqa: str
    """Verdict by picture."""
    complete: int | None
    """Smallest ratio of the complete setting at which it is to be forgotten; 0 for none; None without a role."""
    selective: RoleOrNone
    personalized: RoleOrNone
