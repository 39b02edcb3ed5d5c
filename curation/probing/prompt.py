"""The wording in which the probe asks. One place, pinned by tests: a changed word changes what counts as known."""

from schemas.vocabulary import Modality

_INSTRUCTION: dict[Modality, str] = {
    "qa": "Answer the question accurately and briefly in English.",
    "vqa": "Based on the image, answer the question accurately and briefly in English.",
}


def probe_prompt(question: str, modality: Modality) -> str:
    """The user turn of a probe: one line of instruction, then the question.

    Controls (no image, another person's image) use the very same text, so that nothing but the image differs.
    """
    return f"{_INSTRUCTION[modality]}\n{question}"
