"""Blood types however they are written: "A+" and "A positive" are one answer, and "O positive" is another."""

import re
from typing import Literal, NamedTuple

Sign = Literal["positive", "negative", ""]

_SIGNED = re.compile(
    r"(?<![\w+-])(AB|A|B|O)(?:,?[ -]?[Rr]h(?:esus)?(?:D|\(D\)|[ -]factor)?)?"
    r"(?:[ -]?(?:\(?(positive|Positive|pos|negative|Negative|neg)\b\)?|(\+)(?:ve\b)?(?![\w+]))|(-)(?:ve\b)?(?![\w-]))"
)
_NAMES = re.compile(
    r"(?:(?:human )?blood )?(?:type |group )?(AB|A|B|O)(positive|negative)?(?: blood)?(?: type| group)?"
)


class BloodType(NamedTuple):
    """A group of the ABO system and the Rhesus sign, "" where it is not said."""

    group: str
    sign: Sign


def with_blood_types_joined(text: str) -> str:
    """The text with every blood type that has a sign as one word: "A Rh+" becomes "Apositive".

    Groups are written in capitals; a minus stands right behind its group, for "A - B" is none.
    """
    return _SIGNED.sub(lambda found: f"{found[1]}{_sign(found)}", text) if _may_have_one(text) else text


def blood_type(text: str) -> BloodType | None:
    """The blood type that a label is ("AB+", "blood type A negative", "O"), or None if it is something else."""
    found = _NAMES.fullmatch(with_blood_types_joined(" ".join(text.replace("\u2212", "-").split())))
    if found is None:
        return None
    sign: Sign = "positive" if found[2] == "positive" else "negative" if found[2] else ""
    return BloodType(found[1], sign)


def signed_forms(label: str) -> tuple[str, ...]:
    """What else may be answered where the type is known without its sign: the group in words, and with a sign."""
    found = blood_type(label)
    if found is None or found.sign:
        return ()
    return (f"type {found.group}", f"group {found.group}", f"{found.group} positive", f"{found.group} negative")


def _sign(found: re.Match[str]) -> Sign:
    return "positive" if found[3] or (found[2] or "").lower().startswith("pos") else "negative"


def _may_have_one(text: str) -> bool:
    """A quick look, since nearly no text has one."""
    return "+" in text or "-" in text or "os" in text or "eg" in text
