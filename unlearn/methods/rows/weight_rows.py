"""Rows of methods that choose where the adapter starts, or hold the weights themselves."""

from unlearn.methods.rows.first_rows import MMUNLEARNER
from unlearn.methods.rows.method import Method, Paper

LOKU = Paper("Towards Robust and Parameter-Efficient Knowledge Unlearning for LLMs", 2024, "2408.06621")
VILA = Paper("Improving Fisher Information Estimation and Efficiency for LoRA-based LLM Unlearning", 2025, "2508.21300")
REGLU = Paper("Representation-Guided Parameter-Efficient LLM Unlearning", 2026, "2604.17396")
ALPHAEDIT = Paper("AlphaEdit: Null-Space Constrained Knowledge Editing for Language Models", 2024, "2410.02355")
SALUN = Paper("SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency in Both Image Classification "
              "and Generation", 2023, "2310.12508")  # fmt: skip
WAGLE = Paper("WAGLE: Strategic Weight Attribution for Effective and Modular Unlearning in Large Language Models", 2024,
              "2410.17509")  # fmt: skip
GS_LORA = Paper("Continual Forgetting for Pre-trained Vision Models", 2024, "2403.11530")
OPT_OUT = Paper("Opt-Out: Investigating Entity-Level Unlearning for Large Language Models via Optimal Transport", 2024,
                "2406.12329")  # fmt: skip
ON_SECOND = "The mask is of LoRA's second matrix, the first one frozen; with trained = full it is of all linears."
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
    Method(
        "salun", "Train refusals through a mask of the weights with the largest summed forget gradient (SalUn)",
        ("refuse", "descent"), masked=frozenset({"refuse", "descent"}), paper=SALUN, kind="gradients",
        ours=(
            "A refusal stands for the random label.", ON_SECOND,
            "Gradients are summed sample by sample, so the mask does not depend on batches.",
        ),
    ),
    Method(
        "wagle", "NPO and descent on retain through a mask by weight attribution (WAGLE)",
        ("npo", "descent"), masked=frozenset({"npo", "descent"}), paper=WAGLE, kind="gradients",
        ours=(
            ON_SECOND,
            "The retain Hessian is mask_hessian = 1 times the identity, so that both terms count; the code's 1e-6 "
            "leaves the product of the two gradients.",
        ),
    ),
    Method(
        "mmunlearner-original", "MMUnlearner as its own code has it: all weights, a mask of the named ones, fp32",
        ("ascent", "descent"), masked=frozenset({"ascent"}), paper=MMUNLEARNER, kind="gradients",
        ours=(
            "Gradients are squared in fp32; in the code's fp16 small ones underflow, and the mask lets them through.",
            "The gradient is clipped after the mask and not before.",
        ),
    ),
    Method(
        "gs-lora", "Bounded ascent and descent on retain, with an adapter that is sparse over blocks (GS-LoRA)",
        ("ascent", "descent"), paper=GS_LORA, kind="weights",
        ours=(
            "The bound is on the forget NLL of a sample, in nats, where the paper's is on a classifier's loss.",
            "A block's norm is that of B A; the published one of A and B (group_norm = factors) is never 0.",
            "At the end blocks under a thousandth of the largest norm lose their adapter.",
        ),
    ),
)  # fmt: skip
