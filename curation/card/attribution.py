"""ATTRIBUTION.md: author, source, licence and changes of every picture of a release, for people to read."""

import html
import re
from pathlib import Path
from types import TracebackType

from schemas.dataset.samples import ImageCredit

HEADING = """# Attribution

Every picture of this dataset with its author, source and licence. The same is the `attribution` config.

"""

_MARKUP = re.compile(r"([\\`*_\[\]|#~!])")


def markdown(text: str) -> str:
    """Text from outside as plain Markdown on one line: no markup, no HTML, no table break comes through."""
    return html.escape(_MARKUP.sub(r"\\\1", " ".join(text.split())), quote=False)


def credit_keys(view: str, title: str) -> tuple[str, str]:
    """How the line of a picture begins in ATTRIBUTION.md: with a link to its source, or without."""
    return f"- {view}: [{markdown(title)}]", f"- {view}: {markdown(title)};"


class CreditsFile:
    """The open ATTRIBUTION.md, written line by line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("w", encoding="utf-8", newline="\n")
        self._subject = ""

    def __enter__(self) -> "CreditsFile":
        self._handle.write(HEADING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()

    def add(self, credit: ImageCredit) -> None:
        """One picture; those of a subject come together under its name."""
        if credit.subject_id != self._subject:
            self._subject = credit.subject_id
            self._handle.write(f"\n## {markdown(credit.subject)} ({credit.subject_id})\n\n")
        source = f"{credit.view}: {_linked(credit.title, credit.description_url)}"
        parts = [source, markdown(credit.attribution), _linked(credit.license, credit.license_url)]
        if credit.transformation:
            parts.append(f"changed: {markdown(credit.transformation)}")
        if credit.restrictions:
            parts.append(f"restrictions: {markdown(credit.restrictions)}")
        self._handle.write(f"- {'; '.join(part for part in parts if part)}\n")


def _linked(text: str, url: str) -> str:
    """The text as a link that cannot leave its brackets; plain text where the address is not http(s)."""
    if not url.startswith(("https://", "http://")):
        return markdown(text)
    address = "".join(url.split()).replace("<", "%3C").replace(">", "%3E").replace("\\", "%5C")
    return f"[{markdown(text)}](<{address}>)"
