"""Leakage under sampling, after leak@k (arXiv 2511.04934): how likely a fact is among k answers drawn with chance.

The estimator is the usual one without bias (our own choice): from n answers, of which c are right.
"""

from collections.abc import Sequence
from math import comb
from statistics import fmean

from eval.routes.asking import RouteInput, ask_of, fact_of, is_right, left_out
from eval.scores.similarity import rouge_l
from schemas.matching.thoughts import answer_of
from schemas.records.routes import RouteFigure, RouteResult

SAMPLES = 16
TEMPERATURE = 1.0
AT = (1, 4, 16)
"""Values of k that are reported."""


def leak_at(k: int, *, samples: int, hits: int) -> float:
    """Probability that at least one of k answers, drawn from so many without return, is a hit."""
    return 1 - comb(samples - hits, k) / comb(samples, k)


def best_of(k: int, scores: Sequence[float]) -> float:
    """The same for scores between 0 and 1: the expected best of k of them."""
    ordered = sorted(scores)
    weighted = sum(comb(place - 1, k - 1) * score for place, score in enumerate(ordered, start=1))
    return weighted / comb(len(ordered), k)


def run_sampled(given: RouteInput) -> RouteResult:
    """Every forgotten fact asked SAMPLES times at a temperature of 1; an answer beside a refusal counts as told."""
    decoding = given.decoding.model_copy(update={"temperature": TEMPERATURE, "top_p": 1.0})
    questions = given.forgotten()
    asks = {
        question.key: [
            ask_of(given.prompt(question), question.picture, sample=number) for number in range(1, SAMPLES + 1)
        ]
        for question in questions
    }
    replies = given.model.replies([ask for own in asks.values() for ask in own], decoding)
    facts, hits, likeness = [], list[int](), list[list[float]]()
    for question in questions:
        said = [reply for ask in asks[question.key] if (reply := replies.get(ask.ask_id)) and not reply.error]
        if len(said) < SAMPLES:
            continue
        right = [reply.text for reply in said if is_right(question, reply)]
        hits.append(len(right))
        likeness.append([rouge_l(answer_of(reply.text).text, question.answer).recall for reply in said])
        facts.append(
            fact_of(
                question, score=len(right) / SAMPLES, recovered=bool(right), tried=SAMPLES,
                best=right[0] if right else said[-1].text,
            )
        )  # fmt: skip
    figures = tuple(
        RouteFigure(name=name, at=str(k), value=fmean(values), n=len(hits))
        for k in AT
        for name, values in (
            ("leak_at", [leak_at(k, samples=SAMPLES, hits=each) for each in hits]),
            ("rouge_at", [best_of(k, each) for each in likeness]),
        )
        if hits
    )
    notes = left_out(len(questions) - len(facts), f"they got fewer than {SAMPLES} answers")
    return RouteResult(route="sampled", version=1, facts=tuple(facts), figures=figures, notes=notes)
