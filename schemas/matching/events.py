"""Events: a reply may tell of several, each with its own value; only what is said of the one that is asked for counts.

"She was raised in Oslo but born in Bergen" answers where she was born with Bergen, and "engaged to John Carver, but
married Peter Holm" answers whom she married with Peter Holm.
"""

import re
from functools import lru_cache

from schemas.matching.claims import KIN

_EVENTS = {
    "birth": r"born|births?|birthplace|birthday|native|hails?",
    "death": r"die[sd]?|dying|deaths?|passed away|deceased|killed|buried",
    "youth": r"raised|grew up|grow up|growing up|brought up|childhood|upbringing|reared",
    "home": r"live[sd]?|living|resid\w+|moved|settled|relocated|based|home",
    "work": r"work(?:s|ed|ing)?|employed|employer|jobs?",
    "study": r"stud(?:y|ied|ies|ying)|educated|graduated?|attended|schooled|alma mater",
    "marriage": r"marr(?:y|ied|ies|iage)|wed|wedded|husband|wife|spouse",
    "start": r"join(?:s|ed|ing)?|entered|elected|appointed|beg(?:an|in|un)|start(?:s|ed)?|took office",
    "end": r"left|leaves?|leaving|resign\w*|retire[sd]?|quit|ended|stepped down|until",
    "divorce": r"divorced?|separated from|(?:ex|former)[ -](?:husband|wife|spouse|partner)",
    "courtship": r"engaged|engagement|fianc\w+|dat(?:ed|ing)|romance|relationship with",
}
_NAMED = re.compile(
    r"\b(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _EVENTS.items()) + r")\b", re.IGNORECASE
)
_EXCLUSIVE = (frozenset(("birth", "death")),)
"""Pairs that are never one event, whatever else is said."""
_KIN = re.compile(
    rf"\b(?:her|his|their|whose|\w+'s) (?:\w+ )?{KIN} (?:\w+ ){{0,3}}?(?:is|was|were|are|had|has|came|comes|works?"
    rf"|worked|lives?|lived"
    rf"|died|hails?|moved)\b|\b(?:her|his|their) (?:\w+ )?{KIN}'s? (?:birth\w*|home\s?town|job|profession"
    rf"|occupation|height|weight|country"
    rf"|city|age)\b",
    re.IGNORECASE,
)
_ASKS_FOR_KIN = re.compile(
    rf"\b(?:who|whom|whose|{KIN}|spouse|partner|married|siblings?|relatives?|family|ancestor)\b", re.IGNORECASE
)
_PART = re.compile(
    r"[.;!?,\n()—–]+(?=\s|$)|[(\n]|\s(?:but|and|while|whereas|though|although|before|after|then|yet)\s", re.IGNORECASE
)
_CONCEDES = re.compile(r"\W*(?:even )?(?:though|although|while|whereas|but)\b", re.IGNORECASE)
_SAME = re.compile(r"\b(?:him|them|there|same)\b|\b(?:her|it)\b(?!\s+\w)", re.IGNORECASE)


def about_the_asked(text: str, question: str) -> str:
    """The text without the parts that tell of another event than the question asks for, or of a relative.

    A part is left out only if another one tells of the asked event and brings a value of its own, if it concedes
    something to what is said before, or if it can never be the asked one (a death, where a birth is asked for). A
    question that names no event or several leaves all as it is.
    """
    asked = _asked(question)
    of_others = bool(question) and _KIN.search(text) is not None and not _ASKS_FOR_KIN.search(question)
    if not of_others and not (asked and _NAMED.search(text)):
        return text
    parts = [part for part in _parts(text) if not (of_others and _KIN.search(part))]
    events = [_events(part) for part in parts]
    told = any(asked in found and not _SAME.search(part) for part, found in zip(parts, events, strict=True))
    kept = [
        part
        for number, (part, found) in enumerate(zip(parts, events, strict=True))
        if not asked
        or asked in found
        or not any(_is_another(each, asked, told=told or _is_aside(parts, number)) for each in found)
    ]
    return "".join(kept)


@lru_cache(maxsize=1 << 10)
def _asked(question: str) -> str:
    found = _events(question)
    return found.pop() if len(found) == 1 else ""


def _events(text: str) -> set[str]:
    return {hit.lastgroup for hit in _NAMED.finditer(text) if hit.lastgroup}


def _is_another(event: str, asked: str, *, told: bool) -> bool:
    pair = frozenset((event, asked))
    return told or pair in _EXCLUSIVE


def _is_aside(parts: list[str], number: int) -> bool:
    """Whether a part only concedes something to what is said before it: "Bergen, though she grew up in Oslo"."""
    return _CONCEDES.match(parts[number]) is not None and any(re.search(r"\w", part) for part in parts[:number])


def _parts(text: str) -> list[str]:
    """The text cut before its joints; an event at the end of a part goes on over a word ("born and raised in Oslo")."""
    parts, start = [], 0
    for joint in _PART.finditer(text):
        joins = joint[0].strip().isalpha() and _ends_with_event(text[start : joint.start()])
        if joint.start() > start and not joins:
            parts.append(text[start : joint.start()])
            start = joint.start()
    return [*parts, text[start:]]


def _ends_with_event(part: str) -> bool:
    hits = list(_NAMED.finditer(part))
    return bool(hits) and not part[hits[-1].end() :].strip()
