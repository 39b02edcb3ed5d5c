"""The table of routes: every row is explained, has a cost, and needs what it uses."""

import pytest

from eval.routes.table import ROUTES
from schemas.records.evaluation import ATTACK_NAMES, RWKU_ATTACKS
from tests.documents import ROOT

PAGE = (ROOT / "docs" / "routes.md").read_text()


@pytest.mark.parametrize("name", [name for name in ROUTES if name not in (*RWKU_ATTACKS, "view_003")])
def test_every_route_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_every_attack_is_a_route() -> None:
    assert set(ATTACK_NAMES) <= set(ROUTES)


@pytest.mark.parametrize("name", [name for name in ROUTES if name != "rank_first_token"])
def test_every_route_costs_something(name: str) -> None:
    cost = ROUTES[name].cost  # type: ignore[index]
    assert cost.asks or cost.passes


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if "weights" in route.needs])
def test_a_route_that_changes_weights_loads_the_model(name: str) -> None:
    assert ROUTES[name].cost.loads  # type: ignore[index]
