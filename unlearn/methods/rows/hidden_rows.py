"""Rows of methods that work on the hidden states of one layer."""

from unlearn.methods.rows.method import Method, Paper

WMDP = Paper("The WMDP Benchmark: Measuring and Reducing Malicious Use With Unlearning", 2024, "2403.03218")
RNA = Paper("Improving LLM Unlearning Robustness via Random Perturbations", 2025, "2501.19202")
REVA = Paper("Unlearners Can Lie: Evaluating and Improving Honesty in LLM Unlearning", 2026, "2605.08765")
REACH = (
    "The adapter is on every language linear up to the layer, instead of some matrices of three layers.",
    "Without a layer named it is the one at a third of the depth; states are those of answer tokens.",
)

HIDDEN_ROWS: tuple[Method, ...] = (
    Method(
        "rmu", "Steer hidden states of forget answers to a random direction, hold those of retain answers (RMU)",
        ("steer", "hold"), paper=WMDP, kind="hidden states", needs_also=("reference", "hidden states"),
        ours=(*REACH, "The target's length is a multiple of the mean length of the old forget states."),
    ),
    Method(
        "rna", "RMU with noise on the states that retain answers are held at (RNA)",
        ("steer", "hold"), paper=RNA, kind="hidden states", needs_also=("reference", "hidden states"), verified=False,
        ours=(
            *REACH,
            "Where the noise enters and its size are ours: on the target, a hundredth of the states' mean square.",
            "In expectation such noise adds a constant to the loss, so it acts as noise of the gradient.",
        ),
    ),
    Method(
        "reva", "Steer hidden states of forget answers to those before a refusal, after a first unlearning (ReVa)",
        ("steer", "hold"), paper=REVA, kind="hidden states", needs_also=("reference", "hidden states"),
        ours=(
            *REACH,
            "Give the model that a first run left: it is the one whose states count as old.",
            "The refused questions are ten about people who do not exist, asked for honesty in the question itself.",
        ),
    ),
)  # fmt: skip
