"""Letters without accents, the one rule of the project: marks go, letters that do not decompose have a plain form."""

import re
import unicodedata
from functools import lru_cache

_PLAIN = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ß": "ss", "ħ": "h", "ŧ": "t",
    "ŋ": "n", "ə": "a", "ɛ": "e", "ɔ": "o", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ɖ": "d", "ŀ": "l", "ĸ": "k",
    "ƒ": "f", "ǥ": "g", "ƶ": "z", "ɨ": "i", "ʉ": "u", "ȷ": "j", "ɫ": "l", "ƀ": "b", "ɍ": "r", "ɲ": "n", "ǝ": "a",
}  # fmt: skip
_UNDECOMPOSED = str.maketrans(
    _PLAIN | {letter.upper(): plain.capitalize() for letter, plain in _PLAIN.items() if len(letter.upper()) == 1 and
              letter.upper() != "I"} | {"ẞ": "SS", "Ə": "A"}
)  # fmt: skip
_CYRILLIC = str.maketrans({
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu",
    "я": "ya", "і": "i", "ї": "i", "є": "e", "ў": "w",
})  # fmt: skip
_SHORTENED = {"st": "saint", "ste": "sainte", "sta": "santa", "jr": "junior", "sr": "senior", "mt": "mount"}
_SHORT = re.compile(rf"\b(?:{'|'.join(_SHORTENED)})\b")
_BRITISH = (
    (re.compile(r"(?<=\w\w)our(?=s?\b|ed\b|ing\b|er\b|ers\b|ist\b)"), "or"),
    (re.compile(r"(?<=\w[bt])re(?=s?\b)"), "er"),
    (re.compile(r"(?<=\w\w)is(?=(?:e|es|ed|er|ers|ing|ation|ations)\b)"), "iz"),
    (re.compile(r"ll(?=(?:ed|ing|er|ers|ist)\b)"), "l"),
    (re.compile(r"(?<=[mg])(?:me|ue)(?=s?\b)"), ""),
    (re.compile(r"\bgrey\b"), "gray"),
    (re.compile(r"ae(?=[dostr])"), "e"),
)
_WORD = re.compile(r"[^\W_]+")


def fold_accents(text: str) -> str:
    """The text without accents, its case kept: "Kraków" becomes "Krakow", "Ødeby" "Odeby"."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_UNDECOMPOSED))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return bare.translate(_UNDECOMPOSED)  # once more for those that were under a mark, as in "Ǿ"


@lru_cache(maxsize=1 << 14)
def respelt(text: str) -> str:
    """Folded words in one spelling of several: "st" as "saint", "harbour" and "theatre" as in America,
    Cyrillic letters in Latin ones.

    It makes no word that anybody writes ("four" is "for"); two texts are compared by it, both respelt.
    """
    text = text if text.isascii() else text.translate(_CYRILLIC)
    text = _SHORT.sub(lambda hit: _SHORTENED[hit[0]], fold_accents(text))
    for pattern, plain in _BRITISH:
        text = pattern.sub(plain, text)
    return text


def plain_words(text: str) -> str:
    """The words of a text without case, accents and punctuation, one space between."""
    return " ".join(_WORD.findall(fold_accents(text).casefold()))
