"""Question polishing: the same words in both modalities, nothing told about whom, nothing given away."""

import pytest

from curation.questions.rewriting import (
    PERSON,
    Polishable,
    Polished,
    polish,
    polish_problem,
    polish_prompt,
    polish_requests,
)
from schemas.records.build_rows import Fact
from tests.servers.form_filler import Filler
from tests.worlds.synthetic_build import make_fact, make_questions, make_subject

ADA = make_subject(1, name="Ada Lind")
FACT = make_fact(ADA, 3, answer="Arnvik")
GOOD = (f"Where does {PERSON} come from?", f"Which place is {PERSON} from?", f"What is {PERSON}'s home town?")


def polishable(fact: Fact = FACT) -> Polishable:
    return Polishable(subject=ADA, facts=(fact,), questions=tuple(make_questions(ADA, fact)))


def form(question: str, *paraphrases: str) -> Polished:
    return Polished(question=question, paraphrases=paraphrases)


def filler(*texts: str, fall_back: bool = False) -> Filler:
    return Filler(lambda prompt: form(*texts).model_dump_json(), fall_back=fall_back)


def test_the_polishing_prompt_is_pinned() -> None:
    assert polish_prompt("Where was [PERSON] born?", paraphrases=2) == (
        "Here is a question about a person, who is called [PERSON] in it:\nWhere was [PERSON] born?\n\n"
        "Put it into natural, correct English with exactly the same meaning, and then ask it in 2 other ways. "
        "If it is good as it is, keep it.\n"
        "Every one of them is a single question that names [PERSON] once, written just so, asks for the same kind of "
        "answer, and keeps every other name as it is. Do not answer it and do not hint at the answer."
    )


def test_one_request_a_fact_and_the_name_is_not_told() -> None:
    (request,) = polish_requests([polishable()], paraphrases=2)
    assert request.request_id == FACT.sample_id
    assert PERSON in request.prompt
    assert "Ada" not in request.prompt


def test_both_modalities_get_the_same_words() -> None:
    questions, answers = polish([polishable()], filler(*GOOD), paraphrases=2, seed=1)
    texts = {(row.task, row.modality): row.text for row in questions}
    assert texts["generation", "qa"] == "Where does Ada Lind come from?"
    assert texts["generation", "vqa"] == "Where does this person come from?"
    assert [answer.request_id for answer in answers] == [FACT.sample_id]


def test_choices_are_asked_in_the_polished_words_and_clozes_stay() -> None:
    before = {row.question_id: row for row in polishable().questions}
    questions, _ = polish([polishable()], filler(*GOOD), paraphrases=2, seed=1)
    for row in questions:
        if row.task == "classification":
            assert row.text.endswith("come from?")
            assert row.options == before[row.question_id].options
        if row.task == "cloze":
            assert row == before[row.question_id]


def test_paraphrases_are_no_more_than_there_were() -> None:
    for row in polish([polishable()], filler(*GOOD), paraphrases=2, seed=1)[0]:
        before = next(one for one in polishable().questions if one.question_id == row.question_id)
        assert len(row.paraphrases) == min(2, len(before.paraphrases))


def test_a_question_that_cannot_be_polished_stays_where_the_built_in_stands_in() -> None:
    questions, answers = polish([polishable()], filler("Is it Arnvik?", fall_back=True), paraphrases=2, seed=1)
    assert tuple(questions) == polishable().questions
    assert answers[0].problem


@pytest.mark.parametrize(
    ("polished", "problem"),
    [
        (form(*GOOD), ""),
        (form(*GOOD[:2]), "has 1 paraphrases of 2"),
        (form(GOOD[0], GOOD[1], GOOD[0].lower().replace("[person]", PERSON)), "says the same twice"),
        (form("Where is she from?", *GOOD[1:]), "does not name [PERSON] once"),
        (form(f"Where are {PERSON} and {PERSON}'s folk from?", *GOOD[1:]), "does not name [PERSON] once"),
        (form(f"{PERSON} comes from there.", *GOOD[1:]), "is not one question"),
        (form(f"Who is {PERSON}? Where from?", *GOOD[1:]), "is not one question"),
        (form(f"Where does {PERSON}, called Lind, come from?", *GOOD[1:]), "names the person"),
        (form(f"Is Arnvik where {PERSON} comes from?", *GOOD[1:]), "contains the answer"),
        (form(f"Where does {PERSON} {'very ' * 40}come from?", *GOOD[1:]), "is not one question of at most 40 words"),
    ],
)
def test_what_speaks_against_polished_wordings(polished: Polished, problem: str) -> None:
    found = polish_problem(polished, FACT, ADA, before="What is the place 3 of Ada Lind?", paraphrases=2)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_the_topic_of_a_question_has_to_stay() -> None:
    fact = FACT.model_copy(update={"topic": "Royal Harbour Board"})
    before = "When did Ada Lind join the Royal Harbour Board?"
    found = polish_problem(form(*GOOD), fact, ADA, before=before, paraphrases=2)
    assert found.startswith("does not say 'Royal Harbour Board'")
