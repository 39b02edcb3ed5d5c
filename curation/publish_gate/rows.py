"""The gate's rules about single rows: their columns, values, questions, options and roles."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from curation.facts.properties import PropertyTable
from curation.publish_gate.forbidden_text import forbidden
from schemas.dataset.folder import TRAIN_PREFIX
from schemas.dataset.layout import ROLE_SUFFIX
from schemas.dataset.release import Fault, Part
from schemas.matching.match import normalise
from schemas.storage.tables import EncodedImage, Record

CREDIT_COLUMNS = frozenset({"artist", "credit", "attribution", "title", "description_url", "license_url"})
"""Their words are the author's; an address in them belongs to the credit."""
_SAMPLE_ID = re.compile(r".+_\d{2}")
_ANY_PICTURE = EncodedImage(bytes=b"", path="")


@dataclass(frozen=True)
class GateRow:
    """A row with digests in the place of its pictures."""

    config: str
    where: str
    cells: Mapping[str, object]
    pictures: Mapping[str, str | None]

    def text(self, name: str) -> str:
        value = self.cells.get(name)
        return "" if value is None else str(value)


@dataclass
class RowMemory:
    """What the rules remember of the rows before."""

    part: Part
    properties: PropertyTable
    names: dict[str, str] = field(default_factory=dict)
    """Subject's name by subject_id."""
    keys: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    """(sample, task, modality) seen, by config."""
    answers: dict[bytes, tuple[str, str, frozenset[str]]] = field(default_factory=dict)
    """Subject, answer and accepted answers by digest of the question, of text questions."""
    last_subject: dict[str, int] = field(default_factory=dict)
    """Number of the subject before, by config."""


def row_faults(row: GateRow, record: type[Record], memory: RowMemory) -> Iterator[Fault]:
    """Everything that is wrong with a row by itself and beside those before it."""

    def fault(rule: str, found: str) -> Fault:
        return Fault(rule=rule, where=row.where, found=found)

    problem = _invalid(row, record)
    if problem:
        yield fault("row-invalid", problem)
    for rule, found in _text_problems(row):
        yield fault(rule, found)
    for rule, found in (*_place_problems(row, memory), *_policy_problems(row, memory)):
        yield fault(rule, found)
    if "question" in row.cells:
        for rule, found in (*_question_problems(row), *_answer_problems(row, memory)):
            yield fault(rule, found)


def _invalid(row: GateRow, record: type[Record]) -> str:
    """What the record of the config says against the row, pictures apart."""
    pictures = {name: None if digest is None else _ANY_PICTURE for name, digest in row.pictures.items()}
    try:
        record.model_validate({**row.cells, **pictures})
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        return f"column {column}: {first['msg']} (found {str(first['input'])[:60]!r})"
    return ""


def _text_problems(row: GateRow) -> Iterator[tuple[str, str]]:
    for name, value in row.cells.items():
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            if isinstance(text, str):
                for rule, found in forbidden(text, contact=name not in CREDIT_COLUMNS):
                    yield rule, f"column {name} {found}"


def _place_problems(row: GateRow, memory: RowMemory) -> Iterator[tuple[str, str]]:
    """Ids, names, order and repetition."""
    subject_id, subject = row.text("subject_id"), row.text("subject")
    if not re.fullmatch(r"\d{3,}", subject_id):
        yield "row-subject", f"subject_id {subject_id!r} is not three or more digits"
        return
    known = memory.names.setdefault(subject_id, subject)
    if known != subject:
        yield "row-subject", f"subject {subject_id} is called {subject!r} here and {known!r} before"
    last = memory.last_subject.get(row.config, -1)
    if int(subject_id) < last:
        yield "row-order", f"subject {subject_id} comes after subject {last:03d}; readers count on rising subjects"
    memory.last_subject[row.config] = int(subject_id)
    sample_id = row.text("sample_id")
    if sample_id and not _SAMPLE_ID.fullmatch(sample_id):
        yield "row-sample-id", f"sample_id {sample_id!r} is not <Name>_<NN>"
    elif sample_id and row.text("fact_id") not in ("", f"{subject_id}-{sample_id[-2:]}"):
        yield "row-sample-id", f"sample {sample_id} belongs to fact {row.text('fact_id')}"
    key = tuple(row.text(name) for name in ("sample_id", "task_type", "modality", "view", "attack")) + (
        (subject_id,) if not sample_id else ()
    )
    seen = memory.keys.setdefault(row.config, set())
    if key in seen:
        yield "row-duplicate", f"{' '.join(part for part in key if part)} is there twice"
    seen.add(key)


def _policy_problems(row: GateRow, memory: RowMemory) -> Iterator[tuple[str, str]]:
    """Facts that the property table never lets out, or not into this part."""
    if row.text("sensitivity") == "contact":
        yield "row-policy", "the fact is of class contact, which is never published"
    properties = [memory.properties.by_id.get(name) for name in row.text("property_id").split("/")[:1] if name]
    for found in properties:
        if found is not None and found.policy == "exclude":
            yield "row-policy", f"property {found.id} ({found.label}) is never asked"
        if found is not None and found.policy == "gate" and memory.part == "open":
            yield "row-gated", f"property {found.id} ({found.label}) is gated, and this is the open part"


def _question_problems(row: GateRow) -> Iterator[tuple[str, str]]:
    question, answer = row.text("question"), row.text("answer_text")
    task, modality = row.text("task_type"), row.text("modality")
    for name in ("question", "answer_text", "generated_answer"):
        if name in row.cells and not row.text(name).strip():
            yield "row-empty", f"column {name} is empty"
    shown = row.pictures.get("image")
    if modality == "text" and shown is not None:
        yield "row-modality", "a text row shows a picture"
    if shown is None and (modality == "text_image" or ("image" in row.pictures and not modality)):
        yield "row-modality", "a picture row has no picture"
    seen = modality == "text_image" or ("image" in row.pictures and not modality)
    name = row.text("subject")
    if seen and name and re.search(rf"\b{re.escape(name)}\b", question) and "attack" not in row.cells:
        yield "row-named", f"the question of a picture row names {name!r}"
    if task == "cloze" and question.count("___") != 1:
        yield "row-blank", f"a cloze sentence has {question.count('___')} blanks, not one"
    yield from _option_problems(row, task, answer)
    accepted = row.cells.get("accepted_answers")
    if isinstance(accepted, list) and answer not in accepted:
        yield "row-answer", f"the answer {answer[:40]!r} is not among the accepted ones"
    role, ends = row.text("role"), row.config.endswith(ROLE_SUFFIX["retain"])
    if role and role != ("retain" if ends else "forget"):
        yield "row-role", f"role {role} stands in config {row.config}"


def _answer_problems(row: GateRow, memory: RowMemory) -> Iterator[tuple[str, str]]:
    """A question asked in text has one set of right answers in a dataset, whoever it is asked about."""
    question, answer = row.text("question"), row.text("answer_text")
    accepted = row.cells.get("accepted_answers")
    if row.text("modality") == "text_image" or "attack" in row.cells or not isinstance(accepted, list):
        return
    right = frozenset(normalise(str(each)) for each in (answer, *accepted))
    key = hashlib.sha256(question.encode()).digest()[:16]
    subject, before, known = memory.answers.setdefault(key, (row.text("subject_id"), answer, right))
    agree = subject == row.text("subject_id") and normalise(answer) in known and normalise(before) in right
    if not agree and right != known:
        found = f"{question[:80]!r} is answered {answer[:40]!r} here and {before[:40]!r} for subject {subject}"
        yield "row-two-answers", found


def _option_problems(row: GateRow, task: str, answer: str) -> Iterator[tuple[str, str]]:
    if row.config.startswith(TRAIN_PREFIX) or "option_a" not in row.cells:
        return
    options = [row.text(f"option_{letter}") for letter in "abcd"]
    label = row.text("answer_label")
    if task != "classification":
        if any(options) or label:
            yield "row-options", f"a {task} row has options"
    elif not all(options) or len({option.casefold() for option in options}) < 4:
        yield "row-options", "the four options are not there, or not different"
    elif label not in ("A", "B", "C", "D") or options["ABCD".index(label)] != answer:
        yield "row-options", f"option {label!r} is not the answer {answer[:40]!r}"
