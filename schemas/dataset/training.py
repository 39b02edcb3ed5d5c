"""The row that training reads: a prompt, its answer, perhaps a picture. Built from exported train pairs or lessons."""

from schemas.storage.tables import Record
from schemas.vocabulary import Modality


class TrainingSample(Record):
    """One sample of training: a user turn (picture and prompt) and the assistant's answer."""

    sample_id: str
    subject_id: str
    modality: Modality
    prompt: str
    answer: str
    image: bytes | None = None
    """Encoded picture, for vqa."""
