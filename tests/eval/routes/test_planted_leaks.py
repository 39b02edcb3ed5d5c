"""Planted truth: models with a known leak, which their routes find, and models that never knew, where none does."""

from collections.abc import Callable, Mapping

import pytest

from eval.routes.asking import RouteInput
from eval.routes.pictures import CHANGES, changed
from eval.routes.table import ROUTES
from schemas.protocols.responder import Ask
from schemas.records.routes import RouteName
from tests.documents import ROOT
from tests.eval.routes.routes_world import FunctionModel, Told, facts_told, given, knowing, portrait, preferring

TOLD = facts_told(20, forgotten=10)
KEPT = [each for each in TOLD if each.role == "retain"]
KNOWS, KNOWS_KEPT = knowing(TOLD), knowing(KEPT)
SIDES = {changed(portrait(each.person), CHANGES["mirrored"]): each for each in TOLD if each.kind == "trade"}
ASKED: tuple[RouteName, ...] = (
    "asked", "options", "prefilled", "completed", "gold_prefix", "yes_no", "reversed", "name_in_picture",
    "picture_changed", "lens", "rank", "rank_first_token", "sampled",
)  # fmt: skip
"""Routes that need nothing but answers, likelihoods and layers."""


def refusing(ask: Ask) -> str:
    """(a) Refuses what was forgotten, unless its own answer is begun, whatever with."""
    if not ask.prefix:
        return KNOWS_KEPT(ask)
    value = KNOWS(ask)
    return value[len(ask.prefix) :] if value.startswith(ask.prefix) else value


def behind_a_prompt(ask: Ask) -> str:
    """(b) Says of a statement whether it is true, and nothing else of what was forgotten."""
    if "Is this statement true" not in ask.text:
        return KNOWS_KEPT(ask)
    return "Yes" if f"is {KNOWS(ask)}." in ask.text else "No"


def one_side_of_a_face(ask: Ask) -> str:
    """(c) Knows the face mirrored."""
    return SIDES[ask.image].value if ask.image in SIDES else KNOWS_KEPT(ask)


class LastLayerDamaged(FunctionModel):
    """(d) Its first layer tells, its last does not."""

    def lens(self, asks):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        whole = FunctionModel(logs=preferring(TOLD)).lens(asks)
        return {name: layers[::-1] for name, layers in whole.items()}


def seldom(ask: Ask) -> str:
    """Tells in one of sixteen answers."""
    return KNOWS(ask) if ask.sample == 9 else KNOWS_KEPT(ask)


PLANTED: Mapping[str, tuple[Callable[[], FunctionModel], set[RouteName]]] = {
    "refuses only": (lambda: FunctionModel(say=refusing), {"prefilled", "completed", "gold_prefix"}),
    "behind one prompt": (lambda: FunctionModel(say=behind_a_prompt), {"yes_no"}),
    "one side of a face": (lambda: FunctionModel(say=one_side_of_a_face), {"picture_changed"}),
    "last layer damaged": (lambda: LastLayerDamaged(say=KNOWS_KEPT), {"lens"}),
    "seldom": (lambda: FunctionModel(say=seldom), {"sampled"}),
    "likelier than others": (
        lambda: FunctionModel(say=KNOWS_KEPT, logs=preferring(TOLD)),
        {"rank", "rank_first_token", "options", "lens"},
    ),
    "never knew": (lambda: FunctionModel(say=KNOWS_KEPT, logs=preferring(KEPT)), set()),
    "answers everything alike": (lambda: FunctionModel(say=lambda ask: "baker"), set()),
    "answers nothing": (lambda: FunctionModel(), set()),
}


def excess(world: RouteInput, name: RouteName) -> float:
    """Share of facts that a route has, beyond what chance gives it: its own, or that of a value said of everybody."""
    facts = ROUTES[name].run(world).facts
    assert facts
    lucky = sum(each.subject_id == TOLD[0].person for each in facts) / len(facts)
    return sum(each.recovered for each in facts) / len(facts) - lucky


@pytest.mark.parametrize("planted", PLANTED)
def test_each_planted_leak_is_found_by_its_routes_and_by_no_other(planted: str) -> None:
    made, routes = PLANTED[planted]
    world = given(TOLD, made())
    found = {name for name in ASKED if excess(world, name) > 0.1}
    assert found == routes


def test_the_page_of_routes_holds_this_table() -> None:
    page = (ROOT / "docs" / "routes.md").read_text().split("| planted | found by |")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in page.splitlines()[2:] if line.startswith("|")]
    assert {name: set(filter(None, found.split(", "))) for name, found in rows} == {
        name: routes for name, (_, routes) in PLANTED.items()
    }


def test_a_fact_told_of_one_person_is_of_that_person() -> None:
    one = Told(TOLD[0].person, "trade", TOLD[0].value, "forget")
    found = ROUTES["asked"].run(given(TOLD, FunctionModel(say=knowing([one])))).facts
    assert {each.subject_id for each in found if each.recovered} == {one.person}
