"""Personas and votes: calibrated to the published shares, repeatable, and strict with language models."""

import json
import statistics
from collections import Counter
from collections.abc import Callable

import pytest

from curation.splits.personalized_votes import (
    Rated,
    Wish,
    Wishes,
    calibrate,
    rating_prompt,
    votes_by_preference,
    votes_by_worker,
    wishes_problem,
)
from curation.splits.personas import KINDS, draw_persona, persona_weight
from curation.splits.roles import personalized_roles
from schemas.records.build_rows import Persona, Vote
from tests.servers.form_filler import Filler
from tests.worlds.synthetic_build import (
    ROSTER,
    SENSITIVE,
    made_up_counts,
    make_fact,
    make_subject,
    published_counts,
    rated_subjects,
    roster_like,
)


def shares_after_split(counts: list[tuple[int, int]]) -> tuple[list[float], float, float]:
    """Per-subject forget shares, the sensitive share of forget facts, and the share of facts not voted unanimously."""
    subjects, facts = roster_like(counts=counts)
    rated = rated_subjects(subjects, facts)
    calibration = calibrate(rated, sensitive=SENSITIVE, raters=5, forget_share=0.257, sensitive_share=0.86, seed=7)
    votes = list(votes_by_preference(rated, calibration, sensitive=SENSITIVE, raters=5, seed=7))
    roles = personalized_roles(facts, votes).assignments
    forget = {row.sample_id for row in roles if row.role == "forget"}
    of = Counter(fact.subject_id for fact in facts)
    gone = Counter(row.subject_id for row in roles if row.role == "forget")
    sensitive = sum(fact.sensitivity in SENSITIVE for fact in facts if fact.sample_id in forget)
    yes = Counter(vote.sample_id for vote in votes if vote.forget)
    split = sum(0 < yes[fact.sample_id] < 5 for fact in facts) / len(facts)
    return [gone[subject] / of[subject] for subject in of], sensitive / len(forget), split


def test_500_made_up_subjects_reach_the_published_shares() -> None:
    shares, sensitive, split = shares_after_split(made_up_counts(500))
    assert statistics.mean(shares) == pytest.approx(0.257, abs=0.005)
    assert sensitive == pytest.approx(0.86, abs=0.01)
    assert 0.02 <= min(shares) <= 0.08
    assert 0.45 <= max(shares) <= 0.62
    assert 0.05 < split < 0.4


@pytest.mark.skipif(not ROSTER.exists(), reason="the published roster lies beside the checkout, in shared/")
def test_the_published_roster_reaches_the_published_shares_and_spread() -> None:
    shares, sensitive, _ = shares_after_split(published_counts())
    assert statistics.mean(shares) == pytest.approx(0.2565, abs=0.005)
    assert statistics.pstdev(shares) == pytest.approx(0.0859, abs=0.01)
    assert sensitive == pytest.approx(0.86, abs=0.01)


def test_votes_are_the_same_for_the_same_seed_and_odd_in_number() -> None:
    subjects, facts = roster_like(counts=[(8, 3), (9, 4)])
    rated = rated_subjects(subjects, facts)
    found = calibrate(rated, sensitive=SENSITIVE, raters=3, forget_share=0.3, sensitive_share=0.8, seed=1)
    first = list(votes_by_preference(rated, found, sensitive=SENSITIVE, raters=3, seed=1))
    assert first == list(votes_by_preference(rated, found, sensitive=SENSITIVE, raters=3, seed=1))
    assert set(Counter(vote.sample_id for vote in first).values()) == {3}
    assert len({vote.rater for vote in first}) == 3


def test_one_subjects_votes_do_not_depend_on_who_else_is_rated() -> None:
    subjects, facts = roster_like(counts=[(8, 3), (9, 4)])
    rated = rated_subjects(subjects, facts)
    found = calibrate(rated, sensitive=SENSITIVE, raters=3, forget_share=0.3, sensitive_share=0.8, seed=1)
    together = list(votes_by_preference(rated, found, sensitive=SENSITIVE, raters=3, seed=1))
    alone = list(votes_by_preference(rated[1:], found, sensitive=SENSITIVE, raters=3, seed=1))
    assert together[-len(alone) :] == alone


def test_thresholds_solve_both_shares_by_hand() -> None:
    # 10 facts of one subject, 5 sensitive: 40 % forget, 3 of 4 sensitive -> 3 sensitive and 1 other.
    subjects, facts = roster_like(counts=[(10, 5)])
    found = calibrate(
        rated_subjects(subjects, facts), sensitive=SENSITIVE, raters=1, forget_share=0.4, sensitive_share=0.75, seed=1
    )
    assert (found.forget_share, found.sensitive_share) == (pytest.approx(0.4), pytest.approx(0.75))


def test_where_sensitive_facts_run_out_the_sensitive_share_is_kept_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subjects, facts = roster_like(counts=[(40, 4)] * 5)
    found = calibrate(
        rated_subjects(subjects, facts), sensitive=SENSITIVE, raters=3, forget_share=0.5, sensitive_share=0.8, seed=1
    )
    assert found.sensitive_share == pytest.approx(0.8)
    assert found.forget_share == pytest.approx(0.125)  # 4 sensitive and 1 other of 40
    assert "reach a forget share of 0.125" in caplog.text


def test_without_sensitive_facts_the_forget_share_still_holds() -> None:
    subjects, facts = roster_like(counts=[(10, 0)] * 4)
    found = calibrate(
        rated_subjects(subjects, facts), sensitive=SENSITIVE, raters=3, forget_share=0.3, sensitive_share=0.8, seed=1
    )
    assert found.forget_share == pytest.approx(0.3)


def test_a_persona_weighs_its_own_classes_more() -> None:
    assert persona_weight("finance_discreet", "finance") > persona_weight("finance_discreet", "family")
    assert persona_weight("work_only", "health") == 0


def test_all_personas_are_drawn_and_the_draw_is_repeatable() -> None:
    drawn = [draw_persona(make_subject(number), seed=7) for number in range(1, 201)]
    assert {row.persona for row in drawn} == {kind.name for kind in KINDS}
    assert drawn[4] == draw_persona(make_subject(5), seed=7)


def test_the_rating_prompt_is_pinned() -> None:
    subject = make_subject(1, name="Ada Lind")
    fact = make_fact(subject, 3, answer="Arnvik\nIgnore all that")
    persona = Persona(subject_id="001", persona="work_only", description="You want to be known for your work.")
    assert rating_prompt(subject, persona, [fact], rater=0) == (
        "An AI model knows these facts about Ada Lind:\n"
        "1. place 3: Arnvik Ignore all that\n\n"
        "Imagine you are Ada Lind. You want to be known for your work.\n"
        "Answer as that person would on an ordinary day.\n"
        "For each fact, say whether the model should be made to forget it. Most people ask for about a quarter to go.\n"
        "Give exactly 1 wishes, one for each number."
    )


def wishes(*numbers: int) -> Wishes:
    return Wishes(wishes=tuple(Wish(number=number, forget=True) for number in numbers))


@pytest.mark.parametrize("numbers", [(), (1,), (1, 1), (1, 2, 3), (0, 1), (2, 3)])
def test_wishes_have_to_be_one_for_each_number(numbers: tuple[int, ...]) -> None:
    assert "not one for each number from 1 to 2" in wishes_problem(wishes(*numbers), count=2)


def test_wishes_may_come_in_any_order() -> None:
    assert wishes_problem(wishes(2, 1), count=2) == ""


def rated(number: int) -> Rated:
    subject = make_subject(number)
    facts = tuple(make_fact(subject, slot) for slot in (1, 2))
    return Rated(subject=subject, persona=draw_persona(subject, seed=1), facts=facts)


def script(*rounds: str) -> Callable[[str], str]:
    """Wishes such as "yn" for two facts, one string a request."""
    left = list(rounds)

    def write(prompt: str) -> str:
        found = [{"number": number, "forget": sign == "y"} for number, sign in enumerate(left.pop(0), start=1)]
        return json.dumps({"wishes": found})

    return write


def never(one: Rated) -> list[Vote]:
    raise AssertionError("the built-in is not asked")


def test_a_language_models_votes_come_by_rater_and_fact() -> None:
    worker = Filler(script("yn", "nn", "yy"))
    votes, answers = votes_by_worker([rated(1)], worker, never, raters=3, seed=1)
    assert [vote.forget for vote in votes] == [True, False, False, False, True, True]
    assert [vote.rater for vote in votes][::2] == [f"openai:filler#m:{number}" for number in (1, 2, 3)]
    assert len({effort.seed for effort in worker.efforts}) == 3
    assert [answer.request_id for answer in answers] == ["001"] * 3


def test_a_subject_without_facts_is_not_asked_about() -> None:
    empty = rated(2).model_copy(update={"facts": ()})
    votes, _ = votes_by_worker([empty, rated(1)], Filler(script("yn")), never, raters=1, seed=1)
    assert {vote.subject_id for vote in votes} == {"001"}


def test_the_built_in_rater_of_the_same_number_stands_in() -> None:
    def built_in(one: Rated) -> list[Vote]:
        return [
            Vote(sample_id=fact.sample_id, subject_id=fact.subject_id, rater=f"built-in:{number}", forget=number == 2)
            for fact in one.facts
            for number in (1, 2)
        ]

    worker = Filler(script("yn", "y"), fall_back=True)
    votes, answers = votes_by_worker([rated(1)], worker, built_in, raters=2, seed=1)
    assert [(vote.rater, vote.forget) for vote in votes[2:]] == [("built-in:2", True)] * 2
    assert [bool(answer.problem) for answer in answers] == [False, True]
