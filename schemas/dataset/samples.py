"""Rows of the exported dataset: the published columns first, in the published spelling, then ours; and the row that
training reads.
"""

from typing import Literal

from schemas.records.build_rows import View
from schemas.storage.tables import EncodedImage, Record
from schemas.vocabulary import Attack, Modality, Sensitivity, Task

PublishedModality = Literal["text", "text_image"]


class TrainPair(Record):
    """One row of `train_pair_<target>` (with image) or `train_pair_<target>_qa` (text-only, see TextTrainPair)."""

    sample_id: str
    subject_id: str
    subject: str
    image_path: str
    image: EncodedImage
    question: str
    generated_answer: str
    """The target's own greedy answer from the probe."""
    fact_id: str
    answer_text: str
    property_id: str
    property_label: str
    sensitivity: Sensitivity
    statement_id: str
    license: str
    attribution: str


class TextTrainPair(Record):
    """One row of `train_pair_<target>_qa`."""

    sample_id: str
    subject_id: str
    subject: str
    question: str
    generated_answer: str
    fact_id: str
    answer_text: str
    property_id: str
    property_label: str
    sensitivity: Sensitivity
    statement_id: str


class UnlearningTarget(Record):
    """One row per subject of `unlearning_target`, the input to probing. `qas` and `cloze_probes` are JSON strings."""

    subject_id: str
    subject: str
    image: EncodedImage
    image_path: str
    qas: str
    cloze_probes: str
    qid: str
    occupation_group: str
    license: str
    attribution: str


class EvalSample(Record):
    """One row of `ppu_eval_<task>`. Text rows carry no image."""

    sample_id: str
    subject_id: str
    subject: str
    task_type: Task
    modality: PublishedModality
    question: str
    option_a: str | None
    option_b: str | None
    option_c: str | None
    option_d: str | None
    answer_label: str | None
    answer_text: str
    image: EncodedImage | None
    image_path: str | None
    source_from: str
    fact_id: str
    accepted_answers: tuple[str, ...]
    property_id: str
    property_label: str
    answer_type: str
    sensitivity: Sensitivity
    statement_id: str


class CrossImageSample(Record):
    """One row of `cross_image_*`: an image question with the three views that were not trained on."""

    sample_id: str
    subject_id: str
    subject: str
    task_type: Task
    modality: PublishedModality
    question: str
    option_a: str | None
    option_b: str | None
    option_c: str | None
    option_d: str | None
    answer_label: str | None
    answer_text: str
    image: EncodedImage
    """The training view, as in the eval rows; the three others are what is shown."""
    image_path: str
    image_002: EncodedImage
    image_003: EncodedImage
    image_004: EncodedImage
    source_from: str
    role: Literal["forget", "retain"]
    fact_id: str
    accepted_answers: tuple[str, ...]
    property_id: str
    sensitivity: Sensitivity


class AttackSample(Record):
    """One row of `<attack>_<setting>`: a generation question changed by an attack. Options and label are null."""

    sample_id: str
    subject_id: str
    subject: str
    task_type: Literal["generation"]
    modality: PublishedModality
    question: str
    option_a: str | None
    option_b: str | None
    option_c: str | None
    option_d: str | None
    answer_label: str | None
    answer_text: str
    image: EncodedImage | None
    image_path: str | None
    source_from: str
    original_question: str
    role: Literal["forget", "retain"]
    attack: Attack
    author: str
    fact_id: str
    accepted_answers: tuple[str, ...]
    property_id: str
    sensitivity: Sensitivity


class ImageCredit(Record):
    """Licence and attribution of one exported picture (`attribution` config)."""

    subject_id: str
    subject: str
    view: View
    title: str
    description_url: str
    license: str
    license_url: str
    artist: str
    credit: str
    attribution: str
    transformation: str
    restrictions: str


class TrainingSample(Record):
    """One sample of training: a user turn (picture and prompt) and the assistant's answer."""

    sample_id: str
    subject_id: str
    modality: Modality
    prompt: str
    answer: str
    image: bytes | None = None
    """Encoded picture, for vqa."""
    value: str = ""
    """The fact's value as the dataset has it, which may differ from the answer; "" where that is not known."""
    property_id: str = ""
    sensitivity: Sensitivity | None = None
    subject: str = ""
    """The subject's name, and the property in words; "" where the dataset does not say them."""
    property_label: str = ""
