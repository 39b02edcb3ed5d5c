"""A language model as judge of open answers: a second opinion on the matching of strings, and how far the two agree."""

import random
from collections.abc import Iterable, Sequence

from schemas.matching.thoughts import answer_of
from schemas.protocols.annotator import Effort, Form, Request, Worker, WorkerAnswer
from schemas.records.evaluation import Prediction, PredictionTask
from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Role

JUDGED_TASKS: tuple[PredictionTask, ...] = ("generation", "cloze")
"""Tasks with open answers; a letter needs no judge."""
RULING_TOKENS = 24


class Ruling(Form):
    """Whether a reply says the right answer."""

    right: bool


class Judged(Record):
    """One open answer with both opinions of it."""

    key: str
    task: PredictionTask
    modality: Modality
    role: Role | None
    matched: bool
    """By the accepted answers (Prediction.correct)."""
    right: bool
    """By the judge; the built-in opinion where its ruling could not be used and the built-in stands in."""


class AgreementRow(Record):
    """How two opinions compare on one kind of question. Shares lie between 0 and 1."""

    task: PredictionTask
    modality: Modality
    role: Role | None
    n: int
    matched: float
    """Share that is right by the accepted answers."""
    right: float
    """Share that is right by the judge."""
    agreement: float
    kappa: float | None
    """Cohen's kappa; None where both opinions are the same of every answer."""


class JudgeReport(Record):
    """What a judge found in one evaluation."""

    evaluation: str
    """Identity of the evaluation."""
    judge: str
    seed: int
    tokens_in: int
    tokens_out: int
    unusable: int
    rows: tuple[AgreementRow, ...]


def judge_prompt(row: Prediction) -> str:
    """What a judge is asked about one answer; it is not told what the matching says, or what is to be forgotten."""
    return (
        "Somebody was asked a question. Say whether their reply gives the right answer: in any words, spelling or "
        "format, and also if more is said beside it. A reply that names several different answers, refuses, or only "
        f"hints is not right.\n\nQuestion: {row.prompt}\nRight answer: {row.answer}\nReply: {answer_of(row.reply).text}"
    )


def judge_effort(*, seed: int) -> Effort:
    """How a judge is asked: greedily."""
    return Effort(temperature=0.0, max_new_tokens=RULING_TOKENS, seed=random.Random(f"{seed}:judge").getrandbits(31))


def judge_requests(rows: Iterable[Prediction]) -> list[Request]:
    """One request an open answer; where there is no reply there is nothing to judge."""
    return [
        Request(request_id=row.key, prompt=judge_prompt(row))
        for row in rows
        if row.task in JUDGED_TASKS and answer_of(row.reply).text and not row.error
    ]


def judge(rows: Sequence[Prediction], worker: Worker, *, seed: int) -> tuple[list[Judged], list[WorkerAnswer]]:
    """Both opinions of every open answer, in the order given, and the record of each request. No reply is not right."""
    filled = {
        one.request_id: one
        for one in worker.fill(judge_requests(rows), Ruling, check=lambda key, form: "", effort=judge_effort(seed=seed))
    }
    judged: list[Judged] = []
    for row in rows:
        if row.task not in JUDGED_TASKS:
            continue
        one = filled.get(row.key)
        form = one.form if one is not None else None
        right = form.right if form is not None else row.correct and one is not None
        judged.append(
            Judged(key=row.key, task=row.task, modality=row.modality, role=row.role, matched=row.correct, right=right)
        )
    return judged, [filled[request.request_id].answer for request in judge_requests(rows)]


def agreement(judged: Iterable[Judged]) -> list[AgreementRow]:
    """Shares, agreement and kappa by task, modality and role."""
    cells: dict[tuple[PredictionTask, Modality, Role | None], list[Judged]] = {}
    for row in judged:
        cells.setdefault((row.task, row.modality, row.role), []).append(row)
    return [
        _row(task, modality, role, cells[task, modality, role])
        for task, modality, role in sorted(cells, key=lambda cell: (cell[0], cell[1], cell[2] or ""))
    ]


def _row(task: PredictionTask, modality: Modality, role: Role | None, cell: Sequence[Judged]) -> AgreementRow:
    count = len(cell)
    matched, right = sum(row.matched for row in cell) / count, sum(row.right for row in cell) / count
    agreed = sum(row.matched == row.right for row in cell) / count
    chance = matched * right + (1 - matched) * (1 - right)  # Cohen 1960: agreement of two independent opinions
    return AgreementRow(
        task=task,
        modality=modality,
        role=role,
        n=count,
        matched=matched,
        right=right,
        agreement=agreed,
        kappa=(agreed - chance) / (1 - chance) if chance < 1 else None,
    )
