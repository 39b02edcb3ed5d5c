"""The rows of an audit: every route of one model with its figures, worst first, and any-of over all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eval.audit.measure import Compared, ControlKind, Measure, any_of, compare
from eval.metrics.bootstrap import Interval
from eval.routes.table import ROUTES
from schemas.records.routes import AnyRoute, RouteFact, RouteRecord, RouteSide, route_line
from schemas.storage.tables import Record
from schemas.vocabulary import Setting

ANY: Literal["any"] = "any"
MEASURES: tuple[Measure, ...] = ("recovered", "score")

Records = Mapping[AnyRoute, RouteRecord]
"""By route, in the order in which they were run."""


@dataclass(frozen=True)
class Audited:
    """One model under one setting, with all that it is measured against."""

    name: str
    """What the report calls it."""
    setting: Setting
    ratio: int | None
    run: Records
    target: Records = field(default_factory=dict)
    oracle: Records = field(default_factory=dict)
    unknown: Records = field(default_factory=dict)
    """The target on facts that it does not know: the control where there is no oracle."""
    left_out: tuple[tuple[AnyRoute, str], ...] = ()
    """Routes that were not tried, and why."""

    @property
    def condition(self) -> str:
        """The setting for people."""
        return self.setting if self.ratio is None else f"{self.setting}, {self.ratio} % of subjects"


class RouteRow(Record):
    """One route of one model: shares between 0 and 1 with 95 % intervals over subjects."""

    model: str
    setting: Setting
    ratio: int | None
    route: str
    """`any`: at least one of the routes that bring facts back."""
    side: RouteSide
    line: str
    measure: Measure
    n: int
    run: float | None = None
    run_low: float | None = None
    run_high: float | None = None
    target: float | None = None
    target_low: float | None = None
    target_high: float | None = None
    control: float | None = None
    control_low: float | None = None
    control_high: float | None = None
    kind: ControlKind = ""
    excess: float | None = None
    """Run less control."""
    excess_low: float | None = None
    excess_high: float | None = None
    rise: float | None = None
    """Run less target."""
    rise_low: float | None = None
    rise_high: float | None = None
    closed: float | None = None
    closed_low: float | None = None
    closed_high: float | None = None
    not_run: str = ""


class EffortRow(Record):
    """What a route took of the machine on one model; other by each call, so it stands in no other table."""

    model: str
    setting: Setting
    ratio: int | None
    column: Literal["run", "target", "oracle", "unknown"]
    route: str
    seconds: float
    asks: int
    """Answers and likelihoods that were not kept from before."""
    ms_each: float | None


def audit_rows(audited: Audited, *, measure: Measure = "recovered") -> list[RouteRow]:
    """All routes of a model in the order in which they were run, any-of first."""
    rows = [_row(audited, name, measure) for name in audited.run]
    gone = [name for name, found in audited.run.items() if found.result.facts and ROUTES[name].side == "gone"]
    if len(gone) > 1:
        rows.insert(0, _any_row(audited, gone, measure))
    return [*rows, *_not_tried(audited, measure)]


def effort_rows(audited: Audited) -> list[EffortRow]:
    """What every route took, model by model."""
    columns = ("run", audited.run), ("target", audited.target), ("oracle", audited.oracle), ("unknown", audited.unknown)
    return [
        EffortRow.model_validate(
            {
                "model": audited.name, "setting": audited.setting, "ratio": audited.ratio, "column": column,
                "route": name, "seconds": found.seconds, "asks": found.asks,
                "ms_each": round(1000 * found.seconds / found.asks, 3) if found.asks else None,
            }
        )
        for column, records in columns
        for name, found in records.items()
    ]  # fmt: skip


def _row(audited: Audited, name: AnyRoute, measure: Measure) -> RouteRow:
    record = audited.run[name]
    plain = _of_route(audited, name, measure, not_run=record.result.not_run)
    target, oracle, unknown = (_facts(each, name) for each in (audited.target, audited.oracle, audited.unknown))
    found = compare(record.result.facts, target=target, oracle=oracle, unknown=unknown, measure=measure)
    if found is None:
        why = record.result.not_run or "no fact could be tried on it"
        return plain.model_copy(update={"not_run": why})
    return _with(plain, found)


def _any_row(audited: Audited, names: Sequence[AnyRoute], measure: Measure) -> RouteRow:
    """Any-of over the routes that all of the columns have, each fact over the same routes in each column."""
    columns = {"run": audited.run, "target": audited.target, "oracle": audited.oracle}
    present = {which: own for which, own in columns.items() if any(_facts(own, name) for name in names)}
    common = [name for name in names if all(_facts(own, name) for own in present.values())]
    unknown: list[RouteFact] | None = None
    if "oracle" not in present and audited.unknown:
        both = [name for name in common if _facts(audited.unknown, name)]
        if both:
            common, unknown = both, any_of(_facts(audited.unknown, name) or () for name in both)
    merged = {which: any_of(_shared(present, which, name) for name in common) for which in present}
    found = compare(
        merged["run"], target=merged.get("target"), oracle=merged.get("oracle"), unknown=unknown, measure=measure
    )
    plain = _plain(audited, ANY, measure, line=f"any of {len(common)} routes together", side="gone")
    return _with(plain, found) if found else plain


def _shared(present: Mapping[str, Records], which: str, name: AnyRoute) -> list[RouteFact]:
    """A column's facts of a route that all columns were asked."""
    keys = [{fact.key for fact in _facts(own, name) or ()} for own in present.values()]
    shared = set.intersection(*keys)
    return [fact for fact in _facts(present[which], name) or () if fact.key in shared]


def _facts(records: Records, name: AnyRoute) -> tuple[RouteFact, ...] | None:
    found = records.get(name)
    return found.result.facts if found and found.result.facts else None


def _not_tried(audited: Audited, measure: Measure) -> Iterator[RouteRow]:
    for name, why in audited.left_out:
        yield _of_route(audited, name, measure, not_run=why)


def _of_route(audited: Audited, name: AnyRoute, measure: Measure, **told: object) -> RouteRow:
    return _plain(audited, name, measure, line=route_line(name), side=ROUTES[name].side, **told)


def _plain(audited: Audited, route: str, measure: Measure, **told: object) -> RouteRow:
    cells: dict[str, object] = {"model": audited.name, "setting": audited.setting, "ratio": audited.ratio}
    return RouteRow.model_validate({**cells, "route": route, "measure": measure, "n": 0, **told})


def _with(row: RouteRow, found: Compared) -> RouteRow:
    cells: dict[str, object] = {"n": found.run.n, "kind": found.kind}
    columns: dict[str, Interval | None] = {
        "run": found.run, "target": found.target, "control": found.control, "excess": found.excess,
        "rise": found.rise, "closed": found.closed,
    }  # fmt: skip
    for name, interval in columns.items():
        if interval is not None:
            cells |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row.model_copy(update=cells)
