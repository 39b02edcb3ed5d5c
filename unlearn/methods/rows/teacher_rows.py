"""Rows of methods with fixed teachers, roles of tokens, banned words, or a retain loss held under a bound."""

from unlearn.methods.rows.method import Method, Paper
from unlearn.methods.rows.token_rows import OBLIVIATE, PDU

UNDIAL = Paper(
    "UNDIAL: Self-Distillation with Adjusted Logits for Robust Unlearning in Large Language Models", 2024, "2402.10052"
)
RKLD = Paper("RKLD: Reverse KL-Divergence-based Knowledge Distillation for Unlearning", 2024, "2406.01983")
TIF = Paper("Not All Tokens Are Meant to Be Forgotten", 2025, "2506.03142")

VALUES = "Unwanted tokens are those of the fact's value in the answer (the whole answer where it is worded otherwise)."

TEACHER_ROWS: tuple[Method, ...] = (
    Method(
        "undial", "Distil the old model with the forget tokens' own logits lowered", ("undial",),
        paper=UNDIAL, kind="distillation",
        ours=("Mean over answer tokens; the published code counts prompt and padding too.",),
    ),
    Method(
        "rkld", "Reverse KL to the old model less what a teacher taught once more makes likelier, descent on retain",
        ("reverse-kl", "descent"), paper=RKLD, kind="distillation",
        ours=("Mean over answer tokens; the second teacher is trained at the run's rate and batch.",),
    ),
    Method(
        "tif", "Lower the logits of a fact's own tokens below the old model's, keep the words around them likely",
        ("lower-values", "keep-words"), paper=TIF, kind="preference", ours=(VALUES,),
    ),
    Method(
        "tif-retain", "TIF with descent on retain", ("lower-values", "keep-words", "descent"),
        paper=TIF, kind="preference", ours=(VALUES,),
    ),
    Method(
        "obliviate-masked", "Take probability from all words of forget values, KL to the old model on retain",
        ("banned", "kl"), paper=OBLIVIATE,
        ours=(
            "Masked logits are the model's own, held fixed; the paper does not say whose.",
            "Its two distillation terms are one: the KL to the old model on retain answers.",
            "Words are tokens of forget values that stand in no question and in no other part of an answer.",
        ),
    ),
    Method(
        "pdu", "Flatten the logits of forget tokens while the retain loss is held under a bound (primal-dual)",
        ("margin", "dual"), paper=PDU, needs_also=("reference",),
        ours=("The bound is the old model's retain loss plus a slack; the warm-up is counted in steps.",),
    ),
)  # fmt: skip
