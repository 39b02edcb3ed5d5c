"""Birth names, pseudonyms and nicknames that the subject's own name tells: options that share the telling words."""

import random
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from curation.facts.properties import NameStock
from schemas.matching.letters import fold_accents
from schemas.matching.match import normalise
from schemas.records.build_rows import Fact

NAMES = ("birth name", "pseudonym", "nickname")
"""Answer types that are names of the subject."""
_TRIES = 24
_LEAST_SURNAMES = 8
_STEM = 3
"""Letters in common by which a short form tells a name: Steve, Stephen."""
_PARTS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*\.?")
MASCULINE_IN_E = frozenset({
    "george", "eugene", "clarence", "lawrence", "bruce", "wayne", "dale", "kyle", "luke", "clive", "pierre", "andre",
    "jose", "mike", "steve", "dave", "joe", "joshua", "ezra", "luca", "andrea", "nicola", "ilya", "nikita", "sasha",
    "maurice", "duke", "prince", "jesse", "claude", "giuseppe", "felipe", "vicente", "jorge", "enrique", "philippe",
    "antoine", "jacque", "ole", "arne", "helge", "uwe", "kuba", "kosma", "dante", "salvatore", "davide", "cesare",
})  # fmt: skip
"""Men's names that end like women's."""
_PARTICLES = frozenset({"de", "da", "do", "dos", "del", "della", "di", "du", "la", "le", "van", "von", "der", "den",
                        "zu", "af", "av", "y", "e", "i", "bin", "ibn", "al", "el", "ter", "ten"})  # fmt: skip
_SHORT_FORMS = {
    "bill": "william", "billy": "william", "bob": "robert", "bobby": "robert", "dick": "richard", "jack": "john",
    "peggy": "margaret", "meg": "margaret", "tony": "anthony", "ted": "edward", "ned": "edward", "harry": "henry",
    "hank": "henry", "larry": "lawrence", "chuck": "charles", "jim": "james", "jimmy": "james", "jerry": "gerald",
    "betty": "elizabeth", "bess": "elizabeth", "molly": "mary", "polly": "mary", "nell": "eleanor", "sally": "sarah",
    "kate": "catherine", "kitty": "catherine", "fritz": "friedrich", "sasha": "alexander", "pepe": "jose",
    "paco": "francisco", "gus": "august", "gene": "eugene", "drew": "andrew", "sandy": "alexander", "misha": "mikhail",
}  # fmt: skip
"""Short forms that have no stem in common with their name."""


def telling_words(fact: Fact, name: str) -> frozenset[str]:
    """The parts of a subject's further name that false options share; none for answers of other types.

    They are those that its usual name tells, or else the surname of a birth name.
    """
    if fact.answer_type not in NAMES:
        return frozenset()
    parts = _parts(fact.answer)
    told = _told_parts(parts, name)
    if fact.answer_type != "birth name" and all(len(part.strip(".")) == 1 for part in told):
        told = frozenset()
    # A birth name of somebody else tells its language and whose it is: the surname stays, the given names are others.
    return told or frozenset(parts[-1:] if fact.answer_type == "birth name" and len(parts) > 1 else ())


def told_by_name(fact: Fact, name: str) -> bool:
    """Whether the usual name tells so much of a further name that no false option can share as much.

    That is all of it, or, of a nickname, which is made of no names, any word.
    """
    told = telling_words(fact, name)
    if fact.answer_type == "nickname":
        return bool(told) or _are_initials(fact.answer, name)
    return bool(told) and not set(_parts(fact.answer)) - told - _PARTICLES


def like_named(
    answer: str,
    told: Collection[str],
    names: NameStock,
    rng: random.Random,
    *,
    name: str,
    others: Iterable[str] = (),
) -> Iterator[str]:
    """Names with the same telling parts in the same places, and other names in the place of the rest.

    None of those is a part of the subject's usual `name`. The last part is a surname unless it is told, and the others
    are given names; particles stay, and initials stay initials. Surnames are those of `others`, if they are enough.
    """
    found = list(_PARTS.finditer(answer))
    free = [at for at, part in enumerate(found) if part[0] not in told and part[0].casefold() not in _PARTICLES]
    double = len(found) > 1 and answer[found[-2].end() : found[-1].start()] == "-"
    last = {len(found) - 1, len(found) - 2 if double else len(found) - 1} & set(free)
    found_surnames = sorted({parts[-1] for each in others if len(parts := _parts(each)) > 1})
    surnames_of = found_surnames if len(found_surnames) >= _LEAST_SURNAMES else names.surnames
    given = names.feminine if _is_feminine(found[0][0], names) else names.masculine
    for _ in range(_TRIES):
        surnames = _drawn(surnames_of, f"{answer} {name}", len(last), rng)
        first = _drawn(given, f"{answer} {name}", len(free), rng)
        if surnames is None or first is None:
            return
        said, end = "", 0
        for at, part in enumerate(found):
            said += answer[end : part.start()]
            other = part[0] if at not in free else surnames.pop() if at in last else first.pop()
            said += f"{other[0]}." if at in free and len(part[0].strip(".")) == 1 else other
            end = part.end()
        yield said + answer[end:]


def _drawn(stock: Sequence[str], known: str, number: int, rng: random.Random) -> list[str] | None:
    """So many names of the stock that are none of those known; None where there are too few."""
    used = _words(known)
    left = [each for each in stock if fold_accents(each).casefold() not in used]
    return rng.sample(left, number) if number <= len(left) else None


def _is_feminine(word: str, names: NameStock) -> bool:
    first = fold_accents(word).casefold()
    known = {each.casefold() for each in names.feminine}
    ends = first.endswith(("a", "e")) and first not in MASCULINE_IN_E
    return first in known or (ends and first not in {each.casefold() for each in names.masculine})


def _parts(text: str) -> list[str]:
    return [part[0] for part in _PARTS.finditer(text)]


def _words(text: str) -> set[str]:
    return set(fold_accents(normalise(text.replace("-", " "))).split())


def _told_parts(parts: Sequence[str], name: str) -> frozenset[str]:
    own = [fold_accents(normalise(each)) for each in _parts(name)]
    return frozenset(
        part
        for at, part in enumerate(parts)
        if part.casefold() not in _PARTICLES and _told(part, own, first=at == 0 or len(parts) == 1)
    )


def _told(part: str, own: Sequence[str], *, first: bool) -> bool:
    """Whether a part is one of the own name, or, at the beginning, a short or long form of its first."""
    plain = fold_accents(normalise(part))
    if not plain:
        return False
    if plain in own:
        return True
    initial = len(plain) == 1 and any(each.startswith(plain) for each in own)
    heads = own[:1] if first else ()
    near = any(
        each[:_STEM] == plain[:_STEM] or plain in each or (each[:2] == plain[:2] and plain.endswith(("ie", "y", "i")))
        for each in heads
        if len(each) >= _STEM and len(plain) >= _STEM
    )
    short = any(_SHORT_FORMS.get(plain, plain) == _SHORT_FORMS.get(each, each) for each in heads)
    return initial or near or short


def _are_initials(answer: str, name: str) -> bool:
    letters = "".join(letter for letter in answer if letter.isalpha())
    initials = "".join(part[0] for part in _parts(name))
    return letters.isupper() and len(letters) > 1 and letters.startswith(initials.upper())
