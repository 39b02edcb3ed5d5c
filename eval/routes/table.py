"""The table of routes: what each needs of a model, what it costs, and the function that runs it; cheap ones first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eval.routes.asking import RouteInput
from eval.routes.plain import run_asked
from schemas.records.evaluation import MODEL_ATTACKS, PROMPT_ATTACKS, VIEW_ATTACKS
from schemas.records.routes import NEED_LINES, AnyRoute, Need, RouteResult, RouteSide

Run = Callable[[RouteInput], RouteResult]


@dataclass(frozen=True)
class Cost:
    """What a route asks of the machine, to be weighed against a time budget before it is run.

    The first two are for each forgotten fact and modality (of a cost: for each that it asks about).
    """

    asks: float = 0
    """Answers that are generated."""
    passes: float = 0
    """Given answers that are scored, or prompts whose states are read."""
    loads: int = 0
    """Times that the model is loaded anew."""
    steps: int = 0
    """Training steps of RELEARN_BATCH samples."""


@dataclass(frozen=True)
class Route:
    """One way to a fact, or one figure of what was lost."""

    name: AnyRoute
    side: RouteSide
    needs: frozenset[Need]
    cost: Cost
    version: int
    """Raised when it asks or counts otherwise."""
    run: Run
    """Of a route that needs weights: flows changes the model and runs it on that one."""


def _attack(name: AnyRoute, *needs: Need, loads: int = 0, steps: int = 0) -> Route:
    return Route(name, "gone", frozenset(needs), Cost(asks=1, loads=loads, steps=steps), 1, run_asked)


_ROWS: tuple[Route, ...] = (
    Route("asked", "gone", frozenset(), Cost(asks=1), 1, run_asked),
    *(_attack(name) for name in PROMPT_ATTACKS),
    *(_attack(name, "pictures") for name in VIEW_ATTACKS),
    *(_attack(name, "weights", loads=1) for name in MODEL_ATTACKS),
)

ROUTES: Mapping[AnyRoute, Route] = {route.name: route for route in _ROWS}


def lacking(route: Route, can: frozenset[Need]) -> str:
    """Why a model that gives `can` cannot be asked this way: half a sentence, or "" if it can."""
    missing = [NEED_LINES[need] for need in NEED_LINES if need in route.needs - can]
    return f"the model gives no {' and no '.join(missing)}" if missing else ""
