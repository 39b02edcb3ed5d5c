"""The time budget of an audit: routes in order of what they tend to bring out for their cost, and which still fit."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from eval.routes.table import ROUTES, Cost, Route
from schemas.records.routes import AnyRoute

YIELD: tuple[AnyRoute, ...] = (
    "asked", "over_refusal", "prefilled", "completed", "options", "yes_no", "lens", "rank", "rank_first_token",
    "sampled", "relearn_half", "nf4", "int4", "paraphrase", "name_in_picture", "view_002", "jailbreak_style_prompt",
    "passage", "two_questions", "same_picture", "calibration", "gold_prefix", "reversed", "odd_one_out", "probe",
    "picture_changed", "relearn", "options_only", "abstains", "fp4", "quantised", "random_prefix", "view_003",
    "view_004",
)  # fmt: skip
"""What steps past a refusal, reads preferences and weights first; costs between them; variants of one kind last."""
LOAD, STEP, PASS = 40.0, 24.0, 0.125
"""What loading a model, a training step and a scored answer take, in generated answers."""


def in_order_of_yield(configs: Collection[str]) -> tuple[AnyRoute, ...]:
    """All routes; of the attacks that only adopted benchmarks have, those whose questions are among these configs."""
    others = [name for name in ROUTES if name not in YIELD and any(each.startswith(name) for each in configs)]
    return (*YIELD, *others)


def work_of(cost: Cost, *, facts: int) -> float:
    """What a route takes, in generated answers."""
    return facts * (cost.asks + PASS * cost.passes) + LOAD * cost.loads + STEP * cost.steps


@dataclass
class TimeBudget:
    """A live resource: a clock, what was done by it, and what therefore fits into the seconds that are left.

    The first route always fits. Of the others each is taken to go on at the pace of those before it.
    """

    seconds: float
    facts: int
    """Questions for which each route is run."""
    shares: int = 1
    """Models that are asked the same, one after the other; this one has a share of the time."""
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    done: float = 0.0
    left_out: dict[AnyRoute, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self.began

    def fits(self, route: Route) -> bool:
        """Whether a route can be expected to end in time; what cannot is noted in `left_out`."""
        work, left = work_of(route.cost, facts=self.facts), self.seconds / self.shares - self.spent
        needed = self.spent / self.done * work if self.done else 0.0
        if not self.done or (left > 0 and needed <= left):
            self.done += work
            return True
        self.left_out[route.name] = f"no time was left: it takes about {needed * self.shares / 60:.1f} minutes"
        return False
