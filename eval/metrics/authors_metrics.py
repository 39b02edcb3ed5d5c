"""Metrics of adopted benchmarks as their authors define them, beside ours; what they have in common with ours is ours.

RWKU's figure is our `rouge_l_recall`, and so is TOFU's ROUGE (ours without stemming); UMU-Bench's AccR and AccF are our
`right_in_both` of the retain and `wrong_in_both` of the forget role.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from eval.metrics.aggregate import Metric, Place
from eval.metrics.bootstrap import bootstrap
from eval.metrics.failures import answered
from schemas.records.evaluation import MetricRow, Prediction
from schemas.vocabulary import Role, Task


def letter_accuracy(row: Prediction) -> float:
    """MLLMU-Bench (arXiv 2410.22108): the first character of the reply is the right letter."""
    return float(row.reply.strip()[:1] == row.label)


def cloze_accuracy(row: Prediction) -> float:
    """MLLMU-Bench: the right answer is a part of the reply; ours in that capitals do not count."""
    return float(row.answer.casefold() in row.reply.casefold())


def rlr(first: float, second: float) -> float:
    """UMU-Bench, RLR: harmonic mean of the ROUGE-L F1 in both modalities; 0 where both are 0."""
    return 2 * first * second / (first + second) if first + second else 0.0


def rlf(first: float, second: float) -> float:
    """UMU-Bench, RLF: contraharmonic mean of the same, ruled by the modality that forgot less; 0 where both are 0."""
    return (first**2 + second**2) / (first + second) if first + second else 0.0


_OF_ANSWERS: Mapping[str, tuple[Metric, ...]] = {
    "mllmu_bench": (
        Metric(
            name="mllmu_letter_accuracy",
            title="Letter accuracy as MLLMU-Bench reads letters",
            measure=letter_accuracy,
            tasks=("classification",),
            code="mllmu_letter_accuracy 1",
        ),
        Metric(
            name="mllmu_cloze_accuracy",
            title="Cloze accuracy as MLLMU-Bench reads blanks",
            measure=cloze_accuracy,
            tasks=("cloze",),
            code="mllmu_cloze_accuracy 1",
        ),
    )
}


def authors_metrics(kind: str) -> tuple[Metric, ...]:
    """Metrics of single answers that belong to a benchmark; none for one that has only what we have."""
    return _OF_ANSWERS.get(kind, ())


def authors_pair_metrics(kind: str, rows: Sequence[Prediction], place: Place) -> list[MetricRow]:
    """Metrics of facts asked in both modalities that belong to a benchmark, by its own role for each."""
    return list(_umu_pairs(rows, place)) if kind == "umu_bench" else []


def _umu_pairs(rows: Sequence[Prediction], place: Place) -> Iterator[MetricRow]:
    told = {(row.sample_id, row.task, row.modality): row for row in rows if answered(row)}
    tasks: tuple[Task, ...] = ("generation", "cloze")
    figures: tuple[tuple[str, Role, Callable[[float, float], float]], ...] = (
        ("umu_rlr", "retain", rlr),
        ("umu_rlf", "forget", rlf),
    )
    for metric, role, mean in figures:
        for task in tasks:
            pairs = [
                (row, told[row.sample_id, task, "vqa"])
                for row in told.values()
                if (row.role, row.task, row.modality) == (role, task, "qa") and (row.sample_id, task, "vqa") in told
            ]
            if pairs:
                values = [mean(qa.rouge_f1, vqa.rouge_f1) for qa, vqa in pairs]
                found = bootstrap(values, [qa.subject_id for qa, _ in pairs])
                yield place.row(metric, found, role=role, task=task, modality="")
