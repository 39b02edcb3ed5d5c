"""Candidate values: what else an answer of the type could be, the same values for every model that is asked.

Drawn from what is true of other people of the dataset, under the same property first, so many of each answer type as
fit: 32, 16, 8 or 4 with the right one.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eval.scores.outcome import folded, forms_of, type_of
from eval.tasks.questions import AskedFact

SIZES = (32, 16, 8, 4)
"""How many candidates a fact has, the right one among them."""
FITTING = 0.9
"""Share of a type's facts that must have that many; the others are left out."""
SEED = 7


@dataclass(frozen=True)
class Candidates:
    """Other values by sample_id, without the right one, in a fixed order."""

    others: Mapping[str, tuple[str, ...]]
    too_few: frozenset[str]
    """Samples whose type has fewer than four values, or of which too many are true of the person."""


def candidates_of(facts: Iterable[AskedFact]) -> Candidates:
    """The candidates of every fact of a dataset.

    None is true of the fact's person, under whatever property of the type; none equals another after folding. Raises
    nothing: facts without enough are in `too_few`.
    """
    by_type: dict[str, list[AskedFact]] = {}
    for fact in facts:
        if fact.accepted:
            by_type.setdefault(type_of(fact), []).append(fact)
    others: dict[str, tuple[str, ...]] = {}
    too_few: set[str] = set()
    for own in by_type.values():
        found, lacking = _of_type(sorted(own, key=lambda fact: fact.sample_id))
        others |= found
        too_few |= lacking
    return Candidates(others, frozenset(too_few))


def _of_type(facts: list[AskedFact]) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    texts: dict[str, str] = {}
    holding: dict[str, set[str]] = {}
    """By form the names of the texts that have it."""
    true_of: dict[str, set[str]] = {}
    for fact in facts:
        forms = {form for answer in fact.accepted for form in forms_of(answer)}
        true_of.setdefault(fact.subject_id, set()).update(forms)
        if name := folded(fact.accepted[0].text):
            texts.setdefault(name, fact.accepted[0].text)
            for form in forms:
                holding.setdefault(form, set()).add(name)
    names = sorted(texts)
    barred = {subject: {name for form in forms for name in holding.get(form, ())} for subject, forms in true_of.items()}
    counts = sorted(len(names) - len(barred[fact.subject_id]) + 1 for fact in facts)
    least = counts[int((1 - FITTING) * len(counts))]
    size = next((size for size in SIZES if size <= least), 0)
    of_kind: dict[str, set[str]] = {}
    for fact in facts:
        of_kind.setdefault(fact.kind, set()).add(folded(fact.accepted[0].text))
    pools = {kind: sorted(own & set(names)) for kind, own in of_kind.items()}
    drawn: dict[str, tuple[str, ...]] = {}
    for fact in facts:
        own = barred[fact.subject_id]
        if size and len(names) - len(own) >= size - 1:
            rng = random.Random(f"{SEED}:{fact.sample_id}")
            both = [*_some(pools[fact.kind], size + len(own), rng), *_some(names, 2 * size + len(own), rng)]
            drawn[fact.sample_id] = tuple([texts[name] for name in dict.fromkeys(both) if name not in own][: size - 1])
    return drawn, {fact.sample_id for fact in facts} - set(drawn)


def _some(names: Sequence[str], number: int, rng: random.Random) -> list[str]:
    return rng.sample(names, min(len(names), number))
