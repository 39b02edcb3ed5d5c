"""CSV: records as text that spreadsheets open without running any of it, and the cells as they were."""

import csv
import io
from collections.abc import Sequence

from schemas.storage.tables import Record

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(records: Sequence[Record]) -> str:
    """Records of one kind as CSV with a header; lists and objects become JSON-like text. Empty without records."""
    if not records:
        return ""
    lines = io.StringIO()
    names = list(type(records[0]).model_fields)
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        content = record.model_dump(mode="json")
        writer.writerow([_cell(content[name]) for name in names])
    return lines.getvalue()


def cell_text(cell: str) -> str:
    """What a cell said before `csv_text` kept spreadsheets from running it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # Spreadsheets run such text as a formula; numbers may begin with a minus.
    hostile = isinstance(value, str) and text.startswith(FORMULA_STARTS)
    return f"'{text}" if hostile else text
