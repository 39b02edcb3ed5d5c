"""The property table: complete, in order, and refused with one clear line when damaged."""

import re
from pathlib import Path

import pytest

from curation.facts.properties import TABLE, load_properties
from curation.questions.names_in_text import award_name, with_article
from curation.questions.phrasing import THIS_PERSON, sentence
from schemas.errors import BadInput

table = load_properties()
ASKED = [row for row in table.properties if row.policy != "exclude"]


def _damaged(tmp_path: Path, old: str, new: str) -> Path:
    content = TABLE.read_text(encoding="utf-8")
    assert old in content
    path = tmp_path / "properties.toml"
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    return path


def test_table_has_every_kind_of_askable_property() -> None:
    assert len(ASKED) == 79
    assert len(table.qualifiers) == 25
    assert {row.sensitivity for row in ASKED} == {
        "public", "biographical", "family", "location", "finance", "physical", "health", "belief", "criminal",
    }  # fmt: skip


@pytest.mark.parametrize("property_id", ["P21", "P91", "P6553", "P2067", "P552", "P968", "P1329", "P6375", "P2002"])
def test_visible_binary_and_contact_properties_are_excluded_with_a_reason(property_id: str) -> None:
    row = table.by_id[property_id]
    assert row.policy == "exclude"
    assert row.reason


@pytest.mark.parametrize("property_id", ["P1050", "P509", "P140", "P102", "P172", "P1399", "P551", "P2218"])
def test_special_categories_are_gated(property_id: str) -> None:
    assert table.by_id[property_id].policy == "gate"


@pytest.mark.parametrize("property_id", ["P26", "P40", "P22", "P25", "P3373", "P1038", "P451"])
def test_family_members_fall_under_the_third_party_rule(property_id: str) -> None:
    assert table.by_id[property_id].person


@pytest.mark.parametrize("row", [*ASKED, *table.qualifiers], ids=lambda row: row.id)
def test_every_form_of_every_question_is_a_clean_sentence(row: object) -> None:
    wording = table.wording(row.id)  # type: ignore[attr-defined]
    for past in (False, True):
        for subject in ("James Fields", THIS_PERSON):
            for template in (wording.question, *wording.paraphrases, wording.cloze):
                said = sentence(
                    template, subject=subject, topic="Abel Prize", answer_type="date", past=past, team=False
                )
                assert not re.search(r"[{}\[\]|]|  | [.?]|s' ", said), said
                assert said[0].isupper()
                assert said.endswith("." if template.startswith(("Name", wording.cloze[:12])) else "?"), said
                assert subject.casefold() in said.casefold()


@pytest.mark.parametrize(
    "property_id, living, dead",
    [
        ("P22", "Who is Ada's father?", "Who was Ada's father?"),
        ("P25", "Who is Ada's mother?", "Who was Ada's mother?"),
        ("P26", "Who is Ada married to?", "Who did Ada marry?"),
        ("P40", "Who is one of Ada's children?", "Who was one of Ada's children?"),
        ("P3373", "Who is one of Ada's siblings?", "Who was one of Ada's siblings?"),
        ("P413", "What is Ada's speciality or playing position?", "What was Ada's speciality or playing position?"),
        ("P140", "What is Ada's religion or worldview?", "What was Ada's religion or worldview?"),
    ],
)  # fmt: skip
def test_question_about_the_living_and_the_dead_is(property_id: str, living: str, dead: str) -> None:
    template = table.wording(property_id).question
    said = [sentence(template, subject="Ada", topic="", answer_type="", past=past) for past in (False, True)]
    assert said == [living, dead]


@pytest.mark.parametrize("property_id", ["P22", "P25", "P26", "P40", "P3373", "P1038", "P451"])
def test_a_dead_subject_is_asked_about_in_the_past_in_all_forms(property_id: str) -> None:
    wording = table.wording(property_id)
    for template in (wording.question, *wording.paraphrases, wording.cloze):
        said = sentence(template, subject="Ada", topic="uncle", answer_type="", past=True)
        assert not re.search(r"\b(?:is|are|does|has)\b", said), said


@pytest.mark.parametrize(
    "row", [row for row in ASKED if row.answer in ("organisation", "event", "award", "team", "conflict", "election")],
    ids=lambda row: row.id,
)  # fmt: skip
def test_no_article_is_wanted_before_the_blank_of_a_named_thing(row: object) -> None:
    assert table.wording(row.id).cloze.endswith(" is called ___.")  # type: ignore[attr-defined]


def test_start_of_a_career_is_asked_in_different_words() -> None:
    wording = table.wording("P2031")
    assert [
        sentence(each, subject="Ada", topic="", answer_type="year", past=False)
        for each in (wording.question, *wording.paraphrases)
    ] == [
        "In which year did Ada start working professionally?",
        "In which year did Ada's career begin?",
        "What year marks the start of Ada's professional life?",
        "From which year on has Ada been professionally active?",
    ]


def test_possessive_is_apostrophe_s_also_after_s() -> None:
    assert sentence("Who is {s's} father?", subject="James", topic="", answer_type="", past=False) == (
        "Who is James's father?"
    )


def test_past_form_is_the_second_of_the_bracket() -> None:
    spoken = [
        sentence("Which country [is|was] {s} from?", subject="Ada", topic="", answer_type="", past=past)
        for past in (False, True)
    ]
    assert spoken == ["Which country is Ada from?", "Which country was Ada from?"]


@pytest.mark.parametrize(
    "answer_type, said",
    [("date", "On what date was Ada born?"), ("month", "In which month was Ada born?"),
     ("year", "In which year was Ada born?")],
)  # fmt: skip
def test_question_for_a_date_follows_its_precision(answer_type: str, said: str) -> None:
    assert sentence("{when} was {s} born?", subject="Ada", topic="", answer_type=answer_type, past=True) == said


def test_name_with_a_small_first_letter_keeps_it_and_this_person_does_not() -> None:
    assert sentence("{s} sings.", subject="k.d. lang", topic="", answer_type="", past=False) == "k.d. lang sings."
    assert sentence("{s} sings.", subject=THIS_PERSON, topic="", answer_type="", past=False) == "This person sings."


def test_braces_in_a_label_are_left_alone() -> None:
    assert sentence("Did {s} see {topic}?", subject="{topic}", topic="{s}", answer_type="", past=False) == (
        "Did {topic} see {s}?"
    )


@pytest.mark.parametrize(
    "name, said",
    [
        ("University of Cambridge", "the University of Cambridge"),
        ("Harvard University", "Harvard University"),
        ("London School of Economics", "the London School of Economics"),
        ("The New School", "the New School"),
        ("St John's College", "St John's College"),
    ],
)
def test_school_takes_the_article_that_english_wants(name: str, said: str) -> None:
    assert with_article(name) == said


def test_plural_team_takes_the_article() -> None:
    assert with_article("Green Bay Packers", team=True) == "the Green Bay Packers"
    assert with_article("Celtic F.C.", team=True) == "Celtic F.C."


def test_award_that_is_a_rank_stands_in_quotes() -> None:
    assert award_name("Abel Prize") == "the Abel Prize"
    assert award_name("Fellow of the Royal Society") == "the award “Fellow of the Royal Society”"


@pytest.mark.parametrize(
    "old, new, named",
    [
        ('answer = "occupation"', 'answer = "occupatoin"', "P106"),
        ('cloze = "{s} was born in ___."', 'cloze = "{s} was born in a ___."', "property P19"),
        ('cloze = "{s} was born in ___."', 'cloze = "{s} was born somewhere."', "property P19"),
        ('question = "Where was {s} born?"', 'question = "Where was {subject} born?"', "property P19"),
        ('question = "Where was {s} born?"', 'queston = "Where was {s} born?"', "property P19"),
        ('id = "P19"\n', 'id = "P106"\n', "P106 stands twice"),
        ('class = "family"', 'class = "kin"', "class"),
    ],
)
def test_damaged_row_is_refused_by_its_property(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(BadInput, match=re.escape(named)) as caught:
        load_properties(_damaged(tmp_path, old, new))
    assert "\n" not in str(caught.value)


def test_table_that_is_no_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load_properties(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="is not TOML"):
        load_properties(_damaged(tmp_path, "latest_year =", "latest_year ="[:-2]))


def test_property_that_is_not_asked_has_no_wording() -> None:
    with pytest.raises(BadInput, match="P21"):
        table.wording("P21")
