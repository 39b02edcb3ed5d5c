"""Options of a multiple-choice item, in whatever form a benchmark gives them, with the letter of the right one."""

import re
from collections.abc import Mapping

from schemas.vocabulary import OPTION_LABELS

_LETTER = re.compile(r"\(?([A-Za-z])(?:[).:]|\Z)")


def read_options(given: object, right: str) -> tuple[tuple[str, ...], str]:
    """Options in the order of their letters, and the right one's letter (A for the first).

    `given` is a dictionary by letter or a list; `right` a letter, a letter with the text behind it, or the text. Raises
    ValueError, in a few words that count as a reason, for items that cannot be asked with four letters.
    """
    if isinstance(given, Mapping):
        pairs = [(str(name).strip().upper(), _text(value)) for name, value in sorted(given.items())]
    elif isinstance(given, list | tuple):
        pairs = [(chr(ord("A") + place), _text(value)) for place, value in enumerate(given)]
    else:
        raise ValueError("options that are neither a list nor a dictionary")
    pairs = [(name, text) for name, text in pairs if text]
    if not 2 <= len(pairs) <= len(OPTION_LABELS):
        raise ValueError(f"{'fewer than two' if len(pairs) < 2 else 'more than four'} options")
    named = right.strip().upper() if isinstance(given, Mapping) else ""
    keys = [name for name, _ in pairs]  # an option may read as a letter, such as a blood type: a key goes first
    place = keys.index(named) if named in keys else _place(right.strip(), pairs)
    return tuple(text for _, text in pairs), OPTION_LABELS[place]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _place(right: str, pairs: list[tuple[str, str]]) -> int:
    texts = [text.casefold() for _, text in pairs]
    if texts.count(right.casefold()) == 1:
        return texts.index(right.casefold())
    found = _LETTER.match(right)
    names = [name for name, _ in pairs]
    if found is None or found[1].upper() not in names:
        raise ValueError("a right answer that is none of the options")
    return names.index(found[1].upper())
