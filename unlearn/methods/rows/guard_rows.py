"""Rows of methods that leave the weights alone: states are steered, prompts corrupted, worded anew or refused."""

from unlearn.methods.rows.edit_rows import SWEPT
from unlearn.methods.rows.method import Method, Paper

ERASER = Paper("MLLMEraser: Achieving Test-Time Unlearning in Multimodal Large Language Models through Activation "
               "Steering", 2025, "2510.04217")  # fmt: skip
GUARD_IT = Paper("GUARD-IT: Gated Activation Redirection", 2026, "2605.12765")
ECO = Paper("Large Language Model Unlearning via Embedding-Corrupted Prompts", 2024, "2406.07933")
CURATE = Paper("CURaTE", 2026, "2604.14644")
ICUL = Paper("In-Context Unlearning: Language Models as Few-Shot Unlearners", 2023, "2310.07579")
VLM_UNBENCH = Paper("VLM-UnBench", 2026, "2604.03114")

SEES = (
    "The gate reads the middle layer's states of the prompt, picture and text, and is held to 5 per cent of false "
    "fires on retain prompts, those of the same subjects among them."
)
OUR_WORDS = "The words are ours."
HIDES = "Nothing is removed: without the prompt the model answers as before."
CONTROL = "A control, which knows of each question whether it is to be forgotten; it is no method and is not ranked."

GUARD_ROWS: tuple[Method, ...] = (
    Method(
        "guard-it", "Turn the states of prompts that a gate knows away from their cluster, at their length (GUARD-IT)",
        makes="guard-it", paper=GUARD_IT, kind="steering", needs_also=("retain", "hidden states"),
        ours=(
            SWEPT, SEES, "Clusters and vectors are of prompts alone, where the paper's documents hold the answers.",
            "The gate knows single prompts, each with its cluster's vector, where the paper's knows clusters.",
        ),
    ),
    Method(
        "mllmeraser", "Add a declining direction to the states of forget prompts by a map that spares retain's "
        "(MLLMEraser)", makes="mllmeraser", paper=ERASER, kind="steering", needs_also=("retain", "hidden states"),
        verified=False,
        ours=(
            SWEPT,
            "The direction leads from retain prompts to questions about people who do not exist; no harmful prompts.",
            "Layers from a third to two thirds of the depth, steered at the layer that the states are read from.",
        ),
    ),
    Method(
        "eco", "Corrupt the embeddings of prompts that a gate knows, picture tokens too (ECO)", makes="eco",
        paper=ECO, kind="steering", needs_also=("retain", "hidden states"),
        ours=(SWEPT, SEES, "The frontier rule chooses the noise in place of a search by differences."),
    ),
    Method(
        "curate", "Refuse prompts that are close to a stored forget prompt (CURaTE)", makes="curate",
        paper=CURATE, kind="guard", needs_also=("retain", "refusal texts", "hidden states"),
        ours=(
            SEES, "The target's own states stand for the sentence encoder.",
            "Several rates of false fires are tried, and the best by the frontier rule is kept.",
        ),
    ),
    Method(
        "curate-text", "Refuse prompts whose words are close to a stored forget prompt's (CURaTE, gate of text)",
        makes="curate-text", paper=CURATE, kind="guard", needs_also=("retain", "refusal texts"),
        ours=(
            "Hashed words stand for the sentence encoder, so that the guard needs no model and leaks no words.",
            "The gate is blind to who is in a picture, as published ones are.",
            "Several rates of false fires are tried, and the best by the frontier rule is kept.",
        ),
    ),
    Method(
        "icul", "Put forget questions with wrong answers and retain questions with right ones before the prompt "
        "(in-context unlearning)", makes="icul", paper=ICUL, kind="guard", needs_also=("retain", "other answers"),
        ours=(SWEPT, SEES, HIDES, "A wrong answer is another subject's of the same property."),
    ),
    Method(
        "prompt-soft", "Ask in every prompt not to reveal a list of facts (VLM-UnBench, soft)", makes="prompt-soft",
        paper=VLM_UNBENCH, kind="guard", ours=(OUR_WORDS, HIDES, "Several lengths of the list are tried."),
    ),
    Method(
        "prompt-told", "Say in every prompt that a list of facts was unlearned (VLM-UnBench, medium)",
        makes="prompt-told", paper=VLM_UNBENCH, kind="guard",
        ours=(OUR_WORDS, HIDES, "Several lengths of the list are tried."),
    ),
    Method(
        "oracle-fact", "Say with forget questions alone which fact must not be told (VLM-UnBench, oracle)",
        makes="oracle-fact", paper=VLM_UNBENCH, kind="guard", ours=(OUR_WORDS, HIDES, CONTROL),
    ),
    Method(
        "oracle-false", "Say with forget questions alone that the right answer is false (VLM-UnBench, oracle reverse)",
        makes="oracle-false", paper=VLM_UNBENCH, kind="guard", ours=(OUR_WORDS, HIDES, CONTROL),
    ),
)  # fmt: skip
