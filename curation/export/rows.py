"""Rows of the published dataset: from one subject's records to those of every config."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from curation.splits.roles import known_facts
from schemas.dataset.layout import (
    Slice,
    attack_config,
    attack_slices,
    cross_config,
    cross_slices,
    eval_config,
    included,
)
from schemas.dataset.release import Part
from schemas.dataset.samples import (
    AttackSample,
    CrossImageSample,
    EvalSample,
    ImageCredit,
    PublishedModality,
    TextTrainPair,
    TrainPair,
    UnlearningTarget,
)
from schemas.errors import BadInput
from schemas.records.build_rows import Assignment, AttackPrompt, Fact, Knowledge, Portrait, Question, Subject, View
from schemas.storage.tables import EncodedImage, Record
from schemas.vocabulary import ATTACKS, MODALITIES, TASKS, VIEWS, Attack, Modality, Role, Sensitivity, Setting, Task


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


PUBLISHED: Mapping[Modality, PublishedModality] = {"qa": "text", "vqa": "text_image"}

CROSS_VIEWS = VIEWS[1:]

Row = tuple[str, Record]
"""Config name and row."""


@dataclass(frozen=True)
class SubjectIndex:
    """One subject's rows of the stages, looked up by what names them; its images are encoded once for all rows."""

    subject: Subject
    sensitive: Collection[Sensitivity]
    candidates: Sequence[Fact]
    known: Sequence[Fact]
    portraits: Mapping[View, Portrait]
    images: Mapping[View, EncodedImage]
    questions: Mapping[tuple[str, Task, Modality], Question]
    knowledge: Mapping[tuple[str, Modality], Knowledge]
    roles: Mapping[tuple[str, Setting, int | None], Role]
    attacks: Mapping[tuple[str, Attack, Modality], AttackPrompt]


def index_subject(bundle: SubjectBundle, *, part: Part, sensitive: Collection[Sensitivity]) -> SubjectIndex:
    """The bundle's rows that belong to this part of the release."""
    candidates = sorted((fact for fact in bundle.facts if included(fact, part)), key=lambda fact: fact.slot)
    portraits = {row.view: row for row in bundle.portraits if row.view is not None}
    return SubjectIndex(
        subject=bundle.subject,
        sensitive=sensitive,
        candidates=candidates,
        known=known_facts(candidates, bundle.knowledge),
        portraits=portraits,
        images={
            view: EncodedImage(bytes=row.content, path=image_path(row).removeprefix("images/").replace("/", "_"))
            for view, row in portraits.items()
        },
        questions={(row.sample_id, row.task, row.modality): row for row in bundle.questions},
        knowledge={(row.sample_id, row.modality): row for row in bundle.knowledge},
        roles={(row.sample_id, row.setting, row.ratio): row.role for row in bundle.assignments},
        attacks={(row.sample_id, row.attack, row.modality): row for row in bundle.attacks},
    )


def subject_rows(index: SubjectIndex, *, target: str, ratios: Sequence[int]) -> Iterator[Row]:
    """Every row of the subject with its config; within a config by slot, then task, then modality.

    Raises BadInput naming the sample for which a question, an attack or a role is missing.
    """
    yield from _target_rows(index)
    for fact in index.known:
        yield from _train_rows(index, fact, target)
        yield from _eval_rows(index, fact)
        yield from _cross_rows(index, fact, ratios)
        yield from _attack_rows(index, fact, ratios)
    if index.candidates:
        yield from (
            ("attribution", _credit(index.subject, portrait)) for _, portrait in sorted(index.portraits.items())
        )


def unknown_facts(index: SubjectIndex) -> list[Fact]:
    """The facts that the target answered wrongly by name and by picture."""
    found = []
    for fact in index.candidates:
        verdicts = [index.knowledge.get((fact.sample_id, modality)) for modality in MODALITIES]
        if all(each is not None and each.verdict == "greedy_wrong" for each in verdicts):
            found.append(fact)
    return found


def question_rows(index: SubjectIndex, facts: Sequence[Fact]) -> Iterator[Row]:
    """The plain questions about some facts of the subject, as eval configs."""
    for fact in facts:
        yield from _eval_rows(index, fact)


def has_cross_views(index: SubjectIndex) -> bool:
    """Whether the subject has the training view and the three others, without which image configs leave it out."""
    return index.portraits.keys() >= set(VIEWS)


def role_under(index: SubjectIndex, fact: Fact, cut: Slice) -> Role | None:
    """The role of a known fact; None where the setting leaves its subject out, which complete never does."""
    role = index.roles.get((fact.sample_id, cut.setting, cut.ratio))
    if role is None and cut.setting == "complete":
        raise BadInput(f"sample {fact.sample_id}", f"has no role at ratio {cut.ratio}", "build from split again")
    return role


def source_from(fact: Fact, sensitive: Collection[Sensitivity]) -> str:
    """The published provenance tag: it is by this column that published evaluation finds the sensitive samples."""
    if fact.sensitivity in sensitive:
        return "sensitive_info"
    return "general_info" if fact.slot <= 24 else "other_info"


def image_path(portrait: Portrait) -> str:
    """Where the picture would lie in an image folder; made of ids alone, never of a name."""
    return f"images/{portrait.subject_id}/{portrait.view}.{'png' if portrait.mime == 'image/png' else 'jpg'}"


def attribution(portrait: Portrait) -> str:
    """The credit line of a picture: what its licence asks for, or author, source and licence."""
    licence = portrait.licence
    if licence.attribution:
        return licence.attribution
    parts = (licence.artist, licence.credit, licence.short_name)
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _train_rows(index: SubjectIndex, fact: Fact, target: str) -> Iterator[Row]:
    shared = _fact_cells(index, fact) | {"answer_text": fact.answer, "property_label": fact.property_label}
    shared |= {"statement_id": fact.statement_id}
    for modality in MODALITIES:
        said = index.knowledge[fact.sample_id, modality].generated_answer
        cells = shared | {"question": _question(index, fact, "generation", modality).text, "generated_answer": said}
        if modality == "qa":
            yield f"train_pair_{target}_qa", _row(TextTrainPair, cells)
        elif "001" in index.portraits:
            yield f"train_pair_{target}", _row(TrainPair, cells | _credited_image(index))


def _target_rows(index: SubjectIndex) -> Iterator[Row]:
    if "001" not in index.portraits or not index.candidates:
        return
    subject = index.subject
    cells = {
        "subject_id": subject.subject_id,
        "subject": subject.name,
        "qas": _raw_questions(index, "generation"),
        "cloze_probes": _raw_questions(index, "cloze"),
        "qid": subject.qid,
        "occupation_group": subject.occupation_group,
    }
    yield "unlearning_target", _row(UnlearningTarget, cells | _credited_image(index))


def _raw_questions(index: SubjectIndex, task: Task) -> str:
    """The candidates as the published JSON string: a list of {question, answer, from, id}."""
    asked = [(fact, index.questions.get((fact.sample_id, task, "qa"))) for fact in index.candidates]
    return json.dumps(
        [
            {
                "question": row.text,
                "answer": fact.answer,
                "from": source_from(fact, index.sensitive),
                "id": fact.sample_id,
            }
            for fact, row in asked
            if row is not None
        ],
        ensure_ascii=False,
    )


def _eval_rows(index: SubjectIndex, fact: Fact) -> Iterator[Row]:
    for task in TASKS:
        for modality in MODALITIES:
            if modality == "qa" or "001" in index.portraits:
                cells = _asked_cells(index, fact, task, modality) | _shown_image(index, modality)
                cells |= {"property_label": fact.property_label, "answer_type": fact.answer_type}
                yield eval_config(task), _row(EvalSample, cells | {"statement_id": fact.statement_id})


def _cross_rows(index: SubjectIndex, fact: Fact, ratios: Sequence[int]) -> Iterator[Row]:
    if not has_cross_views(index):
        return
    views: dict[str, object] = {f"image_{view}": image for view, image in index.images.items() if view in CROSS_VIEWS}
    views |= _shown_image(index, "vqa")
    for task in TASKS:
        cells = _asked_cells(index, fact, task, "vqa") | views
        rows: dict[Role, Record] = {}
        for cut in cross_slices(ratios):
            role = role_under(index, fact, cut)
            if role is not None:
                if role not in rows:
                    rows[role] = _row(CrossImageSample, cells | {"role": role})
                yield cross_config(cut, role), rows[role]


def _attack_rows(index: SubjectIndex, fact: Fact, ratios: Sequence[int]) -> Iterator[Row]:
    for modality in MODALITIES:
        if modality == "vqa" and "001" not in index.portraits:
            continue
        asked = _asked_cells(index, fact, "generation", modality) | _shown_image(index, modality)
        for attack in ATTACKS:
            prompt = index.attacks.get((fact.sample_id, attack, modality))
            if prompt is None:
                raise BadInput(f"sample {fact.sample_id}", f"has no {attack} in {modality}", "build from attack again")
            cells = asked | {"original_question": asked["question"], "question": prompt.text}
            cells |= {"attack": attack, "author": prompt.author}
            rows: dict[Role, Record] = {}
            for cut in attack_slices(ratios):
                role = role_under(index, fact, cut)
                if role is not None:
                    if role not in rows:
                        rows[role] = _row(AttackSample, cells | {"role": role})
                    yield attack_config(attack, cut, role), rows[role]


def _fact_cells(index: SubjectIndex, fact: Fact) -> dict[str, object]:
    return {
        "sample_id": fact.sample_id,
        "subject_id": fact.subject_id,
        "subject": index.subject.name,
        "fact_id": fact.fact_id,
        "property_id": fact.property_id,
        "sensitivity": fact.sensitivity,
    }


def _asked_cells(index: SubjectIndex, fact: Fact, task: Task, modality: Modality) -> dict[str, object]:
    question = _question(index, fact, task, modality)
    options = question.options or (None,) * 4
    return _fact_cells(index, fact) | {
        "task_type": task,
        "modality": PUBLISHED[modality],
        "question": question.text,
        **{f"option_{letter}": option for letter, option in zip("abcd", options, strict=True)},
        "answer_label": question.answer_label,
        "answer_text": question.answer,
        "source_from": source_from(fact, index.sensitive),
        "accepted_answers": tuple(dict.fromkeys((fact.answer, *(form.text for form in fact.accepted)))),
    }


def _shown_image(index: SubjectIndex, modality: Modality) -> dict[str, object]:
    """The training view in the columns of a row that shows it; text rows have none."""
    if modality == "qa":
        return {"image": None, "image_path": None}
    return {"image": index.images["001"], "image_path": image_path(index.portraits["001"])}


def _credited_image(index: SubjectIndex) -> dict[str, object]:
    portrait = index.portraits["001"]
    credit = {"license": portrait.licence.short_name, "attribution": attribution(portrait)}
    return _shown_image(index, "vqa") | credit


def _credit(subject: Subject, portrait: Portrait) -> ImageCredit:
    licence = portrait.licence
    return ImageCredit.model_validate(
        {
            "subject_id": subject.subject_id,
            "subject": subject.name,
            "view": portrait.view,
            "title": portrait.title,
            "description_url": portrait.description_url,
            "license": licence.short_name,
            "license_url": licence.url,
            "artist": licence.artist,
            "credit": licence.credit,
            "attribution": attribution(portrait),
            "transformation": portrait.transformation,
            "restrictions": licence.restrictions,
        }
    )


def _question(index: SubjectIndex, fact: Fact, task: Task, modality: Modality) -> Question:
    question = index.questions.get((fact.sample_id, task, modality))
    if question is None:
        raise BadInput(
            f"sample {fact.sample_id}", f"has no {task} question in {modality}", "build from questions again"
        )
    return question


def _row(record: type[Record], cells: Mapping[str, object]) -> Record:
    return record.model_validate(cells)
