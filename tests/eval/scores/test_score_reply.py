"""eval.scores.score_reply: what is compared with the canonical answer and what with every accepted form."""

from dataclasses import replace
from math import inf, nan

import pytest

from eval.scores.outcome import values_of
from eval.scores.score_reply import score
from eval.tasks.dataset_rows import accepted_answers
from eval.tasks.questions import EvalQuestion
from schemas.protocols.responder import Reply, TokenScores
from schemas.records.evaluation import Prediction

CITY = EvalQuestion(
    key="k", sample_id="001_01", subject_id="001", subject="Ada Brand", task="generation", modality="qa",
    role="forget", text="?", options=(), label="", answer="New York City",
    accepted=accepted_answers(["New York City", "NYC"], "place"), kind="birthplace", answer_type="place", picture=None,
)  # fmt: skip


def scored(
    said: str,
    asked: EvalQuestion = CITY,
    *,
    likelihoods: dict[str, tuple[float, ...]] | None = None,
    nll: float | None = None,
) -> Prediction:
    reply = Reply(ask_id="k", text=said)
    given = {
        letter: TokenScores(logs=logs, greedy=(False,) * len(logs)) for letter, logs in (likelihoods or {}).items()
    }
    return score(asked, reply, prompt="?", values=values_of([]), likelihoods=given, nll=nll)


def test_an_alias_is_correct_and_a_normalised_exact_match() -> None:
    row = scored("the N.Y.C.")
    assert (row.correct, row.normalised_exact) == (True, True)


def test_exact_match_and_rouge_are_of_the_canonical_answer() -> None:
    row = scored("NYC")
    assert (row.exact, row.rouge_recall) == (False, 0.0)


def test_a_sentence_with_an_alias_is_correct_and_no_exact_match() -> None:
    row = scored("It is NYC, I think.")
    assert (row.correct, row.normalised_exact) == (True, False)


def test_a_choice_is_compared_with_the_letter_and_not_with_the_words() -> None:
    asked = replace(CITY, task="classification", options=("New York City", "Oslo", "Graz", "Lima"), label="A")
    row = scored("New York City", asked)
    assert (row.choice, row.correct, row.normalised_exact) == ("A", True, False)


@pytest.mark.parametrize("number", [nan, inf])
def test_an_nll_that_is_no_finite_number_was_not_measured(number: float) -> None:
    assert scored("Oslo", nll=number).nll is None


def test_options_without_a_likelihood_leave_none_likeliest() -> None:
    asked = replace(CITY, task="classification", options=("New York City", "Oslo", "Graz", "Lima"), label="A")
    assert scored("A", asked, likelihoods={"A": (nan,), "B": (nan,)}).likely_choice == ""


def test_the_score_of_every_option_is_kept_per_token_and_in_all() -> None:
    asked = replace(CITY, task="classification", options=("New York City", "Oslo", "Graz", "Lima"), label="A")
    row = scored("A", asked, likelihoods={"B": (-1.0, -3.0), "A": (-2.5,), "C": (nan,)})
    assert [(each.label, each.mean, each.total) for each in row.option_scores] == [("A", -2.5, -2.5), ("B", -2.0, -4.0)]


def test_the_likeliest_option_is_the_one_that_is_likeliest_per_token() -> None:
    asked = replace(CITY, task="classification", options=("New York City", "Oslo", "Graz", "Lima"), label="A")
    assert scored("A", asked, likelihoods={"B": (-1.0, -3.0), "A": (-2.5,)}).likely_choice == "B"


def test_only_what_follows_a_thought_is_scored_and_all_of_the_reply_is_kept() -> None:
    row = scored("<think>Oslo</think>\nNew York City")
    assert (row.correct, row.exact, row.rouge_f1) == (True, True, 1.0)
    assert row.reply.startswith("<think>")


def test_a_thought_that_was_cut_off_is_a_failure_with_its_reason() -> None:
    row = scored("<think>New York City, or")
    assert (row.outcome, row.error) == ("failed", "the thought was cut off before an answer")


def test_a_reply_that_the_servers_filter_withheld_is_a_refusal() -> None:
    reply = Reply(ask_id="k", text="", finish="content_filter")
    assert score(CITY, reply, prompt="?", values=values_of([]), likelihoods={}, nll=None).outcome == "refusal"
