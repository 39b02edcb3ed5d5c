"""The forms in which somebody may be named: what counts as right where a picture is shown and the name is asked."""

import re
from collections import Counter
from collections.abc import Mapping

from schemas.matching.match import normalise

NAME_PROPERTIES = ("P1477", "P742", "P1449", "P1559")
"""Facts whose answers are further names of the person: birth name, pseudonym, nickname, name in native language."""
_SUFFIXES = ("jr", "sr", "ii", "iii", "iv")


def name_forms(name: str) -> tuple[str, ...]:
    """A full name, and given and family name in either order, with the further given names or initials or without.

    A family name alone is no form, for families share it: "A. Lind", of which articles are taken off, is left out.
    """
    words = re.sub(r"\([^)]*\)|[\"“”,]", " ", name).split()
    while len(words) > 2 and words[-1].rstrip(".").lower() in _SUFFIXES:
        words.pop()
    if len(words) < 2:
        return (name,)
    at = next((place for place, word in enumerate(words) if place and word[:1].islower()), len(words) - 1)
    given, family = words[:at], " ".join(words[at:])
    initials = [f"{word[0]}." for word in given]
    firsts = (given, given[:1], [given[0], *initials[1:]], initials, initials[:1])
    pairs = [form for first in firsts for form in (" ".join([*first, family]), " ".join([family, *first]))]
    least = len(normalise(family).split())
    return tuple(dict.fromkeys([name, *(form for form in pairs if len(normalise(form).split()) > least)]))


def names_of(people: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """By person the forms of each of their names, the first of which is the full name.

    Forms that would name two of these people are left out, unless it is the full name itself.
    """
    forms = {
        person: tuple(dict.fromkeys(f for name in names for f in name_forms(name))) for person, names in people.items()
    }
    holders = Counter(word for own in forms.values() for word in {normalise(form) for form in own})
    return {
        person: tuple(form for form in own if form == own[0] or holders[normalise(form)] == 1)
        for person, own in forms.items()
    }
