"""Reading a choice: which of the letters A to D a reply gives, or that it gives none."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from math import isnan

from schemas.matching.match import contains, normalise
from schemas.matching.thoughts import answer_of
from schemas.vocabulary import OPTION_LABELS

_QUOTE = r"[(\[{*\"'`_$<#]"
_END = r"(?=\s*$|[\u3040-\u30ff\u4e00-\u9fff]|\s*[)\].:,;!*}\"'`(\n])(?!\.\s*[A-Z]\.)"
"""What follows a letter that stands for an option; not the stop of an initial with another after it ("D. H.")."""
_AND_WHY = rf"(?:{_END}|\s+(?i:because|as|since|or|and)\b)"
_ANSWER = (
    r"(?:\b(?i:answer|choice|(?:right|correct|best|final) (?:option|letter)|réponse|reponse|bonne réponse|antwort"
    r"|respuesta|opción"
    r"|resposta|opção|risposta|antwoord|jawaban(?:nya)?|pilihan|ответ|вариант|odpowiedź|cevap|उत्तर|जवाब|উত্তর"
    r"|الإجابة|الجواب|جواب)\b"
    r"|答案|正确答案|答え|正解|回答|选择|選擇|选)"
    r"(?:\s(?i:correcte?|correct[ao]|corret[ao]|richtig|corretta?|yang benar|yang tepat"
    r"|अधिक सही|الصحيحة|सही))?[*\"'_]*"
)
_IS = (
    r"(?i:is|would be|must be|should be|est|ist|lautet|es|é|è|adalah|ialah|будет|is dus|هي|هو|है|হল|হলো|ہے|是|为|為|は)"
)
_LINK = (
    rf"(?:(?:\s+(?i:to|for|of|here)\b[^.:\n]{{0,40}}?)?\s*(?:(?<![a-z]){_IS}(?![a-z])\s*:?|[-:=—–])|\s"
    rf"|(?<=[案え解答择擇选]))[*_\s]*"
    r"(?i:option\b|letter\b|die\b|la\b|l['’]|option\b|opción\b|opção\b|вариант\b|选项)?\s*"
)
_ANY = rf"(?:{_QUOTE}+([A-Da-d])[)\]}}*\"'`_]|([A-D]){_AND_WHY}|([b-d]){_END})"

_ALONE = re.compile(rf"{_QUOTE}*\s*([A-Da-d])[)\]}}.:,;!*\"'`_$>]*")
"""A reply, or a line of it, that is a letter and nothing else."""
_STATEMENTS = (
    re.compile(rf"{_ANSWER}{_LINK}{_ANY}"),
    re.compile(rf"{_ANSWER}\s*[:=]\s*([a-d]){_END}"),
    re.compile(rf"{_ANSWER}(?:\s*{_IS}\s+|\s*[:=]\s*)(a)[.!]\s*$"),
    re.compile(
        r"(?:[,;.:]\s+|—\s*|\s-\s)(?i:so|thus|hence|therefore|i\.e\.|that is|which is|making it"
        r"|meaning)\s*,?\s*(?i:it's\s+|the answer is\s+)?"
        rf"(?i:option\s+|letter\s+)?{_QUOTE}*([A-D]){_END}"
    ),
    re.compile(rf"\b(?i:leaving|leaves|remains|only)\s+(?i:us with\s+|with\s+|option\s+)?([A-D]){_END}"),
    re.compile(
        rf"(?<![\w'])([A-D])\s+(?:{_IS}|seems)\s+(?i:the\s+)?(?i:most\s+)?(?i:correct|right|true)\b(?!\s+(?i:that"
        rf"|to)\b)"
    ),
    re.compile(r"\\boxed\{\s*(?:\\text\w*\{)?\s*\(?([A-Da-d])\)?\s*\}"),
    re.compile(
        r"\b(?i:choose|chose|pick|select|go with|going with|opt for|settle on|say|it is|it's)\s+(?i:option\s+"
        r"|letter\s+)?"
        rf"(?:{_QUOTE}+([A-Da-d])[)\]}}*\"'`_]|([A-D]){_END})"
    ),
    re.compile(
        rf"(?:^|[.!?;]\s+|\b(?i:think|believe|say|that|so|thus|option)\s+){_QUOTE}*([A-D])[)\]*\"'`]*\s+(?:{_IS}"
        rf"|seems)\s+"
        r"(?i:the\s+)?(?i:most\s+)?(?i:correct|right|best|answer|true)\b",
        re.MULTILINE,
    ),
)
"""Where a reply says which option it takes; a small a only after a mark, or it may be an article."""
_NTH = re.compile(
    r"\b(?:(first|second|third|fourth|1st|2nd|3rd|4th|last)\s+(?:option|choice|answer|one|alternative)|(?:option"
    r"|choice|answer|number)\s+(?:number\s+|no\.\s*)?(one|two|three|four|[1-4]))\b",
    re.IGNORECASE,
)
"""An option by its place."""
_PLACES = dict(zip(("first", "second", "third", "fourth", "last"), "ABCDD", strict=True))
_PLACES |= dict(zip(("1st", "2nd", "3rd", "4th"), OPTION_LABELS, strict=True))
_PLACES |= dict(zip(("one", "two", "three", "four"), OPTION_LABELS, strict=True))
_PLACES |= dict(zip("1234", OPTION_LABELS, strict=True))
_HEAD = re.compile(
    rf"^\s*(?:{_QUOTE}*([A-D])(?:[)\]:*]|[\"'`](?!\w)|\.(?=\s|$)(?!\s*[A-Z]\.)|,\s|\s+[-–—=]\s)|[(\[]([a-d])[)\]]"
    rf"|([a-d])\))",
    re.MULTILINE,
)
"""A letter with a mark after it, where a line begins: "B) a lawyer", "(b) a lawyer", "B. He is"."""
_OPTION = re.compile(
    rf"\b(?i:option|letter)\b[*\"']*\s*{_IS}?\s*[:=]?\s*(?:{_QUOTE}+([A-Da-d])[)\]*\"'`]|([A-D]){_AND_WHY}"
    rf"|([b-d]){_END})"
)
_BOLD = re.compile(r"\*\*([A-D])\*\*")
_MARKED = re.compile(r"[(\[]([A-Da-d])[)\]]|\*\*([A-D])\*\*|(?:^|\s)([A-D])\)")
"""A letter with a mark anywhere: beside another letter it makes a reply undecided; alone it decides nothing, for
"hepatitis (B)" and "Type A) blood" have one too, unless the words of its option stand in the reply."""
_ANOTHER = re.compile(rf"[)\].*]*\s*(?:,|/|\bor\b|\band\b)\s*{_QUOTE}*([A-D])\b")
"""A second letter beside the one before."""
_NEGATED = re.compile(r"\b(?:not|isn't|isnt|never|neither|nor)\b[^.;\n]{0,20}$", re.IGNORECASE)
_FRAME = re.compile(rf"(?:the\s+)?(?:{_ANSWER}{_LINK}|(?i:it\s+is|it's)\s+)", re.IGNORECASE)
"""What may stand before an option that is given by its words."""
_FIRST_LETTER = re.compile(r"\s*([A-D])[)\].:,]*\s+(.+)", re.DOTALL)
_CYRILLIC_A = re.compile("(?<!\\w)\u0410(?!\\w)")
"""Looks like an A, and is typed for one."""
_PRAISED = re.compile(r"\b(?:correct|right|best)\b", re.IGNORECASE)
"""What a reply must hold that says of an option's words that they are right; most replies do not, and it is cheap."""
_LETTERED = re.compile(r"(?<!\w)[A-D][).:,]*\s", re.IGNORECASE)
"""Likewise of a reply in which a letter stands before the words of its option."""
_MANY = 3
"""So many different letters stated one after the other are no decision."""


def parse_choice(reply: str, options: Sequence[str] = ()) -> str:
    """The letter that a reply gives, "A" to "D", or "" if it gives none, or more than one.

    The first that is found decides: a letter and nothing else; an option word for word, alone, after its letter or
    after "the answer is" ("D. H. Lawrence" is no D); the last statement of a choice ("Answer: B (not A)", "It's B",
    "B is correct"), whatever options were restated before it; a letter with a mark at the start of a line, if no other
    letter is marked; "option B"; and a marked letter inside a sentence whose option stands there too. A letter inside a
    sentence ("Vitamin C", "hepatitis (B)", "I cannot …") is none.
    """
    text = unicodedata.normalize("NFKC", answer_of(reply).text).replace("。", ". ").replace("’", "'").strip()
    text = _CYRILLIC_A.sub("A", text)
    if alone := _ALONE.fullmatch(text):
        return alone[1].upper()
    if letter := _by_text(text, options):
        return letter
    if statements := sorted(each for pattern in _STATEMENTS for each in _letters(pattern, text)):
        every = {letter for _, letters in statements for letter in letters}
        last = statements[-1][1]
        return last if len(last) == 1 and len(every) < _MANY else ""
    marked = _every(_MARKED, text)
    for found in (_every(_HEAD, text) | _alone_in_a_line(text), _every(_OPTION, text), _every(_BOLD, text)):
        if found:
            both = found | marked
            return both.pop() if len(both) == 1 else ""
    nth = {
        _PLACES[next(filter(None, hit.groups())).lower()]
        for hit in _NTH.finditer(text)
        if not _NEGATED.search(text[: hit.start()])
    }
    if nth:
        return nth.pop() if len(nth) == 1 else ""
    told = [letter for letter, option in zip(OPTION_LABELS, options, strict=False) if contains(text, option)]
    declared = [
        letter
        for letter, option in zip(OPTION_LABELS, options if _PRAISED.search(text) else (), strict=False)
        if re.search(
            rf"(?<!\w){re.escape(option)}[\"'*]*\s+{_IS}\s+(?:the\s+)?(?:correct|right|best)\b", text, re.IGNORECASE
        )
    ]
    if len(declared) == 1:
        return declared[0]
    if len(told) == 1 and marked | _beside_its_option(text, options) == set(told):
        return told[0]
    return ""


def likeliest(scores: Mapping[str, float]) -> str:
    """The letter with the highest mean log-probability per token; the first of equals. "" where none is a number."""
    known = {letter: score for letter, score in scores.items() if not isnan(score)}
    return max(sorted(known), key=lambda letter: known[letter]) if known else ""


def _beside_its_option(text: str, options: Sequence[str]) -> set[str]:
    """Letters that stand right before the words of their own option: "born in **A. Oslo**"."""
    return {
        letter
        for letter, option in zip(OPTION_LABELS, options if _LETTERED.search(text) else (), strict=False)
        if re.search(rf"(?<!\w){letter}[).:,]*\s+[*_\"']*{re.escape(option)}(?!\w)", text, re.IGNORECASE)
    }


def _letters(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """(place, letters) of each find that is not denied: the letter, and a second one named in the same breath."""
    for hit in pattern.finditer(text):
        group = next(number for number, found in enumerate(hit.groups(), start=1) if found)
        if not _NEGATED.search(text[: hit.start(group)]):
            another = _ANOTHER.match(text, hit.end(group))
            yield hit.start(group), "".join(sorted({hit[group].upper(), another[1] if another else ""} - {""}))


def _every(pattern: re.Pattern[str], text: str) -> set[str]:
    return {letter for _, letters in _letters(pattern, text) for letter in letters}


def _alone_in_a_line(text: str) -> set[str]:
    """Letters that are a line, or the last sentence."""
    last = re.split(r"(?<=[.!?])\s+", text)[-1]
    hits = [_ALONE.fullmatch(line.strip()) for line in (*text.splitlines(), last)]
    return {hit[1].upper() for hit in hits if hit}


def _by_text(text: str, options: Sequence[str]) -> str:
    """The letter of the one option that the text is, word for word, with its letter or a frame before it or without."""
    frame = _FRAME.match(text)
    for said in (text, text[frame.end() :] if frame else ""):
        words = normalise(said)
        fitting = [letter for letter, option in zip(OPTION_LABELS, options, strict=False) if normalise(option) == words]
        if len(words) > 1 and fitting:
            return fitting[0] if len(fitting) == 1 else ""
        first = _FIRST_LETTER.fullmatch(said)
        if first and first[1] in OPTION_LABELS[: len(options)]:
            own = options[OPTION_LABELS.index(first[1])]
            if normalise(first[2]) == normalise(own):
                return first[1]
    return ""
