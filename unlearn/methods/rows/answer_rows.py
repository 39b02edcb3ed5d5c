"""Rows of methods that train on other answers (refusals, alternatives, decoupled, mixed), and of risk factors."""

from unlearn.methods.rows.first_rows import CAPPED, TOFU
from unlearn.methods.rows.method import Method, Paper
from unlearn.methods.rows.token_rows import CLOSER_LOOK

DPO = Paper("Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023, "2305.18290")
ALTPO = Paper("Alternate Preference Optimization for Unlearning Factual Knowledge in Large Language Models", 2024,
              "2409.13474")  # fmt: skip
FLAT = Paper("LLM Unlearning via Loss Adjustment with Only Forget Data", 2024, "2410.11143")
SAFE_ERASER = Paper("SafeEraser: Enhancing Safety in Multimodal Large Language Models through Multimodal Machine "
                    "Unlearning", 2025, "2502.12520")  # fmt: skip
SEPS = Paper("SEPS: A Separability Measure for Robust Unlearning in LLMs", 2025, "2505.14832")
UNPII = Paper("UnPII: Unlearning Personally Identifiable Information with Quantifiable Exposure Risk", 2026,
              venue="ICSE-SEIP")  # fmt: skip

OUR_REFUSALS = "A hundred wordings of ours, one drawn for each sample by the seed."
SAID_BEFORE = "The decoupled answer is the old model's greedy one to the forget question on a retain subject's picture."
BY_CLASS = "The risk of a fact comes from its sensitivity class, by rows of the paper's table chosen by us."

ANSWER_ROWS: tuple[Method, ...] = (
    Method(
        "po", "Train refusals of forget prompts, and descent on retain (PO, also called IDK)", ("refuse", "descent"),
        paper=TOFU, kind="refusal",
        ours=(OUR_REFUSALS, "Two means over tokens; published is one over refusals and retain together."),
    ),
    Method(
        "idk-ap", "Train refusals of forget prompts; prefer answers to refusals on retain prompts (IDK+AP)",
        ("refuse", "answer-preservation"), paper=CLOSER_LOOK, kind="refusal", ours=(OUR_REFUSALS,),
    ),
    Method(
        "dpo", "Prefer a refusal to the forget answer, against the old model, and descent on retain",
        ("dpo", "descent"), paper=DPO, kind="preference",
        ours=(OUR_REFUSALS, "Times 2 / beta, so that it is NPO where the refusal's side is dropped."),
    ),
    Method(
        "altpo", "Prefer another plausible answer to the forget answer, against the old model, and descent on retain",
        ("dpo-alternate", "descent"), paper=ALTPO, kind="preference",
        ours=("The other answer is another subject's of the same property; the paper has the model write it.",),
    ),
    Method(
        "flat", "Raise a refusal and lower the forget answer by an f-divergence of probabilities", ("flat",),
        paper=FLAT, kind="refusal", ours=(OUR_REFUSALS, "By pairs; published is one number for the batch."),
    ),
    Method(
        "ga-pd", "Gradient ascent, and normal answers to forget questions on other pictures (Prompt Decouple)",
        ("ascent", "decoupled"), paper=SAFE_ERASER, needs_also=("retain",), ours=(SAID_BEFORE, CAPPED),
    ),
    Method(
        "gd-pd", "Gradient difference with Prompt Decouple", ("ascent", "descent", "decoupled"),
        paper=SAFE_ERASER, ours=(SAID_BEFORE, CAPPED),
    ),
    Method(
        "kl-pd", "Ascent on forget, KL to the old model on retain, and Prompt Decouple", ("ascent", "kl", "decoupled"),
        paper=SAFE_ERASER, ours=(SAID_BEFORE, CAPPED, "The KL is a mean over answer positions."),
    ),
    Method(
        "po-pd", "Refusals and retain in one mean, and Prompt Decouple", ("refuse", "descent", "decoupled"),
        paper=SAFE_ERASER, kind="refusal", ours=(SAID_BEFORE, OUR_REFUSALS),
    ),
    Method(
        "mp-idk", "A forget and a retain question in one prompt: refuse one, answer the other, in both orders (SEPS)",
        ("mixed",), paper=SEPS, kind="refusal", needs_also=("retain",),
        ours=(OUR_REFUSALS, "A question about a picture goes with one about the same picture, or with one of text."),
    ),
    Method(
        "unpii-ga", "Gradient ascent with each sample times one plus its risk (UnPII), and descent on retain",
        ("ascent", "descent"), paper=UNPII,
        ours=(BY_CLASS, CAPPED, "Means over answer tokens, and retain descent, where the code has neither."),
    ),
    Method(
        "unpii-npo", "NPO with each sample times one plus its risk (UnPII), and descent on retain",
        ("npo", "descent"), paper=UNPII, kind="preference",
        ours=(BY_CLASS, "The sign is NPO's; the published code raises the forget answer."),
    ),
)  # fmt: skip
