"""Rows of methods that choose where the adapter starts, or hold the weights themselves."""

from unlearn.methods.rows.method import Method, Paper

LOKU = Paper("Towards Robust and Parameter-Efficient Knowledge Unlearning for LLMs", 2024, "2408.06621")
VILA = Paper("Improving Fisher Information Estimation and Efficiency for LoRA-based LLM Unlearning", 2025, "2508.21300")
REGLU = Paper("Representation-Guided Parameter-Efficient LLM Unlearning", 2026, "2604.17396")
ALPHAEDIT = Paper("AlphaEdit: Null-Space Constrained Knowledge Editing for Language Models", 2024, "2410.02355")
OPT_OUT = Paper("Opt-Out: Investigating Entity-Level Unlearning for Large Language Models via Optimal Transport", 2024,
                "2406.12329")  # fmt: skip
NOT_REWRITTEN = (
    "The base is not rewritten: a second, frozen adapter takes off the start, which is the same function, and one "
    "adapter of twice the rank is saved."
)

WEIGHT_ROWS: tuple[Method, ...] = (
    Method(
        "fila-gd", "Gradient difference from an adapter that starts in weights which matter to the forget set (FILA)",
        ("ascent", "descent"), paper=LOKU, kind="weights",
        ours=(
            NOT_REWRITTEN, "The Fisher is taken sample by sample.", "Any method starts so with adapter_start = fila.",
        ),
    ),
    Method(
        "vila-gd", "FILA with importances of the adapter's two factors in place of the weights' (VILA)",
        ("ascent", "descent"), paper=VILA, kind="weights",
        ours=(
            NOT_REWRITTEN,
            "Variances are of gradients sample by sample; the code's second division by the number of tokens is left "
            "out.",
            "Any method starts so with adapter_start = vila.",
        ),
    ),
    Method(
        "reglu-ga", "Gradient difference from directions that tell forget from retain outputs, and B held off retain's "
        "(ReGLU)",
        ("ascent", "descent"), paper=REGLU, kind="weights", needs_also=("hidden states",),
        ours=(
            NOT_REWRITTEN,
            "Outputs are means over answer tokens; the code sums over padding and prompt too.",
            "Any method starts so with adapter_start = reglu.",
        ),
    ),
    Method(
        "null-space", "Gradient ascent with an adapter that retain inputs do not reach (exact null space)",
        ("ascent",), paper=ALPHAEDIT, kind="weights", needs_also=("retain", "hidden states"), verified=False,
        ours=(
            "A := A0 P is frozen and B alone is trained, so that nothing that an optimiser does leaves the null space.",
            "P keeps the smallest directions that hold less than null_share of the trace of retain inputs.",
            "Any method starts so with adapter_start = null-space.",
        ),
    ),
    Method(
        "opt-out", "NPO, descent on retain, and the sliced Wasserstein distance of weights to what they were (Opt-Out)",
        ("npo", "descent"), paper=OPT_OUT, kind="weights",
        ours=(
            "Without the authors' term on general text, and with one step for all terms where they alternate.",
            "The distance is taken of the language linears that carry an adapter.",
        ),
    ),
)  # fmt: skip
