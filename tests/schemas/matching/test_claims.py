"""schemas.matching.claims: whether a text affirms the value that stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.matching.claims import claims
from schemas.matching.match import match
from schemas.records.build_rows import AcceptedAnswer

OSLO = AcceptedAnswer(kind="text", text="Oslo")
SIX = AcceptedAnswer(kind="number", text="6", number=6)
YEAR = AcceptedAnswer(kind="date", text="1999", year=1999)
TALL = AcceptedAnswer(kind="number", text="183 cm", number=183, unit="centimetre", tolerance=2)


@pytest.mark.parametrize(
    "reply",
    [
        "Oslo? No, Bergen.",
        "I thought it was Oslo, but it is Bergen.",
        "It is false that he was born in Oslo.",
        "anything except Oslo",
        "born far from Oslo",
        "near Oslo",
        "Bergen (some say Oslo)",
        "Was it Oslo?",
        "Oslo/Bergen",
        "Oslo, no wait, Bergen",
        "Oslo... I mean Bergen",
        "Oslo is incorrect.",
        "Not Oslo",
        "anywhere but Oslo",
        "20 km from Oslo",
        "Bergen, often confused with Oslo",
        "He wanted to live in Oslo but stayed in Bergen.",
        "Contrary to claims of Oslo, Bergen",
    ],
)
def test_a_value_that_is_denied_asked_for_or_taken_back_is_not_said(reply: str) -> None:
    assert match(reply, [OSLO]) is None


@pytest.mark.parametrize(
    "reply",
    [
        "Bergen? No, Oslo.",
        "Not Bergen, but Oslo.",
        "Oslo, not Bergen",
        "Oslo?",
        "Oslo, right?",
        "Was it Oslo? Yes.",
        "Some say Bergen, but it was Oslo.",
        "Oslo, but he grew up in Bergen",
        "not only Bergen but Oslo",
        "without a doubt Oslo",
        "I thought of Bergen, but it is Oslo.",
        "Oslo, no doubt",
        "Oslo, of course!",
        "Oslo (near the sea)",
    ],
)
def test_a_value_that_stands_beside_a_denial_of_another_is_said(reply: str) -> None:
    assert match(reply, [OSLO]) is not None


@pytest.mark.parametrize(
    "reply",
    [
        "more than 6",
        "at least six",
        "over six",
        "up to 6",
        "6 or more",
        "6+",
        "5-7",
        "between 5 and 7",
        "6 or 7",
        "> 6",
        "nearly six",
    ],
)
def test_a_bounded_count_is_not_said(reply: str) -> None:
    assert match(reply, [SIX]) is None


@pytest.mark.parametrize("reply", ["6", "exactly six", "about 6", "six children", "half a dozen", "VI"])
def test_a_count_is_said_in_any_writing(reply: str) -> None:
    assert match(reply, [SIX]) is not None


@pytest.mark.parametrize(
    "reply", ["before 1999", "after 1999", "between 1995 and 1999", "1998 or 1999", "no later than 1999"]
)
def test_a_bounded_year_is_not_said(reply: str) -> None:
    assert match(reply, [YEAR]) is None


@pytest.mark.parametrize("reply", ["183 cm or 185 cm", "180-190 cm", "over 183 cm", "taller than 183 cm", "not 183 cm"])
def test_a_bounded_length_is_not_said(reply: str) -> None:
    assert match(reply, [TALL]) is None


@given(st.text(max_size=60), st.integers(0, 20), st.integers(0, 20))
def test_no_text_breaks_the_reading_of_claims(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    claims(text, start, min(len(text), start + length))
