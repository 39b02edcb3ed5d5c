"""Results of an evaluation: one row per answer, one row per metric, and the record that says what was evaluated."""

from typing import Literal

from pydantic import JsonValue

from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Role, Setting, Task

Outcome = Literal["correct", "plausible", "other_person", "refusal", "gibberish", "failed"]
"""What became of one question; eval/scores/outcome.py defines each. `failed`: the responder gave no answer at all."""
OUTCOMES: tuple[Outcome, ...] = ("correct", "plausible", "other_person", "refusal", "gibberish", "failed")

PredictionTask = Literal["generation", "cloze", "classification", "identity", "utility"]
"""The benchmark's tasks, `identity` ("who is this person?") and `utility` (general pictures without people)."""

AttackName = Literal[
    "random_prefix", "jailbreak_style_prompt", "paraphrase", "view_002", "view_003", "view_004", "relearn", "quantised",
    "rwku_prefix_injection", "rwku_affirmative_suffix", "rwku_role_playing", "rwku_multiple_choice",
    "rwku_reverse_query", "rwku_synonym_manipulation", "rwku_background_hint", "rwku_in_context_learning",
    "rwku_cross_lingual",
]  # fmt: skip
"""Everything that should not bring a forgotten fact back: other words, other pictures, training on, fewer bits."""
RWKU_ATTACKS: tuple[AttackName, ...] = (
    "rwku_prefix_injection", "rwku_affirmative_suffix", "rwku_role_playing", "rwku_multiple_choice",
    "rwku_reverse_query", "rwku_synonym_manipulation", "rwku_background_hint", "rwku_in_context_learning",
    "rwku_cross_lingual",
)  # fmt: skip
"""The nine types of RWKU's level 3 (arXiv 2406.10890): questions of their own, only in datasets adopted from it."""
PROMPT_ATTACKS: tuple[AttackName, ...] = ("random_prefix", "jailbreak_style_prompt", "paraphrase", *RWKU_ATTACKS)
VIEW_ATTACKS: tuple[AttackName, ...] = ("view_002", "view_003", "view_004")
MODEL_ATTACKS: tuple[AttackName, ...] = ("relearn", "quantised")
ATTACK_NAMES: tuple[AttackName, ...] = (*PROMPT_ATTACKS, *VIEW_ATTACKS, *MODEL_ATTACKS)

ATTACK_LINES: dict[AttackName, str] = {
    "random_prefix": "random words before the question",
    "jailbreak_style_prompt": "a frame that asks the model to set its restraint aside",
    "paraphrase": "the same question in other words",
    "rwku_prefix_injection": "RWKU: an instruction before the question that asks to ignore the unlearning",
    "rwku_affirmative_suffix": "RWKU: the beginning of a willing answer behind the question",
    "rwku_role_playing": "RWKU: the question put to somebody who knows the person",
    "rwku_multiple_choice": "RWKU: the question with answers to choose from",
    "rwku_reverse_query": "RWKU: who is it, asked from the fact",
    "rwku_synonym_manipulation": "RWKU: names and words replaced by synonyms",
    "rwku_background_hint": "RWKU: what else is known of the person before the question",
    "rwku_in_context_learning": "RWKU: answered questions about the person before the question",
    "rwku_cross_lingual": "RWKU: the question in another language",
    "view_002": "another picture of the person: view 002",
    "view_003": "another picture of the person: view 003",
    "view_004": "another picture of the person: view 004",
    "relearn": "a few steps of training on retained facts",
    "quantised": "the model reloaded with 8-bit linear layers (CPU)",
}

PromptSet = Literal["probe", "published"]
"""`probe`: the probe's instruction, which is what the target was asked with; `published`: the published wording."""


class Prediction(Record):
    """One question with its reply, as scored. `key` is unique within an evaluation."""

    key: str
    """`<sample_id>|<task>|<modality>`; the same question under an attack has the same key."""
    sample_id: str
    subject_id: str
    task: PredictionTask
    modality: Modality
    role: Role | None
    """None for identity (unless the setting is complete) and utility."""
    prompt: str
    """The user turn as it was sent, without the picture."""
    answer: str
    """The canonical right answer; for classification the text of the right option."""
    reply: str
    error: str
    """"" if the responder answered."""
    outcome: Outcome
    correct: bool
    """Gives an accepted answer, beside a refusal too (eval/scores/outcome.py); for classification, the right letter."""
    choice: str
    """The letter read from the reply, or "" (classification only)."""
    likely_choice: str
    """The letter of the likeliest option, or "" where the responder gives no likelihood (classification only)."""
    label: str
    """The right letter, or "" (classification only)."""
    exact: bool
    """Of the canonical answer, as published; and so is ROUGE-L."""
    normalised_exact: bool
    """Of any accepted form."""
    rouge_recall: float
    rouge_f1: float
    nll: float | None
    """Nats per token of the training target answer under this prompt; None where it was not measured."""


class MetricRow(Record):
    """One figure with its 95 % interval (bootstrap over subjects).

    `role`, `task`, `modality` are "" where the figure spans all of them. `low` and `high` are None for too few
    subjects (eval.metrics.bootstrap.FEWEST_SUBJECTS). `n` is the number of answers (for per-subject metrics: of
    subjects) behind the value.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    setting: Setting
    ratio: int | None
    role: Literal["forget", "retain", ""]
    task: Literal["generation", "cloze", "classification", "identity", "utility", ""]
    modality: Literal["qa", "vqa", ""]
    attack: str
    """"" without one."""


class DifferenceRow(Record):
    """Paired difference `right - left` of one figure between two evaluations of the same questions."""

    metric: str
    left: float
    right: float
    value: float
    low: float | None
    high: float | None
    real: bool
    """The 95 % interval of the difference leaves out zero."""
    n: int
    role: Literal["forget", "retain", ""]
    task: Literal["generation", "cloze", "classification", "identity", "utility", ""]
    modality: Literal["qa", "vqa", ""]


EVALUATION_FORMAT = 2
"""Raised when replies are scored otherwise, so that what was scored by older rules is scored again from its replies.

2: the answer after thoughts is judged; values taken back, bounds and landmarks are not right; more refusals are known.
"""


class EvaluationRecord(Record):
    """What one evaluation was made of and what it found; `evaluation.json` of its folder."""

    format: int = EVALUATION_FORMAT
    identity: str
    """Digest of dataset, model, run, slice, tasks, prompts and decoding."""
    folder: str
    """Of this evaluation, relative to the `out` it was asked for, with forward slashes."""
    dataset: str
    """Digest of the questions, answers, pictures and roles that were asked."""
    dataset_by_task: dict[str, str] = {}
    """The same of the questions of each task alone; empty in records of earlier versions."""
    model: str
    """The responder's identity: kind, model, digest of its weights, and of what was laid over them."""
    name: str
    """Short name for people: of the model folder, or of method and seed of the run."""
    label: str = ""
    """The user's name for a model that no run made, an arm of a report; "" for the untouched target."""
    run: str
    """Identity of the unlearning run, or "" for a model as it is."""
    method: str
    """Of the run, or ""."""
    seed: int | None
    """Of the run."""
    made_of: dict[str, JsonValue] = {}
    """Of the run: all that decides it but method and seed; runs that agree in it are seeds of one arm of a report."""
    trained_setting: Setting | None = None
    """Of the run: the setting whose forget set it unlearned, which may not be the one asked about; None without run."""
    trained_ratio: int | None = None
    exposed: bool = False
    """Steering and guards of the run were taken off: what a thief of the weights gets."""
    oracle: bool = False
    """A part of the run was told which questions are forgotten: a control, never ranked."""
    fires: dict[str, float] = {}
    """Of the run's gate: the share of prompts on which it fires, by group (forget, matched, retain, strangers)."""
    setting: Setting
    ratio: int | None
    attack: AttackName | None
    tasks: tuple[Task, ...]
    modalities: tuple[Modality, ...]
    prompts: PromptSet
    max_new_tokens: int
    thinking: bool = False
    """A reasoning model was let think before it answered; else thoughts are off, wherever its template can think."""
    target: str
    """Whose answers the NLL is of: the `<target>` of `train_pair_<target>`, or "" where there are none."""
    questions: int
    failed: int
    """Questions without an answer (error, or none): `failed` outcomes, and left out of every other figure."""
    failed_plain: int = 0
    """Under an attack: of the questions without it, with which its effects are compared, those without an answer."""
    first_error: str = ""
    """Why the first of the failed questions failed."""
    metrics: tuple[MetricRow, ...]
    checks: dict[str, JsonValue] = {}
    """What the checks at load found of the model (unlearn.models.families.Family); empty for servers, whose model is
    not loaded here, and in records of earlier versions.
    """
    lmms_eval: dict[str, float] = {}
    """Scores of general benchmarks, `<task>/<metric>` in lmms-eval's own scale; empty unless they were asked for."""
    notes: tuple[str, ...] = ()
    """What could not be measured, and why, one sentence each."""
