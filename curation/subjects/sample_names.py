"""Sample names: how sample ids spell a subject, safe in paths and CSV files, never the same for two subjects."""

import unicodedata
from collections.abc import Collection, Iterable

from schemas.records.build_rows import Subject

_KEPT = frozenset("'’-.()&")


def sample_name(subject: Subject, taken: Collection[str] = ()) -> str:
    """The subject's name as sample ids spell it: "Conan O'Brien" becomes "Conan_O'Brien".

    Letters and digits of every script stay, and so do ' ’ - . ( ) &; every other run of characters (spaces, slashes,
    quotes, commas, emoji, control characters) becomes one underscore. Leading and trailing dots, dashes and underscores
    go. A name that is in `taken` (case-folded) already, or of which nothing is left, gets the subject id appended, so
    only earlier subjects have an influence.
    """
    name = unicodedata.normalize("NFC", subject.name)
    safe = "".join(letter if _is_kept(letter) else " " for letter in name)
    safe = "_".join(safe.split()).strip("._-'")
    if not safe:
        safe = f"Subject_{subject.subject_id}"
    if safe.casefold() not in taken:
        return safe
    safe = f"{safe}_{subject.subject_id}"
    while safe.casefold() in taken:
        safe += "_x"
    return safe


def sample_names(subjects: Iterable[Subject]) -> dict[str, str]:
    """Sample names by subject id, in the order of the subjects (earlier batches first); no two are the same."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for subject in subjects:
        names[subject.subject_id] = sample_name(subject, taken)
        taken.add(names[subject.subject_id].casefold())
    return names


def _is_kept(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNM" or letter in _KEPT
