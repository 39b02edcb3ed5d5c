"""Events: only what a reply tells of the asked event counts."""

import pytest

from schemas.matching.events import about_the_asked

BORN, MARRIED = "Where was Ada Lovell born?", "Who is Ada Lovell married to?"


@pytest.mark.parametrize(
    ("question", "reply", "left"),
    [
        (BORN, "She was raised in Oslo but born in Bergen.", " but born in Bergen."),
        (BORN, "Born in Bergen, she died in Oslo.", "Born in Bergen."),
        (MARRIED, "She was engaged to John Carver, but married Peter Holm.", ", but married Peter Holm."),
    ],
)
def test_what_is_told_of_another_event_is_left_out(question: str, reply: str, left: str) -> None:
    assert about_the_asked(reply, question) == left


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        (BORN, "She was born and raised in Oslo."),
        (BORN, "She grew up in Oslo."),
        (MARRIED, "She was engaged to John Carver in 1990 and married him in 1992."),
        ("What is the height of Ada Lovell?", "Born in 1961, she is 183 cm tall and lives in Oslo."),
    ],
)
def test_a_reply_without_a_value_of_its_own_for_the_asked_event_stays_whole(question: str, reply: str) -> None:
    assert about_the_asked(reply, question) == reply


def test_a_death_never_answers_for_a_birth() -> None:
    assert about_the_asked("She died in Oslo.", BORN) == "."
