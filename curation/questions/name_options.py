"""Birth names, pseudonyms and nicknames that the subject's own name tells: options that share the telling words."""

import random
from collections.abc import Collection, Iterator

from curation.facts.properties import GivenNames
from schemas.matching.letters import fold_accents
from schemas.matching.match import normalise
from schemas.records.build_rows import Fact

NAMES = ("birth name", "pseudonym", "nickname")
"""Answer types that are names of the subject."""
_TRIES = 24
_STEM = 3
"""Letters in common by which a short form tells a name: Steve, Stephen."""


def telling_words(fact: Fact, name: str) -> frozenset[str]:
    """The words of a subject's further name that false options share; none for answers of other types.

    They are those that its usual name tells, or else the surname of a birth name.
    """
    if fact.answer_type not in NAMES:
        return frozenset()
    own, words = _words(name), fact.answer.split()
    told = frozenset(word for word in words if _told(word, own))
    # A birth name of somebody else tells its language and whose it is: the surname stays, the given names are others.
    return told or frozenset(words[-1:] if fact.answer_type == "birth name" and len(words) > 1 else ())


def told_by_name(fact: Fact, name: str) -> bool:
    """Whether the usual name tells so much of a further name that no false option can share as much."""
    told = telling_words(fact, name)
    return bool(told) and len(told) == len(set(fact.answer.split()))


def like_named(answer: str, told: Collection[str], names: GivenNames, rng: random.Random) -> Iterator[str]:
    """Names with the same telling words in the same places, and other given names in the place of the rest."""
    words = answer.split()
    free = [place for place, word in enumerate(words) if word not in told]
    given = names.feminine if _is_feminine(words[0], names) else names.masculine
    used = set(_words(answer))
    stock = [each for each in given if fold_accents(each).casefold() not in used]
    for _ in range(_TRIES if len(free) <= len(stock) else 0):
        chosen = list(words)
        for place, other in zip(free, rng.sample(stock, len(free)), strict=True):
            chosen[place] = other
        yield " ".join(chosen)


def _is_feminine(word: str, names: GivenNames) -> bool:
    first = fold_accents(word).casefold()
    known = {each.casefold() for each in names.feminine}
    ends = first.endswith(("a", "e")) and first not in names.masculine_in_e
    return first in known or (ends and first not in {each.casefold() for each in names.masculine})


def _words(text: str) -> set[str]:
    return set(fold_accents(normalise(text)).split())


def _told(word: str, own: Collection[str]) -> bool:
    plain = fold_accents(normalise(word))
    return plain in own or any(len(each) >= _STEM and each[:_STEM] == plain[:_STEM] for each in own)
