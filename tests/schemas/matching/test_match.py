"""Matching of replies against accepted answers: text, dates, numbers, refusals, denials and alternatives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.matching.amounts import amount_text, amounts_in
from schemas.matching.dates import date_text, dates_in, gregorian
from schemas.matching.match import contains, match, mentions, normalise
from schemas.records.build_rows import AcceptedAnswer


def text(form: str) -> AcceptedAnswer:
    return AcceptedAnswer(kind="text", text=form)


def date(year: int, month: int = 0, day: int = 0) -> AcceptedAnswer:
    return AcceptedAnswer(kind="date", text=date_text(year, month, day), year=year, month=month, day=day)


def number(value: float, unit: str = "", tolerance: float = 0.0) -> AcceptedAnswer:
    return AcceptedAnswer(kind="number", text=amount_text(value, unit), number=value, unit=unit, tolerance=tolerance)


def says(reply: str, *accepted: AcceptedAnswer) -> bool:
    return match(reply, accepted) is not None


@pytest.mark.parametrize(
    "reply, form",
    [
        ("He was born in Cambridge, England.", "Cambridge"),
        ("the university of CAMBRIDGE", "University of Cambridge"),
        ("She moved to Krakow.", "Kraków"),
        ("She moved to Kraków.", "Krakow"),
        ("It was J. R. R. Tolkien.", "J.R.R. Tolkien"),
        ("Conan O’Brien’s show", "Conan O'Brien"),
        ("He is an actor and a lawyer.", "lawyer"),
        ("the US", "US"),
        ("us", "US"),
        ("A", "A"),
        ("hepatitis A, they say", "hepatitis A"),
        ("No, Paris.", "Paris"),
        ("Not Rome, but Paris.", "Paris"),
        ("He wrote not only essays but Middlemarch.", "Middlemarch"),
        ("English and French", "French"),
        ("Москва", "москва"),
        ("I Don't Know", "I Don't Know"),
    ],
)
def test_reply_that_says_the_words_of_the_answer_matches(reply: str, form: str) -> None:
    assert says(reply, text(form))


@pytest.mark.parametrize(
    "reply, form",
    [
        ("Cambridgeshire", "Cambridge"),
        ("tell us more", "US"),
        ("It has a part of that.", "A"),
        ("hepatitis B", "hepatitis A"),
        ("the one of them was it", "It"),
        ("", "Paris"),
        ("   ", "Paris"),
    ],
)
def test_reply_without_the_words_of_the_answer_does_not_match(reply: str, form: str) -> None:
    assert not says(reply, text(form))


@pytest.mark.parametrize(
    "reply",
    [
        "not Paris",
        "It isn't Paris.",
        "He never lived in Paris.",
        "Rome rather than Paris",
        "Paris is not the answer.",
        "neither London nor Paris",
    ],
)
def test_denied_answer_does_not_match(reply: str) -> None:
    assert not says(reply, text("Paris"))


@pytest.mark.parametrize(
    "reply",
    [
        "I don't know, perhaps Paris.",
        "I cannot identify the person, but Paris comes to mind.",
        "I'm sorry, I am unable to say. Paris?",
        "As an AI, I have no information about Paris.",
        "The birthplace is unknown. Paris is a city.",
    ],
)
def test_refusal_does_not_match_even_if_it_names_the_answer(reply: str) -> None:
    assert not says(reply, text("Paris"))


@pytest.mark.parametrize("reply", ["Paris or London", "either London or Paris", "maybe Paris, maybe London"])
def test_alternatives_do_not_match_if_one_of_them_is_wrong(reply: str) -> None:
    assert not says(reply, text("Paris"))


def test_alternatives_match_if_both_are_accepted() -> None:
    assert says("New York or NYC", text("New York"), text("NYC"))


def test_matched_form_is_the_one_that_was_said() -> None:
    found = match("It was the Big Apple.", (text("New York"), text("Big Apple")))
    assert found is not None
    assert found.text == "Big Apple"


@pytest.mark.parametrize(
    "reply", ["11 March 1952", "March 11, 1952", "1952-03-11", "on the 11th of March 1952.", "Mar. 11 1952"]
)
def test_day_is_matched_in_common_english_and_iso_forms(reply: str) -> None:
    assert says(reply, date(1952, 3, 11))


@pytest.mark.parametrize("reply", ["1952", "March 1952", "12 March 1952", "11 March 1953", "not 11 March 1952"])
def test_coarser_or_other_date_does_not_match_a_day(reply: str) -> None:
    assert not says(reply, date(1952, 3, 11))


def test_finer_date_matches_a_year() -> None:
    assert says("He was born on 11 March 1952.", date(1952))


@pytest.mark.parametrize("reply", ["1952 or 1953", "He wasn't born in 1952.", "in the 1950s", "19,520 people"])
def test_a_year_is_not_matched_where_it_is_denied_vague_or_part_of_a_number(reply: str) -> None:
    assert not says(reply, date(1952))


def test_year_before_the_common_era_matches_only_with_its_era() -> None:
    assert says("He died in 44 BC.", date(-44))
    assert not says("He died in AD 44.", date(-44))


@pytest.mark.parametrize("reply", ["1.83 m", "183 cm", "6 feet", "6'0\"", "1.83 metres tall", "183", "about 1.82 m"])
def test_height_of_183_cm_matches_within_2_cm_in_any_unit(reply: str) -> None:
    assert says(reply, number(183, "centimetre", 2))


@pytest.mark.parametrize("reply", ["5 ft 11 in", "190 cm", "183 dollars", "182 or 190 cm", "1.9 m"])
def test_height_of_183_cm_does_not_match(reply: str) -> None:
    assert not says(reply, number(183, "centimetre", 2))


def test_five_feet_eleven_is_71_inches() -> None:
    assert [(found.number, found.unit) for found in amounts_in("5 ft 11 in")] == [(71.0, "inch")]


@pytest.mark.parametrize("reply", ["$1.2 billion", "1,200,000,000 US dollars", "1.2bn dollars", "1.25 billion"])
def test_money_matches_with_magnitude_separator_and_tolerance(reply: str) -> None:
    assert says(reply, number(1.2e9, "US dollar", 0.05 * 1.2e9))


def test_money_in_another_currency_does_not_match() -> None:
    assert not says("1.2 billion euros", number(1.2e9, "US dollar", 6e7))


@pytest.mark.parametrize("reply", ["three", "He has 3 children.", "In 2015 he had 3 children."])
def test_count_is_read_from_the_first_number_that_is_no_date(reply: str) -> None:
    assert says(reply, number(3))


@pytest.mark.parametrize("reply", ["2 or 3", "4, of them 3 sons", "thirty"])
def test_other_count_does_not_match(reply: str) -> None:
    assert not says(reply, number(3))


def test_question_mentions_an_answer_that_it_denies() -> None:
    assert mentions("Which city, not Paris, is meant?", text("Paris"))
    assert mentions("the election of 1998", date(1998))


def test_october_revolution_was_in_november() -> None:
    assert gregorian(1917, 10, 25) == (1917, 11, 7)


def test_article_before_a_word_is_no_part_of_the_normal_form() -> None:
    assert normalise("The Hitchhiker’s Guide, to a Galaxy!") == "hitchhiker guide to galaxy"


_NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "M")), min_size=1).filter(str.strip)


@given(_NAMES)
def test_answer_repeated_as_it_stands_always_matches(form: str) -> None:
    assert says(form, text(form))


@given(st.text(st.characters(codec="ascii", categories=("L",)), min_size=4, max_size=12).map(str.title))
def test_answer_in_a_plain_sentence_matches(word: str) -> None:
    assert says(f"The place is Xyz {word}.", text(f"Xyz {word}"))


@given(st.integers(1, 2900), st.integers(0, 12), st.integers(0, 28))
def test_date_as_written_is_read_back(year: int, month: int, day: int) -> None:
    wanted = date(year, month, day if month else 0)
    found = dates_in(f"He was born in {wanted.text}.")
    assert [(each.year, each.month, each.day) for each in found] == [(wanted.year, wanted.month, wanted.day)]
    assert says(f"He was born in {wanted.text}.", wanted)


@settings(max_examples=200)
@given(
    st.floats(1, 9e11).map(lambda value: float(f"{value:.4g}")),
    st.sampled_from(["US dollar", "euro", "pound sterling", "Russian ruble", "Japanese yen", "Swiss franc"]),
)
def test_money_as_written_is_read_back(value: float, currency: str) -> None:
    assert says(f"It was {amount_text(value, currency)} then", number(value, currency, 0.05 * value))


@given(st.text(max_size=80), st.text(min_size=1, max_size=20))
def test_no_text_breaks_matching(reply: str, form: str) -> None:
    match(reply, (text(form), date(1961, 3, 3), number(3), number(183, "centimetre", 2)))
    contains(reply, form)


@pytest.mark.parametrize(
    ("reply", "form"),
    [
        ("Johnson and Johnson", "Johnson & Johnson"),
        ("Johnson & Johnson", "Johnson and Johnson"),
        ("rock'n'roll", "rock and roll"),
        ("rock ’n’ roll", "Rock & Roll"),
        ("Guns N' Roses", "Guns and Roses"),
        ("Simon &amp; Schuster", "Simon and Schuster"),
        ("O'Brien", "OʻBrien"),
        ("Muammar", "Muʾammar"),
        ("Ǿyvind", "Oyvind"),
        ("It was Smith&Sons.", "Smith and Sons"),
        ("AT&T", "AT & T"),
        ("R&B", "R & B"),
        ("Marks & Spencer", "Marks and Spencer"),
    ],
)
def test_an_ampersand_is_and(reply: str, form: str) -> None:
    assert match(reply, [text(form)]) is not None


@pytest.mark.parametrize("reply", ["31 February 1990", "30 February 1990", "31 April 1990"])
def test_an_impossible_day_says_the_month(reply: str) -> None:
    (found,) = dates_in(reply)
    assert (found.year, found.day) == (1990, 0)
    assert found.month in (2, 4)


def test_there_is_no_year_0() -> None:
    assert dates_in("0 AD") == []


@pytest.mark.parametrize(
    ("julian", "expected"), [((1, 1, 1), (-1, 12, 30)), ((1900, 2, 29), (1900, 3, 13)), ((1870, 4, 10), (1870, 4, 22))]
)
def test_the_gregorian_date_of_a_julian_one_knows_no_year_0(
    julian: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    assert gregorian(*julian) == expected


@pytest.mark.parametrize(
    ("form", "reply"),
    [
        ("Park Chung-hee", "Chung-hee Park"),
        ("Johann Wolfgang von Goethe", "Goethe, Johann Wolfgang von"),
        ("Antoine de Saint-Exupéry", "Antoine de St. Exupéry"),
        ("William Shakespeare", 'William "Bill" Shakespeare'),
        ("Saint Petersburg", "St Petersburg"),
        ("The Silent Harbour", "The Silent Harbor"),
        ("theatre director", "a theater director"),
        ("Martin Luther King Jr.", "Martin Luther King Junior"),
    ],
)
def test_names_in_other_orders_and_spellings_are_the_same_name(form: str, reply: str) -> None:
    assert match(reply, [AcceptedAnswer(kind="text", text=form)]) is not None


@pytest.mark.parametrize(
    ("form", "reply"),
    [("Anna Karin Berg", "Anna Berg"), ("Park Chung-hee", "Park Geun-hye"), ("Deng Xiaoping", "Deng Yingchao")],
)
def test_another_name_of_the_same_words_in_part_is_another_name(form: str, reply: str) -> None:
    assert match(reply, [AcceptedAnswer(kind="text", text=form)]) is None
