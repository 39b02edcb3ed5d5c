"""Options: the likeliest one, whether confidence is borne out (ECE, Brier), and what can be told without the question.

Probabilities of options are the softmax of their summed log-probabilities, which is a convention: they are no model of
what a person would choose.
"""

from collections.abc import Mapping, Sequence
from math import exp, isfinite
from statistics import fmean

from eval.routes.asking import RouteInput, ask_of, fact_of, left_out
from eval.routes.rank import NEAR
from eval.scores.choice import parse_choice
from eval.tasks.prompts import CHOOSE
from eval.tasks.questions import EvalQuestion
from schemas.protocols.responder import TokenScores
from schemas.records.routes import RouteFigure, RouteResult
from schemas.vocabulary import OPTION_LABELS, Role

BINS = 10
UNASKED = "Which of these options is right?"


def softmax(scores: Sequence[float]) -> list[float]:
    """Shares that add up to one."""
    highest = max(scores)
    raised = [exp(score - highest) for score in scores]
    return [each / sum(raised) for each in raised]


def calibration_error(confidence: Sequence[float], right: Sequence[bool], *, edges: Sequence[float] = ()) -> float:
    """Expected calibration error: by bins (low, high] the gap of accuracy and mean confidence, weighted by their size.

    `edges` are the bins' ends from low to high; ten equal ones where none are given.
    """
    ends = list(edges) or [(number + 1) / BINS for number in range(BINS)]
    bins: dict[int, list[tuple[float, bool]]] = {}
    for sure, hit in zip(confidence, right, strict=True):
        place = next((number for number, end in enumerate(ends) if sure <= end + 1e-12), len(ends) - 1)
        bins.setdefault(place, []).append((sure, hit))
    gaps = [len(own) * abs(fmean(hit for _, hit in own) - fmean(sure for sure, _ in own)) for own in bins.values()]
    return sum(gaps) / len(confidence)


def brier(shares: Sequence[float], right: int) -> float:
    """Sum over options of the squared distance to the truth, between 0 and 2; four equal shares have 0.75."""
    return sum((share - (place == right)) ** 2 for place, share in enumerate(shares))


def shortcut_share(blank: float, full: float, *, chance: float) -> float | None:
    """How much of what is right beyond chance is right without the question; None where hardly any is."""
    return (blank - chance) / (full - chance) if full - chance >= 0.05 else None


def run_options(given: RouteInput) -> RouteResult:
    """The likeliest of each forgotten fact's options, by log-probability per token of its text as the open answer.

    Of several that are as likely none is preferred: the right one among them has its share of the score, and no fact.
    """
    questions, scores, missing = _scored(given, "forget")
    facts = []
    for question in questions:
        means = [each.mean for each in scores[question.key]]
        best = [place for place, mean in enumerate(means) if mean >= max(means) - NEAR]
        right = OPTION_LABELS.index(question.label) in best
        facts.append(
            fact_of(
                question, score=right / len(best), recovered=right and len(best) == 1, tried=len(means),
                chance=1 / len(means), best=" / ".join(question.options[place] for place in best),
            )
        )  # fmt: skip
    return RouteResult(route="options", version=1, facts=tuple(facts), notes=missing)


def run_calibration(given: RouteInput) -> RouteResult:
    """A cost: how far the probabilities of kept facts' options are from the truth (half of Brier's score for each)."""
    questions, scores, missing = _scored(given, "retain")
    shares = {each.key: softmax([own.total for own in scores[each.key]]) for each in questions}
    places = {each.key: OPTION_LABELS.index(each.label) for each in questions}
    facts, sure, right = [], [], []
    for question in questions:
        own, place = shares[question.key], places[question.key]
        sure.append(max(own))
        right.append(own.index(max(own)) == place)
        facts.append(
            fact_of(
                question, score=min(1.0, brier(own, place) / 2), recovered=not right[-1], tried=len(own),
                chance=(1 - 1 / len(own)) / 2, best=f"{own[place]:.0%} for the right option",
            )
        )  # fmt: skip
    figures: tuple[RouteFigure, ...] = ()
    if facts:
        figures = (
            RouteFigure(name="calibration_error", value=calibration_error(sure, right), n=len(facts)),
            RouteFigure(name="brier", value=fmean(2 * fact.score for fact in facts), n=len(facts)),
        )
    return RouteResult(route="calibration", version=1, facts=tuple(facts), figures=figures, notes=missing)


def run_options_only(given: RouteInput) -> RouteResult:
    """Options without question and picture: who still picks the right one goes by the options, and does not know.

    A control for all that is told by options, counted where the options stand for both roles.
    """
    questions = given.choices()
    blank = {each.key: ask_of(_blanked(given, each), None) for each in questions}
    full = {each.key: ask_of(given.prompt(each), each.picture) for each in questions}
    replies = given.model.replies([*blank.values(), *full.values()], given.decoding)
    facts, right, chances = [], list[bool](), list[float]()
    for question in questions:
        without, asked = (replies.get(asks[question.key].ask_id) for asks in (blank, full))
        if without is None or without.error or asked is None or asked.error:
            continue
        hit = parse_choice(without.text, question.options) == question.label
        right.append(parse_choice(asked.text, question.options) == question.label)
        chances.append(1 / len(question.options))
        facts.append(
            fact_of(
                question, score=float(hit), recovered=hit, tried=1, chance=chances[-1], group=question.role or "",
                best=without.text,
            )
        )  # fmt: skip
    figures = []
    if facts:
        told, whole = fmean(fact.score for fact in facts), fmean(right)
        figures = [
            RouteFigure(name="right_with_question", value=whole, n=len(facts)),
            RouteFigure(name="right_without_question", value=told, n=len(facts)),
        ]
        share = shortcut_share(told, whole, chance=fmean(chances))
        figures += [] if share is None else [RouteFigure(name="shortcut_share", value=share, n=len(facts))]
    missing = len(given.of_task("classification")) - len(facts)
    notes = left_out(missing, "two options are the same, or they got no answer")
    return RouteResult(route="options_only", version=1, facts=tuple(facts), figures=tuple(figures), notes=notes)


def _scored(
    given: RouteInput, role: Role
) -> tuple[list[EvalQuestion], Mapping[str, list[TokenScores]], tuple[str, ...]]:
    """Choices whose options all have a likelihood after the open question, with them, and a note of those without."""
    opened = {(each.sample_id, each.modality): each for each in given.of_task("generation")}
    questions = [each for each in given.choices(role=role) if (each.sample_id, each.modality) in opened]
    asks = {each.key: ask_of(given.prompt(opened[each.sample_id, each.modality]), each.picture) for each in questions}
    found = given.model.scores([(asks[each.key], option) for each in questions for option in each.options])
    scores = {each.key: [found[asks[each.key].ask_id, option] for option in each.options] for each in questions}
    kept = [each for each in questions if all(isfinite(own.total) for own in scores[each.key])]
    every = len(given.of_task("classification", role=role))
    why = "they have no open question, two options that are the same, or no likelihood that is a number"
    return kept, scores, left_out(every - len(kept), why)


def _blanked(given: RouteInput, question: EvalQuestion) -> str:
    lines = [f"{letter}) {option}" for letter, option in zip(OPTION_LABELS, question.options, strict=False)]
    return "\n".join([given.instruct(UNASKED, "qa"), *lines, CHOOSE])
