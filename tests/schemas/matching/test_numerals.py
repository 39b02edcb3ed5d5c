"""schemas.matching.numerals, dates and amounts: numbers and dates in words, other orders and other languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.matching.amounts import amounts_in
from schemas.matching.dates import dates_in
from schemas.matching.numerals import with_digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("twenty-five", "25"),
        ("twenty five", "25"),
        ("fifteen hundred", "1500"),
        ("one thousand, five hundred", "1500"),
        ("nineteen ninety-nine", "1999"),
        ("nineteen oh one", "1901"),
        ("two thousand and four", "2004"),
        ("two dozen", "24"),
        ("half a dozen", "6"),
        ("a hundred", "100"),
        ("sechs", "6"),
        ("fünfundzwanzig", "25"),
        ("vingt-cinq", "25"),
        ("VI", "6"),
        ("٦", "6"),
        ("two hundred and fifty thousand", "250000"),
        ("two or three", "2   or 3"),
        ("that one", "that one"),
        ("one of them", "one of them"),
        ("1.5 thousand", "1.5 thousand"),
        ("mix", "mix"),
    ],
)
def test_numbers_in_words_become_digits(text: str, digits: str) -> None:
    assert with_digits(text).rstrip() == digits


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["one", "twenty", "-", "hundred", " ", "and", "thousand", "a", "dozen", "sechs", "oh", ","]),
        max_size=9,
    )
)
def test_digits_keep_every_character_in_its_place(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert len(with_digits(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "04.08.1961",
        "4.8.1961",
        "1961-8-4",
        "1961/08/04",
        "4 août 1961",
        "4. August 1961",
        "4 de agosto de 1961",
        "1961年8月4日",
        "4 августа 1961 года",
        "the fourth of August 1961",
        "August 4th, nineteen sixty-one",
        "4-Aug-1961",
        "٤ أغسطس ١٩٦١",
        "4 अगस्त 1961",
        "৪ আগস্ট ১৯৬১",
        "4 Agustus 1961",
        "4 اگست 1961",
        "4.VIII.1961",
        "1961 August 4",
    ],
)
def test_a_day_is_read_in_any_usual_order_and_language(text: str) -> None:
    assert [(found.year, found.month, found.day) for found in dates_in(text)] == [(1961, 8, 4)]


@pytest.mark.parametrize(
    ("text", "read"), [("13/08/1961", (1961, 8, 13)), ("08/13/1961", (1961, 8, 13)), ("4/4/1961", (1961, 4, 4))]
)
def test_a_date_with_strokes_is_read_where_only_one_order_is_possible(text: str, read: tuple[int, int, int]) -> None:
    assert [(found.year, found.month, found.day) for found in dates_in(text)] == [read]


def test_of_a_date_in_either_order_only_the_year_is_read() -> None:
    (found,) = dates_in("03/04/1961")
    assert (found.year, found.month, found.loose) == (1961, 0, True)


@pytest.mark.parametrize("text", ["44 v. Chr.", "44 av. J.-C.", "44 before Christ", "公元前44年", "44 a.C.", "44 BCE"])
def test_years_before_the_common_era_are_read(text: str) -> None:
    assert [found.year for found in dates_in(text)] == [-44]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,83 m", (1.83, "metre")),
        ("1 m 83", (183.0, "centimetre")),
        ("1 500", (1500.0, "")),
        ("1'500", (1500.0, "")),
        ("12,00,000", (1200000.0, "")),
        ("$40m", (40e6, "US dollar")),
        ("1,2 Milliarden US-Dollar", (1.2e9, "US dollar")),
        ("70kg", (70.0, "kilogram")),
        ("six foot four", (76.0, "inch")),
        ("1.2 thousand million dollars", (1.2e9, "US dollar")),
    ],
)
def test_amounts_are_read_with_any_separator_and_unit(text: str, amount: tuple[float, str]) -> None:
    assert [(found.number, found.unit) for found in amounts_in(text)] == [pytest.approx(amount)]


def test_a_point_may_separate_thousands() -> None:
    assert amounts_in("1.500")[0].otherwise == 1500
