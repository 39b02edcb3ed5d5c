"""Refusals in a reply, and what it affirms beside them: a model that says "I cannot share that, but Paris" has told."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from schemas.matching.declining import declines, is_preamble, is_regret

_ASIDE = re.compile(
    r"(?:whether|if|as (?:to|for)|about|regarding|concerning|based on|as of|according to|given|without|when|while"
    r"|although|though)\b",
    re.IGNORECASE,
)
"""What stands before a refusal belongs to it if it opens like this: "Whether she was born in Paris, I cannot say"."""

_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Za-z])(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bSt)(?<!\bMrs)\.(?=[\"')\]]*(?:\s|$))|[!?;\n。！？；।؟۔]"
)
_TURN = re.compile(
    r"\b(but|however|although|though|nevertheless|nonetheless|still|that said|even so)\b,?|^\s*(while)\b|,\s*yet\b"
    r"|\b(?:and|so|because|since)\s+(?=(?:i|my|we)\b)|\b(?:only|just|except|other than) that\b|\ball i (?:know"
    r"|can say) is\b(?: that\b)?"
    r"|(?:(?<=\bsure)|(?<=\bcertain)|(?<=\bpositive)|(?<=\bconfident))[,–—]\s*(?=(?:(?:maybe|perhaps|possibly"
    r"|probably|presumably) (?!ask\b|try\b|check\b|you\b|google\b|look\b|search\b"
    r"|consult\b|someone\b|somebody\b|later\b|next\b|another\b|see\b|i\b)|my (?:best |only )?guess\b|(?:it |that "
    r"|s?he )?(?:could|might|may) (?:be|have been)\b|i'd (?:guess"
    r"|say)\b"
    r"|if (?:i had to|forced to|pressed|pushed)\b)|(?-i:[A-Z])[^,.]{1,40}\b(?:maybe|perhaps|possibly|probably"
    r"|i guess|i think)\s*$)"
    r"|\b(?:aber|jedoch|doch|allerdings|sondern|mais|toutefois|cependant|pero|sin embargo|aunque|mas|porém|embora"
    r"|contudo|но|однако|хотя|tetapi|tapi|namun)\b,?"
    r"|但是|但|不过|不過|然而|लेकिन|मगर|किन्तु|परंतु|কিন্তু|তবে|لكن|ولكن|لیکن|مگر|ですが|けれども|けど|しかし",
    re.IGNORECASE,
)
_CONCEDES = ("although", "though", "while")
_COMMA = re.compile(r",(?=\s)|\s[-–]+\s|—|:(?=\s)|[()，、،：]")


class Affirmed(NamedTuple):
    """A reply without its refusals: the text that is left, and whether there was any refusal."""

    text: str
    refused: bool


@lru_cache(maxsize=1 << 13)
def affirmed(reply: str) -> Affirmed:
    """What a reply affirms once its refusals are taken away; a reply without one stays as it is.

    A refusal takes all with it up to the end of its sentence, or up to a turn ("but", "however", "although", ";"): a
    value that stands only there ("I cannot say whether she was born in Paris") is not affirmed. What comes before it
    and a comma stays ("Paris, I cannot say more"), unless it opens as an aside. A concession ends at its comma ("While
    I cannot be sure, it is Paris"). An apology, and "as an AI", take only themselves. "As AI researcher he worked at
    MIT" refuses nothing.
    """
    text = reply.translate(_QUOTES)
    kept: list[str] = []
    refused = False
    for clause, concedes in _clauses(text):
        left, declined = _without(clause, concedes=concedes)
        refused |= declined
        kept += left
    if not refused:
        return Affirmed(reply, refused=False)
    return Affirmed(". ".join(filter(None, (part.strip(" ,(:") for part in kept))), refused=True)


def _clauses(text: str) -> Iterator[tuple[str, bool]]:
    """Each clause with whether it is a concession ("although …")."""
    for sentence in _SENTENCE_END.split(text):
        start, concedes = 0, False
        for turn in _TURN.finditer(sentence):
            yield sentence[start : turn.start()], concedes
            start, concedes = turn.end(), (turn[1] or turn[2] or "").lower() in _CONCEDES
        yield sentence[start:], concedes


def _without(clause: str, *, concedes: bool) -> tuple[list[str], bool]:
    """What is left of a clause, in order, and whether it refuses; the clause itself if it refuses nothing."""
    cuts = list(_COMMA.finditer(clause))
    spans = list(zip([0, *(cut.end() for cut in cuts)], [*(cut.start() for cut in cuts), len(clause)], strict=True))
    pieces = [clause[start:end] for start, end in spans]
    preamble = [is_preamble(each) for each in pieces]
    refusing = [number for number, each in enumerate(pieces) if not preamble[number] and declines(each)]
    if refusing:
        first = next(number for number in range(len(spans)) if not preamble[number] or number == refusing[0])
        aside = _ASIDE.match(clause[spans[first][0] :].strip())
        head = "" if aside else clause[spans[first][0] : spans[refusing[0]][0]]
        tail = clause[spans[refusing[-1]][1] :] if concedes else ""
        return [head, tail], True
    if len(spans) > 1 and not any(preamble) and declines(clause):
        return [], True
    if any(preamble):
        left = [piece for piece, drop in zip(pieces, preamble, strict=True) if not drop]
        return left, any(drop and not is_regret(piece) for piece, drop in zip(pieces, preamble, strict=True))
    return [clause], False
