"""The page of a sequence study: what each step left of every request, as a heat map that is a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.metrics.sequence import SequenceFigures, over_seeds
from eval.pages.page import Link, csv_download, render
from eval.pages.text_tables import Table, percent
from schemas.records.requests import Access
from schemas.records.sequences import Order, RequestAsked, SequenceStep
from schemas.storage.artifacts import write_atomically
from schemas.storage.tables import Record

TEMPLATE = Path(__file__).parent / "sequence_page.html.j2"
SAID = {
    "immediate": "right after a request was served, of its facts are still answered (low is good)",
    "rebound": "came back of earlier requests by the end, on average (below 0: they sank further)",
    "worst_rebound": "came back of any one earlier request after any later one, at worst",
    "decay": "lost of what no request names, from before the first to after the last",
    "decay_per_request": "lost of it a request",
    "stability": "lost of it in one step, at worst",
    "penalty": "kept more by one batch of all requests in as many steps",
}
"""What a figure says, as the rest of a sentence about a share of answers."""


class Served(Record):
    """One sequence: a method with a seed, in one order."""

    method: str
    seed: int
    order: Order
    steps: tuple[SequenceStep, ...]
    batch: SequenceStep | None
    figures: SequenceFigures


class Sequences(Record):
    """`sequences.json`: all sequences of a study."""

    recipe: str
    access: Access
    requests: tuple[RequestAsked, ...]
    target: SequenceStep
    sequences: tuple[Served, ...]


class MatrixRow(Record):
    """One cell of the matrices, for the CSV."""

    method: str
    seed: int
    order: str
    after: str
    """The request that was served last."""
    asked: str
    """The request whose facts were asked, or "kept"."""
    accuracy: float


@dataclass(frozen=True)
class Cell:
    """One cell of the heat map: a share as text, its shade 0-100, and whether that request was served by then."""

    text: str
    shade: int
    served: bool


@dataclass(frozen=True)
class HeatMap:
    """One sequence as a heat map: rows are steps, columns requests and what is kept."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def write_sequence_page(found: Sequences, path: Path) -> None:
    """Write the page, one file that loads nothing."""
    title = f"Requests one after another: {found.recipe}"
    links = [Link("figures", "Figures"), Link("matrix", "What each step left"), Link("requests", "Requests")]
    page = render(
        TEMPLATE,
        title=title,
        links=links,
        scripts=(),
        access=found.access,
        number=len(found.requests),
        figures=figure_table(found),
        maps=[heat_map(found.target, each) for each in found.sequences],
        requests=Table(
            caption="Requests",
            columns=("request", "asked by", "facts"),
            rows=tuple((each.id, each.person, str(len(each.samples))) for each in found.requests),
            note="Facts that an earlier request had asked for are not counted again.",
        ),
        download=csv_download("matrix", matrix_rows(found)),
        said=SAID,
    )
    write_atomically(path, page)


def figure_table(found: Sequences) -> Table:
    """Every figure by method and order, as its mean over seeds with the range that they span."""
    rows = []
    arms = dict.fromkeys((each.method, each.order) for each in found.sequences)
    for method, order in arms:
        own = [each.figures for each in found.sequences if (each.method, each.order) == (method, order)]
        spread = over_seeds(own)
        cells = []
        for name in SAID:
            figure = spread.get(name)
            text = "–" if figure is None else f"{100 * figure.value:.1f}"
            if figure is not None and figure.low is not None and figure.high is not None:
                text += f" [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"
            cells.append(text)
        rows.append((f"{method}, {order}", *cells))
    note = "Percent of answers; in brackets the lowest and highest of the seeds, where there are several."
    columns = ("method, order", *(name.replace("_", " ") for name in SAID))
    return Table(caption="What a sequence does", columns=columns, rows=tuple(rows), note=note)


def heat_map(target: SequenceStep, served: Served) -> HeatMap:
    """The matrix of one sequence, before the first step and after each, and of the batch where there is one."""
    ids = [step.request for step in served.steps]
    rows = [("before", _cells(target, ids, 0))]
    rows += [(f"after {step.request}", _cells(step, ids, at)) for at, step in enumerate(served.steps, start=1)]
    if served.batch is not None:
        rows.append(("one batch", _cells(served.batch, ids, len(ids))))
    caption = f"{served.method}, {served.order}, seed {served.seed}: right answers"
    return HeatMap(caption, ("", *ids, "kept"), tuple(rows))


def matrix_rows(found: Sequences) -> list[MatrixRow]:
    """All cells of all matrices."""
    rows = []
    for each in found.sequences:
        last = [("one batch", each.batch)] if each.batch else []
        steps: Sequence[tuple[str, SequenceStep]] = [
            ("", found.target), *((step.request, step) for step in each.steps), *last
        ]  # fmt: skip
        for after, step in steps:
            for asked, accuracy in (*step.accuracy.items(), ("kept", step.kept)):
                rows.append(
                    MatrixRow(
                        method=each.method, seed=each.seed, order=each.order, after=after, asked=asked,
                        accuracy=accuracy,
                    )
                )  # fmt: skip
    return rows


def _cells(step: SequenceStep, ids: Sequence[str], served: int) -> tuple[Cell, ...]:
    cells = [Cell(percent(step.accuracy[each]), round(100 * step.accuracy[each]), at < served) for at, each in
             enumerate(ids)]  # fmt: skip
    return (*cells, Cell(percent(step.kept), round(100 * step.kept), False))
