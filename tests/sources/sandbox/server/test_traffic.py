"""What the embedded world's server says about its visitors."""

import pytest

from sources.sandbox.server.traffic import GRACE_S, Traffic, Visit, service_of_path

ACTION = "/w/api.php?action=query"


def traffic(*visits: Visit) -> Traffic:
    seen = Traffic()
    seen._visits = list(visits)
    return seen


def at(came: float, went: float = 0.0, *, held: tuple[float, float] | None = None) -> Visit:
    return Visit("action", came, went, held)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        (ACTION, "action"),
        ("/sparql?query=x", "query"),
        ("/wikipedia/commons/thumb/a/ab/x.jpg", "media"),
        ("/api/rest_v1/metrics/pageviews/x", "pageviews"),
    ],
)
def test_a_path_belongs_to_a_service(path: str, service: str) -> None:
    assert service_of_path(path) == service


def test_requests_that_overlap_are_counted_and_those_that_follow_are_not() -> None:
    assert traffic(at(0, 2), at(1, 3), at(2, 4), at(9, 10)).most_at_once("action") == 2


def test_the_busiest_span_is_found_wherever_it_begins() -> None:
    seen = traffic(*(at(moment) for moment in (0, 50, 55, 59, 70, 109)))
    assert seen.most_within("action", 60.0) == 5  # 50, 55, 59, 70, 109; at 110 the sixtieth second is over


def test_whoever_comes_during_a_wait_is_early_and_whoever_was_on_the_way_is_not() -> None:
    asked_to_wait = at(0, 1, held=(1.0, 2.0))
    on_the_way, early, in_time = at(1.0 + GRACE_S), at(1.9), at(2.0)
    assert traffic(asked_to_wait, on_the_way, in_time).too_early("action") == 0
    assert traffic(asked_to_wait, on_the_way, early, in_time).too_early("action") == 1


def test_a_wait_that_follows_another_has_its_own_grace() -> None:
    assert (
        traffic(at(0, 1, held=(1.0, 2.0)), at(2.0, 2.1), at(2.01, held=(2.05, 3.05)), at(2.1)).too_early("action") == 0
    )


def test_a_visit_ends_once_and_is_not_forgotten_before() -> None:
    seen = Traffic()
    with seen.visit(ACTION) as visit:
        assert seen.most_at_once("action") == 1
        visit.over()
        went = visit.went
    assert visit.went == went
    seen.forget()
    assert seen.count("action") == 0
