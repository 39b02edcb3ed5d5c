"""Facts that a careful editor would sign: what qualifiers, siblings and values say, through a whole build."""

import json
import re
from pathlib import Path

import pytest

from curation.facts.properties import load_properties
from schemas.matching.match import match
from schemas.recipes.source_recipe import SelectConfig
from tests.worlds.case_build import Built, build_of, build_of_case, build_of_recorded, claim, needs_cases, person, thing

WEAVER = thing("Q901", "weaver")
OFFICE = thing("Q941", "President of Ruritania")


def others(property_id: str, *values: str, first: int = 30) -> list[dict[str, object]]:
    """One more person for each value, so that there is something to offer as a false option."""
    return [
        person(f"Q{first + number}", f"Other {chr(65 + number)}lpha", claim(property_id, value, cited=True))
        for number, value in enumerate(values)
    ]


# --- alive or dead ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "living"),
    [
        ([claim("P569", (1740, 8))], False),
        ([claim("P569", (1800, 7))], False),
        ([claim("P569", (1900, 7))], False),  # the 19th century ends with 1900
        ([claim("P569", (1910, 8))], True),  # 1919 lies less than 115 years back
        ([claim("P569", (2000, 6))], True),
        ([claim("P569", None, P1326=1870)], False),
        ([claim("P569", 1990), claim("P570", None)], False),
        ([claim("P569", 1990), claim("P570", "novalue")], True),
        ([claim("P569", 1990), claim("P570", 2020, rank="deprecated")], True),
        ([claim("P569", 1990), claim("P20", "Q7")], False),
        ([claim("P569", 1990), claim("P509", "Q7")], False),
        ([claim("P569", 1990), claim("P1196", "Q7")], False),
        ([claim("P569", 1990), claim("P119", "Q7")], False),
        ([claim("P569", 1990), claim("P39", "Q941", P1534="Q5247364")], False),
        ([claim("P569", 1990), claim("P26", "Q8", P1534="Q99521170")], False),
        ([claim("P569", 1990), claim("P26", "Q8", P1534="Q24037741")], True),  # the spouse died
        ([claim("P1317", (1650, 8))], False),
        ([claim("P1636", 1890)], False),
        ([claim("P39", "Q941", P580=1700)], False),
        ([claim("P69", "Q942", P582=1800)], False),
        ([claim("P26", "Q8", P580=1820)], False),
        ([claim("P607", "Q9", P585=1812)], False),
        ([claim("P746", 1880)], False),
        ([claim("P569", 1990), claim("P39", "Q941", P580=1020)], True),  # a slip of the pen
        ([claim("P569", 1990), claim("P2031", 1201)], True),
        ([claim("P39", "Q941", P580=2020)], True),
        ([claim("P31", "Q5")], True),
    ],
)
def test_life_follows_from_all_that_is_stated(tmp_path: Path, claims: list[dict[str, object]], living: bool) -> None:
    built = build_of(tmp_path, person("Q1", "Tam Olden", claim("P106", "Q901"), *claims), WEAVER)
    assert built.subjects["Q1"].living is living


@pytest.mark.parametrize(
    "claims",
    [
        [claim("P569", (2010, 8))],
        [claim("P569", (2000, 8))],  # 2009 is possible
        [claim("P569", (2001, 7))],
        [claim("P569", (2001, 6)), claim("P2031", 2024)],
        [claim("P569", 1990, rank="preferred"), claim("P569", 2012)],
        [claim("P569", None, P1319=2005, P1326=2011)],
        [claim("P569", None, P1319=2011)],
        [claim("P569", 2006, P1480="Q5727902")],
        [claim("P1636", 2012)],
    ],
)
def test_who_may_be_a_minor_by_the_latest_year_stated_is_left_out(
    tmp_path: Path, claims: list[dict[str, object]]
) -> None:
    built = build_of(tmp_path, person("Q1", "Teen Newcomer", *claims), person("Q2", "Ada Grown", claim("P569", 1950)))
    assert built.reasons("Q1") == ["minor"]


def test_a_relative_of_a_public_person_is_no_subject_for_that_alone(tmp_path: Path) -> None:
    child = person("Q1", "Bo Heir", claim("P569", 1990), claim("P22", "Q2"))
    built = build_of(tmp_path, child, person("Q2", "Ada Ruler", claim("P569", 1950), claim("P39", "Q941")), OFFICE)
    assert (list(built.subjects), built.reasons("Q1")) == (["Q2"], ["relative_only"])


def test_a_relative_who_is_known_for_something_is_a_subject(tmp_path: Path) -> None:
    built = build_of(tmp_path, person("Q1", "Bo Heir", claim("P569", 1990), claim("P22", "Q2"), claim("P106", "Q901")))
    assert list(built.subjects) == ["Q1"]


def test_a_relative_by_the_description_alone_is_no_subject(tmp_path: Path) -> None:
    wife = person("Q1", "Bo Heir", claim("P569", 1990), description="wife of the actor Ada Ruler")
    built = build_of(tmp_path, wife, person("Q2", "Ada Ruler", claim("P569", 1950)))
    assert built.reasons("Q1") == ["relative_only"]


@pytest.mark.parametrize(
    ("description", "living"),
    [("18th-century Dutch painter", False), ("painter (1790–1850)", False), ("painter (born 1850)", False),
     ("mayor (1990–2005)", True), ("painter (born 1950)", True)],
)  # fmt: skip
def test_life_follows_from_the_description_where_no_birth_is_stated(
    tmp_path: Path, description: str, living: bool
) -> None:
    one = person("Q1", "Tam Olden", claim("P106", "Q901"), description=description)
    assert build_of(tmp_path, one, WEAVER).subjects["Q1"].living is living


@pytest.mark.parametrize(
    ("description", "reason"),
    [("girl (born 2012)", "minor"), ("murder victim", "relative_only"), ("victim of a plane crash", "relative_only"),
     ("missing person", "relative_only"), ("stepson of a king", "relative_only")],
)  # fmt: skip
def test_whom_others_made_known_or_a_child_by_the_description_is_no_subject(
    tmp_path: Path, description: str, reason: str
) -> None:
    one = person("Q1", "Bo Private", description=description)
    assert build_of(tmp_path, one, person("Q2", "Ada Ruler", claim("P569", 1950))).reasons("Q1") == [reason]


def test_whoever_has_fewer_than_ten_sitelinks_is_not_selected_by_default(tmp_path: Path) -> None:
    few = person("Q1", "Bo Few", claim("P569", 1950), links=9)
    built = build_of(tmp_path, few, person("Q2", "Ada Ten", claim("P569", 1950), links=10))
    assert list(built.subjects) == ["Q2"]


# --- qualifiers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("property_id", "qualifiers"),
    [
        ("P2032", {"P2868": "Q911"}),
        ("P569", {"P1319": 1505, "P1326": 1515}),
        ("P570", {"P1326": 1968}),
        ("P570", {"P1319": 1968}),
        ("P569", {"P1480": "Q5727902"}),
        ("P569", {"P5102": "Q18122778"}),
        ("P569", {"P1310": "Q1"}),
        ("P569", {"P887": "Q1"}),
        ("P569", {"P1480": None}),
        ("P2031", {"P642": "Q911"}),
        ("P2031", {"P518": "Q911"}),
    ],
)
def test_a_date_that_is_doubted_or_holds_in_part_is_not_asked(
    tmp_path: Path, property_id: str, qualifiers: dict[str, object]
) -> None:
    dated = claim(property_id, 1968, **qualifiers)
    built = build_of(tmp_path, person("Q1", "Ned Range", claim("P569", 1940, rank="preferred"), dated))
    assert [fact for fact in built.of("Q1", property_id) if fact.answer == "1968"] == []
    expected = "rank_outranked" if property_id == "P569" else "nature_doubtful"
    assert expected in built.reasons("Q1$0002")


def test_an_event_stays_true_in_whatever_role_one_took_part(tmp_path: Path) -> None:
    took_part = claim("P1344", "Q50", P2868="Q911")
    built = build_of(tmp_path, person("Q1", "Ada Marlow", took_part), thing("Q50", "Third Congress"))
    assert [fact.answer for fact in built.of("Q1", "P1344")] == ["Third Congress"]


def test_a_heart_that_is_buried_elsewhere_is_no_burial_place(tmp_path: Path) -> None:
    graves = claim("P119", "Q50", P518="Q9")
    built = build_of(tmp_path, person("Q1", "Ada Marlow", graves), thing("Q50", "Old Cemetery"))
    assert built.of("Q1", "P119") == []


def test_a_qualifier_without_a_rule_is_counted(tmp_path: Path) -> None:
    build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", 1950, P99999="Q1")))
    from flows.building.build import status
    from flows.commands.printing import print_status

    report = status(tmp_path / "build")
    assert report.unknown_qualifiers == {"P569/P99999": 1}
    print_status(report)


@pytest.mark.parametrize(
    ("property_id", "qualifiers"),
    [
        ("P26", {"P580": 1970, "P1534": "Q921"}),
        ("P26", {"P582": None}),
        ("P102", {"P1534": "Q921"}),
        ("P27", {"P582": 1991}),
        ("P102", {"P585": 1990}),
    ],
)
def test_what_has_ended_is_not_asked_of_the_living_as_if_it_went_on(
    tmp_path: Path, property_id: str, qualifiers: dict[str, object]
) -> None:
    value = person("Q2", "Ann First", claim("P569", 1950)) if property_id == "P26" else thing("Q2", "Blue Party")
    had = claim(property_id, "Q2", cited=True, **qualifiers)
    built = build_of(tmp_path, person("Q1", "Joe Divorced", claim("P569", 1948), had), value)
    assert (built.of("Q1", property_id), built.reasons("Q1$0002")) == ([], ["value_ended"])


def test_a_marriage_is_over_that_the_spouse_says_has_ended(tmp_path: Path) -> None:
    divorced = person("Q1", "Joe Divorced", claim("P569", 1948), claim("P26", "Q2", P580=1970))
    wife = person("Q2", "Ann First", claim("P569", 1950), claim("P26", "Q1", P580=1970, P582=1980))
    assert build_of(tmp_path, divorced, wife).reasons("Q1$0002") == ["value_ended"]


def test_of_somebody_retired_the_sport_is_asked_in_the_past(tmp_path: Path) -> None:
    rower = [claim("P569", 1950), claim("P641", "Q50")]
    retired = person("Q1", "Bo Field", *rower, claim("P2032", 1990))
    role = person("Q3", "Ada Marlow", *rower, claim("P2032", 1990, P2868="Q9"))
    built = build_of(tmp_path, retired, role, thing("Q50", "rowing", claim("P31", "Q31629")))
    assert built.texts("Q1", "P641") == ["Which sport did Bo Field take part in?"]
    assert built.texts("Q3", "P641") == ["Which sport does Ada Marlow take part in?"]


def test_a_wedding_in_a_church_was_in_its_town(tmp_path: Path) -> None:
    wed = claim("P26", "Q2", P580=1970, P2842="Q50")
    church = thing("Q50", "Old Church", claim("P31", "Q16970"), claim("P131", "Q51"))
    quarter, town = thing("Q51", "East Side", claim("P31", "Q123705"), claim("P131", "Q52")), thing("Q52", "Rivertown")
    wife = person("Q2", "Ann First", claim("P569", 1950))
    built = build_of(tmp_path, person("Q1", "Joe Field", claim("P569", 1948), wed), wife, church, quarter, town)
    assert [fact.answer for fact in built.of("Q1", "P26/P2842")] == ["Rivertown"]


def test_nobody_is_married_to_the_dead(tmp_path: Path) -> None:
    widow = person("Q1", "Joe Widowed", claim("P569", 1948), claim("P26", "Q2", P580=1970))
    built = build_of(tmp_path, widow, person("Q2", "Ann First", claim("P569", 1950), claim("P570", 1999)))
    assert built.reasons("Q1$0002") == ["value_ended"]


def test_nobody_belongs_to_a_party_that_is_dissolved(tmp_path: Path) -> None:
    member = person("Q1", "Joe Member", claim("P569", 1948), claim("P102", "Q2", cited=True))
    built = build_of(tmp_path, member, thing("Q2", "Blue Party", claim("P576", 1999)))
    assert built.reasons("Q1$0002") == ["value_ended"]


def test_a_later_marriage_ends_the_one_before(tmp_path: Path) -> None:
    twice = person("Q1", "Joe Twice", claim("P26", "Q2", P580=1970), claim("P26", "Q3", P580=1990))
    first, second = person("Q2", "Ann First", claim("P569", 1950)), person("Q3", "Bea Second", claim("P569", 1960))
    built = build_of(tmp_path, twice, first, second)
    assert [fact.answer for fact in built.of("Q1", "P26")] == ["Bea Second"]


# --- siblings -----------------------------------------------------------------------------------------------------


def office(*claims: dict[str, object], folder: Path) -> Built:
    return build_of(folder, person("Q1", "Ivo Again", claim("P569", 1940), *claims), OFFICE)


def held(rank: str = "normal", **qualifiers: object) -> dict[str, object]:
    return claim("P39", "Q941", rank=rank, **qualifiers)


def test_nobody_left_for_good_who_is_in_office_again(tmp_path: Path) -> None:
    built = office(held(P580=2000, P582=2008), held(rank="preferred", P580=2012), folder=tmp_path)
    assert built.of("Q1", "P39/P582") == []
    assert [answer.text for answer in built.of("Q1", "P39/P580")[0].accepted] == ["2000", "2012"]


@pytest.mark.parametrize("again", [{}, {"P1545": "2"}, {"P582": None}, {"P580": 2012, "P582": None}])
def test_an_end_is_not_asked_where_the_same_office_is_stated_again_without_one(
    tmp_path: Path, again: dict[str, object]
) -> None:
    assert office(held(P580=2000, P582=2008), held(**again), folder=tmp_path).of("Q1", "P39/P582") == []


def test_terms_that_follow_each_other_are_one_time_in_office(tmp_path: Path) -> None:
    built = office(held(P580=2000, P582=2004), held(P580=2004, P582=2008), held(P580=2009, P582=2012), folder=tmp_path)
    (start,), (end,) = built.of("Q1", "P39/P580"), built.of("Q1", "P39/P582")
    assert ([each.text for each in start.accepted], [each.text for each in end.accepted]) == (["2000"], ["2012"])
    assert {"2004", "2009"} <= set(start.withheld)


def test_who_married_the_same_person_again_was_divorced_in_between(tmp_path: Path) -> None:
    spells = claim("P26", "Q2", P580=1964, P582=1974), claim("P26", "Q2", P580=1975, P582=1976)
    wife = person("Q2", "Ann First", claim("P569", 1940), claim("P570", 2011))
    built = build_of(tmp_path, person("Q1", "Joe Twice", claim("P570", 1984), *spells), wife)
    assert [each.text for each in built.of("Q1", "P26/P582")[0].accepted] == ["1974", "1976"]


def test_terms_apart_by_a_year_are_two(tmp_path: Path) -> None:
    spells = held(P580=(2000, 11, 3, 1), P582=(2004, 11, 3, 1)), held(P580=(2005, 11, 9, 1), P582=(2008, 11, 9, 1))
    built = office(*spells, folder=tmp_path)
    assert [each.text for each in built.of("Q1", "P39/P582")[0].accepted] == ["2004", "2008"]


def test_an_outranked_height_is_no_option_within_its_tolerance(tmp_path: Path) -> None:
    heights = (
        claim("P2048", 170.0, rank="preferred"),
        claim("P2048", 162.0),
        claim("P2048", 178.0),
        claim("P2048", 184.0),
    )
    built = build_of(tmp_path, person("Q1", "Ada Marlow", *heights))
    options = built.options(built.of("Q1", "P2048")[0])
    assert not {"161 cm", "179 cm", "183 cm"} & set(options)


def test_a_deprecated_term_is_no_sibling(tmp_path: Path) -> None:
    built = office(held(P580=2000, P582=2008), held(rank="deprecated", P580=2012), folder=tmp_path)
    assert [fact.answer for fact in built.of("Q1", "P39/P582")] == ["2008"]


def test_every_value_of_a_qualifier_is_accepted(tmp_path: Path) -> None:
    award = thing("Q50", "Heron Prize")
    built = build_of(
        tmp_path, person("Q1", "Ada Marlow", claim("P166", "Q50", P1686=["Q51", "Q52"])), award,
        thing("Q51", "Low Tide"), thing("Q52", "High Tide"),
    )  # fmt: skip
    (fact,) = built.of("Q1", "P166/P1686")
    assert [answer.text for answer in fact.accepted] == ["Low Tide", "High Tide"]


def test_a_degree_that_two_schools_are_said_to_have_given_is_not_asked(tmp_path: Path) -> None:
    schools = claim("P69", "Q50", P512="Q53"), claim("P69", "Q51", P512="Q53")
    built = build_of(
        tmp_path, person("Q1", "Ada Marlow", *schools), thing("Q50", "Low School"), thing("Q51", "High School"),
        thing("Q53", "Bachelor of Arts"),
    )  # fmt: skip
    assert built.of("Q1", "P69/P512") == []


def test_a_language_that_cannot_be_read_keeps_the_others_from_being_asked(tmp_path: Path) -> None:
    tongues = person("Q1", "Many Tongues", claim("P1412", "Q981"), claim("P1412", "Q982"))
    built = build_of(tmp_path, tongues, thing("Q981", "Welsh"), thing("Q982", ""))
    assert (built.of("Q1", "P1412"), built.reasons("Q1$0001")) == ([], ["siblings_unread"])


def test_one_value_of_many_that_cannot_be_read_is_told_as_a_share(tmp_path: Path) -> None:
    count = 12
    claims = [claim("P166", f"Q{50 + number}") for number in range(count)]
    awards = [thing(f"Q{50 + number}", f"Heron Prize {number}" if number else "") for number in range(count)]
    (fact,) = build_of(tmp_path, person("Q1", "Ada Marlow", *claims), *awards).of("Q1", "P166")
    assert fact.read_share == 11 / 12


def test_an_outranked_value_that_cannot_be_read_is_no_right_answer(tmp_path: Path) -> None:
    places = claim("P19", "Q50", rank="preferred"), claim("P19", "Q51")
    built = build_of(tmp_path, person("Q1", "Ada Marlow", *places), thing("Q50", "Arnvik"), thing("Q51", ""))
    assert [fact.answer for fact in built.of("Q1", "P19")] == ["Arnvik"]


@pytest.mark.parametrize(
    ("property_id", "died", "accepted"),
    [
        ("P39", False, ["President of Ruritania", "Warden of Arnvik"]),  # "has held": both are right
        ("P106", False, ["President of Ruritania", "Warden of Arnvik"]),
        ("P27", False, ["President of Ruritania"]),  # "is": only the present one is
        ("P27", True, ["President of Ruritania", "Warden of Arnvik"]),
        ("P412", False, ["President of Ruritania"]),  # one voice
    ],
)
def test_what_stays_true_beside_a_preferred_value_is_accepted_and_not_the_answer(
    property_id: str, died: bool, accepted: list[str], tmp_path: Path
) -> None:
    both = claim(property_id, "Q942"), claim(property_id, "Q941", rank="preferred")
    death = [claim("P570", 2001)] if died else []
    one = person("Q1", "Ada Marlow", claim("P569", 1950), *death, *both)
    (fact,) = build_of(tmp_path, one, OFFICE, thing("Q942", "Warden of Arnvik")).of("Q1", property_id)
    assert (fact.answer, [each.text for each in fact.accepted]) == ("President of Ruritania", accepted)


def test_an_outranked_value_that_stays_true_and_cannot_be_read_counts_among_the_unread(tmp_path: Path) -> None:
    both = claim("P39", "Q941", rank="preferred"), claim("P39", "Q942")
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", 1950), *both), OFFICE, thing("Q942", ""))
    assert (built.of("Q1", "P39"), sorted(built.reasons("P39"))) == ([], ["siblings_unread", "value_unlabelled"])


# --- options ------------------------------------------------------------------------------------------------------

PARTIES = [thing(f"Q{qid}", name) for qid, name in ((51, "Blue Party"), (52, "Red Front"), (53, "Green League"))]
MORE_PARTIES = [thing(f"Q{qid}", name) for qid, name in ((54, "Grey Club"), (55, "Gold List"))]


def test_a_party_that_is_true_without_a_source_is_no_false_option(tmp_path: Path) -> None:
    both = person("Q1", "Pol Two", claim("P102", "Q51", cited=True), claim("P102", "Q52"))
    rest = others("P102", "Q52", "Q53", "Q54", "Q55")
    built = build_of(tmp_path, both, *rest, *PARTIES, *MORE_PARTIES)
    (fact,) = built.of("Q1", "P102")
    assert built.options(fact) == ["Blue Party", "Gold List", "Green League", "Grey Club"]


def test_an_uncited_party_is_named_nowhere_in_the_facts(tmp_path: Path) -> None:
    both = person("Q1", "Pol Two", claim("P102", "Q51", cited=True), claim("P102", "Q52"))
    (fact,) = build_of(tmp_path, both, *PARTIES).of("Q1", "P102")
    assert "Red Front" not in json.dumps(fact.model_dump())
    assert "Q52" not in json.dumps(fact.model_dump())


@pytest.mark.parametrize(("up", "answer", "option"), [("P279", "Q51", "Q52"), ("P279", "Q52", "Q51")])
def test_neither_a_kind_of_the_answer_nor_what_it_is_a_kind_of_is_an_option(
    tmp_path: Path, up: str, answer: str, option: str
) -> None:
    trades = [thing("Q51", "novelist", claim(up, "Q59")), thing("Q59", "wordsmith", claim(up, "Q52"))]
    trades += [thing("Q52", "writer"), thing("Q53", "mason"), thing("Q54", "baker"), thing("Q55", "cooper")]
    mine = person("Q1", "Ada Marlow", claim("P106", answer))
    built = build_of(tmp_path, mine, *others("P106", option, "Q53", "Q54", "Q55"), *trades)
    (fact,) = built.of("Q1", "P106")
    assert not {"novelist", "writer"} - {fact.answer} & set(built.options(fact))


def test_classes_that_go_round_in_a_circle_end(tmp_path: Path) -> None:
    trades = [thing("Q51", "novelist", claim("P279", "Q52")), thing("Q52", "writer", claim("P279", "Q51"))]
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P106", "Q51")), *trades)
    assert [fact.answer for fact in built.of("Q1", "P106")] == ["novelist"]


def test_places_that_go_round_in_a_circle_end(tmp_path: Path) -> None:
    hospital = thing("Q51", "Old Hospital", claim("P31", "Q16917"), claim("P131", "Q52"))
    ward = thing("Q52", "East Wing Hospital", claim("P31", "Q16917"), claim("P131", "Q51"))
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P19", "Q51")), hospital, ward)
    assert built.reasons("Q1$0001") == ["value_too_fine"]


def test_what_the_description_says_is_no_false_option(tmp_path: Path) -> None:
    trades = [thing("Q51", "banker"), thing("Q52", "mason"), thing("Q53", "baker"), thing("Q54", "cooper")]
    mine = person("Q1", "Ada Marlow", claim("P106", "Q51"), description="mason and cousin of a mayor")
    built = build_of(tmp_path, mine, *others("P106", "Q52", "Q53", "Q54"), *trades)
    assert "mason" not in built.options(built.of("Q1", "P106")[0])


def test_a_country_is_no_option_among_towns(tmp_path: Path) -> None:
    towns = [
        thing(f"Q{qid}", name, claim("P31", "Q515")) for qid, name in ((51, "Arnvik"), (52, "Belmora"), (53, "Cast"))
    ]
    land = thing("Q54", "Ruritania", claim("P31", "Q6256"))
    built = build_of(
        tmp_path, person("Q1", "Ada Marlow", claim("P19", "Q51")), *others("P19", "Q52", "Q53", "Q54"), *towns, land
    )
    assert "Ruritania" not in built.options(built.of("Q1", "P19")[0])


# --- places that people name --------------------------------------------------------------------------------------


def born(folder: Path, *claims: dict[str, object], **around: dict[str, object]) -> Built:
    hospital = thing("Q951", "Maternity Hospital No. 4", *around.values())
    return build_of(folder, person("Q1", "Hos Pital", *claims), hospital, thing("Q952", "Rivertown"))


def test_the_town_is_asked_for_and_the_hospital_accepted(tmp_path: Path) -> None:
    place = claim("P31", "Q16917"), claim("P131", "Q952")
    built = born(tmp_path, claim("P19", "Q951"), kind=place[0], place=place[1])
    (fact,) = built.of("Q1", "P19")
    assert [answer.text for answer in fact.accepted] == ["Rivertown", "Maternity Hospital No. 4"]


def test_a_normal_town_is_asked_for_beside_a_preferred_hospital_that_lies_nowhere(tmp_path: Path) -> None:
    built = born(tmp_path, claim("P19", "Q951", rank="preferred"), claim("P19", "Q952"))
    (fact,) = built.of("Q1", "P19")
    assert [answer.text for answer in fact.accepted] == ["Rivertown", "Maternity Hospital No. 4"]


def test_a_hospital_alone_is_not_asked_for(tmp_path: Path) -> None:
    assert born(tmp_path, claim("P19", "Q951")).reasons("Q1$0001") == ["value_too_fine"]


def test_the_town_is_found_through_a_quarter_and_a_district(tmp_path: Path) -> None:
    hospital = thing("Q51", "Old Hospital", claim("P31", "Q16917"), claim("P131", "Q52"))
    quarter = thing("Q52", "East Quarter", claim("P31", "Q2983893"), claim("P131", "Q53"))
    district = thing("Q53", "Lower District", claim("P31", "Q4286337"), claim("P131", "Q54"))
    born_there = person("Q1", "Ada Marlow", claim("P19", "Q51"))
    built = build_of(tmp_path, born_there, hospital, quarter, district, thing("Q54", "Rivertown"))
    assert [fact.answer for fact in built.of("Q1", "P19")] == ["Rivertown"]


def test_a_child_born_in_a_coarse_span_is_named_nowhere(tmp_path: Path) -> None:
    child = person("Q2", "Bo Young", claim("P569", (2010, 8)), claim("P106", "Q901"))
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", 1970), claim("P40", "Q2")), child, WEAVER)
    assert built.reasons("Q1$0002") == ["third_party"]


def test_a_borough_is_asked_for_and_its_city_accepted(tmp_path: Path) -> None:
    borough = thing("Q51", "Eastgate", claim("P31", "Q408804"), claim("P131", "Q952"))
    built = build_of(tmp_path, person("Q1", "Bo Field", claim("P19", "Q51")), borough, thing("Q952", "Rivertown"))
    assert [answer.text for answer in built.of("Q1", "P19")[0].accepted] == ["Eastgate", "Rivertown"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_town_is_accepted_beside_a_preferred_part_of_it(tmp_path: Path, inside: bool) -> None:
    around = [claim("P131", "Q952")] if inside else []
    quarter = thing("Q51", "Eastgate", claim("P31", "Q123705"), *around)
    town = thing("Q952", "Rivertown", claim("P31", "Q515"))
    places = claim("P19", "Q51", rank="preferred"), claim("P19", "Q952")
    built = build_of(tmp_path, person("Q1", "Bo Field", *places), quarter, town)
    assert {answer.text for answer in built.of("Q1", "P19")[0].accepted} == {"Eastgate", "Rivertown"}


def test_another_town_beside_a_preferred_one_is_outranked(tmp_path: Path) -> None:
    towns = [thing(f"Q{qid}", name, claim("P31", "Q515")) for qid, name in ((51, "Arnvik"), (52, "Belmora"))]
    places = claim("P19", "Q51", rank="preferred"), claim("P19", "Q52")
    built = build_of(tmp_path, person("Q1", "Bo Field", *places), *towns)
    assert [answer.text for answer in built.of("Q1", "P19")[0].accepted] == ["Arnvik"]


@pytest.mark.parametrize(
    ("kind", "offered"), [("Q47168", "place/region"), ("Q165", "place/water"), ("Q6256", "place/country")]
)
def test_options_of_a_county_a_sea_and_a_country_are_of_their_kind(tmp_path: Path, kind: str, offered: str) -> None:
    place = thing("Q50", "Arnvik Sound", claim("P31", kind))
    built = build_of(tmp_path, person("Q1", "Bo Field", claim("P19", "Q50")), place)
    options = set(built.options(built.of("Q1", "P19")[0])) - {"Arnvik Sound"}
    assert options < set(load_properties().fallback[offered])


def test_the_coarser_of_two_places_is_accepted_where_one_is_preferred_as_the_most_precise(tmp_path: Path) -> None:
    places = claim("P19", "Q51", rank="preferred", P7452="Q71536040"), claim("P19", "Q952")
    built = build_of(tmp_path, person("Q1", "Bo Field", *places), thing("Q51", "Eastgate"), thing("Q952", "Rivertown"))
    assert {answer.text for answer in built.of("Q1", "P19")[0].accepted} == {"Eastgate", "Rivertown"}


# --- values of another kind, names, dates -------------------------------------------------------------------------


def test_an_office_is_no_military_unit(tmp_path: Path) -> None:
    post = thing("Q50", "Supreme Commander-in-Chief of the Armed Forces")
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P598", "Q50")), post)
    assert built.reasons("Q1$0001") == ["value_wrong_type"]


def test_a_named_dog_gets_no_breeds_as_options(tmp_path: Path) -> None:
    dogs = [thing(f"Q{50 + at}", name, claim("P31", "Q144")) for at, name in enumerate(("Bo", "Rex", "Fala", "Barney"))]
    built = build_of(
        tmp_path, person("Q1", "Ada Marlow", claim("P1429", "Q50")), *others("P1429", "Q51", "Q52", "Q53"), *dogs
    )
    assert built.options(built.of("Q1", "P1429")[0]) == ["Barney", "Bo", "Fala", "Rex"]


@pytest.mark.parametrize(
    ("label", "answer"),
    [("British English", "English"), ("Brazilian Portuguese", "Portuguese"), ("Old English", "Old English"),
     ("Swiss German", "Swiss German"), ("Canadian French", "French"), ("Hiberno-English", "English"),
     ("Iranian Persian", "Persian"), ("Standard Chinese", "Mandarin"), ("Nynorsk", "Norwegian"),
     ("Nigerian English", "English"), ("British Sign Language", "British Sign Language"),
     ("Ancient Greek", "Ancient Greek")],
)  # fmt: skip
def test_a_language_is_called_what_people_call_it(tmp_path: Path, label: str, answer: str) -> None:
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P1412", "Q50")), thing("Q50", label))
    (fact,) = built.of("Q1", "P1412")
    assert (fact.answer, label in [form.text for form in fact.accepted]) == (answer, True)


def test_the_options_of_a_birth_name_share_what_the_own_name_tells(tmp_path: Path) -> None:
    name = claim("P1477", "Michael Joseph Marlow")
    built = build_of(tmp_path, person("Q1", "Michael Marlow", name))
    options = built.options(built.of("Q1", "P1477")[0])
    assert all(each.startswith("Michael ") and each.endswith(" Marlow") for each in options)


def test_a_birth_name_that_the_own_name_tells_whole_is_not_asked(tmp_path: Path) -> None:
    built = build_of(tmp_path, person("Q1", "Steve Clarke", claim("P1477", "Stephen Clarke")))
    assert "told_by_name" in [drop.reason for drop in built.drops]


def test_no_value_is_asked_that_is_of_another_sort_than_its_question(tmp_path: Path) -> None:
    """One person with a value of a wrong sort for each answer type, and one with a right one."""
    wrong = {
        "P598": "Q178561", "P108": "Q6256", "P69": "Q189533", "P136": "Q7725634", "P27": "Q515", "P166": "Q159821",
        "P1303": "Q17172850", "P102": "Q12909644", "P54": "Q15991303", "P53": "Q5", "P106": "Q515", "P39": "Q43229",
        "P607": "Q515", "P1412": "Q6256", "P118": "Q349", "P641": "Q12973014", "P512": "Q3918", "P140": "Q16970",
        "P101": "Q5", "P135": "Q515", "P463": "Q12737077", "P264": "Q188451", "P241": "Q515", "P3602": "Q515",
    }  # fmt: skip
    right = {
        "P598": "Q176799", "P108": "Q4830453", "P69": "Q3918", "P136": "Q188451", "P27": "Q3624078", "P166": "Q618779",
        "P1303": "Q34379", "P102": "Q7278", "P54": "Q476028", "P53": "Q8436", "P106": "Q28640", "P39": "Q4164871",
        "P607": "Q198", "P1412": "Q34770", "P118": "Q15991303", "P641": "Q31629", "P512": "Q189533", "P140": "Q9174",
        "P101": "Q11862829", "P135": "Q968159", "P463": "Q43229", "P264": "Q18127", "P241": "Q43229", "P3602": "Q40231",
    }  # fmt: skip
    things = [
        thing(f"Q{first + at}", f"Thing {first + at}", claim("P31", sort), links=20)
        for first, sorts in ((100, wrong), (200, right))
        for at, sort in enumerate(sorts.values())
    ]
    people = [
        person(
            qid, name, claim("P569", 1950), *(claim(each, f"Q{first + at}", cited=True) for at, each in enumerate(of))
        )
        for qid, name, first, of in (("Q1", "Ada Marlow", 100, wrong), ("Q2", "Bo Field", 200, right))
    ]
    built = build_of(tmp_path, *people, *things)
    kept = {qid: {each.property_id for each in built.facts if each.subject_id == built.subjects[qid].subject_id}
            for qid in ("Q1", "Q2")}  # fmt: skip
    assert kept == {"Q1": {"P569"}, "Q2": {"P569", *right}}


def test_a_painting_gets_no_novels_as_options_and_a_breed_no_names(tmp_path: Path) -> None:
    painting, breed = (
        thing("Q50", "Blue Hill", claim("P31", "Q3305213")),
        thing("Q51", "beagle", claim("P31", "Q39367")),
    )
    novels = [thing(f"Q{60 + at}", f"Low Tide {at}", claim("P31", "Q8261")) for at in range(4)]
    mine = person("Q1", "Ada Marlow", claim("P800", "Q50"), claim("P1429", "Q51"))
    built = build_of(tmp_path, mine, *others("P800", *(each["id"] for each in novels)), painting, breed, *novels)
    works, pets = (built.options(built.of("Q1", each)[0]) for each in ("P800", "P1429"))
    assert (len(works), len(pets)) == (4, 4)
    assert not [each for each in works if each.startswith("Low Tide")]
    assert not {"Laika", "Fala", "Socks"} & set(pets)


@pytest.mark.parametrize(
    ("name", "birth_name", "kept"),
    [
        ("Ada Marlow", "Ada Mary Smith", r"Ada \w+ \w+"),
        ("Ada Marlow", "Ada Smith-Marlow", r"Ada \w+-Marlow"),
        ("Ada Marlow", "Ada Karoline von Hohenstein", r"Ada \w+ von \w+"),
        ("Zaza", "Anna Ek", r"\w+ Ek"),
        ("Ada Marlow", "Smith", r"\w+"),
        ("Jean-Luc Roux", "Jean-Luc Benoît Roux", r"Jean-Luc \w+ Roux"),
        ("Max Roe", "Max E. Roe", r"Max [A-Z]\. Roe"),
    ],
)
def test_options_of_a_birth_name_are_names_of_its_form(tmp_path: Path, name: str, birth_name: str, kept: str) -> None:
    built = build_of(tmp_path, person("Q1", name, claim("P1477", birth_name)))
    options = built.options(built.of("Q1", "P1477")[0])
    assert [each for each in options if not re.fullmatch(kept, each)] == []
    assert len(options) == 4


def test_surnames_of_options_are_those_of_others_where_they_are_enough(tmp_path: Path) -> None:
    surnames = [f"{first}owekin" for first in ("Br", "Cr", "Dr", "Fl", "Gr", "Kn", "Pl", "Tr", "Vl")]
    rest = [
        person(f"Q{30 + at}", f"Bo {each[:2]}alpha", claim("P1477", f"Bo {each}")) for at, each in enumerate(surnames)
    ]
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P1477", "Ada Skowekin")), *rest)
    options = built.options(built.of("Q1", "P1477")[0])
    assert {each.split()[-1] for each in options} <= {*surnames, "Skowekin"}


def test_options_of_a_birth_name_are_of_its_language_and_have_no_part_of_the_usual_name(tmp_path: Path) -> None:
    name = claim("P1477", "Thérèse Camille Ek")
    name["mainsnak"]["datavalue"] = {
        "type": "monolingualtext",
        "value": {"text": "Thérèse Camille Ek", "language": "fr"},
    }
    built = build_of(tmp_path, person("Q1", "Geneviève Cluny", name))
    options = set(built.options(built.of("Q1", "P1477")[0])) - {"Thérèse Camille Ek"}
    used = {part for each in options for part in each.split()[:-1]}
    assert used <= {*load_properties().names["fr"].feminine} - {"Geneviève"}


@pytest.mark.parametrize(
    ("name", "property_id", "value"),
    [
        ("Adelaide Marlow", "P1449", "Addie"), ("Ada Marlow", "P1449", "The Great Marlow"),
        ("Ada Marlow", "P1449", "AM"),
        ("William Roe", "P1449", "Bill"), ("Elizabeth Roe", "P1449", "Beth"),
        ("Ada Marlow", "P742", "The Queen of Jazz"),
        ("Ada Marlow", "P1477", "Ada Marlow (née Smith)"), ("Ada Marlow", "P1477", "Smith, Ada"),
        ("Ada Marlow", "P742", "A. Marlow"),
    ],
)  # fmt: skip
def test_a_name_that_is_told_or_none_that_one_signs_is_not_asked(
    tmp_path: Path, name: str, property_id: str, value: str
) -> None:
    built = build_of(tmp_path, person("Q1", name, claim("P569", 1950), claim(property_id, value)))
    assert built.texts("Q1", "P569")
    assert built.texts("Q1", property_id) == []


@pytest.mark.parametrize(("name", "value"), [("Dee Roe", "The Edge"), ("Max Born", "Grey Owl")])
def test_a_stage_name_with_an_article_is_asked(tmp_path: Path, name: str, value: str) -> None:
    assert build_of(tmp_path, person("Q1", name, claim("P742", value), claim("P1477", "Max Born"))).of("Q1", "P742")


@pytest.mark.parametrize(
    "claims",
    [
        [claim("P569", 1950), claim("P2031", 1959)],
        [claim("P569", 1950), claim("P2031", 1949)],
        [claim("P569", 1950), claim("P570", 1999), claim("P2032", 2005)],
        [claim("P569", 1950), claim("P570", 1940)],
        [claim("P569", 1950), claim("P2031", 2031)],
        [claim("P569", 0)],
    ],
)
def test_a_date_that_cannot_be_is_not_asked(tmp_path: Path, claims: list[dict[str, object]]) -> None:
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P106", "Q901"), *claims), WEAVER)
    asked = {fact.property_id for fact in built.facts}
    last = claims[-1]["mainsnak"]["property"]  # type: ignore[index]
    assert last not in asked


def test_a_child_may_begin_on_the_stage(tmp_path: Path) -> None:
    singer = person("Q1", "Ada Marlow", claim("P106", "Q50"), claim("P569", 1950), claim("P2031", 1956))
    assert [fact.answer for fact in build_of(tmp_path, singer, thing("Q50", "singer")).of("Q1", "P2031")] == ["1956"]


def test_an_impossible_day_is_read_to_the_month(tmp_path: Path) -> None:
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", (1950, 11, 2, 30))))
    assert [fact.answer for fact in built.of("Q1", "P569")] == ["February 1950"]


# --- namesakes ----------------------------------------------------------------------------------------------------


def test_namesakes_are_told_apart_by_what_they_are_and_by_years(tmp_path: Path) -> None:
    swimmer = person("Q1", "Sam Clerk", claim("P569", 1943), claim("P2048", 180.0), description="American swimmer")
    singer = person(
        "Q2", "Sam Clerk", claim("P569", 1960), claim("P2048", 170.0), description="Irish singer, born in Cork"
    )
    built = build_of(tmp_path, swimmer, singer)
    assert built.texts("Q1", "P569") == ["In which year was the American swimmer Sam Clerk born?"]
    assert built.texts("Q2", "P569") == ["In which year was the Irish singer Sam Clerk born?"]
    assert built.texts("Q1", "P2048") == ["How tall is Sam Clerk (born 1943)?"]


def test_a_lesser_known_namesake_whom_nothing_tells_apart_is_left_out(tmp_path: Path) -> None:
    known = person("Q1", "Sam Clerk", claim("P569", 1943), links=13)
    built = build_of(tmp_path, known, person("Q2", "Sam Clerk", claim("P569", 1960)))
    assert (built.texts("Q1", "P569"), built.reasons("Q2")) == (["In which year was Sam Clerk born?"], ["namesake"])


@pytest.mark.parametrize("name", ["SAM CLERK", "Sam  Clerk", "Sám Clérk"])
def test_names_that_differ_in_case_blanks_or_accents_are_one_name(tmp_path: Path, name: str) -> None:
    known = person("Q1", "Sam Clerk", claim("P569", 1943), links=13)
    assert build_of(tmp_path, known, person("Q2", name, claim("P569", 1960))).reasons("Q2") == ["namesake"]


def test_politicians_of_one_name_are_told_apart_by_the_other_year(tmp_path: Path) -> None:
    one = person("Q1", "John Ram", claim("P569", 1612), claim("P570", 1665), description="English politician")
    two = person("Q2", "John Ram", claim("P569", 1755), claim("P570", 1839), description="British politician")
    built = build_of(tmp_path, one, two)
    assert built.texts("Q1", "P569") == ["In which year was John Ram (died 1665) born?"]
    assert built.texts("Q1", "P570") == ["In which year did John Ram (born 1612) die?"]


# --- the case files -----------------------------------------------------------------------------------------------


@needs_cases
def test_case_of_coarse_dates(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "living_by_coarse_dates.json")
    assert {qid: one.living for qid, one in built.subjects.items()} == {"Q9000101": False, "Q9000102": False}
    assert built.reasons("Q9000105") == ["minor"]


@needs_cases
def test_case_of_limiting_qualifiers(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "limiting_qualifiers.json")
    assert [(fact.property_id, fact.answer) for fact in built.facts] == [("P569", "1983")]
    assert [drop.reason for drop in built.drops if drop.stage == "facts"].count("nature_doubtful") == 3


@needs_cases
def test_case_of_a_marriage_that_ended_nobody_says_when(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "spouses.json")
    assert (built.of("Q9000121", "P26"), built.reasons("Q9000121$0003")) == ([], ["value_ended"])


@needs_cases
def test_case_of_an_uncited_party(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "uncited_party.json")
    (fact,) = built.of("Q9000131", "P102")
    assert fact.answer == "Blue Party"
    assert "Red Party" not in built.options(fact)


@needs_cases
def test_case_of_an_office_held_again(tmp_path: Path) -> None:
    assert build_of_case(tmp_path, "office_again.json").of("Q9000141", "P39/P582") == []


@needs_cases
def test_case_of_a_birth_in_a_hospital(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "born_in_a_hospital.json")
    (fact,) = built.of("Q9000151", "P19")
    assert (fact.answer, "Maternity Hospital No. 4" in [form.text for form in fact.accepted]) == ("Rivertown", True)
    offered = {option for each in built.facts for option in built.options(each)}
    assert offered
    assert "Maternity Hospital No. 4" not in offered


@needs_cases
def test_case_of_namesakes(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "namesakes.json")
    assert built.texts("Q9000161", "P569") == ["In which year was Sam Clerk born?"]
    assert built.reasons("Q9000162") == ["namesake"]


@needs_cases
def test_case_of_a_sibling_that_cannot_be_read(tmp_path: Path) -> None:
    built = build_of_case(tmp_path, "unread_sibling.json")
    assert built.reasons("Q9000181$0003") == ["siblings_unread"]


@needs_cases
def test_of_the_recorded_people_no_text_has_two_answers_and_no_option_is_accepted(tmp_path: Path) -> None:
    built = build_of_recorded(tmp_path, links=0)
    answers: dict[str, set[str]] = {}
    facts = {fact.fact_id: fact for fact in built.facts}
    for question in built.questions:
        if question.modality == "qa":
            answers.setdefault(question.text, set()).add(question.answer)
        false = [each for each in question.options if each != question.answer]
        assert not [each for each in false if match(each, facts[question.fact_id].accepted)], question.text
    assert len(answers) > 400
    assert {text: found for text, found in answers.items() if len(found) > 1} == {}


@needs_cases
def test_of_the_recorded_people_nobody_is_selected_by_default_with_fewer_than_ten_sitelinks(tmp_path: Path) -> None:
    built = build_of_recorded(tmp_path, links=SelectConfig().min_sitelinks)
    assert 15 <= len(built.subjects) <= 25
    assert min(one.sitelinks for one in built.subjects.values()) >= 10


# --- bad input ----------------------------------------------------------------------------------------------------


def test_ten_thousand_statements_of_one_person_are_accounted_for(tmp_path: Path) -> None:
    claims = [claim("P1344", f"Q{100_000 + number}", P2868="Q911") for number in range(10_000)]
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", 1950), *claims))
    assert sum(drop.reason == "value_missing" for drop in built.drops) == 10_000


@pytest.mark.parametrize("name", ["X", "Ada " + "M" * 200, "محمد علي", "אדה לב"])
def test_names_of_any_length_and_script_are_asked_about(tmp_path: Path, name: str) -> None:
    built = build_of(tmp_path, person("Q1", name, claim("P569", 1950)))
    assert name in built.texts("Q1", "P569")[0]


def test_a_statement_that_stands_twice_is_asked_once(tmp_path: Path) -> None:
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", 1950), claim("P569", 1950)))
    assert [fact.answer for fact in built.of("Q1", "P569")] == ["1950"]


@pytest.mark.parametrize("value", ["Q7", "1950", 3.0])
def test_a_birth_of_another_type_is_no_birth(tmp_path: Path, value: object) -> None:
    built = build_of(tmp_path, person("Q1", "Ada Marlow", claim("P569", value), claim("P2048", 170.0)))
    assert (built.of("Q1", "P569"), built.reasons("Q1$0001")) == ([], ["value_wrong_type"])
