"""How like its reference an answer is: exact match, SQuAD's normalised exact match, and ROUGE-L."""

import re
import string
from collections.abc import Sequence

from schemas.storage.tables import Record

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


class RougeL(Record):
    """ROUGE-L of one answer, each number in 0-1."""

    precision: float
    recall: float
    f1: float


def rouge_l(prediction: str, reference: str) -> RougeL:
    """Longest common subsequence of words over the length of prediction (precision) and reference (recall).

    Words are lower-cased, free of ASCII punctuation and cut at white space; no stemming (Lin 2004, beta = 1). A text
    without words scores 0.
    """
    said, wanted = _words(prediction), _words(reference)
    common = _longest_common(said, wanted)
    if not common:
        return RougeL(precision=0.0, recall=0.0, f1=0.0)
    precision, recall = common / len(said), common / len(wanted)
    return RougeL(precision=precision, recall=recall, f1=2 * precision * recall / (precision + recall))


def exact_match(prediction: str, reference: str) -> bool:
    """Whether the two are the same but for white space at their ends."""
    return prediction.strip() == reference.strip()


def normalised_exact_match(prediction: str, reference: str) -> bool:
    """Whether the two are the same in lower case, without ASCII punctuation, articles and extra white space (SQuAD)."""
    return _normalised(prediction) == _normalised(reference)


def _normalised(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _words(text: str) -> list[str]:
    return text.lower().translate(_NO_PUNCTUATION).split()


def _longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table as the bits of an integer (Hyyrö 2004)."""
    if not left or not right:
        return 0
    places: dict[str, int] = {}
    for place, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(left)) - 1
    row = every  # a zero bit: the subsequence grows at this word of `left`
    for word in right:
        shared = row & places.get(word, 0)
        row = ((row + shared) | (row - shared)) & every
    return len(left) - row.bit_count()
