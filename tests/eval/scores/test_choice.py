"""eval.scores.choice: which letter a reply gives."""

from math import inf, nan

import pytest

from eval.scores.choice import likeliest, parse_choice


@pytest.mark.parametrize(
    "reply",
    [
        "B", "b", "B.", "(b)", "**B**", "B) a lawyer", "(b) a lawyer", "B. He is a lawyer", "B: lawyer", "b) lawyer",
        "B - a lawyer", "B, because he writes", "Answer: B", "Answer: B. He is a writer", "answer is b", "answer=B",
        "The correct answer is (b).", "The answer is **B**", "Option B: writer", "I think it is (B) a lawyer",
        "I choose B.", "He writes.\nB", "Answer: B because he writes", "B) lawyer, not C)", "B is the correct answer",
        "It's B.", "It is B", "it's B", "Choose B", "Answer: B (not A)", "The answer to this is B.", "\\boxed{B}",
        "The answer is $\\boxed{\\text{B}}$.", "B。", "\uff22", "**Answer:** B", "Final answer: (B)", "Answer:\nB",
        "I think B is correct.", "A is wrong. B is the right answer.", "I would go with option B", "It’s (B)",
        "The answer is not A. It is B.", "The correct option is B",
    ],
)  # fmt: skip
def test_a_marked_letter_is_a_choice(reply: str) -> None:
    assert parse_choice(reply) == "B"


@pytest.mark.parametrize(
    "reply",
    [
        "", "I cannot identify a person", "I cannot identify a person in the image.", "Vitamin C deficiency",
        "The answer is a", "The answer is a lawyer", "Answer: A lawyer", "A lawyer", "Hepatitis B", "Plan B is best",
        "He is a B-movie actor", "D.C. is the capital", "It is not (B)", "The answer is not B", "E", "AB",
        "Vitamin (C) deficiency", "hepatitis (B)", "Type A) blood", "It's a shame", "D. H. Lawrence", "B is not right",
        "It is D. H. Lawrence", "The answer for vitamin C", "C'est Paris", "The cure of hepatitis B.",
    ],
)  # fmt: skip
def test_a_letter_inside_a_sentence_is_no_answer(reply: str) -> None:
    assert parse_choice(reply) == ""


@pytest.mark.parametrize("reply", ["A or B", "(a) or (b)", "A) x\nB) y", "Answer: B or C", "A) x B) y", "B, C", "A B"])
def test_two_letters_are_no_answer(reply: str) -> None:
    assert parse_choice(reply) == ""


def test_a_small_a_after_a_colon_is_a_choice() -> None:
    assert parse_choice("Answer: a") == "A"


def test_the_text_of_one_option_is_its_letter() -> None:
    assert parse_choice("a lawyer", ["writer", "Lawyer", "judge", "cook"]) == "B"


def test_the_text_of_two_options_is_no_answer() -> None:
    assert parse_choice("lawyer", ["Lawyer", "lawyer", "judge", "cook"]) == ""


def test_a_reply_that_only_mentions_an_option_is_no_answer() -> None:
    assert parse_choice("I know no lawyer", ["writer", "lawyer", "judge", "cook"]) == ""


def test_the_likeliest_option_is_the_one_of_highest_log_probability() -> None:
    assert likeliest({"A": -2.0, "B": -0.5, "C": -0.6}) == "B"


def test_of_equally_likely_options_the_first_is_taken() -> None:
    assert likeliest({"D": -1.0, "C": -1.0}) == "C"


def test_without_likelihoods_no_option_is_likeliest() -> None:
    assert likeliest({}) == ""


@pytest.mark.parametrize(
    "reply",
    [
        "A) writer\nB) lawyer\nC) judge\nD) cook\nAnswer: B",
        "A) writer B) lawyer C) judge. It is B.",
        "Option A: writer\nOption B: lawyer\nThe answer is B",
        "Answer: A. No, wait, the answer is B.",
    ],
)
def test_the_last_stated_answer_counts_after_restated_options(reply: str) -> None:
    assert parse_choice(reply) == "B"


def test_three_answers_stated_one_after_the_other_are_no_decision() -> None:
    assert parse_choice("Answer: A\nAnswer: B\nAnswer: C") == ""


@pytest.mark.parametrize(
    "reply", ["B a lawyer", "Answer: B a lawyer", "B. A lawyer", "The answer is a lawyer", "It's a lawyer."]
)
def test_an_option_word_for_word_is_its_letter_after_a_letter_or_a_frame(reply: str) -> None:
    assert parse_choice(reply, ["writer", "a lawyer", "judge", "cook"]) == "B"


@pytest.mark.parametrize(
    "reply", ["D. H. Lawrence", "It is D. H. Lawrence.", "Answer: D. H. Lawrence", "A. D. H. Lawrence"]
)
def test_initials_of_an_option_are_no_letter(reply: str) -> None:
    assert parse_choice(reply, ["D. H. Lawrence", "A. A. Milne", "Ayn Rand", "Voltaire"]) == "A"


def test_initials_that_are_another_options_letter_are_no_letter() -> None:
    assert parse_choice("A. A. Milne", ["D. H. Lawrence", "A. A. Milne", "Ayn Rand", "Voltaire"]) == "B"


def test_a_marked_letter_in_a_sentence_counts_if_its_option_stands_there() -> None:
    assert parse_choice("He is a lawyer (B).", ["writer", "lawyer", "judge", "cook"]) == "B"


def test_a_lone_letter_is_a_letter_even_where_options_are_letters() -> None:
    assert parse_choice("B", ["B", "A", "O", "AB"]) == "B"


def test_an_option_without_a_likelihood_is_not_the_likeliest() -> None:
    assert likeliest({"A": nan, "B": -3.0, "C": -2.0}) == "C"


def test_options_that_all_lack_a_likelihood_have_no_likeliest() -> None:
    assert likeliest({"A": nan, "B": nan}) == ""


def test_an_impossible_option_is_less_likely_than_any() -> None:
    assert likeliest({"A": -inf, "B": -90.0}) == "B"
