"""Votes on what a subject wants gone: the built-in seeded preference model with its calibration, and LLM raters."""

import logging
import random
import statistics
from collections.abc import Collection, Iterable, Iterator, Sequence

from curation.personas import persona_weight
from curation.rating_prompts import parse_ratings, rating_prompt
from schemas.problems import BadInput
from schemas.records import Fact, Persona, Subject, Vote
from schemas.responders import Ask, Decoding, Responder
from schemas.tables import Record
from schemas.words import Sensitivity

logger = logging.getLogger(__name__)

TASTE_SD = 1.0
"""Standard deviation of what sets one fact apart from others of its class, the same for all raters of it."""
RATER_SD = 0.6
"""Standard deviation of one rater's disagreement."""
SHORTFALL = 0.02
"""A reached share further than this from the wanted one is said in the log."""


class Calibration(Record):
    """The two thresholds of the preference model and the shares they reach on the facts they were solved on."""

    sensitive_offset: float
    other_offset: float
    forget_share: float
    """Mean over subjects of the share of facts whose majority says forget, before any repair."""
    sensitive_share: float
    """Share of the forget facts that are sensitive."""


class Rated(Record):
    """A subject's known facts and persona: what a rater is shown."""

    subject: Subject
    persona: Persona
    facts: tuple[Fact, ...]


def calibrate(
    rated: Iterable[Rated],
    *,
    sensitive: Collection[Sensitivity],
    raters: int,
    forget_share: float,
    sensitive_share: float,
    seed: int,
) -> Calibration:
    """Solve the thresholds so that majorities reach both shares on the given facts, as nearly as they allow.

    A fact's majority says forget exactly if the median of its raters' scores passes the threshold of its kind, so the
    thresholds lie between two neighbours in the sorted medians: the search is over counts and exact. Where the facts
    hold too few sensitive ones for both shares, the sensitive share is kept and the forget share falls short.
    Holds two numbers a fact in memory.
    """
    scores: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    subjects = 0
    for subject in rated:
        subjects += 1
        for fact in subject.facts:
            middle = statistics.median(_scores(fact, subject.persona, raters=raters, seed=seed))
            scores[fact.sensitivity in sensitive].append((middle, 1 / len(subject.facts)))
    for kind in scores.values():
        kind.sort(reverse=True)
    private, other = scores[True], scores[False]
    wanted = _counts(private, other, total=forget_share * subjects, sensitive_share=sensitive_share)
    weight = sum(share for _, share in private[: wanted[0]]) + sum(share for _, share in other[: wanted[1]])
    found = Calibration(
        sensitive_offset=_between(private, wanted[0]),
        other_offset=_between(other, wanted[1]),
        forget_share=weight / max(1, subjects),
        sensitive_share=wanted[0] / max(1, sum(wanted)),
    )
    if abs(found.forget_share - forget_share) > SHORTFALL or abs(found.sensitive_share - sensitive_share) > SHORTFALL:
        logger.warning(
            "personalized: %d sensitive of %d facts reach a forget share of %.3f (wanted %.3f), %.3f of it sensitive "
            "(wanted %.3f)",
            len(private), len(private) + len(other),
            found.forget_share, forget_share, found.sensitive_share, sensitive_share,
        )  # fmt: skip
    return found


def _counts(
    private: Sequence[tuple[float, float]],
    other: Sequence[tuple[float, float]],
    *,
    total: float,
    sensitive_share: float,
) -> tuple[int, int]:
    """How many sensitive and other facts to forget so that their weights come nearest to `total`."""
    if not private or sensitive_share == 0:
        return 0, _nearest_prefix([weight for _, weight in other], total)
    sums = [0.0]
    for _, weight in other:
        sums.append(sums[-1] + weight)
    best, best_gap, weight_private = (0, 0), total, 0.0
    for count, (_, weight) in enumerate(private, start=1):
        weight_private += weight
        others = min(len(other), round(count * (1 - sensitive_share) / sensitive_share))
        gap = abs(weight_private + sums[others] - total)
        if gap < best_gap:
            best, best_gap = (count, others), gap
    return best


def _nearest_prefix(weights: Sequence[float], total: float) -> int:
    best, best_gap, reached = 0, total, 0.0
    for count, weight in enumerate(weights, start=1):
        reached += weight
        if abs(reached - total) < best_gap:
            best, best_gap = count, abs(reached - total)
    return best


def _between(scores: Sequence[tuple[float, float]], count: int) -> float:
    """A threshold that exactly `count` of the falling scores pass; one beyond the last where all or none pass."""
    if not scores:
        return 0.0
    if count == 0:
        return scores[0][0] + 1
    if count == len(scores):
        return scores[-1][0] - 1
    return (scores[count - 1][0] + scores[count][0]) / 2


def _scores(fact: Fact, persona: Persona, *, raters: int, seed: int) -> list[float]:
    """How much each rater wants the fact gone: the persona's weight for its class, the fact's own pull, and noise."""
    rng = random.Random(f"{seed}:vote:{fact.sample_id}")
    pull = persona_weight(persona.persona, fact.sensitivity) + rng.gauss(0, TASTE_SD)
    return [pull + rng.gauss(0, RATER_SD) for _ in range(raters)]


def votes_by_preference(
    rated: Iterable[Rated],
    calibration: Calibration,
    *,
    sensitive: Collection[Sensitivity],
    raters: int,
    seed: int,
) -> Iterator[Vote]:
    """The built-in raters' votes, `raters` a fact, by subject as given, then by slot; same seed, same votes."""
    for subject in rated:
        for fact in sorted(subject.facts, key=lambda fact: fact.slot):
            offset = calibration.sensitive_offset if fact.sensitivity in sensitive else calibration.other_offset
            for number, score in enumerate(_scores(fact, subject.persona, raters=raters, seed=seed), start=1):
                yield _vote(fact, f"built-in:{number}", forget=score > offset)


def votes_by_responder(rated: Iterable[Rated], responder: Responder, *, raters: int, seed: int) -> Iterator[Vote]:
    """Votes of a language model: each rater, a standpoint of its own, reads a subject's facts and answers for each.

    An answer that is not one yes or no for every fact is asked for once more; raises BadInput if it fails again.
    Votes come by rater, then subject as given, then slot. Holds the subjects given, so pass a shard at a time.
    """
    subjects = list(rated)
    counts = {subject.subject.subject_id: len(subject.facts) for subject in subjects}
    for rater in range(raters):
        asks = {
            subject.subject.subject_id: Ask(
                ask_id=f"{subject.subject.subject_id}|{rater}",
                text=rating_prompt(subject.subject, subject.persona, _by_slot(subject), rater=rater),
            )
            for subject in subjects
            if subject.facts
        }
        answers = _answers(asks, responder, counts=counts, seed=f"{seed}:{rater}")
        for subject in subjects:
            if not subject.facts:
                continue
            wishes = answers[subject.subject.subject_id]
            for fact, forget in zip(_by_slot(subject), wishes, strict=True):
                yield _vote(fact, f"{responder.identity}:{rater + 1}", forget=forget)


def _answers(asks: dict[str, Ask], responder: Responder, *, counts: dict[str, int], seed: str) -> dict[str, list[bool]]:
    """Parsed answers by subject id, with one more round for those that did not parse."""
    answers: dict[str, list[bool]] = {}
    problem = ""
    for attempt in range(2):
        pending = {ask.ask_id: subject_id for subject_id, ask in asks.items() if subject_id not in answers}
        if not pending:
            break
        decoding = Decoding(
            temperature=0.7,
            max_new_tokens=16 + 8 * max(counts.values()),
            seed=random.Random(f"{seed}:{attempt}").getrandbits(31),
        )
        for reply in responder.answer([asks[subject_id] for subject_id in pending.values()], decoding):
            subject_id = pending[reply.ask_id]
            parsed = parse_ratings(reply.text, count=counts[subject_id]) if not reply.error else None
            if parsed is None:
                problem = f"subject {subject_id}: {reply.error or repr(reply.text[:120])}"
            else:
                answers[subject_id] = parsed
    missing = sorted(set(asks) - set(answers))
    if missing:
        raise BadInput(
            f"rater {responder.identity}",
            f"gave no yes or no for every fact of {len(missing)} subjects, asked twice ({problem or missing[0]})",
            'name another model, or rater = "built-in"',
        )
    return answers


def _by_slot(subject: Rated) -> list[Fact]:
    return sorted(subject.facts, key=lambda fact: fact.slot)


def _vote(fact: Fact, rater: str, *, forget: bool) -> Vote:
    return Vote(sample_id=fact.sample_id, subject_id=fact.subject_id, rater=rater, forget=forget)
