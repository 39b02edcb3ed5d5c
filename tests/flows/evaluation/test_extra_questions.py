"""The forms in which a person may be named, and what is none."""

import pytest

from eval.tasks.questions import AskedFact, EvalQuestion
from flows.evaluation.extra_questions import identity_questions, name_forms, names_of
from schemas.matching.match import match
from schemas.records.build_rows import AcceptedAnswer


def accepted(*names: str) -> tuple[AcceptedAnswer, ...]:
    return tuple(AcceptedAnswer(kind="text", text=name) for name in names)


@pytest.mark.parametrize(
    "reply",
    [
        "This is Noor Mira Juniperus.",
        "Juniperus, Noor",
        "N. Juniperus",
        "N. M. Juniperus",
        "Noor M. Juniperus",
        "Noor Juniperus, a poet",
    ],
)
def test_a_person_is_named_by_given_and_family_name_in_any_order_and_with_initials(reply: str) -> None:
    assert match(reply, accepted(*name_forms("Noor Mira Juniperus")))


@pytest.mark.parametrize("reply", ["Juniperus", "Noor", "Isidor Juniperus", "Mira", "not Noor Juniperus"])
def test_a_family_name_or_a_relative_is_nobody(reply: str) -> None:
    assert match(reply, accepted(*name_forms("Noor Mira Juniperus"))) is None


def test_an_initial_that_reads_as_an_article_leaves_no_family_name_alone() -> None:
    assert match("Lind", accepted(*name_forms("Ada Lind"))) is None
    assert match("Lind, A.", accepted(*name_forms("Ada Lind")))


def test_particles_belong_to_the_family_and_suffixes_to_nobody() -> None:
    assert {"J. van der Berg", "van der Berg Jan"} <= set(name_forms("Jan Willem van der Berg"))
    assert "John Smith" in name_forms("John Smith Jr.")
    assert name_forms("Cher") == ("Cher",)


def test_a_form_of_two_people_names_neither() -> None:
    forms = names_of({"1": ("Noor Juniperus",), "2": ("Nils Juniperus",)})
    assert forms["1"] == ("Noor Juniperus", "Juniperus Noor")
    assert forms["2"] == ("Nils Juniperus", "Juniperus Nils")


def test_a_pseudonym_that_stands_in_the_dataset_names_the_person() -> None:
    question = EvalQuestion(
        key="a", sample_id="a", subject_id="1", subject="Noor Juniperus", task="generation", modality="vqa",
        role="forget", text="Where?", options=(), label="", answer="Oslo", accepted=accepted("Oslo"), kind="P19",
        answer_type="place", picture=b"picture",
    )  # fmt: skip
    fact = AskedFact("b", "1", "P742", "text", accepted("The Owl"), ())
    other = AskedFact("c", "1", "P106", "text", accepted("poet"), ())
    (asked,) = identity_questions([question], [fact, other], by_subject=False)
    assert match("It is The Owl", asked.accepted)
    assert match("poet", asked.accepted) is None
