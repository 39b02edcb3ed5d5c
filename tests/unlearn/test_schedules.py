"""Schedules: who meets whom in which step, and that nobody is left out."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from unlearn.schedules import Partners, epochs_for, spread, turns

FORGET = {f"f{number}": f"s{number % 3}" for number in range(6)}
RETAIN = {f"r{number}": f"s{number % 4}" for number in range(16)}


def kinds(schedule: str, *, retain: int, forget: int = 2) -> str:
    """One letter a step: F forget alone, R retain alone, B both."""
    plan = turns(
        {f"f{number}": "s" for number in range(forget)},
        {f"r{number}": "s" for number in range(retain)},
        schedule=schedule,  # type: ignore[arg-type]
        batch=1,
        retain_batch=1,
        epochs=1,
    )
    return "".join("B" if turn.forget and turn.retain else "F" if turn.forget else "R" for turn in plan)


def test_interleaved_puts_a_forget_step_before_every_f_th_retain_step() -> None:
    assert kinds("interleaved", retain=5) == "FRRFRRR"  # f = 5 // 2 = 2; forgetting is over before the tail


def test_joint_adds_the_forget_batch_to_every_f_th_retain_step() -> None:
    assert kinds("joint", retain=5) == "BRBRR"


def test_joint_loses_surplus_forget_batches_as_published() -> None:
    assert kinds("joint", retain=2, forget=3) == "BB"


def test_proportional_spreads_forget_steps_to_the_end_of_the_epoch() -> None:
    assert kinds("proportional", retain=5) == "RRBRB"


def test_proportional_keeps_every_forget_batch_where_they_outnumber_retain() -> None:
    assert kinds("proportional", retain=2, forget=3) == "FBB"


def test_forget_only_has_no_retain_step() -> None:
    assert kinds("forget_only", retain=5) == "FF"


@given(st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_spread_places_each_item_once_in_order_with_gaps_that_differ_by_one(items: int, more: int) -> None:
    found = spread(items, items + more)
    places = [place for place, item in enumerate(found) if item is not None]
    assert [found[place] for place in places] == list(range(items))
    gaps = {right - left for left, right in pairwise(places)}
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_proportional_sees_every_sample_exactly_once_an_epoch(
    forget: int, retain: int, batch: int, retain_batch: int, seed: int
) -> None:
    left = {f"f{number}": f"s{number % 5}" for number in range(forget)}
    right = {f"r{number}": f"s{number % 7}" for number in range(retain)}
    plan = turns(left, right, schedule="proportional", batch=batch, retain_batch=retain_batch, epochs=1, seed=seed)
    assert sorted(key for turn in plan for key in turn.forget) == sorted(left)
    assert sorted(key for turn in plan for key in turn.retain) == sorted(right)


def test_partners_are_of_the_subjects_in_the_forget_batch() -> None:
    plan = turns(FORGET, RETAIN, schedule="proportional", batch=2, retain_batch=4, epochs=3, matched=2)
    for turn in plan:
        of_forget = {FORGET[key] for key in turn.forget}
        assert {RETAIN[key] for key in turn.matched} <= of_forget


def test_partners_take_turns_until_all_retain_samples_of_a_subject_were_asked() -> None:
    partners = Partners({"f": "s0"}, {"r0": "s0", "r1": "s0", "r2": "s0"}, each=1, seed=0)
    asked = [partners.of(["f"])[0] for _ in range(6)]
    assert Counter(asked) == {"r0": 2, "r1": 2, "r2": 2}
    assert asked[:3] == asked[3:]


def test_a_subject_without_retain_samples_gives_no_partner() -> None:
    assert Partners({"f": "s9"}, {"r": "s0"}, each=1, seed=0).of(["f"]) == ()


def test_the_global_retain_batch_stays_beside_the_partners() -> None:
    plan = turns(FORGET, RETAIN, schedule="proportional", batch=6, retain_batch=16, epochs=1, matched=1)
    assert len(plan[0].retain) == 16
    assert plan[0].matched


def test_published_partners_replace_the_retain_batch_of_their_step() -> None:
    plan = turns(FORGET, RETAIN, schedule="joint", batch=6, retain_batch=8, epochs=1, matched=1, keep_global=False)
    assert (plan[0].retain, bool(plan[0].matched)) == ((), True)
    assert len(plan[1].retain) == 8


def test_published_joint_keeps_the_retain_batch_where_nothing_matches() -> None:
    plan = turns(
        {"f": "nobody"}, RETAIN, schedule="joint", batch=1, retain_batch=16, epochs=1, matched=1, keep_global=False
    )
    assert (len(plan[0].retain), plan[0].matched) == (16, ())


def test_another_seed_gives_another_order_and_the_same_seed_the_same() -> None:
    def plan(seed: int) -> list[object]:
        return list(turns(FORGET, RETAIN, schedule="proportional", batch=2, retain_batch=2, epochs=1, seed=seed))

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_epochs_for_a_number_of_steps_are_enough() -> None:
    assert epochs_for(9, 6, 16, schedule="proportional", batch=2, retain_batch=4) == 3


def test_an_empty_forget_set_is_refused() -> None:
    with pytest.raises(BadInput, match="forget set: is empty"):
        turns({}, RETAIN, schedule="joint", batch=1, retain_batch=1, epochs=1)


def test_an_empty_retain_set_is_refused_where_it_is_needed() -> None:
    with pytest.raises(BadInput, match="retain set: is empty"):
        turns(FORGET, {}, schedule="joint", batch=1, retain_batch=1, epochs=1)
