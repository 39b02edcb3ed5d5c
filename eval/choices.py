"""Reading a choice: which of the letters A to D a reply gives, or that it gives none."""

import re
from collections.abc import Mapping, Sequence

from schemas.answers import normalise
from schemas.words import OPTION_LABELS

_CUE = r"\b(?i:answer|option|choice|letter)\b[*\"']*"
_LINK = r"\s*(?i:is|would be|must be|should be)?\s*[:=]?\s*(?i:option\b|letter\b)?\s*"
_QUOTE = r"[(\[*\"'`]"
_END = r"(?=\s*$|\s*[).\]:,;!*\n])"

_ALONE = re.compile(rf"{_QUOTE}*([A-Da-d])[)\].:,;!*\"'`]*")
"""A reply, or a line of it, that is a letter and nothing else."""
_HEAD = re.compile(
    rf"^\s*(?:{_QUOTE}*([A-D])(?:[)\]:*\"'`]|\.(?=\s|$)|,\s|\s+[-–—=]\s)|[(\[]([a-d])[)\]]|([a-d])\))", re.MULTILINE
)
"""A letter with a mark after it, where a line begins: "B) a lawyer", "(b) a lawyer", "B. He is"."""
_STATED = re.compile(
    rf"{_CUE}{_LINK}(?:{_QUOTE}+([A-Da-d])[)\]*\"'`]|([A-D])(?:{_END}|\s+(?i:because|as|since|or|and)\b)|([b-d]){_END})"
)
_STATED_SMALL = re.compile(rf"{_CUE}\s*[:=]\s*([a-d]){_END}")
"""The letter after "answer", "option" and the like; a small a only after a colon, or it may be an article."""
_CHOSEN = re.compile(rf"\b(?:choose|chose|pick|select|go with|say|it is|it's)\s+([A-D]){_END}")
_MARKED = re.compile(r"[(\[]([A-Da-d])[)\]]|\*\*([A-D])\*\*|(?:^|\s)([A-D])\)")
_ANOTHER = re.compile(rf"[)\].*]*\s*(?:,|/|\bor\b|\band\b)\s*{_QUOTE}*([A-D])\b")
"""A second letter beside the one before."""
_NEGATED = re.compile(r"\b(?:not|isn't|isnt|never|neither|nor)\b[^.;\n]{0,20}$", re.IGNORECASE)


def parse_choice(reply: str, options: Sequence[str] = ()) -> str:
    """The letter that a reply gives, "A" to "D", or "" if it gives none, or more than one.

    A letter counts where it is marked as a choice: alone, with a bracket or stop after it at the start of a line, in
    brackets, or after "answer", "option" and the like; a letter inside a sentence ("Vitamin C", "I cannot …") does not.
    A reply that is word for word one of the options gives that option's letter.
    """
    text = reply.strip()
    if alone := _ALONE.fullmatch(text):
        return alone[1].upper()
    marked = _letters(_MARKED, text)
    for found in (
        _letters(_STATED, text) | _letters(_STATED_SMALL, text),
        _letters(_HEAD, text) | _alone_in_a_line(text),
        _letters(_CHOSEN, text),
        marked,
    ):
        if found:
            every = found | marked
            return every.pop() if len(every) == 1 else ""
    return _by_text(text, options)


def likeliest(scores: Mapping[str, float]) -> str:
    """The letter with the highest mean log-probability per token; the first of equals. "" where there are no scores."""
    return max(sorted(scores), key=lambda letter: scores[letter]) if scores else ""


def _letters(pattern: re.Pattern[str], text: str) -> set[str]:
    """Letters that a pattern finds and that are not denied, with a second letter named in the same breath."""
    found = set()
    for hit in pattern.finditer(text):
        place = next(number for number, group in enumerate(hit.groups(), start=1) if group)
        if not _NEGATED.search(text[: hit.start(place)]):
            found.add(hit[place].upper())
            if another := _ANOTHER.match(text, hit.end(place)):
                found.add(another[1])
    return found


def _alone_in_a_line(text: str) -> set[str]:
    hits = [_ALONE.fullmatch(line.strip()) for line in text.splitlines()]
    return {hit[1].upper() for hit in hits if hit}


def _by_text(text: str, options: Sequence[str]) -> str:
    said = normalise(text)
    fitting = [letter for letter, option in zip(OPTION_LABELS, options, strict=False) if normalise(option) == said]
    return fitting[0] if said and len(fitting) == 1 else ""
