"""eval.scores.similarity: ROUGE-L and the exact matches, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.scores.similarity import exact_match, normalised_exact_match, rouge_l

WORDS = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)


def test_rouge_l_of_a_sentence_worked_by_hand() -> None:
    # "the cat [is] on a mat": the, cat, on, mat are common in order, 4 of 6 words on both sides
    found = rouge_l("The cat is on a mat.", "the cat sat on the mat")
    assert (found.precision, found.recall) == (pytest.approx(4 / 6), pytest.approx(4 / 6))


def test_rouge_l_keeps_the_order_of_words() -> None:
    assert rouge_l("b a", "a b").recall == 0.5


def test_rouge_l_of_a_long_reply_has_full_recall_and_low_precision() -> None:
    found = rouge_l("He was born in Oslo", "Oslo")
    assert (found.precision, found.recall, found.f1) == (0.2, 1.0, pytest.approx(1 / 3))


def test_rouge_l_takes_punctuation_away_and_does_not_cut_words_at_it() -> None:
    assert rouge_l("AP-ARC", "aparc").f1 == 1.0
    assert rouge_l("AP ARC", "AP-ARC").f1 == 0.0


def test_rouge_l_leaves_other_scripts_punctuation_alone() -> None:
    assert rouge_l("« Oslo »", "Oslo").precision == pytest.approx(1 / 3)


@pytest.mark.parametrize(("said", "wanted"), [("", "Oslo"), ("Oslo", ""), ("", ""), ("...", "Oslo")])
def test_rouge_l_without_words_is_zero(said: str, wanted: str) -> None:
    assert rouge_l(said, wanted).f1 == 0.0


@given(WORDS, WORDS)
def test_rouge_l_counts_the_longest_common_subsequence(left: str, right: str) -> None:
    one, other = left.split(), right.split()
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row, word in enumerate(one):
        for column, also in enumerate(other):
            same = table[row][column] + 1
            table[row + 1][column + 1] = same if word == also else max(table[row][column + 1], table[row + 1][column])
    expected = table[-1][-1] / len(other) if other else 0.0
    assert rouge_l(left, right).recall == pytest.approx(expected)


def test_exact_match_is_of_every_letter() -> None:
    assert exact_match(" Oslo\n", "Oslo")
    assert not exact_match("oslo", "Oslo")


def test_normalised_exact_match_forgives_case_articles_and_punctuation() -> None:
    assert normalised_exact_match("The  Bergen-Prize!", "bergenprize")
    assert normalised_exact_match("a lawyer", "Lawyer.")
    assert not normalised_exact_match("lawyers", "lawyer")
