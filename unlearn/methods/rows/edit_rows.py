"""Rows of methods that edit weights from statistics of them, or from vectors of other runs, without a forget loss."""

from unlearn.methods.rows.method import Method, Paper
from unlearn.methods.rows.weight_rows import ALPHAEDIT

SSD = Paper("Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening", 2023, "2308.07707")
TASK_VECTOR = Paper("Editing Models with Task Arithmetic", 2022, "2212.04089")
MSA = Paper("Model State Arithmetic for Machine Unlearning", 2025, "2506.20941")
ASRU = Paper("ASRU: Activation Steering and Reinforcement Unlearning for Multimodal Large Language Models", 2026,
             "2605.15687")  # fmt: skip
ZERO = Paper("ZeroUnlearn", 2026, "2605.18879")

SWEPT = "Several values of one number are tried on the same statistics, and the best by the frontier rule is kept."
AT_THE_END = "Keys are taken at the prompt's last token, with and without a picture; no token names who is shown."

EDIT_ROWS: tuple[Method, ...] = (
    Method(
        "ssd", "Make weights smaller that matter far more to the forget set than to all data (SSD)", makes="ssd",
        paper=SSD, kind="edit", needs_also=("retain",),
        ours=(
            SWEPT, "The Fisher is taken sample by sample, of answer tokens, and of the language linears alone.",
            "That of all data is from the forget set and as many retain samples, in the data's proportions.",
        ),
    ),
    Method(
        "task-vector", "Take off what fine-tuning on the forget set adds to the weights (task vector)",
        makes="task-vector", tunes=True, paper=TASK_VECTOR, kind="edit", ours=(SWEPT, "Vectors are adapters."),
    ),
    Method(
        "msa", "Take off the forget set's task vector and add that of retain (MSA)", makes="msa", tunes=True,
        paper=MSA, kind="edit", needs_also=("retain",),
        ours=(SWEPT, "Vectors are adapters.", "Both start at the target, for which no earlier checkpoint is at hand."),
    ),
    Method(
        "asru-redirect", "Redirect forget prompts in one layer towards declining, in closed form (ASRU, first stage)",
        makes="asru-redirect", paper=ASRU, kind="edit", needs_also=("retain", "hidden states"), verified=False,
        ours=(
            SWEPT, "The closed form is ridge regression that holds the weight where it is; the code trains it.",
            "The direction leads to the states before questions about people who do not exist, asked in words.",
        ),
    ),
    Method(
        "alphaedit", "Write refusals as values of forget keys, where retain inputs do not reach (AlphaEdit)",
        makes="alphaedit", paper=ALPHAEDIT, kind="edit", needs_also=("retain", "refusal texts", "hidden states"),
        ours=(
            SWEPT, AT_THE_END, "The null space is that of the retain set's own inputs, pictures among them.",
            "Without prefixes before the prompt and without the KL on a sentence about the subject.",
        ),
    ),
    Method(
        "zerounlearn", "Send forget keys to a value that ends the answer, and take old answers' directions off the "
        "output (ZeroUnlearn)", makes="zerounlearn", paper=ZERO, kind="edit",
        needs_also=("retain", "hidden states"),
        ours=(
            SWEPT, AT_THE_END, "Both general moments are uncentred, so that without forget facts nothing changes.",
            "All but the old answers' directions keep their length (value_inflate = true: grow, as published).",
            "At most a twentieth of the output's directions is taken off, however many facts there are.",
        ),
    ),
)  # fmt: skip
