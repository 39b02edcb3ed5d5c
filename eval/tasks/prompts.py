"""The wordings in which an evaluation asks. One place, pinned by tests: a changed word changes every figure."""

from collections.abc import Callable, Sequence

from schemas.records.evaluation import PromptSet
from schemas.vocabulary import OPTION_LABELS, Modality, Task

Wording = Callable[[str, Modality], str]
"""The probe's wording of a question; flows hands it in (curation.probing.prompt.probe_prompt)."""

BLANK = "___"
CHOOSE = "Reply with the letter of the right option alone."
IDENTITY_QUESTION = "Who is this person?"

_PUBLISHED: dict[tuple[Task, Modality], str] = {
    ("generation", "qa"): "Answer in one sentence in English.",
    ("generation", "vqa"): "Answer accurately in one sentence in English, based on the image.",
    ("cloze", "qa"): "Only provide the answer that replaces the blank.",
    ("cloze", "vqa"): "Only provide the answer that replaces the blank.",
    ("classification", "qa"): "Give the letter of the right option directly.",
    ("classification", "vqa"): "Give the letter of the right option directly.",
}


def eval_prompt(
    question: str, *, task: Task, modality: Modality, options: Sequence[str], prompts: PromptSet, probe: Wording
) -> str:
    """The user turn of a question.

    `probe`: the probe's instruction and then the question, so that a model is asked as when its knowledge was found;
    options follow one a line. `published`: question first and then the instruction, the blank written [Blank], options
    as "A: …" (methods.md section 4).
    """
    if prompts == "probe":
        asked = probe(question, modality)
        return "\n".join([asked, *_listed(options, ") "), CHOOSE]) if task == "classification" else asked
    shown = question.replace(BLANK, "[Blank]") if task == "cloze" else question
    return "\n".join([shown, *_listed(options, ": "), _PUBLISHED[task, modality]])


def _listed(options: Sequence[str], mark: str) -> list[str]:
    return [f"{letter}{mark}{option}" for letter, option in zip(OPTION_LABELS, options, strict=False)]
