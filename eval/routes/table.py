"""The table of routes: what each needs of a model, what it costs, and the function that runs it; cheap ones first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eval.routes.asking import RouteInput
from eval.routes.calibration import run_calibration, run_options, run_options_only
from eval.routes.candidates import SIZES
from eval.routes.costs import run_abstains, run_over_refusal, run_same_picture, run_two_questions
from eval.routes.formats import run_odd_one_out, run_passage, run_reversed, run_yes_no
from eval.routes.inner_layers import run_lens, run_probe
from eval.routes.pictures import CHANGES, run_name_in_picture, run_picture_changed
from eval.routes.plain import run_asked
from eval.routes.prefill import run_completed, run_gold_prefix, run_prefilled
from eval.routes.rank import run_rank, run_rank_first_token
from eval.routes.relearning import LADDER
from eval.routes.rounding import ROUNDINGS
from eval.routes.sampling import SAMPLES, run_sampled
from schemas.records.evaluation import PROMPT_ATTACKS, VIEW_ATTACKS
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


def _gone(name: AnyRoute, run: Run, *needs: Need, asks: float = 0, passes: float = 0) -> Route:
    return Route(name, "gone", frozenset(needs), Cost(asks=asks, passes=passes), 1, run)


def _cost(name: AnyRoute, run: Run, *needs: Need, asks: float = 0, passes: float = 0) -> Route:
    return Route(name, "cost", frozenset(needs), Cost(asks=asks, passes=passes), 1, run)


_ROWS: tuple[Route, ...] = (
    _gone("asked", run_asked, asks=1),
    _gone("options", run_options, "likelihoods", passes=4),
    _gone("prefilled", run_prefilled, "prefill", asks=1),
    _gone("completed", run_completed, "prefill", asks=1),
    _gone("gold_prefix", run_gold_prefix, "prefill", asks=2),
    _gone("yes_no", run_yes_no, asks=2),
    _gone("reversed", run_reversed, asks=0.5),
    _gone("odd_one_out", run_odd_one_out, asks=0.5),
    *(_attack(name) for name in PROMPT_ATTACKS),
    *(_attack(name, "pictures") for name in VIEW_ATTACKS),
    _gone("name_in_picture", run_name_in_picture, "pictures", asks=0.5),
    _gone("picture_changed", run_picture_changed, "pictures", asks=0.5 * len(CHANGES)),
    _gone("lens", run_lens, "hidden_states", passes=1),
    _gone("probe", run_probe, "hidden_states", passes=2),
    *(_attack(name, "weights", loads=1) for name in ROUNDINGS),
    _attack("quantised", "weights", loads=1),
    _gone("rank", run_rank, "likelihoods", passes=2 * SIZES[0]),
    _gone("rank_first_token", run_rank_first_token, "likelihoods"),
    _gone("sampled", run_sampled, "sampling", asks=SAMPLES),
    _attack("relearn", "weights", loads=1, steps=24),
    Route(
        "relearn_half", "gone", frozenset({"weights"}), Cost(asks=len(LADDER) / 2, loads=1, steps=LADDER[-1]), 1,
        run_asked,
    ),
    _cost("over_refusal", run_over_refusal, asks=1),
    _cost("passage", run_passage, asks=1),
    _cost("two_questions", run_two_questions, asks=3),
    _cost("same_picture", run_same_picture, "pictures", asks=0.5),
    _cost("options_only", run_options_only, asks=1.5),
    _cost("calibration", run_calibration, "likelihoods", passes=4),
    _cost("abstains", run_abstains, "hidden_states", passes=4),
)  # fmt: skip

ROUTES: Mapping[AnyRoute, Route] = {route.name: route for route in _ROWS}


def lacking(route: Route, can: frozenset[Need]) -> str:
    """Why a model that gives `can` cannot be asked this way: half a sentence, or "" if it can."""
    missing = [NEED_LINES[need] for need in NEED_LINES if need in route.needs - can]
    return f"it gives no {' and no '.join(missing)}" if missing else ""
