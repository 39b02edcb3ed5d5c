"""What an evaluation asks: the questions of a dataset by task, modality and role, plain or under an attack."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.tasks.dataset_rows import EvalRow, accepted_answers, attack_configs, config_rows
from schemas.dataset.adopted_record import read_adopted
from schemas.dataset.folder import config_names
from schemas.dataset.split_files import Roles
from schemas.errors import BadInput
from schemas.records.build_rows import AcceptedAnswer
from schemas.records.evaluation import VIEW_ATTACKS, AttackName, PredictionTask
from schemas.vocabulary import OPTION_LABELS, PUBLISHED_MODALITY, TASKS, Modality, Role, Setting, Task


@dataclass(frozen=True)
class EvalQuestion:
    """One question as it will be asked and scored. `key` is `<sample_id>|<task>|<modality>`."""

    key: str
    sample_id: str
    subject_id: str
    subject: str
    task: PredictionTask
    modality: Modality
    role: Role | None
    text: str
    options: tuple[str, ...]
    label: str
    answer: str
    accepted: tuple[AcceptedAnswer, ...]
    kind: str
    """What is asked, whoever it is asked of: the property, or without that column the question without the name."""
    answer_type: str
    picture: bytes | None


@dataclass(frozen=True)
class AskedFact:
    """What all forms of one sample share."""

    sample_id: str
    subject_id: str
    kind: str
    answer_type: str
    accepted: tuple[AcceptedAnswer, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Slice:
    """A setting and its ratio (None but for complete), with the roles that they give."""

    setting: Setting
    ratio: int | None
    roles: Roles


def read_facts(hub: Path) -> dict[str, AskedFact]:
    """Every sample of the dataset's eval configs by sample_id, whatever the setting."""
    rows: dict[str, list[EvalRow]] = {}
    for task in TASKS:
        if f"ppu_eval_{task}" in config_names(hub):
            for row in config_rows(hub, f"ppu_eval_{task}", picture=None):
                rows.setdefault(row.sample_id, []).append(row)
    if not rows:
        raise BadInput(f"{hub}/data", "has no ppu_eval_* config", "export the dataset again, or fetch these configs")
    return {sample_id: _fact(own) for sample_id, own in sorted(rows.items())}


def read_questions(
    hub: Path,
    facts: Mapping[str, AskedFact],
    cut: Slice,
    *,
    tasks: Sequence[Task],
    modalities: Sequence[Modality],
    attack: AttackName | None = None,
    allow_missing: bool = False,
) -> tuple[list[EvalQuestion], int]:
    """The questions of a setting in the order of the dataset, and how many have no role in it (they are not asked).

    An attack on the question has generation only, one by another picture vqa only; those on the model (relearn,
    quantised) change no question. Raises BadInput where the dataset lacks the task, setting or attack, has a question
    twice, or (unless `allow_missing`) lacks samples that the split names; and where a role has no question.
    """
    if not allow_missing and (gone := cut.roles.missing((f.sample_id, f.subject_id) for f in facts.values())):
        problem = f"names {len(gone)} ids that the dataset lacks, first {gone[0]!r}"
        raise BadInput(f"{hub}, {cut.setting} split", problem, "use the split of this export, or --allow-missing")
    found: dict[str, EvalQuestion] = {}
    without_role = 0
    column = f"image_{attack.removeprefix('view_')}" if attack in VIEW_ATTACKS and attack else "image"
    for config in _configs(hub, cut, tasks, attack):
        for row in config_rows(hub, config, picture=column if "vqa" in modalities else None):
            modality = _modality(row, config)
            if row.task not in tasks or modality not in modalities:
                continue
            role = cut.roles.role(row.sample_id, row.subject_id)
            if role is None:
                without_role += 1
                continue
            question = _question(row, modality, role, facts.get(row.sample_id) or _fact([row]), config)
            if question.key in found:
                raise BadInput(f"{hub}/data/{config}", f"has {question.key} twice", "export or fetch the dataset again")
            found[question.key] = question
    _check_roles(found.values(), cut, hub, attack)
    return list(found.values()), without_role


def questions_digest(questions: Iterable[EvalQuestion]) -> str:
    """Digest of everything that is asked and of what counts as right; two evaluations of one digest are comparable."""
    total = hashlib.sha256()
    for question in sorted(questions, key=lambda question: question.key):
        picture = hashlib.sha256(question.picture or b"").hexdigest()
        forms = [form.text for form in question.accepted]
        line = [question.key, question.role, question.text, question.options, question.label, forms, picture]
        total.update(json.dumps(line).encode() + b"\n")
    return total.hexdigest()[:32]


def _configs(hub: Path, cut: Slice, tasks: Sequence[Task], attack: AttackName | None) -> list[str]:
    if attack is not None and (found := attack_configs(hub, cut.setting, cut.ratio, attack)):
        return found
    present = config_names(hub)
    wanted = [f"ppu_eval_{task}" for task in tasks]
    if read_adopted(hub) is not None and (found := [name for name in wanted if name in present]):
        return found  # a benchmark has the tasks that it has
    if lacking := [name for name in wanted if name not in present]:
        raise BadInput(f"{hub}/data", f"has no config {lacking[0]}", f"it has {', '.join(present)}")
    return wanted


def _fact(rows: Sequence[EvalRow]) -> AskedFact:
    """One sample from its rows. The image form of a question names nobody, so without a property it says the kind."""
    first = rows[0]
    form = next((row for row in rows if row.task == "generation" and row.modality == "text_image"), first)
    asked = form.question.replace(form.subject, "this person") if form.subject else form.question
    texts = dict.fromkeys(text for row in rows for text in (row.answer, *row.accepted))
    answer_type = next((row.answer_type for row in rows if row.answer_type), "")
    return AskedFact(
        sample_id=first.sample_id,
        subject_id=first.subject_id,
        kind=next((row.property_id for row in rows if row.property_id), asked),
        answer_type=answer_type,
        accepted=accepted_answers(texts, answer_type),
        options=tuple(option for row in rows for option in row.options),
    )


def _modality(row: EvalRow, config: str) -> Modality:
    for modality, published in PUBLISHED_MODALITY.items():
        if row.modality == published:
            return modality
    advice = f"it is one of {', '.join(PUBLISHED_MODALITY.values())}"
    raise BadInput(f"{config}, sample {row.sample_id}", f"has modality {row.modality!r}", advice)


def _question(row: EvalRow, modality: Modality, role: Role, fact: AskedFact, config: str) -> EvalQuestion:
    task = next(task for task in TASKS if task == row.task)
    if task == "classification" and (len(row.options) < 2 or row.label not in OPTION_LABELS[: len(row.options)]):
        found = f"has {len(row.options)} options and the label {row.label!r}"
        raise BadInput(f"{config}, sample {row.sample_id}", found, "export or fetch the dataset again")
    return EvalQuestion(
        key=f"{row.sample_id}|{task}|{modality}",
        sample_id=row.sample_id,
        subject_id=row.subject_id,
        subject=row.subject,
        task=task,
        modality=modality,
        role=role,
        text=row.question,
        options=row.options if task == "classification" else (),
        label=row.label if task == "classification" else "",
        answer=row.answer,
        accepted=fact.accepted,
        kind=fact.kind,
        answer_type=fact.answer_type,
        picture=row.picture,
    )


def _check_roles(questions: Iterable[EvalQuestion], cut: Slice, hub: Path, attack: AttackName | None) -> None:
    """Both roles must be there; only published attack configs come without a retain half."""
    roles = {question.role for question in questions}
    if "forget" not in roles or ("retain" not in roles and attack is None):
        lacking = "retain" if "forget" in roles else "forget"
        found = f"has no {lacking} question in the {cut.setting} setting"
        raise BadInput(str(hub), found, "choose another setting, ratio, task or modality")
