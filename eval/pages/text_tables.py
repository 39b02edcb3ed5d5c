"""Tables for people: text cells for HTML and Markdown, shares and differences in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of text cells. The first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """What a reader must know of it, below the table."""


def markdown_table(table: Table) -> str:
    """The table as Markdown, its caption before it; what would end a cell or begin HTML is escaped."""
    lines = [f"**{plain(table.caption)}**", "", _line(table.columns), "|" + "---|" * len(table.columns)]
    lines.extend(_line(row) for row in table.rows)
    if table.note:
        lines += ["", plain(table.note)]
    return "\n".join(lines) + "\n"


def percent(share: float | None) -> str:
    """A share in 0-1 as whole percent; an en dash for none."""
    return "–" if share is None else f"{100 * share:.0f} %"


def with_interval(share: float | None, low: float | None, high: float | None) -> str:
    """A share as percent with its interval, such as "83 % [79, 87]"."""
    if share is None or low is None or high is None:
        return percent(share)
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def points(difference: float, low: float | None, high: float | None) -> str:
    """A difference of shares in percentage points with its interval."""
    if low is None or high is None:
        return f"{100 * difference:.1f} points"
    return f"{100 * difference:.1f} points [{100 * low:.1f}, {100 * high:.1f}]"


def signed_points(difference: float, low: float | None, high: float | None) -> str:
    """A difference of shares in percentage points with its sign, such as "-3.1 [-5.2, -1.0]"."""
    ends = "" if low is None or high is None else f" [{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{100 * difference:+.1f}{ends}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no HTML, code, stress, link or picture comes of it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    escaped = re.sub(r"[\\|`*]", r"\\\g<0>", escaped)
    escaped = re.sub(r"\](?=[(\[])|^\[", r"\\\g<0>", escaped.strip())
    escaped = escaped.replace("://", ":\\//").replace("www.", "www\\.")
    return " ".join(escaped.split())
