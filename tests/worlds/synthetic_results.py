"""Made-up answers, evaluations and curves for the tests of reports; no model is asked."""

import random
from collections.abc import Sequence

from eval.comparison.attack_recovery import Attacked, attacked
from eval.report.findings import Evaluated
from schemas.records.evaluation import EvaluationRecord, MetricRow, Outcome, Prediction
from schemas.records.study import Curve, CurvePoint
from schemas.vocabulary import MODALITIES, ROLES, TASKS, Role, Setting

SUBJECTS = tuple(f"{number:03d}" for number in range(1, 13))


def prediction(
    subject: str,
    number: int,
    role: Role,
    *,
    correct: bool,
    outcome: Outcome | None = None,
    reply: str = "",
    modality: str = "qa",
) -> Prediction:
    sample = f"Person_{subject}_{number:02d}"
    return Prediction.model_validate({
        "key": f"{sample}|generation|{modality}", "sample_id": sample, "subject_id": subject, "task": "generation",
        "modality": modality, "role": role, "prompt": f"Where was person {subject} born ({number})?", "answer": "Lima",
        "reply": reply or ("Lima" if correct else "Oslo"), "error": "",
        "outcome": outcome or ("correct" if correct else "plausible"), "correct": correct, "choice": "",
        "likely_choice": "", "label": "", "exact": correct, "normalised_exact": correct,
        "rouge_recall": float(correct), "rouge_f1": float(correct), "nll": None,
    })  # fmt: skip


def answers(
    *, forget: float, retain: float, seed: str = "", subjects: Sequence[str] = SUBJECTS, reply: str = ""
) -> list[Prediction]:
    """Four forget and eight retain facts of each subject in both modalities, right with the chances given."""
    rng = random.Random(f"answers:{forget}:{retain}:{seed}")
    chance: dict[Role, float] = {"forget": forget, "retain": retain}
    return [
        prediction(subject, number, role, correct=rng.random() < chance[role], modality=modality, reply=reply)
        for subject in subjects
        for number, role in enumerate([ROLES[0]] * 4 + [ROLES[1]] * 8)
        for modality in MODALITIES
    ]


def choices(rows: Sequence[Prediction], *, likely: float, letters: float = 0.0) -> list[Prediction]:
    """The generation rows once more as choices: the right letter is written, or likeliest, with the chances given."""
    rng = random.Random(f"choices:{likely}:{letters}")
    found = []
    for row in rows:
        written = rng.random() < letters
        update = {
            "key": row.key.replace("generation", "classification"), "task": "classification", "label": "B",
            "likely_choice": "B" if rng.random() < likely else "C", "correct": written,
            "choice": "B" if written else "", "outcome": "correct" if written else "gibberish",
        }  # fmt: skip
        found.append(row.model_copy(update=update))
    return found


def failing(rows: Sequence[Prediction], count: int) -> list[Prediction]:
    """The rows, the first `count` of them without an answer."""
    update = {"outcome": "failed", "error": "timeout", "correct": False, "reply": ""}
    return [row.model_copy(update=update) if number < count else row for number, row in enumerate(rows)]


def metric(
    name: str, value: float, role: str = "forget", *, task: str = "generation", modality: str = "", attack: str = ""
) -> MetricRow:
    return MetricRow.model_validate({
        "metric": name, "value": value, "low": max(0, value - 0.05), "high": min(1, value + 0.05), "n": 96,
        "setting": "personalized", "ratio": None, "role": role, "task": task, "modality": modality, "attack": attack,
    })  # fmt: skip


def evaluation(
    method: str, rows: Sequence[Prediction], *, seed: int = 0, dataset: str = "d" * 32, attack: str | None = None,
    metrics: Sequence[MetricRow] = (), setting: Setting = "personalized", prompts: str = "probe",
) -> Evaluated:  # fmt: skip
    record = EvaluationRecord.model_validate({
        "identity": f"{method}:{seed}:{attack}:{dataset}:{setting}", "folder": f"{method or 'target'}/{setting}",
        "dataset": dataset, "model": "hf:target", "name": method or "target",
        "run": f"run:{method}:{seed}" if method else "", "method": method, "seed": seed if method else None,
        "setting": setting, "ratio": None, "attack": attack, "modalities": MODALITIES,
        "tasks": sorted({row.task for row in rows if row.task in TASKS}, key=TASKS.index) or ("generation",),
        "prompts": prompts, "max_new_tokens": 24, "target": "tiny", "questions": len(rows),
        "failed": sum(row.outcome == "failed" for row in rows), "metrics": tuple(metrics),
    })  # fmt: skip
    return Evaluated(record, rows)


def under_attack(
    method: str,
    rows: Sequence[Prediction],
    attack: str,
    *,
    seed: int = 0,
    prompts: str = "probe",
    dataset: str = "a" * 32,
) -> Attacked:
    """An evaluation under an attack with these answers."""
    each = evaluation(method, rows, seed=seed, attack=attack, prompts=prompts, dataset=dataset)
    return attacked(each.record, each.rows)


def curve(
    method: str, points: Sequence[tuple[float, float]], *, seed: int = 0, data: str = "data", lr: float = 0.002,
    probed: int = 128, title: str = "A method", kept: float | None = None,
) -> Curve:  # fmt: skip
    """A curve through (forget, retain) at steps 0, 10, 20, …"""
    return Curve(
        run=f"run:{method}:{seed}", method=method, title=title, setting="personalized", ratio=None, seed=seed, lr=lr,
        data=data, base="base", unit="step", kept=kept, status="finished", reason="finished", forget_samples=probed,
        retain_samples=probed,
        points=tuple(
            CurvePoint(position=10 * step, forget=forget, retain=retain, forget_nll=1.0, retain_nll=0.1)
            for step, (forget, retain) in enumerate(points)
        ),
    )  # fmt: skip
