"""Rows of methods that work on the tokens of forget answers, with retain descent where their papers have it."""

from unlearn.methods.rows.method import Method, Paper

SIMNPO = Paper(
    "Simplicity Prevails: Rethinking Negative Preference Optimization for LLM Unlearning", 2024, "2410.07163"
)
SGA = Paper("Label Smoothing Improves Gradient Ascent in LLM Unlearning", 2025, "2510.22376")
LOKU = Paper("Towards Robust and Parameter-Efficient Knowledge Unlearning for LLMs", 2024, "2408.06621")
CLOSER_LOOK = Paper("A Closer Look at Machine Unlearning for Large Language Models", 2024, "2410.08109")
WGA = Paper("Rethinking LLM Unlearning Objectives: A Gradient Perspective and Go Beyond", 2025, "2502.19301")
SATIMP = Paper("Exploring Criteria of Loss Reweighting to Enhance LLM Unlearning", 2025, "2505.11953")
CE_U = Paper("CE-U: Cross Entropy Unlearning", 2025, "2503.01224")
PDU = Paper("Constrained Entropic Unlearning: A Primal-Dual Framework for Large Language Models", 2025, "2506.05314")
OBLIVIATE = Paper("OBLIVIATE: Robust and Practical Machine Unlearning for Large Language Models", 2025, "2505.04416")

TOKEN_ROWS: tuple[Method, ...] = (
    Method(
        "simnpo", "NPO without reference: length-normalised likelihood with a margin, and descent on retain",
        ("simnpo", "descent"), paper=SIMNPO, kind="preference",
    ),
    Method(
        "sga", "Smoothed gradient ascent: forget samples mixed with normal ones at a negative smoothing rate",
        ("smoothed-ascent", "smoothed-descent"), paper=SGA, verified=False,
        ours=(
            "The signs are our reading of the paper (a rate of 0 is ga, whose cap applies here too).",
            "Normal samples are those of the retain set, and steps that hold only these descend on them.",
            "Rate and number of normal samples (-0.4, 2) are not the paper's.",
        ),
    ),
    Method(
        "ihl", "Inverted hinge loss on forget tokens, and descent on retain (LoKU without its initialisation)",
        ("hinge", "descent"), paper=LOKU,
    ),
    Method(
        "me-gd", "Maximise the entropy of forget answers, and descent on retain (ME+GD)", ("entropy", "descent"),
        paper=CLOSER_LOOK, ours=("Answer tokens only; the published code counts prompt and padding too.",
            "The forget weight is 1; the paper's is 0.1.",
       ),
    ),
    Method(
        "wga", "Gradient ascent with tokens weighted by their probability, and descent on retain",
        ("confident", "descent"), paper=WGA,
    ),
    Method(
        "satimp", "Gradient ascent with tokens weighted by saturation and importance, and descent on retain",
        ("saturated", "descent"), paper=SATIMP,
    ),
    Method(
        "ce-u", "Cross-entropy to the model's own distribution without the answer's token", ("others",), paper=CE_U,
    ),
)  # fmt: skip
