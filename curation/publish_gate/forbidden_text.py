"""What no text of a release may hold: access tokens, places on somebody's disk, and ways to reach a person."""

import re
from collections.abc import Iterator

_TOKENS = re.compile(
    r"""\b(?:hf_[A-Za-z0-9]{16,} | sk-[A-Za-z0-9_-]{16,} | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,}
    | xox[abprs]-[A-Za-z0-9-]{10,} | AKIA[0-9A-Z]{16} | AIza[0-9A-Za-z_-]{30,})
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY | \b[Bb]earer\ [A-Za-z0-9._-]{16,}
    | \b(?:api[_-]?key|token|password|secret)\s*[=:]\s*['"]?[A-Za-z0-9_.-]{12,}""",
    re.VERBOSE,
)
_PATHS = re.compile(
    r"""(?<![\w/.:])(?:/home/|/root/|/Users/|/tmp/|/work/|/mnt/|/var/|/opt/|/private/)[\w.~-]+
    | \b[A-Za-z]:\\(?:Users|Documents|home|tmp)[\w.\\-]* | \bfile://\S+ | (?<!\w)~/[\w.-]+/
    | \b127\.0\.0\.1\b | \blocalhost:\d+""",
    re.VERBOSE,
)
_CONTACT = re.compile(
    r"""\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b        # e-mail
    | (?<![\w.])\+\d{1,3}[ ().-]{0,2}\d(?:[ ().-]{0,2}\d){6,12}(?!\w) | \btel:\S+ | \bmailto:\S+   # telephone
    | \(\d{3}\)[ ]?\d{3}-\d{4}""",
    re.VERBOSE,
)


def forbidden(text: str, *, contact: bool = True) -> Iterator[tuple[str, str]]:
    """(rule, what was found) of everything in a text that must not be published; what is found is shortened.

    `contact` is False for texts that credit authors of pictures in the words that they ask for.
    """
    if found := _TOKENS.search(text):
        yield "text-token", f"looks like an access token ({found[0][:6]}…)"
    if found := _PATHS.search(text):
        yield "text-path", f"names a place on a local disk or machine ({found[0][:40]!r})"
    if contact and (found := _CONTACT.search(text)):
        yield "text-contact", f"looks like an address or a telephone number ({found[0][:3]}…)"
