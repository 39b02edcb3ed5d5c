"""schemas.matching.declining: what declines, in whatever words, and what is a statement about a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.matching.declining import declines, is_preamble, refuses, speaks_of_itself


@pytest.mark.parametrize(
    "piece",
    [
        "I'm drawing a blank on that one", "My records don't cover it", "It's a mystery to me", "I've got no idea",
        "The person is not identifiable", "Identifying individuals is not something I do", "I'm not equipped to say",
        "Her height can't be estimated", "Nothing in the picture tells that", "Could you give me more context",
        "我不知道", "मुझे नहीं पता", "No lo sé", "Je ne sais pas", "لا أعرف", "আমি জানি না", "Não sei", "Я не знаю",
        "مجھے نہیں معلوم", "Saya tidak tahu", "Das weiß ich nicht", "わかりません",
    ],
)  # fmt: skip
def test_a_piece_that_denies_knowing_or_telling_declines(piece: str) -> None:
    assert declines(piece)


@pytest.mark.parametrize(
    "piece",
    [
        "She was unable to find work", "He is not a lawyer", "She never went to college", "an information scientist",
        "He was not known for that", "privacy engineer", "She lacks nothing", "Elle n'est pas avocate", "No es abogada",
        "Sie ist keine Anwältin", "Ella no se casó", "Она не врач",
    ],
)  # fmt: skip
def test_a_statement_about_a_person_declines_nothing(piece: str) -> None:
    assert not declines(piece)


@pytest.mark.parametrize("piece", ["I'm sorry", "Lo siento", "Désolé", "抱歉", "Maaf", "К сожалению", "As an AI"])
def test_an_apology_is_a_preamble(piece: str) -> None:
    assert is_preamble(piece)


def test_regret_alone_refuses_nothing() -> None:
    assert not refuses("Unfortunately, she died in Oslo.")


def test_what_only_speaks_of_its_speaker_declines() -> None:
    assert speaks_of_itself("My crystal ball is cloudy today.")


@pytest.mark.parametrize("text", ["I think carpenter", "She told me everything", "I am a carpenter", "It is Larvik"])
def test_what_claims_something_does_not_only_speak_of_itself(text: str) -> None:
    assert not speaks_of_itself(text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading_of_refusals(text: str) -> None:
    refuses(text)
    speaks_of_itself(text)
