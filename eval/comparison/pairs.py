"""Which runs of a report are compared question by question: the two there are, or every arm with the best one."""

from collections.abc import Mapping, Sequence

from eval.comparison.paired import differences
from schemas.records.evaluation import DifferenceRow, Prediction
from schemas.vocabulary import Setting

Runs = Sequence[Sequence[Prediction]]


class PairRow(DifferenceRow):
    """A paired difference between two arms: `left` is what `a` came to, `right` what `b` did, `value` is b - a."""

    a: str
    b: str
    setting: Setting
    ratio: int | None


def pair_rows(
    arms: Mapping[str, Runs], target: tuple[str, Runs] | None, best: str | None, *, setting: Setting, ratio: int | None
) -> list[PairRow]:
    """Every figure of two arms side by side; of more arms each beside the best; of one beside the untouched target.

    `target` is its label and runs. Of more than two arms without a best one, which the target is needed to find, none.
    """
    labels = sorted(arms)
    if len(labels) == 1 and target is not None:
        pairs = [(target, (labels[0], arms[labels[0]]))]
    elif len(labels) == 2:
        pairs = [((labels[0], arms[labels[0]]), (labels[1], arms[labels[1]]))]
    elif best is not None:
        pairs = [((best, arms[best]), (label, arms[label])) for label in labels if label != best]
    else:
        pairs = []
    return [
        PairRow(**row.model_dump(), a=a, b=b, setting=setting, ratio=ratio)
        for (a, left), (b, right) in pairs
        for row in differences(left, right, names=(a, b))
    ]
