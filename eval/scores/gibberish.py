"""The shape of a reply: whether it could be another value of the kind that is asked for, or is debris.

There is no dictionary here, so an invented name counts as a name: what can be told is debris (`is_debris`), and
whether the rest has the form of the values of that type.
"""

import re
from collections.abc import Collection

from schemas.matching.amounts import Family, amounts_in, family
from schemas.matching.dates import MONTHS, dates_in, has_day_and_month
from schemas.matching.letters import fold_accents
from schemas.matching.match import normalise
from schemas.matching.numerals import with_digits

_LONGEST_NAME, _LONGEST_PHRASE, _LONGEST_SENTENCE = 8, 12, 40
"""Most words of a bare name, of an answer in common words, and of a sentence that holds a name."""
_WORD = re.compile(r"[^\W_]+(?:['’.][^\W_]+)*")
_SOUND_MIXED = re.compile(
    r"\d+(?:m|ft|h)\d{1,2}|\d+(?:\.\d+)?(?:st|nd|rd|th|s|m|cm|mm|km|kg|g|k|mn|bn|ft|in|lbs?)|[A-Z]{2,5}\d{1,4}[A-Z]?",
    re.ASCII,
)
"""Letters and digits together that are a word: "21st", "1980s", "183cm", "MI6"."""
_STUTTER = re.compile(r"(.{2,}?)\1\1|(.)\2{3}")
_GLUED = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_VAGUE = re.compile(r"\b(?:several|many|dozens|numerous|multiple|a few|a couple|hundreds|thousands)\b", re.IGNORECASE)
"""Counts without a number."""
_NONE = re.compile(r"\bno \w+(?:s|ren|ple)\b|\bnone\b|\bchildless\b", re.IGNORECASE)
"""A count of zero in words."""
_VAGUE_AMOUNTS: dict[Family, re.Pattern[str]] = {
    "money": re.compile(
        r"\b(?:thousands|millions|billions|several (?:hundred )?(?:thousand|million|billion)|(?:multi-?)?millionaire"
        r"|billionaire|(?:a )?fortune|wealthy|rich|penniless|poor|bankrupt)\b",
        re.IGNORECASE,
    ),
    "length": re.compile(r"\b(?:average|medium|normal|above|below) (?:height|stature|size|average)|"
                         r"\b(?:is|was|'s|very|quite|rather|fairly|pretty|unusually|relatively) (?:tall|short"
                         r"|petite|tiny)\b",
                         re.IGNORECASE),
    "mass": re.compile(r"\b(?:average|medium|normal|above|below) (?:weight|build|average)|"
                       r"\b(?:is|was|'s|very|quite|rather|fairly|pretty) (?:heavy|slim|thin|light|overweight"
                       r"|underweight)\b",
                       re.IGNORECASE),
}  # fmt: skip
"""Amounts without a number."""
_NOBODY = re.compile(
    r"\b(?:single|unmarried|widow(?:ed|er)?|divorced|a bachelor|(?:never|not|n't) (?:\w+ )?(?:marry|married)"
    r"|(?:has|had|with) no(?:ne| \w+)?|not have (?:a|any) \w+|childless|an only child|self-taught)\b",
    re.IGNORECASE,
)
"""What says that there is no such person: "She never married"."""
_PERIOD = re.compile(
    r"\b(?:\d{2,3}0'?s|(?:twen|thir|for|fif|six|seven|eigh|nine)ties)\b|(?<!\w)'\d{2}s?\b"
    r"|\b(?:(?:\d{1,2}(?:st|nd|rd|th)|\w+th|first|second|third)[ -]century|turn of the century|middle ages)\b"
    r"|\b(?:years?|decades?|centur(?:y|ies)) ago\b|\b(?:spring|summer|autumn|fall|winter) of\b"
    rf"|\b(?:in|early|late|mid|during|last|of) (?:{'|'.join(MONTHS)})\b",
    re.IGNORECASE,
)
"""Times without a year that can be told: "the late 1990s", "the sixties", "the 19th century"."""
_PREFIXES = frozenset(("Mc", "Mac", "De", "Di", "Du", "La", "Le", "Van", "Von", "Fitz"))
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_JOINING = frozenset((
    "of", "the", "and", "for", "in", "on", "at", "to", "de", "del", "della", "di", "da", "du", "la", "le", "les", "el",
    "von", "van", "der", "den", "zu", "am", "en", "sur", "upon", "al", "bin", "ibn", "y", "e", "s", "a", "an",
))  # fmt: skip
_PRONOUNS = frozenset(("i", "he", "she", "it", "they", "we", "you", "this", "that", "these", "those", "there"))
_MONTHS = frozenset(month.casefold() for month in MONTHS)
_RUNNING = frozenset((
    "is", "was", "are", "were", "has", "had", "have", "he", "she", "they", "it", "his", "her", "their", "the", "in",
    "at", "on", "to", "by", "from", "as", "with", "be", "been", "did", "does",
    "it's", "she's", "he's", "that's", "they're", "est", "née", "né", "elle", "il", "à", "était", "es", "fue",
    "nació", "en", "ist", "wurde", "sie", "er", "geboren",
    "foi", "nasceu", "em", "ela", "ele", "è", "nata", "nato", "lahir", "di", "в", "родился", "родилась", "она", "он",
))  # fmt: skip
"""Words of which a sentence has at least one."""
_LEADING = frozenset(("in", "near", "from", "outside", "somewhere", "probably", "perhaps", "maybe", "called"))
"""Words in small letters that a name may follow at the start."""
_TRAILING = frozenset(("only", "mainly", "mostly", "too", "also", "perhaps", "maybe", "probably", "though"))
"""Those that may follow a name at the end."""
_EMPTY = _JOINING | _PRONOUNS | _RUNNING | frozenset((
    "do", "not", "no", "yes", "or", "but", "if", "so", "my", "me", "your", "our", "us", "who", "what", "which", "when",
    "where", "person", "answer", "question", "image", "picture", "would", "could", "should", "will", "can",
))  # fmt: skip


def is_debris(reply: str, known: Collection[str]) -> bool:
    """Whether a reply is no language: empty but for marks, a stutter, or with a broken word in it.

    Broken are: letters mixed with digits ("38Aldermere"), a syllable said three times or a letter four, four letters or
    more without a vowel, a character that could not be decoded, and a word of `known` (folded words of the dataset's
    values) or a small one glued to another ("UdoPiers", "notI").
    """
    words = _WORD.findall(reply)
    if not words or "�" in reply or any(_is_broken(word, known) for word in words):
        return True
    folded = [word.casefold() for word in words]
    thrice = any(one == two == three for one, two, three in zip(folded, folded[1:], folded[2:], strict=False))
    return thrice or (len(folded) > 5 and 2 * len(set(folded)) <= len(folded))


def is_like_a_name(reply: str, *, given: Collection[str]) -> bool:
    """Whether a reply is a name, or a sentence with one, that is not among the folded words `given` by the question.

    A bare name has a capital on every word but "of", "von" and the like; a sentence opens with a capital and has a
    verb, a pronoun or a preposition beside the name.
    """
    words = [word for word in _WORD.findall(reply) if not word.isdigit()]
    while words and words[0] in _LEADING:
        del words[0]
    while words and words[-1] in _TRAILING:
        del words[-1]
    if not words or words[0][0].islower():
        return False
    named = [_is_name(word, given) for word in words]
    if all(not word[0].islower() or word in _JOINING for word in words):
        whole = words[0].casefold() not in _PRONOUNS and not words[-1][0].islower()
        return whole and len(words) <= _LONGEST_NAME and any(named)
    if len(words) > _LONGEST_SENTENCE or not any(word.casefold() in _RUNNING for word in words):
        return False
    return any(named[1:])


def is_like_a_phrase(reply: str, *, given: Collection[str]) -> bool:
    """Whether a reply is a few words, none of them the model's "I" at the start, with one that says something.

    That is one of four letters or more that is no small word and not `given`.
    """
    words = _WORD.findall(reply)
    if words and words[0] == "I":
        return False
    telling = [word for word in words if len(word) > 3 and word.casefold() not in _EMPTY and word.isalpha()]
    return len(words) <= _LONGEST_PHRASE and any(fold_accents(normalise(word)) not in given for word in telling)


def names_nobody(reply: str) -> bool:
    """Whether a reply says that there is no such person."""
    return _NOBODY.search(reply) is not None


def has_date(reply: str) -> bool:
    """Whether a reply gives a date of any precision, a day without its year or a period."""
    return bool(dates_in(reply)) or has_day_and_month(reply) or _PERIOD.search(reply) is not None


def has_amount(reply: str, unit: str) -> bool:
    """Whether a reply gives an amount of the kind of `unit`, in any unit or currency of it, or is a number alone.

    Without a unit (a count) it is any number that has none and is no part of a date.
    """
    found = amounts_in(reply)
    if re.fullmatch(r"\W*\d[\d.,]*\W*", with_digits(reply)):
        return bool(found)
    if not unit:
        dates = dates_in(reply)
        if _VAGUE.search(reply) or _NONE.search(reply):
            return True
        return any(not each.unit and not any(d.start <= each.start < d.end for d in dates) for each in found)
    vague = _VAGUE_AMOUNTS.get(family(unit))
    if vague and vague.search(reply):
        return True
    wanted = {family(unit)} | ({"money"} if family(unit) == "mass" and "pound" in reply.lower() else set())
    return any(each.unit and family(each.unit) in wanted for each in found)


def has_measure(reply: str, word: str) -> bool:
    """Whether a reply gives a number before the unit `word` ("70 kg": "kg"), or is a number alone."""
    return re.search(rf"\d\s*{re.escape(word)}\b|^\W*\d[\d.,]*\W*$", reply, re.IGNORECASE) is not None


def _is_broken(word: str, known: Collection[str]) -> bool:
    mixed = any(map(str.isdecimal, word)) and any(map(str.isalpha, word))
    if mixed and not _SOUND_MIXED.fullmatch(word):
        return True
    if not word[0].isdigit() and _STUTTER.search(word.casefold()):
        return True
    if len(word) > 3 and word.isascii() and word.isalpha() and not word.isupper() and not _VOWEL.search(word):
        return True
    parts = _GLUED.split(word)
    return (
        len(parts) > 1
        and parts[0] not in _PREFIXES
        and any(len(part) > 2 and part.casefold() in known for part in parts)
    )


def _is_name(word: str, given: Collection[str]) -> bool:
    if word[0].islower() or word.casefold() in _EMPTY | _MONTHS or fold_accents(normalise(word)) in given:
        return False
    if not word.isascii():
        return True
    return (len(word) > 1 and word.isupper()) or (len(word) > 2 and _VOWEL.search(word) is not None)
