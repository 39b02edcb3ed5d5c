"""Rows of the methods that PPU-Bench compares, and of the arms of its boundary term."""

from unlearn.methods.rows.method import Method, Paper

JANG = Paper("Knowledge Unlearning for Mitigating Privacy Risks in Language Models", 2022, "2210.01504")
TOFU = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", 2024, "2401.06121")
NPO = Paper("Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning", 2024, "2404.05868")
MMUNLEARNER = Paper("MMUnlearner: Reformulating Multimodal Machine Unlearning in the Era of MLLMs", 2025, "2502.11051")
MANU = Paper("Modality-Aware Neuron Pruning for Unlearning in Multimodal Large Language Models", 2025, "2502.15910")
PPU_BENCH = Paper("PPU-Bench", 2026, "2605.08800")
CAPPED = "A cap on the forget answer's NLL bounds the ascent in the default preset."

FIRST_ROWS: tuple[Method, ...] = (
    Method("ga", "Gradient ascent on the forget set", ("ascent",), paper=JANG, ours=(CAPPED,)),
    Method(
        "gd", "Gradient difference: ascent on forget, descent on retain", ("ascent", "descent"),
        paper=TOFU, ours=(CAPPED,),
    ),
    Method(
        "kl", "Gradient difference, and KL to the old model on retain", ("ascent", "descent", "kl"),
        paper=TOFU, ours=(CAPPED,),
    ),
    Method(
        "npo", "Negative preference optimisation on the forget set", ("npo",), paper=NPO, kind="preference",
    ),
    Method(
        "npo-retain", "Negative preference optimisation, and descent on retain", ("npo", "descent"),
        paper=NPO, kind="preference",
    ),
    Method(
        "mmunlearner",
        "Gradient difference; ascent only on weights that matter to the forget set (MMUnlearner)",
        ("ascent", "descent"),
        masked=frozenset({"ascent"}),
        paper=MMUNLEARNER,
        kind="gradients",
        ours=("The saliency is taken sample by sample in the default preset.",),
    ),
    Method(
        "manu", "Prune the neurons that the forget set uses more than the retain set (MANU)", prunes=True,
        paper=MANU, kind="pruning", needs_also=("retain",),
        ours=("Several shares of neurons are tried and the best by the frontier rule is kept.",),
    ),
    Method(
        "manu-contrast", "MANU by its paper's score: neurons whose contrast of multimodal and text inputs is of the "
        "forget set", prunes=True, paper=MANU, kind="pruning", needs_also=("retain",), verified=False,
        ours=(
            "Several shares of neurons are tried and the best by the frontier rule is kept.",
            "Neurons that text does not reach, as the vision tower's, have zeros for text.",
            "The formula is read in another paper that prints it; the row manu has that of code in use.",
        ),
    ),
    Method(
        "bao-gd",
        "Gradient difference with the boundary term within each subject (BAO)",
        ("ascent", "descent", "boundary"),
        paper=PPU_BENCH,
        kind="boundary",
    ),
    Method(
        "npo-boundary",
        "Negative preference optimisation, descent on retain, and the boundary term within each subject",
        ("npo", "descent", "boundary"),
        paper=PPU_BENCH,
        kind="boundary",
    ),
    Method(
        "bao-mmunlearner",
        "MMUnlearner with the boundary term within each subject",
        ("ascent", "descent", "boundary"),
        masked=frozenset({"ascent", "boundary"}),
        paper=PPU_BENCH,
        kind="boundary",
    ),
    Method(
        "gd-interleaved", "Gradient difference in alternating steps: BAO's first arm", ("ascent", "descent"),
        paper=PPU_BENCH, kind="boundary",
    ),
    Method(
        "gd-joint", "Gradient difference with matched retain, no boundary: BAO's second arm", ("ascent", "descent"),
        paper=PPU_BENCH, kind="boundary",
    ),
)  # fmt: skip
