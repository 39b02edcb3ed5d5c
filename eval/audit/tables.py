"""An audit as tables: is it gone, at what cost, what could not be tried, do the measures agree, fact by fact."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from eval.audit.measure import SMALLEST_GAP, agreement
from eval.audit.rows import ANY, Audited, RouteRow
from eval.audit.words import badness, in_words
from eval.pages.text_tables import Table, percent, signed_points, with_interval
from eval.routes.table import ROUTES
from schemas.records.routes import AnyRoute, RouteFact, route_line

GONE, COST = "Is it gone?", "At what cost?"
FEWEST_RUNS = 4
"""Of fewer runs no agreement of measures is shown: with three, one swap is all there is."""
CONTROL_WORDS = {
    "oracle": "never knew: a model of the same making that was never taught these facts.",
    "unknown": "never knew: the untouched target on facts that it does not know.",
    "chance": "never knew: what guessing is expected to get.",
    "": "There is no control, so nothing tells remembering from guessing.",
}
LONGEST_REPLY = 160


@dataclass(frozen=True)
class PersonFacts:
    """Of one person, which forgotten facts come back, by which routes."""

    subject_id: str
    back: int
    of: int
    table: Table


def gone_table(rows: Sequence[RouteRow]) -> Table:
    """Routes to the forgotten facts, the worst first, any-of above all; not those on which nobody gets anything."""
    shown = _worst_first(row for row in rows if _ran(row) and not _mute(row))
    kinds = dict.fromkeys(row.kind for row in shown if row.kind)
    notes = [CONTROL_WORDS[kind] for kind in kinds or [""]]
    if kinds and any(not row.kind for row in shown):
        notes.append("A dash: the control could not be asked that way.")
    notes.append(
        "Above guessing: percentage points more than never knew, in brackets the 95 % interval over people; what "
        "leaves out zero is no luck. Gap closed: 100 % is as if never known; left out where both differ "
        f"by less than {100 * SMALLEST_GAP:.0f} points."
    )
    return _routes_table(GONE, shown, " ".join(notes))


def mute_table(rows: Sequence[RouteRow]) -> Table:
    """Routes that say nothing of this model, since the untouched one gives nothing on them either."""
    shown = _worst_first(row for row in rows if _ran(row) and _mute(row))
    note = "What the untouched model does not give there cannot be missed there: these routes say nothing of it."
    return _routes_table("Routes on which the untouched model gives nothing either", shown, note)


def _routes_table(caption: str, shown: Sequence[RouteRow], note: str) -> Table:
    return Table(
        caption=caption,
        columns=("route", "comes back", "untouched", "this model", "never knew", "above guessing", "gap closed",
                 "answers"),
        rows=tuple(
            (
                row.line, in_words(row.run or 0).removesuffix(" facts").removesuffix(" of the"),
                *(with_interval(*_cell(row, name)) for name in ("target", "run", "control")),
                _points(row, "excess"), with_interval(*_cell(row, "closed")), f"{row.n:,}",
            )
            for row in shown
        ),
        note=note,
    )  # fmt: skip


def _ran(row: RouteRow) -> bool:
    return row.side == "gone" and row.run is not None


def _mute(row: RouteRow) -> bool:
    """The target gets nothing on the route, and neither does the run for sure."""
    return row.target is not None and row.target < SMALLEST_GAP and not badness(row)[0]


def cost_table(rows: Sequence[RouteRow]) -> Table:
    """What was lost, the dearest first."""
    shown = [row for row in rows if row.side == "cost" and row.run is not None]
    shown.sort(key=lambda row: -(row.run or 0 if row.rise is None else row.rise))
    return Table(
        caption=COST,
        columns=("what was lost", "untouched", "this model", "never knew", "added by unlearning", "questions"),
        rows=tuple(
            (
                row.line, *(with_interval(*_cell(row, name)) for name in ("target", "run", "control")),
                _points(row, "rise"), f"{row.n:,}",
            )
            for row in shown
        ),
        note="Shares of what should work and does not. Added by unlearning: percentage points more than of the "
        "untouched target.",
    )  # fmt: skip


def further_table(audited: Audited) -> Table:
    """Figures of whole routes that are no mean over facts: curves over samples, layers and steps."""
    others = (audited.target, audited.oracle or audited.unknown)
    rows = []
    for name, record in audited.run.items():
        for figure in record.result.figures:
            cells = [route_line(name), figure.name.replace("_", " "), figure.at]
            for records in (others[0], {name: record}, others[1]):
                same = records[name].result.figures if name in records else ()
                value = next((each.value for each in same if (each.name, each.at) == (figure.name, figure.at)), None)
                cells.append("–" if value is None else f"{value:.3f}")
            rows.append(tuple(cells))
    columns = ("route", "figure", "at", "untouched", "this model", "never knew")
    return Table("Further figures of the routes", columns, tuple(rows))


def notes_table(audited: Audited) -> Table:
    """What routes could not try, and how many facts that were."""
    rows = [(route_line(name), note) for name, record in audited.run.items() for note in record.result.notes]
    return Table("What the routes left out", ("route", "what"), tuple(rows))


def not_run_table(rows: Sequence[RouteRow]) -> Table:
    """Routes without figures, and why."""
    return Table(
        caption="Not tried",
        columns=("route", "why"),
        rows=tuple((row.line, row.not_run) for row in rows if row.not_run and row.run is None),
    )


def agreement_table(models: Sequence[Sequence[RouteRow]]) -> Table:
    """Kendall's tau-b over runs between the routes, those that disagree most first; no rows for few runs."""
    common = [
        row.line for row in (models[0] if models else ())
        if all(any(each.line == row.line and each.run is not None for each in rows) for rows in models)
    ]  # fmt: skip
    by_line = [{row.line: row.run or 0.0 for row in rows} for rows in models]
    found = agreement({line: [each[line] for each in by_line] for line in common})
    enough = len(models) >= FEWEST_RUNS
    return Table(
        caption="Do the measures agree?",
        columns=("measure", "and", "Kendall's tau over runs"),
        rows=tuple(
            (one, other, f"{tau:+.2f}") for (one, other), tau in sorted(found.items(), key=lambda each: each[1])
        ) if enough else (),
        note=f"1: both put the {len(models)} runs in the same order; 0: one says nothing of the other; below 0: they "
        "contradict each other. A measure that is the same for all runs is left out.",
    )  # fmt: skip


def people_of(audited: Audited) -> list[PersonFacts]:
    """The forgotten facts person by person: which routes bring each back, and what shows it."""
    facts: dict[str, dict[AnyRoute, list[RouteFact]]] = {}
    for name, record in audited.run.items():
        if ROUTES[name].side == "gone":
            for fact in record.result.facts:
                facts.setdefault(fact.sample_id, {}).setdefault(name, []).append(fact)

    def subject(sample: str) -> str:
        return next(iter(facts[sample].values()))[0].subject_id

    ordered = sorted(facts, key=lambda sample: (subject(sample), sample))
    return [
        _person(subject_id, {sample: facts[sample] for sample in samples})
        for subject_id, samples in groupby(ordered, key=subject)
    ]


def _person(subject_id: str, facts: Mapping[str, Mapping[AnyRoute, Sequence[RouteFact]]]) -> PersonFacts:
    rows, back = [], 0
    for sample, by_route in facts.items():
        got = {name: next((each for each in own if each.recovered), None) for name, own in by_route.items()}
        names = [name for name, fact in got.items() if fact]
        back += bool(names)
        shows = next((fact.best for fact in got.values() if fact), "")
        first = next(iter(by_route.values()))[0]
        rows.append((sample, first.kind, ", ".join(names) or "–", f"{len(by_route)}", shows[:LONGEST_REPLY]))
    caption = f"Person {subject_id}: {back} of {len(rows)} facts come back"
    columns = ("fact", "asked for", "brought back by", "routes tried", "what shows it")
    return PersonFacts(subject_id, back, len(rows), Table(caption, columns, tuple(rows)))


def _worst_first(rows: Iterable[RouteRow]) -> list[RouteRow]:
    return sorted(rows, key=lambda row: (row.route != ANY, *(-each for each in map(float, badness(row)))))


def _cell(row: RouteRow, name: str) -> tuple[float | None, float | None, float | None]:
    cells = row.model_dump()
    return cells[name], cells[f"{name}_low"], cells[f"{name}_high"]


def _points(row: RouteRow, name: str) -> str:
    value, low, high = _cell(row, name)
    return percent(None) if value is None else signed_points(value, low, high)
