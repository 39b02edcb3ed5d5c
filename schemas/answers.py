"""Matching of a reply against a fact's accepted answers; probing, questions and evaluation share it.

The rules, all of them pinned by tests:
- blood types are one word each, however written ("A+", "A Rh positive", "A positive" but not "O positive");
- text matches if its words stand in the reply one after the other (case, accents, punctuation and articles do not
  count). Forms of one character or of stop words only must be the whole reply; forms of two or three letters must
  stand in the same case ("US" is not "us");
- a date matches if the reply gives it at the accepted precision or finer: a year does not answer for a day;
- a number matches within its tolerance after unit conversion; of a count only the first number of the reply is read;
- a refusal matches nothing, and neither does a denied answer ("not Paris");
- alternatives do not match unless all are accepted ("Paris or London", "1961 or 1962"); a list with "and" does.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.amounts import amounts_in, same_amount
from schemas.blood_types import with_blood_types_joined
from schemas.dates import FoundDate, dates_in
from schemas.records import AcceptedAnswer

_STOP_WORDS = frozenset((
    "a", "an", "the", "and", "or", "of", "in", "on", "at", "to", "by", "for", "from", "with", "as", "is", "was",
    "are", "were", "be", "been", "it", "its", "he", "his", "him", "she", "her", "they", "their", "them", "this",
    "that", "who", "what", "which", "when", "where", "me", "my", "i", "we", "us", "our", "you", "your", "no", "not",
    "yes", "none", "unknown", "other", "man", "woman", "person", "one", "born", "died",
))  # fmt: skip
_NEGATORS = frozenset((
    "not", "never", "neither", "nor", "without", "isnt", "wasnt", "arent", "werent", "doesnt", "didnt", "dont",
    "hasnt", "havent", "cannot", "cant", "no",
))  # fmt: skip
_BREAKS = ",;:.!?()\n—–"
_ASCII_WORDS = re.compile(r"[A-Za-z0-9+#]+|[,;:.!?()\n]")
_SENTENCE_BREAKS = ";.!?\n"
_NEGATION_REACH, _ALTERNATIVE_REACH, _ALTERNATIVE_WORDS = 5, 4, 8

_REFUSAL = re.compile(
    r"\b(?:i (?:really )?(?:dont|do not|cannot|cant) (?:actually )?(?:know|say|tell|recall|remember|recogni[sz]e)"
    r"|(?:cannot|can not|cant|could not|couldnt|unable to|not able to|not possible to|impossible to) "
    r"(?:\w+ )?(?:identify|determine|tell|say|recogni[sz]e|provide|answer|confirm|find|name|assist|help|verify)"
    r"|(?:im|i am) (?:\w+ )?(?:not sure|not certain|sorry|unable|not able)|i have no (?:idea|information)"
    r"|no (?:reliable |public )?information|(?:not|isnt) (?:publicly )?(?:known|available|certain|disclosed)"
    r"|(?:insufficient|not enough) information|as ai|as an ai|(?:is|remains) unknown)\b|^unknown$"
)
_POSSESSIVE = re.compile(r"(?<=\w)'s\b", re.IGNORECASE)
_SPACED_INITIALS = re.compile(r"\b([^\W\d_])\.\s+(?=[^\W\d_]\.)")
_INITIAL = re.compile(r"\b([^\W\d_])\.")
_UNDECOMPOSED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "−": "-", "‑": "-"})
_DENIED = re.compile(r"(?:\b(?:not|never|neither|nor)\b|n't\b)(?! only\b)[^,.;:!?]{0,25}$", re.IGNORECASE)
_OR = re.compile(r"\bor\b(?!\s+(?:so|more|less)\b)", re.IGNORECASE)


class _Words(NamedTuple):
    """A text cut into words: case-folded, as written, and the number of the clause and sentence each stands in."""

    folded: tuple[str, ...]
    written: tuple[str, ...]
    clause: tuple[int, ...]
    sentence: tuple[int, ...]


def normalise(text: str) -> str:
    """The words of a text, case-folded, without punctuation, possessives and articles, one space between."""
    return " ".join(_words(text).folded)


def form_digest(text: str) -> str:
    """A short digest of the words of a text, for forms that are to be recognised and named nowhere."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]


def fold_accents(text: str) -> str:
    """The text without accents: "Kraków" becomes "Krakow"."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_UNDECOMPOSED))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def match(reply: str, accepted: Sequence[AcceptedAnswer], *, heed_refusals: bool = True) -> AcceptedAnswer | None:
    """The first accepted answer that the reply gives, or None. See the module's rules.

    Without `heed_refusals` an answer beside a refusal counts: evaluation takes refusals away itself (eval/refusals.py).
    """
    words = _words(reply)
    whole = " ".join(words.folded)
    for answer in accepted:
        if _is_whole(reply, whole, answer.text):
            return answer
    plain = fold_accents(whole)
    if (
        not whole
        or (heed_refusals and _REFUSAL.search(plain))
        or len(re.findall(r"\b(?:maybe|perhaps|possibly)\b", plain)) > 1
    ):
        return None
    forms = [answer.text for answer in accepted if answer.kind == "text"]
    for answer in accepted:
        if answer.kind == "text":
            said = _says(words, whole, plain, answer.text, forms)
        elif answer.kind == "date":
            said = _says_date(reply, answer)
        else:
            said = _says_number(reply, answer)
        if said:
            return answer
    return None


def contains(text: str, form: str) -> bool:
    """Whether a text has all words of `form` in a row, whatever it says about it; short forms as in `match`."""
    words = _words(text)
    whole = " ".join(words.folded)
    return any(True for _ in _places(words, whole, fold_accents(whole), form))


def mentions(text: str, answer: AcceptedAnswer) -> bool:
    """Whether an accepted answer stands anywhere in a text, affirmed or not: then a question gives it away."""
    if answer.kind == "text":
        return contains(text, answer.text)
    if answer.kind == "date":
        return any(_agrees(date, answer) for date in dates_in(text))
    return any(
        same_amount(found, number=answer.number, unit=answer.unit, tolerance=answer.tolerance)
        for found in amounts_in(text)
    )


def _is_whole(reply: str, whole: str, form: str) -> bool:
    wanted = _form(form)
    return whole == wanted if wanted else bool(form.strip()) and reply.strip() == form.strip()


@lru_cache(maxsize=1 << 16)
def _form(text: str) -> str:
    return normalise(text)


@lru_cache(maxsize=1 << 13)
def _words(text: str) -> _Words:
    text = with_blood_types_joined(unicodedata.normalize("NFKC", text).translate(_QUOTES).replace("&", " and "))
    text = _INITIAL.sub(r"\1", _SPACED_INITIALS.sub(r"\1.", _POSSESSIVE.sub("", text))).replace("'", "")
    found: list[tuple[str, int, int]] = []
    clause = sentence = 0
    for word in _cut(text):
        if word[0] in _BREAKS:
            clause += 1
            sentence += any(mark in _SENTENCE_BREAKS for mark in word)
        else:
            clause += word == "but"
            found.append((word, clause, sentence))
    kept = [row for place, row in enumerate(found) if not _is_article(row[0], place, len(found))]
    return _Words(
        tuple(unicodedata.normalize("NFC", row[0].casefold()) for row in kept),
        tuple(row[0] for row in kept),
        tuple(row[1] for row in kept),
        tuple(row[2] for row in kept),
    )


def _is_article(word: str, place: int, count: int) -> bool:
    """the, a, an before another word; not the capital A of "hepatitis A"."""
    if place == count - 1:
        return False
    return word.lower() == "the" or word in ("a", "an") or (place == 0 and word in ("A", "An"))


def _cut(text: str) -> Iterator[str]:
    """Words (letters, digits, marks, + and #) and break characters of the text, in order."""
    if text.isascii():
        yield from _ASCII_WORDS.findall(text)
        return
    start = -1
    for place, letter in enumerate(text):
        inside = letter.isalnum() or letter in "+#" or (letter > "\x7f" and unicodedata.category(letter)[0] == "M")
        if inside and start < 0:
            start = place
        if not inside:
            if start >= 0:
                yield text[start:place]
                start = -1
            if letter in _BREAKS:
                yield letter
    if start >= 0:
        yield text[start:]


def _places(words: _Words, whole: str, plain: str, form: str) -> Iterator[tuple[int, int]]:
    """First and last-but-one word of each place where the form stands, with its accents or, failing that, without."""
    wanted = _form(form)
    parts = wanted.split()
    if len(wanted) < 2 or all(part in _STOP_WORDS for part in parts):
        if wanted and wanted == whole:
            yield 0, len(parts)
        return
    for text, sought in ((whole, wanted), (plain, fold_accents(wanted))):
        padded, needle, offset, found = f" {text} ", f" {sought} ", -1, False
        while (offset := padded.find(needle, offset + 1)) >= 0:
            first = padded.count(" ", 0, offset)
            if len(wanted) > 3 or words.written[first] in unicodedata.normalize("NFKC", form) or whole == wanted:
                found = True
                yield first, first + len(parts)
        if found:
            return


def _says(words: _Words, whole: str, plain: str, form: str, forms: Sequence[str]) -> bool:
    for first, end in _places(words, whole, plain, form):
        if not _denied(words, first, end) and not _one_of_several(words, first, end, forms):
            return True
    return False


def _denied(words: _Words, first: int, end: int) -> bool:
    for place in range(first - 1, max(-1, first - 1 - _NEGATION_REACH), -1):
        if words.clause[place] != words.clause[first]:
            break
        word, after = words.folded[place], words.folded[place + 1]
        if word in _NEGATORS and not (word in ("not", "no") and after in ("only", "doubt")):
            return True
        if (word, after) in (("rather", "than"), ("instead", "of")):
            return True
    return words.folded[end : end + 1] in (("isnt",), ("wasnt",)) or words.folded[end : end + 2] in (
        ("is", "not"), ("was", "not"), ("is", "wrong"), ("is", "incorrect"),
    )  # fmt: skip


def _one_of_several(words: _Words, first: int, end: int, forms: Sequence[str]) -> bool:
    """Whether "or" stands by the place and the other side of it holds no accepted form."""
    sentence, count = words.sentence[first], len(words.folded)
    for place in range(end, min(end + _ALTERNATIVE_REACH, count - 1)):
        if words.sentence[place] != sentence:
            break
        if words.folded[place] == "or" and words.folded[place + 1] not in ("so", "more", "less"):
            return not _has_form(words, place + 1, min(place + 1 + _ALTERNATIVE_WORDS, count), forms)
    for place in range(first - 1, max(0, first - 1 - _ALTERNATIVE_REACH), -1):
        if words.sentence[place] != sentence:
            break
        if words.folded[place] == "or":
            return not _has_form(words, max(0, place - _ALTERNATIVE_WORDS), place, forms)
    return False


def _has_form(words: _Words, first: int, end: int, forms: Sequence[str]) -> bool:
    part = " ".join(words.folded[first:end])
    padded, plain = f" {part} ", f" {fold_accents(part)} "
    return any(f" {_form(form)} " in padded or f" {fold_accents(_form(form))} " in plain for form in forms)


def _says_date(reply: str, answer: AcceptedAnswer) -> bool:
    found = dates_in(reply)
    if 0 < answer.year < 1000 and not answer.month and not found:
        found = [FoundDate(answer.year, 0, 0, *hit.span()) for hit in re.finditer(rf"\b{answer.year}\b", reply)]
    agreeing = [date for date in found if _agrees(date, answer)]
    return any(
        not _DENIED.search(reply[: date.start])
        and not _or_beside(reply, (date.start, date.end), [(d.start, d.end) for d in found if not _agrees(d, answer)])
        for date in agreeing
    )


def _agrees(date: FoundDate, answer: AcceptedAnswer) -> bool:
    return date.year == answer.year and answer.month in (0, date.month) and (not answer.day or answer.day == date.day)


def _says_number(reply: str, answer: AcceptedAnswer) -> bool:
    dates = dates_in(reply)
    every = amounts_in(reply.translate(_QUOTES))
    found = [each for each in every if not any(d.start <= each.start < d.end for d in dates)] or every
    if not answer.unit:
        if answer.number == 0 and re.search(r"\b(?:no children|none|childless)\b", reply, re.IGNORECASE):
            return True
        others = [each for each in found[1:] if _OR.search(reply[found[0].end : each.start])]
        found = [] if others else found[:1]
    right = [same_amount(each, number=answer.number, unit=answer.unit, tolerance=answer.tolerance) for each in found]
    wrong = [(each.start, each.end) for each, is_right in zip(found, right, strict=True) if not is_right]
    return any(
        is_right and not _DENIED.search(reply[: each.start]) and not _or_beside(reply, (each.start, each.end), wrong)
        for each, is_right in zip(found, right, strict=True)
    )


def _or_beside(text: str, span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    """Whether "or" joins the span to one of the others."""
    for start, end in others:
        gap = text[span[1] : start] if start >= span[1] else text[end : span[0]]
        if len(gap) < 40 and _OR.search(gap):
            return True
    return False
