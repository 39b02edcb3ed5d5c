"""eval.choices: which letter a reply gives."""

import pytest

from eval.choices import likeliest, parse_choice


@pytest.mark.parametrize(
    "reply",
    [
        "B", "b", "B.", "(b)", "**B**", "B) a lawyer", "(b) a lawyer", "B. He is a lawyer", "B: lawyer", "b) lawyer",
        "B - a lawyer", "B, because he writes", "Answer: B", "Answer: B. He is a writer", "answer is b", "answer=B",
        "The correct answer is (b).", "The answer is **B**", "Option B: writer", "I think it is (B) a lawyer",
        "I choose B.", "He writes.\nB", "Answer: B because he writes", "B) lawyer, not C)",
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
    ],
)  # fmt: skip
def test_a_letter_inside_a_sentence_is_no_answer(reply: str) -> None:
    assert parse_choice(reply) == ""


@pytest.mark.parametrize("reply", ["A or B", "(a) or (b)", "A) x\nB) y", "Answer: B or C", "A) x B) y", "B, C"])
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
