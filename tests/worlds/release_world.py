"""A small release to be spoilt one cell at a time, for the tests of the gate and of publishing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.card.metadata_files import ReleaseFile, read_release, release_texts
from schemas.dataset.release import Part
from tests.worlds.eval_world import CARD
from tests.worlds.synthetic_build import make_bundles

CONTACT = "takedown@example.org"


def write_release(folder: Path, *, people: int = 4, part: Part = "all", gated_slots: tuple[int, ...] = ()) -> Path:
    """A finished export with a take-down contact; returns the folder."""
    from curation.export.export import ReleaseRequest, export_release
    from schemas.vocabulary import RATIOS

    export_release(
        folder,
        make_bundles(people, gated_slots=gated_slots),
        ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=CARD.sensitive, part=part),
        card=CARD.model_copy(update={"contact": CONTACT}),
    )
    return folder


def linked_copy(source: Path, target: Path) -> Path:
    """A copy that costs nothing; whoever changes a file of it replaces the file."""
    return Path(shutil.copytree(source, target, copy_function=os.link))


def as_published(hub: Path, **changes: object) -> ReleaseFile:
    """The release file with what publishing adds to it."""
    release = read_release(hub)
    card = {"repository": "tester/ppu", "version": "1.0.0", **changes}
    return release.model_copy(update={"card": release.card.model_copy(update=card)})


def texts_of(hub: Path, release: ReleaseFile) -> dict[str, str]:
    return release_texts(hub, release, previous=None)


def data_file(hub: Path, config: str) -> Path:
    return next((hub / "data" / config).glob("*.parquet"))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace a Parquet file with a changed table."""
    table = change(pq.read_table(path))
    path.unlink()
    pq.write_table(table, path)


def edit_rows(hub: Path, config: str, change: Callable[[list[dict[str, object]]], object]) -> None:
    """Change the rows of a config in place, as Python rows."""

    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        change(rows)
        return pa.Table.from_pylist(rows, schema=table.schema)

    rewrite(data_file(hub, config), changed)


def set_cell(config: str, row: int, column: str, value: object) -> Callable[[Path], None]:
    """A fault: one cell with another value."""
    return lambda hub: edit_rows(hub, config, lambda rows: rows[row].update({column: value}))


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, old
    path.unlink()
    path.write_text(text.replace(old, new, 1))
