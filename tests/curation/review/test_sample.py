"""Review sample: drawn at random, the same for the same seed, and whole in one line a fact."""

import pytest

from curation.review.sample import draw_sample, review_row, shown_digest
from schemas.errors import BadInput
from schemas.records.review import ReviewSample
from tests.worlds.synthetic_build import make_fact, make_portraits, make_questions, make_subject

NAMES = [f"N_{number:02d}" for number in range(40)]
SAMPLE = ReviewSample(build="demo.x3f2a9c01", seed=-7, size=2, of=9, drawn_from="asked")
SUBJECT = make_subject(1)
FACT = make_fact(SUBJECT, 3)
QUESTIONS = make_questions(SUBJECT, FACT)
PICTURE = make_portraits(SUBJECT)[0]


def test_a_larger_sample_begins_with_the_smaller_one() -> None:
    assert draw_sample(NAMES, seed=7, size=30)[:10] == draw_sample(NAMES, seed=7, size=10)


def test_a_sample_does_not_depend_on_the_order_of_the_facts() -> None:
    assert draw_sample(reversed(NAMES), seed=7, size=10) == draw_sample(NAMES, seed=7, size=10)


def test_a_fact_more_moves_no_other() -> None:
    more = draw_sample([*NAMES, "New_01"], seed=7, size=41)
    assert [name for name in more if name != "New_01"] == draw_sample(NAMES, seed=7, size=40)


def test_every_fact_is_drawn_about_as_often_as_any_other() -> None:
    drawn = [name for seed in range(400) for name in draw_sample(NAMES, seed=seed, size=10)]
    assert {name for name in NAMES if not 65 < drawn.count(name) < 135} == set()  # 100 each, within four deviations


def test_a_sample_larger_than_the_build_is_all_of_it() -> None:
    assert sorted(draw_sample(NAMES, seed=7, size=1000)) == NAMES


def test_a_sample_is_read_back_from_its_cell() -> None:
    assert SAMPLE.text() == "demo.x3f2a9c01 seed -7: 2 of 9 asked"
    assert ReviewSample.parse(SAMPLE.text()) == SAMPLE


@pytest.mark.parametrize("text", ["", "7", "demo seed 7: 2 of 9", "demo seed x: 2 of 9 known"])
def test_any_other_cell_is_no_sample(text: str) -> None:
    with pytest.raises(BadInput, match="is not the sample of a review"):
        ReviewSample.parse(text)


def test_a_line_holds_what_its_reader_needs() -> None:
    fact = FACT.model_copy(
        update={"topic": "mayor", "past": True, "withheld": ("Old Town",), "references": 2, "cited": 1}
    )
    row = review_row(SUBJECT, fact, QUESTIONS, PICTURE, place=4, sample=SAMPLE, source="https://example.org/")
    assert (row.question, row.picture_question) == (
        "What is the place 3 of Ada Lindb?", "What is the place 3 of this person?",
    )  # fmt: skip
    assert (row.option_a, row.option_b, row.option_c, row.option_d, row.right_option) == (
        "Not A", "Not B", "Not C", fact.answer, "D",
    )  # fmt: skip
    assert row.accepted == f"{fact.answer} | City of {fact.answer}"
    assert row.subject_link == "https://example.org/Q1001"
    assert row.statement_link == "https://example.org/Q1001#Q1001$statement-3"
    assert (row.property, row.qualified_by) == ("place 3 (P3)", "mayor | put in the past tense")
    assert (row.references, row.never_offered) == ("2 (1 with a named source)", "Old Town")
    assert (row.place, row.verdict, row.reason) == (4, "", "")


def test_fictional_people_and_people_without_pictures_have_no_links() -> None:
    row = review_row(SUBJECT, FACT, QUESTIONS, None, place=1, sample=SAMPLE, source="")
    assert {row.subject_link, row.statement_link, row.picture, row.picture_link, row.picture_credit} == {""}


def test_what_was_shown_is_the_same_whatever_the_order_of_options() -> None:
    turned = [row.model_copy(update={"options": row.options[::-1], "answer_label": "A"}) for row in QUESTIONS]
    assert shown_digest(FACT, turned, PICTURE.image_id) == shown_digest(FACT, QUESTIONS, PICTURE.image_id)


def test_another_option_wording_answer_or_picture_is_shown_otherwise() -> None:
    reworded = [row.model_copy(update={"text": row.text + "?"}) for row in QUESTIONS]
    other = [row.model_copy(update={"options": ("Else", *row.options[1:])}) for row in QUESTIONS]
    found = {
        shown_digest(FACT, QUESTIONS, PICTURE.image_id),
        shown_digest(FACT, reworded, PICTURE.image_id),
        shown_digest(FACT, other, PICTURE.image_id),
        shown_digest(FACT.model_copy(update={"accepted": FACT.accepted[:1]}), QUESTIONS, PICTURE.image_id),
        shown_digest(FACT, QUESTIONS, ""),
    }
    assert len(found) == 5
