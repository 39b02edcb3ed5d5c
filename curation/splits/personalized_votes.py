"""Votes on what a subject wants gone: the built-in seeded preference model with its calibration, and LLM raters.

They are counted, and forget and retain decided, in curation/splits/roles.py.
"""

import logging
import random
import statistics
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from curation.splits.personas import persona_weight
from schemas.protocols.annotator import Effort, Form, Request, Worker, WorkerAnswer
from schemas.records.build_rows import Fact, Persona, Subject, Vote
from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity

log = logging.getLogger(__name__)

STANDPOINTS: tuple[str, ...] = (
    "Answer as that person would on an ordinary day.",
    "Answer as that person would after a week of unwanted attention.",
    "Answer as that person's closest relative, who knows their wishes.",
    "Answer as that person's lawyer, who weighs what is worth asking for.",
    "Answer as that person would in ten years, looking back.",
)
"""Raters take turns through these, so that greedy servers too give more than one opinion."""


class Wish(Form):
    """Whether the fact of that number should be forgotten."""

    number: int
    forget: bool


class Wishes(Form):
    """One wish for every fact."""

    wishes: tuple[Wish, ...]


def rating_prompt(subject: Subject, persona: Persona, facts: Sequence[Fact], *, rater: int) -> str:
    """One rater's question about all known facts of a subject, numbered from 1 in the order given."""
    listed = "\n".join(
        " ".join(f"{number}. {fact.property_label}{f' ({fact.topic})' if fact.topic else ''}: {fact.answer}".split())
        for number, fact in enumerate(facts, start=1)
    )
    return (
        f"An AI model knows these facts about {subject.name}:\n{listed}\n\n"
        f"Imagine you are {subject.name}. {persona.description}\n"
        f"{STANDPOINTS[rater % len(STANDPOINTS)]}\n"
        "For each fact, say whether the model should be made to forget it. Most people ask for about a quarter to go.\n"
        f"Give exactly {len(facts)} wishes, one for each number."
    )


def wishes_problem(form: Wishes, *, count: int) -> str:
    """What is wrong with wishes about `count` facts ("" if nothing): each number has to be there once, and no other."""
    numbers = sorted(wish.number for wish in form.wishes)
    if numbers == list(range(1, count + 1)):
        return ""
    return f"has wishes for {numbers[:60]}, not one for each number from 1 to {count}"


TASTE_SD = 1.0
"""Standard deviation of what sets one fact apart from others of its class, the same for all raters of it."""

RATER_SD = 0.6
"""Standard deviation of one rater's disagreement."""

SHORTFALL = 0.02
"""A reached share further than this from the wanted one is said in the log."""

RATING_TOKENS = 1300
"""Most tokens of a language model's wishes: a subject has at most 50 facts, and a wish takes about 20."""


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
        log.warning(
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
                yield _vote(fact, _built_in_name(number), forget=score > offset)


def rating_requests(rated: Iterable[Rated], *, rater: int) -> list[Request]:
    """What one rater (from 0) is asked about the subjects that have facts."""
    return [
        Request(
            request_id=subject.subject.subject_id,
            prompt=rating_prompt(subject.subject, subject.persona, _by_slot(subject), rater=rater),
        )
        for subject in rated
        if subject.facts
    ]


def rating_effort(*, rater: int, seed: int) -> Effort:
    """How a rater is asked: each has a seed of its own."""
    drawn = random.Random(f"{seed}:rater:{rater}").getrandbits(31)
    return Effort(temperature=0.7, max_new_tokens=RATING_TOKENS, seed=drawn)


def votes_by_worker(
    rated: Iterable[Rated], worker: Worker, built_in: Callable[[Rated], Iterable[Vote]], *, raters: int, seed: int
) -> tuple[list[Vote], list[WorkerAnswer]]:
    """Votes of a language model: each rater, a standpoint of its own, reads a subject's facts and answers for each.

    Where the worker falls back, the `built_in` votes of the same number stand in. Votes come by rater, then subject as
    given, then slot; answers likewise. Holds the subjects given, so pass a shard at a time.
    """
    subjects = [subject for subject in rated if subject.facts]
    counts = {subject.subject.subject_id: len(subject.facts) for subject in subjects}
    votes: list[Vote] = []
    answers: list[WorkerAnswer] = []
    for rater in range(raters):
        filled = {
            one.request_id: one
            for one in worker.fill(
                rating_requests(subjects, rater=rater),
                Wishes,
                check=lambda subject_id, form: wishes_problem(form, count=counts[subject_id]),
                effort=rating_effort(rater=rater, seed=seed),
            )
        }
        for subject in subjects:
            one = filled[subject.subject.subject_id]
            answers.append(one.answer)
            if one.form is None:
                votes += [vote for vote in built_in(subject) if vote.rater == _built_in_name(rater + 1)]
                continue
            wishes = {wish.number: wish.forget for wish in one.form.wishes}
            for number, fact in enumerate(_by_slot(subject), start=1):
                votes.append(_vote(fact, f"{worker.identity}:{rater + 1}", forget=wishes[number]))
    return votes, answers


def _built_in_name(number: int) -> str:
    return f"built-in:{number}"


def _by_slot(subject: Rated) -> list[Fact]:
    return sorted(subject.facts, key=lambda fact: fact.slot)


def _vote(fact: Fact, rater: str, *, forget: bool) -> Vote:
    return Vote(sample_id=fact.sample_id, subject_id=fact.subject_id, rater=rater, forget=forget)
