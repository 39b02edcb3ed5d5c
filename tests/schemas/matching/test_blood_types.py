"""Blood types: every spelling of one is one answer, and another one's is not."""

import pytest

from curation.facts.accepted_answers import read_value
from curation.facts.properties import load_properties
from schemas.matching.blood_types import BloodType, blood_type, signed_forms, with_blood_types_joined
from schemas.matching.match import match
from schemas.records.build_rows import AcceptedAnswer
from schemas.records.entities import Entity, ItemValue


def right(reply: str, answer: str) -> bool:
    return match(reply, [AcceptedAnswer(kind="text", text=answer)]) is not None


@pytest.mark.parametrize(
    "label", ["AB+", "AB positive", "AB Rh+", "AB RhD positive", "AB Rh(D) positive", "AB (positive)", "AB-positive"]
)
def test_spellings_of_one_type_are_one_type_and_answer_for_each_other(label: str) -> None:
    assert blood_type(label) == BloodType("AB", "positive")
    assert right(label, "AB positive")
    assert right("AB positive", label)
    assert right(f"The blood type is {label}.", "AB+")


@pytest.mark.parametrize("label", ["O-", "O−", "O negative", "O Rh-", "blood type O negative"])
def test_a_minus_is_a_negative(label: str) -> None:
    assert blood_type(label) == BloodType("O", "negative")
    assert right(label, "O negative")


@pytest.mark.parametrize("reply", ["O positive", "A negative", "AB positive", "A-", "A", "positive", "O+"])
def test_another_type_is_no_answer(reply: str) -> None:
    assert not right(reply, "A positive")


@pytest.mark.parametrize("text", ["C++", "A++", "B-flat", "A - B", "A-level", "a positive answer", "TV B+C", "Type O"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert with_blood_types_joined(text) == text


@pytest.mark.parametrize("text", ["C", "A+B", "Bob positive", "A positive person", ""])
def test_other_labels_are_no_blood_types(text: str) -> None:
    assert blood_type(text) is None


def test_a_group_whose_sign_is_unknown_is_answered_with_either() -> None:
    assert signed_forms("AB") == ("type AB", "group AB", "AB positive", "AB negative")
    assert signed_forms("AB+") == ()


@pytest.mark.parametrize(
    "label, reply, is_right",
    [("A", "Blood type A.", True), ("A", "A+", True), ("A", "AB+", False), ("A positive", "A+", True)],
)
def test_a_value_of_the_property_is_answered_in_any_spelling(label: str, reply: str, is_right: bool) -> None:
    values = {"Q1": Entity(
        qid="Q1", requested_id="Q1", label=label, description="", aliases=(), sitelinks=0, statements=(), revision=None
    )}  # fmt: skip
    reading = read_value(
        ItemValue(qid="Q1"), kind="item", answer_type="blood type", values=values, table=load_properties()
    )
    assert (match(reply, reading.accepted) is not None) == is_right  # type: ignore[union-attr]
