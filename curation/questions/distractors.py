"""False options of a classification question: real answers to the same question about other people, or near values."""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import NamedTuple

from curation.facts.properties import PropertyTable
from curation.questions.name_options import like_named, telling_words
from schemas.matching.amounts import amount_text, amounts_in
from schemas.matching.blood_types import blood_type
from schemas.matching.dates import date_text, dates_in
from schemas.matching.match import contains, form_digest, match, normalise
from schemas.records.build_rows import AcceptedAnswer, Fact, Subject

OPTIONS = 3
"""False options of a question."""

_TRIES = 24
"""Options looked at in a pool before the next pool is tried; then the whole pools, and last the table's fallback."""
_NO_ERA_FROM = 1000
"""Years before it are written with their era, and would be told from those without."""
_WORKS = {"writing": "writing", "film_and_stage": "film", "music": "music", "arts": "art"}
"""Kind of a work whose own class is not known, by the occupation group of whoever made it."""
_MONEY_FACTORS = (0.2, 0.3, 0.5, 0.7, 1.5, 2.0, 3.0, 5.0)


class Offered(NamedTuple):
    """What of a fact goes into the pool: some columns of the table are read in a tenth of the time of its rows."""

    property_id: str
    answer_type: str
    answer: str
    kind: str = ""
    value_id: str = ""
    reached_ids: tuple[str, ...] = ()


class Meant(NamedTuple):
    """What an answer of the pool is known to mean, by whichever facts it answers."""

    kinds: frozenset[str]
    value_ids: frozenset[str]
    reached_ids: frozenset[str]


@dataclass(frozen=True)
class DistractorPool:
    """Answers of a build, sorted, each once: by property (the same question) and by answer type (the same kind)."""

    by_property: Mapping[str, tuple[str, ...]]
    by_type: Mapping[str, tuple[str, ...]]
    meant: Mapping[tuple[str, str], Meant] = field(default_factory=dict)
    """By answer type and normalised answer."""
    withdrawn: frozenset[tuple[str, str]] = frozenset()
    """Answers that only rejected facts give, likewise: never offered, and every other option stays where it was."""


def distractor_pool(facts: Iterable[Fact | Offered], *, rejected: Sequence[Fact | Offered] = ()) -> DistractorPool:
    """The pool of the facts given, of whoever may be heard of in others' questions; their order does not matter.

    Answers of `rejected` facts keep their places in it, so that options are drawn as if nothing had been rejected, but
    what no other fact answers with is no option.
    """
    standing: set[tuple[str, str]] = set()
    by_property: dict[str, dict[str, str]] = {}
    by_type: dict[str, dict[str, str]] = {}
    meant: dict[tuple[str, str], list[Fact | Offered]] = {}
    for fact, stands in chain(zip(facts, repeat(True)), zip(rejected, repeat(False))):
        key = normalise(fact.answer)
        if stands:
            standing.add((fact.answer_type, key))
        if fact.value_id:
            meant.setdefault((fact.answer_type, key), []).append(fact)
        for pool, name in ((by_property, fact.property_id), (by_type, fact.answer_type)):
            known = pool.setdefault(name, {})
            known[key] = min(fact.answer, known.get(key, fact.answer))
    return DistractorPool(
        by_property={name: tuple(sorted(known.values())) for name, known in sorted(by_property.items())},
        by_type={name: tuple(sorted(known.values())) for name, known in sorted(by_type.items())},
        meant={
            place: Meant(
                frozenset(fact.kind for fact in found),
                frozenset(fact.value_id for fact in found),
                frozenset(qid for fact in found for qid in fact.reached_ids),
            )
            for place, found in meant.items()
        },
        withdrawn=frozenset((fact.answer_type, normalise(fact.answer)) for fact in rejected) - standing,
    )


def distractors(
    fact: Fact,
    others: Sequence[Fact],
    pool: DistractorPool,
    table: PropertyTable,
    rng: random.Random,
    *,
    subject: Subject,
) -> list[str] | None:
    """Three options that are false for the subject and unlike each other, or None if there are not so many.

    They are answers to the same question about others, then answers of the same type to other questions, and only
    where the pool has fewer than three that will do, values of the table's fallback: those are of the real world, and
    stand out beside people of an embedded one. Dates and numbers are made up nearby. `others` are the subject's facts:
    none of their answers of the same type is offered, since it may be true here too. Nor is the subject's name, or what
    the subject's description says. A work whose own kind is not known is taken for one of the subject's trade.
    """
    chosen: list[str] = []
    told = telling_words(fact, subject.name)
    kind = _WORKS.get(subject.occupation_group, "") if fact.answer_type == "work" else ""
    stock = _stock(fact, kind, table)
    for option in _candidates(fact, pool, table, rng, told, stock, subject.name):
        fits = bool(told) or fact.answer_type == "birth name" or _fits(option, fact, others, pool, stock)
        false = fits and _is_false(option, fact, others, "" if told else subject.name)
        if (
            false
            and not (subject.description and contains(subject.description, option))
            and not any(_alike(option, each) for each in chosen)
        ):
            chosen.append(option)
            if len(chosen) == OPTIONS:
                return chosen
    return None


def _candidates(
    fact: Fact,
    pool: DistractorPool,
    table: PropertyTable,
    rng: random.Random,
    told: Collection[str],
    stock: Sequence[str],
    name: str,
) -> Iterator[str]:
    first = fact.accepted[0]
    if first.kind == "date":
        yield from _near_dates(first, rng, table.latest_year)
        return
    if first.kind == "number":
        yield from _near_numbers(first, rng)
        return
    if told or fact.answer_type == "birth name":
        names, others = table.names.get(fact.kind, table.names["mul"]), pool.by_property.get("P1477", ())
        yield from like_named(fact.answer, told, names, rng, name=name, others=others)
        return
    same_question = pool.by_property.get(fact.property_id, ())
    same_type = pool.by_type.get(fact.answer_type, ())
    for options in (same_question, same_type):
        yield from rng.sample(options, min(_TRIES, len(options)))
    yield from same_question
    yield from same_type
    yield from rng.sample(stock, len(stock))


def _stock(fact: Fact, kind: str, table: PropertyTable) -> Sequence[str]:
    """The table's values of the answer's type and kind."""
    of_type = table.fallback.get(fact.answer_type, ())
    of_kind = table.fallback.get(f"{fact.answer_type}/{fact.kind or kind}", ())
    return of_kind if fact.kind else (of_kind or of_type)


def _fits(option: str, fact: Fact, others: Sequence[Fact], pool: DistractorPool, stock: Collection[str]) -> bool:
    """Whether an option is of the answer's kind, and by its id neither true nor broader or narrower than what is."""
    if fact.accepted[0].kind != "text":
        return True
    if (fact.answer_type, normalise(option)) in pool.withdrawn:
        return False
    meant = pool.meant.get((fact.answer_type, normalise(option)))
    if fact.kind and (option not in stock if meant is None else fact.kind not in meant.kinds):
        return False
    if meant is None:
        return True
    if not fact.kind and "" not in meant.kinds:
        return False
    true = {fact.value_id, *fact.true_ids}
    reached = set(fact.reached_ids)
    for each in others:
        if each.answer_type == fact.answer_type:
            true |= {each.value_id, *each.true_ids}
            reached |= set(each.reached_ids) if each.property_id == fact.property_id else set()
    true -= {""}
    return not (meant.value_ids & (true | reached)) and not (meant.reached_ids & true)


def _is_false(option: str, fact: Fact, others: Sequence[Fact], name: str) -> bool:
    if form_digest(option) in fact.withheld_digests:
        return False
    first = fact.accepted[0]
    if first.kind == "date":
        return match(option, (*fact.accepted, *_dates(fact.withheld))) is None
    if first.kind == "number":
        said = [first.model_copy(update={"number": found.number}) for found in amounts_in(option)[:1]]
        return match(option, fact.accepted) is None and not any(match(text, said) for text in fact.withheld)
    if name and (contains(name, option) or contains(option, name)):
        return False
    true = [*fact.withheld]
    for each in (fact, *others):
        if each.answer_type == fact.answer_type:
            true += [answer.text for answer in each.accepted]
    return not any(_alike(option, text) for text in true)


def _dates(texts: Sequence[str]) -> list[AcceptedAnswer]:
    """The dates of texts as answers, so that a finer date within one agrees with it."""
    return [
        AcceptedAnswer(kind="date", text=text, year=found.year, month=found.month, day=found.day)
        for text in texts
        for found in dates_in(text)[:1]
    ]


def _alike(option: str, other: str) -> bool:
    """Whether one has all words of the other in a row: "Cambridge" and "University of Cambridge" are not told apart.

    Nor are blood types of one group, unless their signs differ: "AB+", "AB positive" and "AB".
    """
    first, second = blood_type(option), blood_type(other)
    if first is not None and second is not None:
        return first.group == second.group and (first.sign == second.sign or not (first.sign and second.sign))
    return normalise(option) == normalise(other) or contains(option, other) or contains(other, option)


def _near_dates(answer: AcceptedAnswer, rng: random.Random, latest_year: int) -> Iterator[str]:
    steps = [step for step in range(-9, 10) if step]
    rng.shuffle(steps)
    for step in steps:
        year = answer.year + step
        if year > latest_year or year == 0 or (year > 0) != (answer.year > 0):
            continue
        if (year < _NO_ERA_FROM) != (answer.year < _NO_ERA_FROM):
            continue
        month = rng.randint(1, 12) if answer.month else 0
        yield date_text(year, month, rng.randint(1, 28) if answer.day else 0)


def _near_numbers(answer: AcceptedAnswer, rng: random.Random) -> Iterator[str]:
    if answer.unit == "centimetre":
        numbers = [answer.number + sign * step for sign in (-1, 1) for step in (5, 9, 13, 17)]
    elif answer.unit:
        digits = max(2, len(f"{answer.number:.15g}".replace(".", "").strip("0")))  # as many as the answer says
        factors = [factor + (0.037 * number if digits > 3 else 0.0) for number, factor in enumerate(_MONEY_FACTORS)]
        numbers = [float(f"{answer.number * factor:.{digits}g}") for factor in factors]
    else:
        numbers = [answer.number + step for step in (-3, -2, -1, 1, 2, 3, 4) if answer.number + step >= 0]
    rng.shuffle(numbers)
    for number in numbers:
        yield amount_text(number, answer.unit)
