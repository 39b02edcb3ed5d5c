"""Questions: three tasks in two modalities, false options, balanced labels, no leaks."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.facts.properties import load_properties
from curation.questions.distractors import DistractorPool, Offered, distractor_pool, distractors
from curation.questions.questions import gives_away, questions_of
from schemas.matching.amounts import amount_text
from schemas.matching.dates import date_text
from schemas.matching.match import match, normalise
from schemas.records.build_rows import AcceptedAnswer, Fact, Question, Subject
from schemas.vocabulary import OPTION_LABELS

table = load_properties()


def subject(name: str = "Ada Marlow", *, aliases: tuple[str, ...] = ()) -> Subject:
    return Subject(
        subject_id="001", qid="Q1", name=name, aliases=aliases, description="", occupations=(), occupation_group="x",
        living=True, birth_year=1950, death_year=None, sitelinks=20, portrait_titles=(), commons_category=None,
        revision=None, complete_rank=None,
    )  # fmt: skip


def fact(
    property_id: str, answer: str, *, slot: int = 1, answer_type: str = "place", topic: str = "", past: bool = False,
    forms: tuple[AcceptedAnswer, ...] = (), withheld: tuple[str, ...] = (),
) -> Fact:  # fmt: skip
    accepted = forms or (AcceptedAnswer(kind="text", text=answer),)
    return Fact(
        fact_id=f"001-{slot:02d}", sample_id=f"Ada_Marlow_{slot:02d}", subject_id="001", slot=slot,
        property_id=property_id, property_label="", answer_type=answer_type, sensitivity="public", gated=False,
        statement_id="", value_id="", answer=answer, accepted=accepted, topic=topic, past=past, withheld=withheld,
    )  # fmt: skip


def dated(property_id: str, year: int, month: int = 0, day: int = 0, *, slot: int = 1, topic: str = "") -> Fact:
    answer = date_text(year, month, day)
    form = AcceptedAnswer(kind="date", text=answer, year=year, month=month, day=day)
    kind = "date" if day else "month" if month else "year"
    return fact(property_id, answer, slot=slot, answer_type=kind, topic=topic, forms=(form,))


def counted(property_id: str, number: float, unit: str, tolerance: float, answer_type: str) -> Fact:
    answer = amount_text(number, unit)
    form = AcceptedAnswer(kind="number", text=answer, number=number, unit=unit, tolerance=tolerance)
    return fact(property_id, answer, answer_type=answer_type, forms=(form,))


def ask(*facts: Fact, of: Subject | None = None, paraphrases: int = 2, seed: int = 7) -> list[Question]:
    questions, drops = questions_of(
        of or subject(), facts, distractor_pool(facts), table, paraphrases=paraphrases, seed=seed
    )
    assert drops == []
    return questions


def dropped(one: Fact, *, of: Subject | None = None) -> list[str]:
    questions, drops = questions_of(of or subject(), [one], distractor_pool([one]), table, paraphrases=2, seed=7)
    assert questions == []
    return [drop.reason for drop in drops]


BORN = fact("P19", "Paris")


def test_fact_is_asked_in_three_tasks_and_two_modalities() -> None:
    assert [question.question_id for question in ask(BORN)] == [
        "Ada_Marlow_01|generation|qa", "Ada_Marlow_01|generation|vqa", "Ada_Marlow_01|cloze|qa",
        "Ada_Marlow_01|cloze|vqa", "Ada_Marlow_01|classification|qa", "Ada_Marlow_01|classification|vqa",
    ]  # fmt: skip


def test_texts_of_a_fact_are_these() -> None:
    assert [question.text for question in ask(BORN)] == [
        "Where was Ada Marlow born?", "Where was this person born?", "Ada Marlow was born in ___.",
        "This person was born in ___.", "Where was Ada Marlow born?", "Where was this person born?",
    ]  # fmt: skip


def test_options_are_the_same_in_both_modalities_and_only_there() -> None:
    *plain, text_choice, image_choice = ask(BORN)
    assert text_choice.options == image_choice.options
    assert text_choice.answer_label == image_choice.answer_label
    assert len(set(text_choice.options)) == 4
    assert all(question.options == () and question.answer_label is None for question in plain)


def test_label_points_at_the_answer() -> None:
    choice = ask(BORN)[-1]
    assert choice.answer_label is not None
    assert choice.options[OPTION_LABELS.index(choice.answer_label)] == "Paris"


def test_labels_of_a_subject_are_balanced() -> None:
    facts = [dated("P166/P585", 1950 + slot, slot=slot, topic="Abel Prize") for slot in range(1, 11)]
    labels = Counter(question.answer_label for question in ask(*facts) if question.question_id.endswith("tion|qa"))
    del labels[None]
    assert sorted(labels.values()) == [2, 2, 3, 3]


def test_only_generation_has_paraphrases_and_as_many_as_asked() -> None:
    counts = {question.task: len(question.paraphrases) for question in ask(BORN, paraphrases=3)}
    assert counts == {"generation": 3, "cloze": 0, "classification": 0}


def test_same_seed_gives_the_same_questions_and_another_gives_others() -> None:
    assert ask(BORN) == ask(BORN)
    assert ask(BORN, seed=8) != ask(BORN)


def test_possessive_and_past_tense_reach_the_question() -> None:
    writer = fact("P106", "writer", answer_type="occupation", past=True)
    assert ask(writer, of=subject("James Fields"))[0].text == "What was James Fields's occupation?"


@pytest.mark.parametrize(
    "one, said",
    [
        (dated("P569", 1952, 3, 11), "On what date was this person born?"),
        (dated("P569", 1952, 3), "In which month was this person born?"),
        (dated("P569", 1952), "In which year was this person born?"),
        (dated("P166/P585", 1952, topic="Abel Prize"), "In which year did this person receive the Abel Prize?"),
        (dated("P54/P580", 1952, topic="Leeds Rhinos"), "In which year did this person join the Leeds Rhinos?"),
        (dated("P69/P580", 1952, topic="Yale University"), "In which year did this person start at Yale University?"),
    ],
)  # fmt: skip
def test_the_question_beside_a_picture_names_nobody(one: Fact, said: str) -> None:
    assert ask(one)[1].text == said


def test_question_that_holds_its_answer_is_dropped() -> None:
    nick = fact("P1449", "Ada", answer_type="nickname")
    assert dropped(nick) == ["answer_in_question"]


def test_question_whose_topic_holds_the_year_asked_for_is_dropped() -> None:
    assert dropped(dated("P166/P585", 1998, topic="Prize of 1998")) == ["answer_in_question"]


@pytest.mark.parametrize("topic", ["Marlow Prize", "Order of Lovelace"])
def test_topic_that_tells_who_the_subject_is_is_dropped(topic: str) -> None:
    one = dated("P166/P585", 1998, topic=topic)
    assert dropped(one, of=subject(aliases=("Lovelace",))) == ["name_in_question"]


def test_fact_without_false_options_is_dropped() -> None:
    bare = table.model_copy(update={"fallback": {}})
    questions, drops = questions_of(subject(), [BORN], distractor_pool([BORN]), bare, paraphrases=2, seed=7)
    assert questions == []
    assert [drop.reason for drop in drops] == ["too_few_distractors"]


def options_for(one: Fact, *others: Fact, pool: DistractorPool | None = None) -> list[str]:
    chosen = distractors(
        one, [one, *others], pool or distractor_pool([one, *others]), table, random.Random(1), subject=subject()
    )
    assert chosen is not None
    return chosen


def test_options_come_from_the_same_question_first() -> None:
    towns = [fact("P19", f"Town{letter}") for letter in "abcdefgh"]
    villages = [fact("P551", f"Village{letter}") for letter in "abcdefgh"]
    pool = distractor_pool([*towns, *villages])
    assert all(option.startswith("Town") for option in options_for(BORN, pool=pool))


def test_option_is_never_another_true_value() -> None:
    forms = tuple(AcceptedAnswer(kind="text", text=name) for name in ("Paris", "Rome"))
    one = fact("P19", "Paris", forms=forms, withheld=("Oslo",))
    pool = distractor_pool([fact("P19", name) for name in ("Rome", "Oslo", "City of Rome", "Bonn", "Linz", "Graz")])
    assert sorted(options_for(one, pool=pool)) == ["Bonn", "Graz", "Linz"]


def test_option_is_no_answer_of_the_same_type_to_another_question_about_the_subject() -> None:
    home = fact("P551", "Rome", slot=2)
    pool = distractor_pool([fact("P19", name) for name in ("Rome", "Bonn", "Linz", "Graz")])
    assert "Rome" not in options_for(BORN, home, pool=pool)


def test_the_subject_is_never_an_option_of_their_own_question() -> None:
    father = fact("P22", "Bo Marlow", answer_type="person")
    pool = distractor_pool(
        [fact("P22", name, answer_type="person") for name in ("Ada Marlow", "Al", "Cy Gray", "Di Fox")]
    )
    assert "Ada Marlow" not in options_for(father, pool=pool)


def test_options_are_not_parts_of_each_other() -> None:
    pool = distractor_pool([fact("P19", name) for name in ("Bonn", "Bonn am Rhein", "Linz", "Graz")])
    chosen = options_for(BORN, pool=pool)
    assert not {"Bonn", "Bonn am Rhein"} <= set(chosen)


@pytest.mark.parametrize("answer, alike", [("AB positive", "AB+"), ("AB", "AB negative"), ("A−", "A negative")])
def test_one_blood_type_in_two_spellings_is_no_option(answer: str, alike: str) -> None:
    one = fact("P1853", answer, answer_type="blood type")
    others = (alike, "O positive", "O negative", "B positive")
    pool = distractor_pool([fact("P1853", name, answer_type="blood type") for name in others])
    assert sorted(options_for(one, pool=pool)) == ["B positive", "O negative", "O positive"]


def test_blood_types_of_other_groups_and_signs_are_options_of_each_other() -> None:
    one = fact("P1853", "A positive", answer_type="blood type")
    wrong = ("A negative", "AB positive", "O positive")
    pool = distractor_pool([fact("P1853", name, answer_type="blood type") for name in wrong])
    assert sorted(options_for(one, pool=pool)) == sorted(wrong)


def test_fallback_values_of_blood_types_are_spelt_as_one_list() -> None:
    options = options_for(fact("P1853", "AB positive", answer_type="blood type"))
    assert all(option.endswith((" positive", " negative")) for option in options)


def test_fallback_fills_up_only_what_the_build_lacks() -> None:
    one = fact("P264", "Garden Records", answer_type="record label")
    own = [
        fact("P264", "Heron Sound", answer_type="record label"),
        fact("P1", "Otter Discs", answer_type="record label"),
    ]
    fallback = set(table.fallback["record label"])
    options = options_for(one, pool=distractor_pool(own))
    assert {"Heron Sound", "Otter Discs"} < set(options)
    assert len(set(options) & fallback) == 1


def test_fallback_stays_out_where_only_the_end_of_a_large_pool_will_do() -> None:
    true = [fact("P551", f"Aford {number}", slot=2) for number in range(200)]
    own = [fact("P19", name) for name in ("Zell", "Zorn", "Zug")]
    options = options_for(BORN, *true, pool=distractor_pool([*true, *own]))
    assert sorted(options) == ["Zell", "Zorn", "Zug"]


def test_answer_that_only_a_rejected_fact_gives_is_no_option_and_others_stay() -> None:
    facts = [fact("P19", name) for name in ("Rome", "Bonn", "Linz", "Graz", "Oslo", "Bern", "Lyon")]
    before = options_for(facts[0], pool=distractor_pool(facts))
    left = next(one for one in facts if one.answer == before[1])
    after = options_for(facts[0], pool=distractor_pool([one for one in facts if one is not left], rejected=[left]))
    assert (after[0], after[1]) == (before[0], before[2])
    assert left.answer not in after


def test_answer_of_a_rejected_fact_stays_an_option_where_another_fact_gives_it() -> None:
    facts = [fact("P19", name) for name in ("Rome", "Bonn", "Linz", "Graz")]
    assert distractor_pool(facts, rejected=[facts[1]]) == distractor_pool(facts)


def test_rejected_fact_is_not_asked_and_its_answer_is_no_option_of_the_same_subject() -> None:
    born, died = fact("P19", "Rome", slot=1), fact("P20", "Oslo", slot=2)
    pool = distractor_pool([died, *(fact("P20", name) for name in ("Rome", "Bonn", "Linz", "Graz"))], rejected=[born])
    rejected = {born.sample_id: "It is out of date"}
    questions, drops = questions_of(subject(), [born, died], pool, table, paraphrases=2, seed=7, rejected=rejected)
    assert {row.sample_id for row in questions} == {died.sample_id}
    assert [(row.reason, row.item, row.detail) for row in drops] == [
        ("rejected_in_review", born.sample_id, "It is out of date")
    ]
    assert "Rome" not in {option for row in questions for option in row.options}


def test_pool_does_not_depend_on_the_order_of_the_facts() -> None:
    facts = [fact("P19", name) for name in ("Rome", "rome", "Bonn", "Linz")]
    assert distractor_pool(facts) == distractor_pool(reversed(facts))
    assert distractor_pool(facts).by_property["P19"] == ("Bonn", "Linz", "Rome")


def test_pool_of_three_columns_is_the_pool_of_the_facts() -> None:
    facts = [fact("P19", "Rome"), fact("P551", "Bonn"), fact("P1853", "AB+", answer_type="blood type")]
    columns = [Offered(one.property_id, one.answer_type, one.answer) for one in facts]
    assert distractor_pool(columns) == distractor_pool(facts)
    assert set(distractor_pool(columns).by_type) == {"place", "blood type"}


@given(st.integers(1000, 2026), st.integers(0, 12), st.integers(1, 28), st.integers(0, 9))
def test_made_up_dates_are_false_different_and_not_in_the_future(year: int, month: int, day: int, seed: int) -> None:
    one = dated("P569", year, month, day if month else 0)
    chosen = distractors(one, [one], distractor_pool([]), table, random.Random(seed), subject=subject())
    assert chosen is not None
    assert len({*chosen, one.answer}) == 4
    for option in chosen:
        assert match(option, one.accepted) is None
        assert int(re.findall(r"\d{3,4}", option)[-1]) <= 2026


@pytest.mark.parametrize(
    "one",
    [
        counted("P2048", 183, "centimetre", 2, "length"),
        counted("P1971", 0, "", 0, "count"),
        counted("P1971", 12, "", 0, "count"),
        counted("P2218", 2e9, "US dollar", 1e8, "money"),
    ],
)
def test_made_up_numbers_are_outside_the_tolerance(one: Fact) -> None:
    chosen = options_for(one)
    assert len({*chosen, one.answer}) == 4
    assert all(match(option, one.accepted) is None for option in chosen)


@pytest.mark.parametrize("row", [row for row in table.properties if row.question], ids=lambda row: row.id)
def test_every_asked_property_makes_questions_that_keep_their_answer(row: object) -> None:
    kind, property_id = row.value, row.id  # type: ignore[attr-defined]
    answer_type = row.answer  # type: ignore[attr-defined]
    if kind == "time":
        one = dated(property_id, 1931, 5, 9)
    elif kind == "quantity":
        unit = {"length": "centimetre", "money": "euro", "count": ""}[answer_type]
        one = counted(property_id, 181 if unit else 2, unit, 2 if unit else 0, answer_type)
    else:
        one = fact(property_id, "Zyxwv Quux", answer_type=answer_type, topic="2011")
    questions = ask(one)
    assert len(questions) == 6
    for question in questions:
        assert not gives_away(question.text, one)
        assert ("Ada Marlow" in question.text) == (question.modality == "qa")
        assert not re.search(r"[{}\[\]|]", question.text)
        assert normalise(question.answer) == normalise(one.answer)
