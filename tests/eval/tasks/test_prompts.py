"""eval.tasks.prompts: every wording, letter by letter."""

import pytest

from curation.probing.prompt import probe_prompt
from eval.tasks.prompts import eval_prompt
from schemas.records.evaluation import PromptSet
from schemas.vocabulary import Modality, Task

OPTIONS = ("writer", "lawyer", "judge", "cook")
PINNED: dict[tuple[PromptSet, Task, Modality], str] = {
    ("probe", "generation", "qa"): "Answer the question accurately and briefly in English.\nWho is ___?",
    ("probe", "generation", "vqa"): (
        "Based on the image, answer the question accurately and briefly in English.\nWho is ___?"
    ),
    ("probe", "cloze", "qa"): "Answer the question accurately and briefly in English.\nWho is ___?",
    ("probe", "cloze", "vqa"): (
        "Based on the image, answer the question accurately and briefly in English.\nWho is ___?"
    ),
    ("probe", "classification", "qa"): (
        "Answer the question accurately and briefly in English.\nWho is ___?\n"
        "A) writer\nB) lawyer\nC) judge\nD) cook\nReply with the letter of the right option alone."
    ),
    ("probe", "classification", "vqa"): (
        "Based on the image, answer the question accurately and briefly in English.\nWho is ___?\n"
        "A) writer\nB) lawyer\nC) judge\nD) cook\nReply with the letter of the right option alone."
    ),
    ("published", "generation", "qa"): "Who is ___?\nAnswer in one sentence in English.",
    ("published", "generation", "vqa"): (
        "Who is ___?\nAnswer accurately in one sentence in English, based on the image."
    ),
    ("published", "cloze", "qa"): "Who is [Blank]?\nOnly provide the answer that replaces the blank.",
    ("published", "cloze", "vqa"): "Who is [Blank]?\nOnly provide the answer that replaces the blank.",
    ("published", "classification", "qa"): (
        "Who is ___?\nA: writer\nB: lawyer\nC: judge\nD: cook\nGive the letter of the right option directly."
    ),
    ("published", "classification", "vqa"): (
        "Who is ___?\nA: writer\nB: lawyer\nC: judge\nD: cook\nGive the letter of the right option directly."
    ),
}


@pytest.mark.parametrize("place", sorted(PINNED), ids="-".join)
def test_the_prompt_is_word_for_word(place: tuple[PromptSet, Task, Modality]) -> None:
    prompts, task, modality = place
    options = OPTIONS if task == "classification" else ()
    said = eval_prompt(
        "Who is ___?", task=task, modality=modality, options=options, prompts=prompts, probe=probe_prompt
    )
    assert said == PINNED[place]


def test_the_target_is_asked_as_its_knowledge_was_found() -> None:
    said = eval_prompt("Who?", task="generation", modality="vqa", options=(), prompts="probe", probe=probe_prompt)
    assert said == probe_prompt("Who?", "vqa")
