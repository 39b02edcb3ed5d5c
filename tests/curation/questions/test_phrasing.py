"""How names are said in a sentence: articles, awards, offices, kinship, and what belongs to a namesake."""

import pytest

from curation.facts.properties import kinship, load_properties
from curation.questions.names_in_text import award_name, with_article
from curation.questions.phrasing import sentence

table = load_properties()
P39_START = table.qualifier_by_id["P39/P580"].question


@pytest.mark.parametrize(
    "name",
    ["British Airways", "American University", "United Airlines", "Harvard University", "Royal Holloway", "Google",
     "Imperial College London", "Stanford University School of Medicine", "Royal Dutch Shell", "Eton College",
     "French Open", "Russian Railways", "World Wrestling Entertainment", "International Harvester", "Delta Air Lines",
     "Bank of America", "National Public Radio", "National Geographic", "Royal Holloway, University of London",
     "Birkbeck, University of London", "Queen Mary University of London", "Delft University of Technology", "Congress",
     "Imperial Tobacco", "Royal Caribbean", "New York University", "Bell Labs", "Oxford University Press",
     "California State University, Long Beach", "NASA", "Le Monde", "Harvard Law School"],
)  # fmt: skip
def test_name_goes_without_the_article(name: str) -> None:
    assert with_article(name) == name


@pytest.mark.parametrize(
    "name",
    ["American University of Beirut", "Royal Navy", "National Gallery", "World Bank", "World Health Organization",
     "United Nations", "Royal Shakespeare Company", "British Museum", "European Space Agency", "Church of England",
     "National Basketball Association", "French Foreign Legion", "Communist Party of the Soviet Union", "BBC",
     "American Academy of Arts and Sciences", "Royal Grammar School",
     "University of California, Berkeley", "Los Angeles Times", "Washington Post", "State Duma", "Knesset",
     "White House",
     "Supreme Court of the United States", "International Court of Justice", "Red Cross", "Wehrmacht",
     "Open University",
     "Juilliard School", "Globe Theatre", "Metropolitan Opera", "Louvre", "Royal Free Hospital", "Royal Albert Hall",
     "Indian National Congress", "Parliament of Canada", "Australian National University", "Mayo Clinic"],
)  # fmt: skip
def test_a_name_of_an_institution_takes_the_article(name: str) -> None:
    assert with_article(name) == f"the {name}"


@pytest.mark.parametrize(
    "team",
    [
        "Utah Jazz",
        "Miami Heat",
        "Green Bay Packers",
        "Boston Red Sox",
        "New York Rangers",
        "Washington Football Team",
        "Phoenix Suns",
        "St. Louis Blues",
        "LA Galaxy",
        "Brazil national football team",
    ],
)
def test_team_takes_the_article(team: str) -> None:
    assert with_article(team, team=True) == f"the {team}"


@pytest.mark.parametrize(
    "team",
    [
        "Celtic F.C.",
        "Manchester United",
        "Queens Park Rangers",
        "Bolton Wanderers",
        "Ajax",
        "Boca Juniors",
        "Newell's Old Boys",
        "Team Sky",
        "Glasgow Rangers",
        "Tottenham Hotspur",
        "Real Madrid CF",
    ],
)
def test_team_goes_without_the_article(team: str) -> None:
    assert with_article(team, team=True) == team


@pytest.mark.parametrize("label", ["star on Hollywood Walk of Fame", "Star on the Hollywood Walk of Fame"])
def test_star_on_the_walk_of_fame_is_one_of_many(label: str) -> None:
    assert award_name(label) == "a star on the Hollywood Walk of Fame"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Purple Heart", "the Purple Heart"), ("Legion of Honour", "the Legion of Honour"),
        ("Ballon d'Or", "the Ballon d'Or"), ("Palme d'Or", "the Palme d'Or"), ("Prix Goncourt", "the Prix Goncourt"),
        ("Golden Bear", "the Golden Bear"), ("Guggenheim Fellowship", "a Guggenheim Fellowship"),
        ("honorary doctorate of Harvard", "an honorary doctorate of Harvard"),
        ("Rock and Roll Hall of Fame", "a place in the Rock and Roll Hall of Fame"),
        ("Canada's Walk of Fame", "a star on Canada's Walk of Fame"),
        ("Knight Bachelor", "the award “Knight Bachelor”"),
        ("Officer of the Legion of Honour", "the award “Officer of the Legion of Honour”"),
        ("Grand Cross of the Legion of Honour", "the award “Grand Cross of the Legion of Honour”"),
    ],
)  # fmt: skip
def test_an_award_is_called_as_in_speech(label: str, said: str) -> None:
    assert award_name(label) == said


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("President of Ruritania", "In which year did Bo become President of Ruritania?"),
        ("member of the State Duma", "In which year did Bo become a member of the State Duma?"),
        ("associate member of the Senate", "In which year did Bo become an associate member of the Senate?"),
        ("Deputy Prime Minister", "In which year did Bo become Deputy Prime Minister?"),
        ("judge", "In which year did Bo become a judge?"),
        ("United States senator", "In which year did Bo become a United States senator?"),
        ("mayor of Arnvik", "In which year did Bo become mayor of Arnvik?"),
        ("Member of the 56th Parliament", "In which year did Bo become a Member of the 56th Parliament?"),
        ("presidency of the Senate", "In which year did Bo become the holder of the presidency of the Senate?"),
    ],
)
def test_an_office_is_what_somebody_becomes_and_a_seat_is_one_of_many(topic: str, said: str) -> None:
    assert sentence(P39_START, subject="Bo", topic=topic, answer_type="year", past=True) == said


def test_no_form_about_an_office_says_the_position_of_a_member() -> None:
    for row in table.qualifiers:
        for form in (row.question, *row.paraphrases, row.cloze):
            said = sentence(form, subject="Bo", topic="member of the Diet", answer_type="year", past=True)
            assert "position of" not in said


@pytest.mark.parametrize(
    ("label", "said"),
    [("cousin", "cousin"), ("sibling of parent", "uncle or aunt"), ("child-in-law of uncle or aunt", ""),
     ("sibling-in-law", "brother-in-law or sister-in-law")],
)  # fmt: skip
def test_kinship_is_said_in_common_words_or_not_at_all(label: str, said: str) -> None:
    assert kinship(label) == said


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("How tall is {s}?", "How tall is Bo Field (born 1755)?"),
        ("What is {s's} place of birth?", "What is the place of birth of Bo Field (born 1755)?"),
        ("{s's} height is ___.", "The height of Bo Field (born 1755) is ___."),
        ("{when} did {s's} career begin?", "In which year did the career of Bo Field (born 1755) begin?"),
    ],
)
def test_nothing_belongs_to_a_bracket(template: str, said: str) -> None:
    assert sentence(template, subject="Bo Field (born 1755)", topic="", answer_type="year", past=False) == said


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("On what date was {s} born?", "On what date was Sir Bo Field, 5th Baronet, born?"),
        ("Who taught {s}?", "Who taught Sir Bo Field, 5th Baronet?"),
        ("What was {s's} occupation?", "What was the occupation of Sir Bo Field, 5th Baronet?"),
        ("{s} was born in ___.", "Sir Bo Field, 5th Baronet, was born in ___."),
        ("{s's} height was ___.", "The height of Sir Bo Field, 5th Baronet, was ___."),
    ],
)
def test_a_title_after_a_comma_ends_with_one(template: str, said: str) -> None:
    assert sentence(template, subject="Sir Bo Field, 5th Baronet", topic="", answer_type="year", past=True) == said


def test_a_sentence_about_the_swimmer_of_a_name_begins_with_a_capital() -> None:
    said = sentence("{s} was born in ___.", subject="the swimmer Bo Field", topic="", answer_type="", past=True)
    assert said == "The swimmer Bo Field was born in ___."


def test_no_form_of_the_table_leaves_a_slot_or_a_choice_open() -> None:
    for row in (*table.properties, *table.qualifiers):
        for form in (row.question, *row.paraphrases, row.cloze):
            for subject in ("Bo Field", "Bo Field (1755–1839)"):
                said = sentence(form, subject=subject, topic="member of X", answer_type="year", past=True)
                assert not set(said) & set("{}<>[]|")
