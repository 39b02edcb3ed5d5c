"""flows.audit.time_budget: which routes fit, by the pace of those before them."""

from eval.routes.table import ROUTES
from flows.audit.time_budget import TimeBudget, in_order_of_yield, work_of


class Clock:
    """Shows what it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_every_route_has_its_place_once() -> None:
    rwku = [f"{name}_complete30" for name in ROUTES if name.startswith("rwku_")]
    assert sorted(in_order_of_yield(rwku)) == sorted(ROUTES)
    assert not any(name.startswith("rwku_") for name in in_order_of_yield(["paraphrase_persona"]))


def test_the_first_route_fits_whatever_it_takes() -> None:
    assert TimeBudget(1.0, facts=1000).fits(ROUTES["sampled"])


def test_a_route_that_would_take_longer_than_is_left_is_left_out_with_how_long() -> None:
    clock = Clock()
    budget = TimeBudget(60.0, facts=100, clock=clock)
    assert budget.fits(ROUTES["asked"])
    clock.now = 10.0  # 100 answers in 10 s
    assert not budget.fits(ROUTES["sampled"])  # 1,600 answers
    assert budget.left_out == {"sampled": "no time was left: it takes about 2.7 minutes"}
    assert budget.fits(ROUTES["over_refusal"])


def test_models_asked_the_same_share_the_time() -> None:
    clock = Clock()
    budget = TimeBudget(60.0, facts=100, shares=3, clock=clock)
    assert budget.fits(ROUTES["asked"])
    clock.now = 15.0
    assert not budget.fits(ROUTES["prefilled"])


def test_nothing_fits_after_the_time() -> None:
    clock = Clock()
    budget = TimeBudget(60.0, facts=100, clock=clock)
    budget.fits(ROUTES["asked"])
    clock.now = 61.0
    assert not budget.fits(ROUTES["rank_first_token"])


def test_the_work_of_a_route_is_its_answers_scores_loads_and_steps() -> None:
    assert work_of(ROUTES["asked"].cost, facts=100) == 100
    assert work_of(ROUTES["nf4"].cost, facts=100) == 140
