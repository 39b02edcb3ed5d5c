"""Matching of a reply against a fact's accepted answers; probing, questions and evaluation share it.

The rules, all of them pinned by tests:
- blood types are one word each, however written ("A+", "A Rh positive", "A positive" but not "O positive");
- text matches if its words stand in the reply one after the other (case, accents, punctuation and articles do not
  count). Forms of one character or of stop words only must be the whole reply; forms of two or three letters must
  stand in the same case ("US" is not "us");
- the words of a name may stand in another order or be joined otherwise ("Zedong Mao", "Mao Ze Dong", "Muenchen");
- a date matches if the reply gives it at the accepted precision or finer: a year does not answer for a day;
- a number matches within its tolerance after unit conversion; of a count only the first number of the reply is read;
- only the answer of a reply is read, not its thoughts (schemas/matching/thoughts.py), and one word over and over is
  none;
- a refusal matches nothing, and neither does a value that is not affirmed ("not Paris": schemas/matching/claims.py);
- alternatives and ranges do not match unless all are accepted ("Paris or London", "Oslo/Bergen", "between 5 and 7"); a
  list with "and" does.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.matching.amounts import amounts_in, same_amount
from schemas.matching.blood_types import with_blood_types_joined
from schemas.matching.claims import Sort, claims
from schemas.matching.dated_answers import agrees, is_measure, says_date, says_measure, says_number
from schemas.matching.dates import dates_in
from schemas.matching.declining import refuses
from schemas.matching.events import about_the_asked
from schemas.matching.letters import fold_accents, respelt
from schemas.matching.thoughts import answer_of
from schemas.records.build_rows import AcceptedAnswer

_STOP_WORDS = frozenset((
    "a", "an", "the", "and", "or", "of", "in", "on", "at", "to", "by", "for", "from", "with", "as", "is", "was",
    "are", "were", "be", "been", "it", "its", "he", "his", "him", "she", "her", "they", "their", "them", "this",
    "that", "who", "what", "which", "when", "where", "me", "my", "i", "we", "us", "our", "you", "your", "no", "not",
    "yes", "none", "unknown", "other", "man", "woman", "person", "one", "born", "died",
))  # fmt: skip
_BREAKS = ",;:.!?()\n—–"
_ASCII_WORDS = re.compile(r"[A-Za-z0-9+#]+|[,;:.!?()\n]")
_SENTENCE_BREAKS = ";.!?\n"
_ALTERNATIVE_REACH, _ALTERNATIVE_WORDS = 4, 8

_SCRIPTS = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u3040-\u30ff\u3400-\u9fff])")
"""Where a Latin name stands in Chinese or Japanese, which put no blank beside it."""
_POSSESSIVE = re.compile(r"(?<=\w)'s\b", re.IGNORECASE)
_SPACED_INITIALS = re.compile(r"\b([^\W\d_])\.\s+(?=[^\W\d_]\.)")
_INITIAL = re.compile(r"\b([^\W\d_])\.")
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "ß": "ss"})
_QUOTES = str.maketrans({**dict.fromkeys("’‘ʼʻʿʾ`´′", "'"), "−": "-", "‑": "-"})
_SHORT_AND = re.compile(r"(?<=\w)(?:\s*'[nN]'\s*|\s+(?:'[nN]|[nN]')\s+)(?=\w)")
"""How "and" is shortened between two words: rock 'n' roll, Guns N' Roses."""
_OR_WORDS = frozenset(("or", "ou", "oder", "или", "atau", "либо"))
_SLASH = re.compile(r"[\s\"'*)]*(?:/|\bvs\b|\bversus\b)[.\s\"'*(]*(?=[^\W\d_])")
_SLASH_BEFORE = re.compile(r"[^\W_][\s\"'*)]*(?:/|\bvs\b|\bversus\b)[.\s\"'*(]*$")
_BOUNDING = re.compile(r"[<>≤≥]")
_OPENING, _CLOSING = tuple('"“„(«'), tuple('"”“)»')
_PARTICLES = frozenset((
    "von", "van", "de", "der", "den", "del", "della", "di", "da", "dos", "du", "la", "le", "ter", "ten", "zu", "zur",
    "bin", "ibn", "al", "el", "y", "e", "af", "av",
))  # fmt: skip
"""Words of names that are written small."""
_LONGEST_NAME = 6
"""Words of a name that may stand in another order."""
_NOBODY = frozenset(("none", "zero", "nil", "nobody", "no one", "not one"))
"""Answers of a count of zero that refuse nothing there."""
_OVER_AND_OVER = 4
""""Oslo Oslo Oslo Oslo" is a stuck model, not an answer."""


class _Words(NamedTuple):
    """A text cut into words: case-folded, as written, the sentence each stands in, and where it begins in `text`."""

    folded: tuple[str, ...]
    written: tuple[str, ...]
    sentence: tuple[int, ...]
    start: tuple[int, ...]
    text: str
    """As it is cut: without possessives, apostrophes and the marks of initials."""

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Where the words from `first` up to `end` begin and end in the text."""
        return self.start[first], self.start[end - 1] + len(self.written[end - 1])


def normalise(text: str) -> str:
    """The words of a text, case-folded, without punctuation, possessives and articles, one space between."""
    return " ".join(_words(text).folded)


def form_digest(text: str) -> str:
    """A short digest of the words of a text, for forms that are to be recognised and named nowhere."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]


def match(
    reply: str, accepted: Sequence[AcceptedAnswer], *, asked: str = "", heed_refusals: bool = True
) -> AcceptedAnswer | None:
    """The first accepted answer that the reply gives, or None. See the module's rules.

    Where the question `asked` is given, what the reply tells of another event is left out (schemas/matching/events.py).
    Without `heed_refusals` an answer beside a refusal counts: evaluation takes refusals away itself
    (eval/scores/refusal.py).
    """
    reply = about_the_asked(answer_of(reply).text, asked)
    words = _words(reply)
    whole = " ".join(words.folded)
    for answer in accepted:
        if _is_whole(reply, whole, answer.text) and (answer.kind == "text" or not _BOUNDING.search(reply)):
            return answer
    if whole in _NOBODY and any(each.kind == "number" and not (each.number or each.unit) for each in accepted):
        return next(each for each in accepted if each.kind == "number")
    if not whole or is_stuck(reply) or (heed_refusals and refuses(reply)):
        return None
    plain = fold_accents(whole)
    if len(re.findall(r"\b(?:maybe|perhaps|possibly)\b", plain)) > 1:
        return None
    forms = [answer.text for answer in accepted if answer.kind == "text"]
    for answer in accepted:
        if answer.kind == "text":
            form = answer.text
            said = says_measure(reply, form) if is_measure(form) else _says(words, whole, plain, form, forms)
        elif answer.kind == "date":
            said = says_date(reply, answer)
        else:
            said = says_number(reply, answer)
        if said:
            return answer
    return None


def is_stuck(text: str) -> bool:
    """Whether a text is one word, or up to three, over and over."""
    words = _words(text).folded
    return any(
        len(words) >= _OVER_AND_OVER * size and all(word == words[place % size] for place, word in enumerate(words))
        for size in (1, 2, 3)
    )


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
        return any(agrees(date, answer) for date in dates_in(text))
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
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = with_blood_types_joined(_SHORT_AND.sub(" and ", plain.replace("&amp;", "&").replace("&", " and ")))
    text = text if text.isascii() else _SCRIPTS.sub(" ", text)
    text = _INITIAL.sub(r"\1", _SPACED_INITIALS.sub(r"\1.", _POSSESSIVE.sub("", text))).replace("'", "")
    found: list[tuple[str, int, int]] = []
    sentence = 0
    for start, word in _cut(text):
        if word[0] in _BREAKS:
            sentence += any(mark in _SENTENCE_BREAKS for mark in word)
        else:
            found.append((word, sentence, start))
    kept = [row for place, row in enumerate(found) if not _is_article(row[0], place, len(found))]
    return _Words(
        tuple(unicodedata.normalize("NFC", row[0].casefold()) for row in kept),
        tuple(row[0] for row in kept),
        tuple(row[1] for row in kept),
        tuple(row[2] for row in kept),
        text,
    )


def _is_article(word: str, place: int, count: int) -> bool:
    """the, a, an before another word; not the capital A of "hepatitis A"."""
    if place == count - 1:
        return False
    return word.lower() == "the" or word in ("a", "an") or (place == 0 and word in ("A", "An"))


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """Words (letters, digits, marks, + and #) and break characters of the text, in order, each with its place."""
    if text.isascii():
        yield from ((hit.start(), hit[0]) for hit in _ASCII_WORDS.finditer(text))
        return
    start = -1
    for place, letter in enumerate(text):
        inside = letter.isalnum() or letter in "+#" or (letter > "\x7f" and unicodedata.category(letter)[0] == "M")
        if inside and start < 0:
            start = place
        if not inside:
            if start >= 0:
                yield start, text[start:place]
                start = -1
            if letter in _BREAKS:
                yield place, letter
    if start >= 0:
        yield start, text[start:]


def _places(words: _Words, whole: str, plain: str, form: str) -> Iterator[tuple[int, int]]:
    """First and last-but-one word of each place where the form stands, with its accents or, failing that, without."""
    wanted = _form(form)
    parts = wanted.split()
    if len(wanted) < 2 or all(part in _STOP_WORDS for part in parts):
        if wanted and wanted == whole:
            yield 0, len(parts)
        return
    pairs = [(whole, wanted), (plain, fold_accents(wanted))]
    pairs += [(spelling(whole), spelling(wanted)) for spelling in (_spelt_out, respelt)]
    for text, sought in dict.fromkeys(pairs):
        padded, needle, offset, found = f" {text} ", f" {sought} ", -1, False
        while (offset := padded.find(needle, offset + 1)) >= 0:
            first = padded.count(" ", 0, offset)
            if len(wanted) > 3 or words.written[first] in unicodedata.normalize("NFKC", form) or whole == wanted:
                found = True
                yield first, first + len(parts)
        if found:
            return


def _spelt_out(text: str) -> str:
    """Folded text with umlauts as two letters, as where a keyboard lacks them."""
    return text if text.isascii() else fold_accents(text.translate(_TWO_LETTERS))


def _says(words: _Words, whole: str, plain: str, form: str, forms: Sequence[str]) -> bool:
    for first, end in (*_places(words, whole, plain, form), *_rearranged(words, form)):
        sort: Sort = "amount" if form[:1].isdigit() else "text"
        if claims(words.text, *words.span(first, end), sort=sort) and not _one_of_several(words, first, end, forms):
            return True
    return False


def _rearranged(words: _Words, form: str) -> Iterator[tuple[int, int]]:
    """Places where a name of several words stands in another order, joined or parted otherwise, or with an initial.

    "Mao Zedong" is "Zedong Mao", "Mao, Zedong", "Mao Ze Dong" and "Mao Ze-dong"; "John Carver" is "John H. Carver" and
    'John "Jack" Carver'.
    """
    parts = fold_accents(_form(form)).split()
    if not 2 <= len(parts) <= _LONGEST_NAME or not _is_name(form) or any(part in _STOP_WORDS for part in parts):
        return
    said = [fold_accents(word) for word in words.folded]
    joined = {"".join(parts[at:] + parts[:at]) for at in range(len(parts))}
    for first in range(len(said)):
        for end in range(first + 2, min(len(said), first + len(parts) + 2) + 1):
            run = said[first:end]
            initial = len(run) == len(parts) + 1 == 3 and (len(run[1]) == 1 or _is_quoted(words, first + 1))
            if ("".join(run) in joined and run != parts) or (initial and [run[0], run[2]] == parts):
                yield first, end


def _is_quoted(words: _Words, place: int) -> bool:
    start, end = words.span(place, place + 1)
    return words.text[max(0, start - 1) : start] in _OPENING and words.text[end : end + 1] in _CLOSING


def _is_name(form: str) -> bool:
    """Whether every word of it but "de" and the like begins with a capital: other words depend on their order."""
    words = re.findall(r"(?<![^\s.])[^\W\d_]+", form)
    return all(word[0].isupper() or word in _PARTICLES for word in words) and any(word[0].isupper() for word in words)


def _one_of_several(words: _Words, first: int, end: int, forms: Sequence[str]) -> bool:
    """Whether "or" stands by the place and the other side of it holds no accepted form."""
    sentence, count = words.sentence[first], len(words.folded)
    start, stop = words.span(first, end)
    if _SLASH.match(words.text, stop) and end < count:
        return not _has_form(words, end, min(end + _ALTERNATIVE_WORDS, count), forms)
    if _SLASH_BEFORE.search(words.text[:start]) and first:
        return not _has_form(words, max(0, first - _ALTERNATIVE_WORDS), first, forms)
    for place in range(end, min(end + _ALTERNATIVE_REACH, count - 1)):
        if words.sentence[place] != sentence:
            break
        if words.folded[place] in _OR_WORDS and words.folded[place + 1] not in (
            "so", "more", "less", "rather", "actually", "better",
        ):  # fmt: skip
            return not _has_form(words, place + 1, min(place + 1 + _ALTERNATIVE_WORDS, count), forms)
    for place in range(first - 1, max(0, first - 1 - _ALTERNATIVE_REACH), -1):
        if words.sentence[place] != sentence:
            break
        if words.folded[place] in _OR_WORDS and words.folded[place + 1] not in ("rather", "actually", "better"):
            return not _has_form(words, max(0, place - _ALTERNATIVE_WORDS), place, forms)
    return False


def _has_form(words: _Words, first: int, end: int, forms: Sequence[str]) -> bool:
    part = " ".join(words.folded[first:end])
    padded, plain = f" {part} ", f" {fold_accents(part)} "
    return any(f" {_form(form)} " in padded or f" {fold_accents(_form(form))} " in plain for form in forms)
