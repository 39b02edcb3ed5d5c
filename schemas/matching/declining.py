"""Declining: the grammar of "I do not know" and "I may not say", in English and in the languages replies come in.

A piece of a reply declines if its speaker, or the picture, text or information, is denied what an answer takes:
knowing, telling, having, being known or shown. What is denied of a person is a statement about them: "She was unable to
find work" declines nothing. eval/scores/refusal.py says how far a refusal reaches.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import zip_longest

from schemas.matching.declining_english import AI, DECLINES
from schemas.matching.declining_languages import ELSEWHERE
from schemas.matching.letters import fold_accents

_PREAMBLE = re.compile(
    rf"(?:(?:im|i am|we are|am)? ?(?:\w+ )?sorry(?: (?:for|about) .*)?|(?:my |i )?apolog\w+(?: for .*)?|as"
    rf" (?:an? )?{AI}|unfortunately|regrettably|alas"
    r"|(?:lo )?(?:siento|lamento)(?: mucho)?|disculp\w+|perd[oó]n\w*|desculp\w+|lamento|infelizmente"
    r"|desafortunadamente|lamentablemente|d[eé]sol[eé]e?|je suis d[eé]sol[eé]e?|excusez moi|pardon|malheureusement"
    r"|(?:es )?tut mir leid|entschuldig\w+|leider|(?:mohon )?maaf|sayangnya|извините|простите|к сожалению|сожалею"
    r"|(?:很)?抱歉|对不起|對不起|不好意思|很遗憾|遗憾的是|申し訳(?:ありません|ございません)(?:が)?|すみません(?:が)?|ごめんなさい|残念ながら"
    r"|क्षमा करें|क्षमा कीजिए|माफ़? ?करें|माफ़? ?कीजिए|खेद है|मुझे खेद है|দুঃখিত|আমি দুঃখিত|ক্ষমা করবেন"
    r"|আমি (?:আন্তরিকভাবে )?দুঃখিত|(?:أنا )?(?:آسف|اسف)|عذرا|عذرًا|معذرة|للأسف|معذرت|معاف کیجیے|معاف کیجئے"
    r"|معذرت خواہ ہوں|افسوس)"
)
"""A whole piece that refuses by its tone alone and takes nothing with it: "I'm sorry, Paris" is an answer."""
_TONE_ONLY = re.compile(
    r"unfortunately|regrettably|alas|infelizmente|desafortunadamente|lamentablemente|malheureusement|leider"
    r"|sayangnya|к сожалению|残念ながら|很遗憾|遗憾的是|للأسف|افسوس"
)
"""A preamble that is no refusal alone."""
_BREAK = re.compile(r"[.!?;:\n,()—。！？；，、।؟،۔]|\s[-–]\s")
_IS = re.compile(
    r"\b(it|that|there|here|what|who|this|where|he|she|answer|name|information|question)'s\b", re.IGNORECASE
)
_SENTENCES = re.compile(r"[.!?;\n。！？]")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


def pattern_words(text: str) -> str:
    """The words of a text in lower case, without accents, apostrophes and articles: the patterns are written so."""
    text = _IS.sub(r"\1 is", text.translate(_QUOTES)).replace("'", "")
    words = re.findall(r"\w+", fold_accents(text).casefold())
    return " ".join(
        word for word, after in zip_longest(words, words[1:]) if word not in ("the", "a", "an") or not after
    )


def as_written(text: str) -> str:
    """The text in lower case with single blanks, accents kept."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_QUOTES)).casefold().split())


@lru_cache(maxsize=1 << 13)
def declines(piece: str) -> bool:
    """Whether a piece of a reply says that the answer is not known, not told or not there."""
    return bool(DECLINES.search(pattern_words(piece)) or ELSEWHERE.search(as_written(piece).strip(" .!?。！？।۔,")))


@lru_cache(maxsize=1 << 13)
def is_preamble(piece: str) -> bool:
    """Whether a piece is nothing but an apology, or "as an AI"."""
    said = as_written(piece).strip(" .!?。！？।۔,")
    return bool(_PREAMBLE.fullmatch(pattern_words(piece)) or _PREAMBLE.fullmatch(said))


def is_regret(piece: str) -> bool:
    """Whether a preamble only regrets what follows, and refuses nothing by itself: "Unfortunately, she died"."""
    return _TONE_ONLY.fullmatch(pattern_words(piece)) is not None or _TONE_ONLY.fullmatch(as_written(piece)) is not None


_ROLE = re.compile(r"\bi(?:'m| am) an? \w", re.IGNORECASE)
_ASKED = re.compile(
    r"(?:who|what|which|where|when|how|why|do you|can you|could you|are you|did you|have you|should i|am i"
    r"|is (?:that|this|she|he) (?:someone|somebody|supposed))\b[^.!]*\?",
    re.IGNORECASE,
)
"""A reply that asks back."""
_OWN = re.compile(r"\b(?:i (?!do(?!nt\b))|im|ive|id|ill|me|my|mine|myself|we|our|us)\b")
_ABOUT = re.compile(
    r"\b(?:this|that|your|such) (?:\w+ )?(?:question|information|image|picture|photo|query|detail|data|name|person"
    r"|individual|request|topic|one|fact)\b"
    r"|^(?:question|information|answer|query|that|this)\b"
)
_CLAIM = re.compile(
    r"\b(?:think|thinking|believe|guess|suppose|suspect|bet|assume|reckon|imagine|would say|d say|id say|ill say|say"
    r"|would go|id go|going (?:with|for)|pick|choose|opt|seem\w*|looks? (?:like|to be)|appears?|probably"
    r"|perhaps|maybe|might|may be|could be|must be|likely|recall|remember|know|answer is|would be|vote|money is"
    r"|confident|sure|certain|opinion|understanding|told)\b"
    r"|^(?:\w+ ){0,2}(?:he|she|they) |\b(?:he|she) (?:is|was|works|worked|were)\b"
    r"|^(?:person|woman|man|individual)\b|\b(?:this|that) (?:person|individual|woman|man) (?:is|was|works|has)\b"
)


def speaks_of_itself(text: str) -> bool:
    """Whether a text that gives no value only speaks of its speaker, the question or the picture, and claims nothing.

    So do refusals in words that no list has: "My crystal ball is cloudy today."
    """
    if _ASKED.fullmatch(text.strip()):
        return True
    pieces = [pattern_words(piece) for piece in _SENTENCES.split(text) if pattern_words(piece)]
    return (
        bool(pieces)
        and any(len(word) > 3 for piece in pieces for word in piece.split() if word not in ("this", "that", "person"))
        and sum(len(piece.split()) for piece in pieces) > 2
        and all(_OWN.search(piece) or _ABOUT.search(piece) for piece in pieces)
        and not _ROLE.search(text.translate(_QUOTES))
        and not any(_CLAIM.search(piece) for piece in pieces)
    )


@lru_cache(maxsize=1 << 13)
def refuses(reply: str) -> bool:
    """Whether any piece of a reply declines, or apologises."""
    pieces = [piece for piece in _BREAK.split(reply) if piece.strip()]
    if any(declines(piece) or (is_preamble(piece) and not is_regret(piece)) for piece in pieces):
        return True
    return len(pieces) > 1 and declines(reply)
