"""The shell that the explorer and the study's report share: one self-contained page, its looks, and what it may run."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import JsonValue

from schemas.storage.csv_text import csv_text
from schemas.storage.tables import Record

PAGES = Path(__file__).parent


@dataclass(frozen=True)
class Link:
    """An entry of the page's navigation."""

    anchor: str
    text: str


@dataclass(frozen=True)
class Download:
    """The data behind a chart or table as a link."""

    address: str
    file: str


def render(template: Path, *, title: str, links: Sequence[Link], scripts: Sequence[str], **values: object) -> str:
    """The page of a template that extends shell.html.j2, in one file that loads nothing.

    `scripts` are run in order after the page; the page's policy names their digests, so that nothing else can run,
    whatever stands in the data.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, PAGES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    run = [(PAGES / "shell.js").read_text(), *scripts]
    return environment.get_template(template.name).render(
        title=title,
        links=links,
        style=Markup((PAGES / "shell.css").read_text()),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in run],  # noqa: S704 - our own files, or a library's own source
        policy=" ".join(f"'sha256-{_digest(script)}'" for script in run),
        **values,
    )


def json_text(value: JsonValue) -> Markup:
    """JSON that may stand in a script element: no text in it can end the element or begin a comment."""
    return script_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def script_json(text: str) -> Markup:
    """JSON text with the characters that mean something to HTML written as escapes."""
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(escaped.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704 - escaped here


def csv_download(name: str, rows: Sequence[Record]) -> Download:
    """A link that saves the rows as CSV."""
    content = base64.b64encode(csv_text(rows).encode()).decode()
    return Download(f"data:text/csv;base64,{content}", re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") + ".csv")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
