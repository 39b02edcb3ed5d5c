"""Rows of methods that change what becomes of the gradients: combiners of two phases, and coarser optimisers."""

from unlearn.methods.rows.method import Method, Paper

GU = Paper("Geometric-disentangelment Unlearning", 2025, "2511.17100")
BLUR = Paper("BLUR: A Bi-Level Optimization Approach for LLM Unlearning", 2025, "2506.08164")
SURGERY = Paper("Gradient Surgery for One-shot Unlearning on Generative Model", 2023, "2307.04550")
DOWNGRADE = Paper(
    "Downgrade to Upgrade: Optimizer Simplification Enhances Robustness in LLM Unlearning", 2025, "2510.00761"
)
ANY = (
    "Works on every method with forget and retain batches by the number `combine`; this row is on gradient difference."
)

GEOMETRY_ROWS: tuple[Method, ...] = (
    Method(
        "gu", "Gradient difference without what of the forget gradient would change the retain loss (GU)",
        ("ascent", "descent"), paper=GU, kind="gradients",
        ours=(ANY, "Angles are in the metric of AdamW's second moment before the step, as in the final code."),
    ),
    Method(
        "blur", "Gradient difference with the retain gradient projected off the forget gradient (BLUR)",
        ("ascent", "descent"), paper=BLUR, kind="gradients",
        ours=(ANY, "The authors' losses are those of RMU.", "A forget gradient of zero divides by 1e-12, not by zero."),
    ),
    Method(
        "surgery", "Gradient ascent with the forget gradient projected off the retain gradient, which is not followed",
        ("ascent", "descent"), paper=SURGERY, kind="gradients", verified=False,
        ours=(ANY, "A step that holds retain samples alone descends on them."),
    ),
    Method(
        "downgrade-sign", "Gradient difference by the sign of Adam's direction (Downgrade, one bit)",
        ("ascent", "descent"), paper=DOWNGRADE, kind="optimiser", verified=False,
        ours=(
            "Works on every method by the number `optimiser` (sign-sgd, sign-adam); this row has the terms of gd.",
            "A tenth of Adam's rate; gradients are not clipped.",
        ),
    ),
    Method(
        "downgrade-zeroth", "Gradient difference by Adam and by zeroth-order estimates in turn (Downgrade, hybrid)",
        ("ascent", "descent"), paper=DOWNGRADE, kind="optimiser", verified=False,
        ours=(
            "Works on every method without a mask by the number `optimiser` (zeroth, adam-zeroth).",
            "Directions lie on a sphere whose radius is the root of the number of weights, radius and rate are ours, "
            "and the paper's variance reduction is left out.",
        ),
    ),
)  # fmt: skip
