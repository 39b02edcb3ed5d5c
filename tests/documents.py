"""The code blocks of README and docs: what language they are in, what they need, and which file they stand for."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_MARKS = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Block:
    """One code block. `needs` are the words of its mark: network, gpu, server, postgres, …"""

    page: str
    line: int
    language: str
    text: str
    needs: tuple[str, ...]
    file: str

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of a shell block, with continued lines joined and remarks cut."""
        joined = self.text.replace("\\\n", " ")
        lines = (line.split("   #")[0].strip() for line in joined.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page. A mark stands in the opening line: ```sh needs=network,gpu"""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        marks = dict(_MARKS.findall(match[2]))
        found.append(
            Block(
                page=page.relative_to(ROOT).as_posix(),
                line=text[: match.start()].count("\n") + 1,
                language=match[1],
                text=match[3],
                needs=tuple(word for word in marks.get("needs", "").split(",") if word),
                file=marks.get("file", ""),
            )
        )
    return found


def file_of(page: str, name: str) -> str:
    """The text of the block of a page that stands for a file."""
    (found,) = [block for block in blocks(ROOT / page) if block.file == name]
    return found.text
