"""eval.audit.measure: excess over a control, the share of the gap closed, any route, and whether measures agree."""

import pytest

from eval.audit.measure import agreement, any_of, compare
from schemas.records.routes import RouteFact

PEOPLE = 20


def facts(*shares: float, people: int = PEOPLE, each: int = 10, **cells: object) -> list[RouteFact]:
    """`each` facts of so many people; of every person's facts the first share of them is recovered."""
    share = shares[0]
    return [
        RouteFact.model_validate(
            {
                "key": f"{person}-{number}|generation|qa", "sample_id": f"{person}-{number}",
                "subject_id": f"{person:03d}", "modality": "qa", "role": "forget", "kind": "P1",
                "score": float(number < round(share * each)), "recovered": number < round(share * each), "tried": 1,
                **cells,
            }
        )
        for person in range(people)
        for number in range(each)
    ]  # fmt: skip


def test_the_share_of_the_gap_closed_is_that_of_the_reference() -> None:
    found = compare(facts(0.45, each=20), target=facts(0.9, each=20), oracle=facts(0.3, each=20))
    assert found is not None
    assert found.closed is not None
    assert found.excess is not None
    assert found.closed.value == pytest.approx(0.75)
    assert found.excess.value == pytest.approx(0.15)


def test_a_small_gap_leaves_it_undefined() -> None:
    found = compare(facts(0.9, each=50), target=facts(0.94, each=50), oracle=facts(0.9, each=50))
    assert found is not None
    assert found.closed is None
    assert found.target is not None


def test_a_run_like_its_control_has_no_excess() -> None:
    found = compare(facts(0.3), target=facts(0.9), oracle=facts(0.3))
    assert found is not None
    assert found.excess is not None
    assert found.excess.low is not None
    assert found.excess.low <= 0 <= (found.excess.high or 0)


def test_without_a_control_there_is_no_excess() -> None:
    found = compare(facts(0.3), target=facts(0.9))
    assert found is not None
    assert (found.control, found.excess, found.closed, found.kind) == (None, None, None, "")


def test_facts_that_the_target_does_not_know_are_a_control_of_other_facts() -> None:
    other = [fact.model_copy(update={"key": f"other {fact.key}"}) for fact in facts(0.1, people=12)]
    found = compare(facts(0.5), target=facts(0.9), unknown=other)
    assert found is not None
    assert found.control is not None
    assert found.excess is not None
    assert (found.kind, found.control.n) == ("unknown", 120)
    assert found.excess.value == pytest.approx(0.4)


def test_what_a_route_expects_of_a_guess_is_the_control_of_its_score() -> None:
    run = facts(0.8, chance=0.5)
    found = compare(run, target=facts(1.0, chance=0.5), measure="score")
    assert found is not None
    assert found.kind == "chance"
    assert found.closed is not None
    assert found.closed.value == pytest.approx(0.4)
    recovered = compare(run, target=facts(1.0, chance=0.5))
    assert recovered is not None
    assert recovered.kind == ""


def test_facts_chosen_by_wrong_answers_are_no_control_below_what_guessing_gets() -> None:
    run = facts(0.6, chance=0.25)
    low, high = (compare(run, target=facts(1.0), unknown=facts(share, each=10)) for share in (0.1, 0.4))
    assert low is not None
    assert high is not None
    assert low.control is not None
    assert high.control is not None
    assert (low.kind, low.control.value) == ("chance", 0.25)
    assert (high.kind, high.control.value) == ("unknown", pytest.approx(0.4))


def test_only_facts_that_all_were_asked_count() -> None:
    found = compare(facts(0.5), target=facts(1.0, people=5), oracle=facts(0.0, people=15))
    assert found is not None
    assert found.run.n == 50


def test_no_common_fact_is_no_figure() -> None:
    assert compare(facts(0.5), target=[]) is None


def test_few_people_have_no_interval() -> None:
    found = compare(facts(0.5, people=4), target=facts(1.0, people=4), oracle=facts(0.0, people=4))
    assert found is not None
    assert found.excess is not None
    assert found.excess.low is None


def test_a_fact_that_one_route_gets_is_got() -> None:
    asked, ranked = facts(0.0, people=1), facts(0.3, people=1)
    assert [fact.recovered for fact in any_of([asked, ranked])] == [True] * 3 + [False] * 7
    assert any_of([asked, ranked])[0].tried == 2


def test_two_modalities_of_a_fact_are_one_fact() -> None:
    qa = facts(0.0, people=1, each=1)
    vqa = [fact.model_copy(update={"key": fact.key.replace("qa", "vqa"), "recovered": True}) for fact in qa]
    assert [fact.recovered for fact in any_of([[*qa, *vqa]])] == [True]


def test_ten_routes_of_five_percent_bring_out_four_in_ten_by_luck() -> None:
    import random

    drawn = random.Random(0)
    routes = [
        [fact.model_copy(update={"recovered": drawn.random() < 0.05}) for fact in facts(0.0, people=100)]
        for _ in range(10)
    ]
    found = any_of(routes)
    assert sum(fact.recovered for fact in found) / len(found) == pytest.approx(0.401, abs=0.04)


def test_measures_that_swap_one_pair_of_four_agree_to_two_thirds() -> None:
    found = agreement({"a": [1, 2, 3, 4], "b": [1, 2, 4, 3], "constant": [1, 1, 1, 1]})
    assert found == {("a", "b"): pytest.approx(2 / 3)}
