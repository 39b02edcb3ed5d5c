"""Review page: one HTML file in which a reader accepts or rejects facts, and the same facts as CSV beside it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from eval.pages.page import Link, json_text, render
from schemas.records.review import ReviewRow, ReviewSample
from schemas.storage.artifacts import write_atomically
from schemas.storage.csv_text import csv_text

HERE = Path(__file__).parent
TEMPLATE = HERE / "review.html.j2"
MARK = "\ufeff"
"""Begins the CSV, so that spreadsheets read it as UTF-8."""
REASONS = (
    "The answer is wrong or doubtful",
    "Another answer is right too",
    "The question reads wrong or is unclear",
    "The question tells its answer",
    "An option is right too, or stands out",
    "The picture does not show the person",
    "It is private, and should not be asked",
    "It is out of date",
)
"""What the page offers as reasons; keys 1-8."""


@dataclass(frozen=True)
class ReviewFiles:
    """What was written."""

    html: Path
    csv: Path
    facts: int
    bytes: int
    """Of the page."""


def write_review(
    rows: Sequence[ReviewRow],
    pictures: Mapping[str, str],
    sample: ReviewSample,
    *,
    name: str,
    command: str,
    out: Path,
    stem: str,
) -> ReviewFiles:
    """Write `<stem>.html` and `<stem>.csv` into `out`.

    `pictures` are thumbnails (base64 WebP) by sample_id; `command` is what reads the verdicts back in.
    """
    text = csv_text(rows)
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    page = render(
        TEMPLATE,
        title=f"Review of {name}",
        links=[Link("review", "Review"), Link("all", "All facts")],
        scripts=[(HERE / "review.js").read_text()],
        extra_style=(HERE / "review.css").read_text(),
        sample=sample,
        command=command,
        stem=stem,
        reasons=REASONS,
        data=json_text({
            "columns": list(header), "rows": [list(line) for line in lines], "file": f"{stem}.csv",
            "sample": sample.text(),
        }),
        pictures=json_text(_shared(pictures)),
    )  # fmt: skip
    write_atomically(out / f"{stem}.html", page)
    write_atomically(out / f"{stem}.csv", MARK + text)
    return ReviewFiles(out / f"{stem}.html", out / f"{stem}.csv", len(rows), (out / f"{stem}.html").stat().st_size)


def _shared(pictures: Mapping[str, str]) -> JsonValue:
    """Each picture once, and for every fact the place of its own in that list."""
    places = {content: place for place, content in enumerate(dict.fromkeys(pictures.values()))}
    return {"contents": list(places), "of": {name: places[content] for name, content in pictures.items()}}
