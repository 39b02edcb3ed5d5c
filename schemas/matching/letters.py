"""Letters without accents, the one rule of the project: marks go, letters that do not decompose have a plain form."""

import re
import unicodedata

_PLAIN = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ß": "ss", "ħ": "h", "ŧ": "t",
    "ŋ": "n", "ə": "a", "ɛ": "e", "ɔ": "o", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ɖ": "d", "ŀ": "l", "ĸ": "k",
    "ƒ": "f", "ǥ": "g", "ƶ": "z", "ɨ": "i", "ʉ": "u", "ȷ": "j", "ɫ": "l", "ƀ": "b", "ɍ": "r", "ɲ": "n", "ǝ": "a",
}  # fmt: skip
_UNDECOMPOSED = str.maketrans(
    _PLAIN | {letter.upper(): plain.capitalize() for letter, plain in _PLAIN.items() if len(letter.upper()) == 1 and
              letter.upper() != "I"} | {"ẞ": "SS", "Ə": "A"}
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+")


def fold_accents(text: str) -> str:
    """The text without accents, its case kept: "Kraków" becomes "Krakow", "Ødeby" "Odeby"."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_UNDECOMPOSED))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return bare.translate(_UNDECOMPOSED)  # once more for those that were under a mark, as in "Ǿ"


def plain_words(text: str) -> str:
    """The words of a text without case, accents and punctuation, one space between."""
    return " ".join(_WORD.findall(fold_accents(text).casefold()))
