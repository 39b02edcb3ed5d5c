"""Statements to facts: ranks, qualifiers, precision, gates, third parties, slots, names; and real recorded people."""

from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.facts.facts import facts_of, is_extra
from curation.facts.linked_entities import further_values, needed_values
from curation.facts.properties import load_properties
from curation.subjects.sample_names import sample_name, sample_names
from curation.subjects.selection import subject_of
from schemas.records.build_rows import Drop, Fact, Subject
from schemas.records.drop_reasons import REASONS
from schemas.records.entities import (  # fmt: skip
    Entity,
    ItemValue,
    Qualifier,
    QuantityValue,
    Rank,
    SnakType,
    Statement,
    TextValue,
    TimeValue,
    Value,
)
from schemas.vocabulary import Sensitivity
from sources.wikimedia.recorded import RecordedSource
from tests.documents import ROOT

table = load_properties()
SENSITIVE: tuple[Sensitivity, ...] = (
    "family", "location", "finance", "physical", "health", "belief", "orientation", "criminal",
)  # fmt: skip
RECORDED = ROOT.parent / "shared" / "recorded"


def subject(name: str = "Ada Marlow", *, living: bool = True, subject_id: str = "001") -> Subject:
    return Subject(
        subject_id=subject_id, qid="Q1", name=name, aliases=(), description="", occupations=(), occupation_group="x",
        living=living, birth_year=1950, death_year=None, sitelinks=20, portrait_titles=(), commons_category=None,
        revision=None, complete_rank=None,
    )  # fmt: skip


def item(qid: str) -> ItemValue:
    return ItemValue(qid=qid)


def day(year: int, month: int = 0, number: int = 0, *, julian: bool = False) -> TimeValue:
    precision = 11 if number else 10 if month else 9
    return TimeValue(year=year, month=month, day=number, precision=precision, julian=julian)


def said(property_id: str, value: Value) -> Qualifier:
    return Qualifier(property_id=property_id, snak="value", value=value)


_count = iter(range(10**9))


def stated(
    property_id: str, value: Value | None, *qualifiers: Qualifier, rank: Rank = "normal", snak: SnakType = "value",
    cited: int = 0,
) -> Statement:  # fmt: skip
    return Statement(
        statement_id=f"Q1${next(_count)}", property_id=property_id, rank=rank, snak=snak, value=value,
        qualifiers=qualifiers, references=cited, cited=cited,
    )  # fmt: skip


def entity(*statements: Statement, qid: str = "Q1", label: str = "Ada Marlow") -> Entity:
    return Entity(qid=qid, requested_id=qid, label=label, sitelinks=20, statements=statements)


def thing(qid: str, label: str, *aliases: str, sitelinks: int = 9, statements: tuple[Statement, ...] = ()) -> Entity:
    return Entity(qid=qid, requested_id=qid, label=label, aliases=aliases, sitelinks=sitelinks, statements=statements)


def human(qid: str, label: str, *, sitelinks: int = 9, born: int | None = 1960) -> Entity:
    birth = (stated("P569", day(born)),) if born else ()
    return thing(qid, label, sitelinks=sitelinks, statements=(stated("P31", item("Q5")), *birth))


def run(
    *statements: Statement, values: tuple[Entity, ...] = (), of: Subject | None = None, gated: str = "open",
    exclude: tuple[str, ...] = (),
) -> tuple[list[Fact], list[Drop]]:  # fmt: skip
    facts, drops = facts_of(
        of or subject(), entity(*statements), {value.qid: value for value in values}, table,
        gated=gated, sensitive=SENSITIVE, exclude=exclude, third_party_sitelinks=5,  # type: ignore[arg-type]
    )  # fmt: skip
    main = [fact for fact in facts if "/" not in fact.property_id]
    assert len(statements) == len(main) + sum(not is_extra(drop) for drop in drops)
    return facts, drops


def reasons(drops: list[Drop]) -> list[str]:
    return [drop.reason for drop in drops]


PARIS, ROME = thing("Q90", "Paris", "City of Light"), thing("Q220", "Rome")
BIOLOGIST, WRITER = thing("Q11", "biologist"), thing("Q12", "writer", "author")


def test_preferred_value_outranks_a_normal_one_and_the_normal_one_is_withheld() -> None:
    facts, drops = run(stated("P19", item("Q90")), stated("P19", item("Q220"), rank="preferred"), values=(PARIS, ROME))
    assert [fact.answer for fact in facts] == ["Rome"]
    assert reasons(drops) == ["rank_outranked"]
    assert facts[0].withheld == ("Paris", "City of Light")


def test_deprecated_value_is_never_a_fact_even_alone() -> None:
    facts, drops = run(stated("P19", item("Q90"), rank="deprecated"), values=(PARIS,))
    assert facts == []
    assert reasons(drops) == ["rank_deprecated"]


def test_values_of_one_property_become_one_fact_that_accepts_all_of_them() -> None:
    facts, drops = run(stated("P106", item("Q11")), stated("P106", item("Q12")), values=(BIOLOGIST, WRITER))
    assert [fact.answer for fact in facts] == ["biologist"]
    assert [answer.text for answer in facts[0].accepted] == ["biologist", "writer", "author"]
    assert reasons(drops) == ["merged"]


@pytest.mark.parametrize(
    "statement, reason",
    [
        (stated("P19", None, snak="somevalue"), "value_unknown"),
        (stated("P40", None, snak="novalue"), "value_none"),
        (stated("P19", item("Q404")), "value_missing"),
        (stated("P19", item("Q405")), "value_unlabelled"),
        (stated("P19", TextValue(text="Paris")), "value_wrong_type"),
        (stated("P19", item("Q90"), said("P1480", item("Q18122778"))), "nature_doubtful"),
        (stated("P569", TimeValue(year=1950, month=0, day=0, precision=8)), "precision_too_low"),
        (stated("P2048", QuantityValue(amount=1.8, unit="Q999")), "unit_unknown"),
        (stated("P1038", item("Q77")), "needs_qualifier"),
        (stated("P140", item("Q90")), "gate_uncited"),
        (stated("P968", TextValue(text="mailto:a@b.c")), "property_excluded"),
        (stated("P214", TextValue(text="123")), "property_unknown"),
        (stated("P27", item("Q90"), said("P582", day(1990))), "value_ended"),
        (stated("P1477", TextValue(text="Анна")), "value_unlabelled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_statement_that_cannot_be_asked_is_dropped_with_its_reason(statement: Statement, reason: str) -> None:
    nameless = thing("Q405", "")
    facts, drops = run(statement, values=(PARIS, nameless, human("Q77", "Bo Marlow")))
    assert facts == []
    assert reasons(drops) == [reason]
    assert reason in REASONS


def test_ended_citizenship_is_asked_of_the_dead() -> None:
    facts, _ = run(stated("P27", item("Q90"), said("P582", day(1990))), values=(PARIS,), of=subject(living=False))
    assert [fact.past for fact in facts] == [True]


def test_unknown_end_is_an_end_and_no_end_is_none() -> None:
    ended = Qualifier(property_id="P582", snak="somevalue")
    lasting = Qualifier(property_id="P582", snak="novalue")
    facts, drops = run(stated("P27", item("Q90"), ended), stated("P27", item("Q220"), lasting), values=(PARIS, ROME))
    assert [fact.answer for fact in facts] == ["Rome"]
    assert reasons(drops) == ["value_ended"]


@pytest.mark.parametrize(
    "value, answer, answer_type",
    [
        (day(1952, 3, 11), "11 March 1952", "date"),
        (day(1952, 3), "March 1952", "month"),
        (day(1952), "1952", "year"),
    ],
)
def test_date_is_kept_at_its_precision(value: TimeValue, answer: str, answer_type: str) -> None:
    facts, _ = run(stated("P569", value))
    assert [(fact.answer, fact.answer_type) for fact in facts] == [(answer, answer_type)]


def test_finer_of_two_dates_is_asked_and_the_coarser_is_no_answer() -> None:
    facts, drops = run(stated("P569", day(1952)), stated("P569", day(1952, 3, 11)))
    assert [answer.text for answer in facts[0].accepted] == ["11 March 1952"]
    assert reasons(drops) == ["merged"]


def test_julian_day_is_accepted_in_both_calendars() -> None:
    facts, _ = run(stated("P569", day(1870, 4, 10, julian=True)))
    assert [answer.text for answer in facts[0].accepted] == ["10 April 1870", "22 April 1870"]


@pytest.mark.parametrize("amount, unit", [(1.83, "Q11573"), (183, "Q174728"), (6.003937, "Q3710")])
def test_height_becomes_centimetres_with_a_tolerance_of_two(amount: float, unit: str) -> None:
    facts, _ = run(stated("P2048", QuantityValue(amount=amount, unit=unit)))
    assert [(answer.text, answer.unit, answer.tolerance) for answer in facts[0].accepted] == [
        ("183 cm", "centimetre", 2.0)
    ]


def test_net_worth_names_its_year_and_tolerates_five_percent() -> None:
    worth = stated("P2218", QuantityValue(amount=2e9, unit="Q4917"), said("P585", day(2017)), cited=1)
    facts, _ = run(worth)
    assert (facts[0].answer, facts[0].topic, facts[0].accepted[0].tolerance) == ("2 billion US dollars", "2017", 1e8)


@pytest.mark.parametrize(
    "relative, problem",
    [
        (human("Q5001", "Bo Marlow", sitelinks=4), "4 sitelinks"),
        (human("Q5001", "Bo Marlow", born=2012), "minor"),
        (human("Q5001", "Bo Marlow", born=None), "no known year"),
    ],
)
def test_child_that_is_not_public_and_adult_is_not_named(relative: Entity, problem: str) -> None:
    facts, drops = run(stated("P40", item("Q5001")), values=(relative,))
    assert facts == []
    assert reasons(drops) == ["third_party"]
    assert problem in drops[0].detail
    assert "Bo" not in drops[0].detail


def test_public_adult_child_is_named() -> None:
    facts, _ = run(stated("P40", item("Q5001")), values=(human("Q5001", "Bo Marlow"),))
    assert [(fact.answer, fact.sensitivity, fact.slot) for fact in facts] == [("Bo Marlow", "family", 25)]


def test_relative_is_asked_by_kinship() -> None:
    cousin = stated("P1038", item("Q5001"), said("P1039", item("Q7")))
    facts, _ = run(cousin, values=(human("Q5001", "Bo Field"), thing("Q7", "cousin")))
    assert [(fact.answer, fact.topic) for fact in facts] == [("Bo Field", "cousin")]


RELIGION = thing("Q748", "Buddhism")


@pytest.mark.parametrize("gated, flags", [("open", [False]), ("separate", [True]), ("drop", [])])
def test_gated_fact_goes_where_the_recipe_says(gated: str, flags: list[bool]) -> None:
    facts, drops = run(stated("P140", item("Q748"), cited=1), values=(RELIGION,), gated=gated)
    assert [fact.gated for fact in facts] == flags
    assert reasons(drops) == ([] if flags else ["property_gated"])


UNION = thing("Q900", "Union of Weavers", statements=(stated("P31", item("Q178790")),))
ACADEMY = thing("Q901", "Academy of Letters")


def test_membership_of_a_trade_union_is_belief_and_apart_from_other_memberships() -> None:
    facts, drops = run(
        stated("P463", item("Q901")), stated("P463", item("Q900"), cited=1), values=(UNION, ACADEMY), gated="separate"
    )
    assert [(fact.answer, fact.sensitivity, fact.gated, fact.slot) for fact in facts] == [
        ("Academy of Letters", "public", False, 1),
        ("Union of Weavers", "belief", True, 25),
    ]
    assert drops == []
    assert facts[0].withheld == ("Union of Weavers",)


def test_class_of_a_value_is_climbed_as_far_as_entities_are_at_hand() -> None:
    guild = thing("Q902", "Guild of Smiths", statements=(stated("P31", item("Q903")),))
    craft_union = thing("Q903", "craft union", statements=(stated("P279", item("Q178790")),))
    facts, _ = run(stated("P463", item("Q902"), cited=1), values=(guild, craft_union))
    assert [fact.sensitivity for fact in facts] == ["belief"]


def test_value_of_a_sensitive_class_is_dropped_where_gated_facts_are() -> None:
    _, drops = run(stated("P463", item("Q900"), cited=1), values=(UNION,), gated="drop")
    assert reasons(drops) == ["value_sensitive"]


def test_spouse_stays_family_whoever_it_is() -> None:
    facts, _ = run(stated("P26", item("Q5001")), values=(human("Q5001", "Bo Field"),))
    assert [fact.sensitivity for fact in facts] == ["family"]


def test_birth_name_is_not_asked_where_gender_was_changed() -> None:
    changed = (stated("P21", item("Q1052281")), stated("P1477", TextValue(text="Ann Field")))
    _, drops = run(*changed)
    assert reasons(drops) == ["property_excluded", "value_sensitive"]


OFFICE = thing("Q30185", "mayor of Lisbon")


def test_office_gives_a_main_fact_and_one_for_each_asked_qualifier() -> None:
    held = stated("P39", item("Q30185"), said("P580", day(1990, 5, 1)), said("P1365", item("Q5001")))
    facts, drops = run(held, values=(OFFICE, human("Q5001", "Bo Field")))
    assert [(fact.property_id, fact.topic, fact.answer, fact.slot) for fact in facts] == [
        ("P39", "", "mayor of Lisbon", 1),
        ("P39/P580", "mayor of Lisbon", "1990", 2),
        ("P39/P1365", "mayor of Lisbon", "Bo Field", 3),
    ]
    assert {fact.statement_id for fact in facts} == {held.statement_id}
    assert drops == []


def test_predecessor_who_is_not_public_is_an_extra_drop() -> None:
    held = stated("P39", item("Q30185"), said("P1365", item("Q5001")))
    facts, drops = run(held, values=(OFFICE, human("Q5001", "Bo Field", sitelinks=0)))
    assert [fact.property_id for fact in facts] == ["P39"]
    assert [(drop.item.split()[0], drop.reason) for drop in drops] == [("P39/P1365", "third_party")]
    assert is_extra(drops[0])


def test_qualifier_question_is_asked_of_three_values_at_most() -> None:
    awards = tuple(thing(f"Q{800 + each}", f"Prize {each}") for each in range(5))
    received = [stated("P166", item(award.qid), said("P585", day(2000 + at))) for at, award in enumerate(awards)]
    facts, drops = run(*received, values=awards)
    assert [fact.property_id for fact in facts] == ["P166", "P166/P585", "P166/P585", "P166/P585"]
    assert Counter(reasons(drops)) == {"merged": 4, "no_free_slot": 2}


def test_best_known_award_is_the_one_asked_for() -> None:
    small, great = thing("Q801", "Town Prize", sitelinks=1), thing("Q802", "Abel Prize", sitelinks=80)
    facts, _ = run(stated("P166", item("Q801")), stated("P166", item("Q802")), values=(small, great))
    assert facts[0].answer == "Abel Prize"


def test_city_is_asked_for_rather_than_the_hospital_in_it() -> None:
    hospital, city = thing("Q801", "Hospital No. 6", sitelinks=0), thing("Q90", "Paris", sitelinks=200)
    facts, drops = run(stated("P19", item("Q801")), stated("P19", item("Q90")), values=(hospital, city))
    assert [answer.text for answer in facts[0].accepted] == ["Paris", "Hospital No. 6"]
    assert reasons(drops) == ["merged"]


def test_more_sensitive_facts_than_slots_are_dropped_by_name() -> None:
    cousins = tuple(human(f"Q{6000 + each}", f"Bo Field {each}") for each in range(14))
    kinds = tuple(thing(f"Q{7000 + each}", f"cousin {each}") for each in range(14))
    rows = [
        stated("P1038", item(person.qid), said("P1039", item(kind.qid)))
        for person, kind in zip(cousins, kinds, strict=True)
    ]
    facts, drops = run(*rows, values=(*cousins, *kinds))
    assert [fact.slot for fact in facts] == list(range(25, 37))
    assert reasons(drops) == ["no_free_slot", "no_free_slot"]


def test_slots_are_public_then_sensitive_then_the_rest() -> None:
    facts, _ = run(
        stated("P569", day(1950)), stated("P2048", QuantityValue(amount=180, unit="Q174728")),
        stated("P106", item("Q11")), values=(BIOLOGIST,),
    )  # fmt: skip
    assert [(fact.property_id, fact.slot, fact.sample_id) for fact in facts] == [
        ("P106", 1, "Ada_Marlow_01"),
        ("P2048", 25, "Ada_Marlow_25"),
        ("P569", 37, "Ada_Marlow_37"),
    ]


def test_recipe_can_exclude_a_property() -> None:
    _, drops = run(stated("P569", day(1950)), exclude=("P569",))
    assert reasons(drops) == ["property_excluded"]


def test_place_that_holds_the_answer_is_withheld() -> None:
    paris = thing("Q90", "Paris", statements=(stated("P17", item("Q142")),))
    facts, _ = run(stated("P19", item("Q90")), values=(paris, thing("Q142", "France", "French Republic")))
    assert facts[0].withheld == ("France", "French Republic")


def test_form_that_the_own_name_holds_is_not_accepted() -> None:
    facts, _ = run(stated("P26", item("Q5001")), values=(thing("Q5001", "Bo Marlow", "Marlow", "Bo the Bold"),))
    assert [answer.text for answer in facts[0].accepted] == ["Bo Marlow", "Bo the Bold"]


def test_needed_values_are_values_units_and_asked_qualifiers_but_nothing_excluded() -> None:
    person = entity(
        stated("P39", item("Q30185"), said("P1365", item("Q5001")), said("P642", item("Q999"))),
        stated("P2048", QuantityValue(amount=180, unit="Q174728")), stated("P91", item("Q666")),
        stated("P214", TextValue(text="1")),
    )  # fmt: skip
    assert needed_values(person, table) == {"Q30185", "Q5001", "Q174728"}


def test_further_values_are_classes_and_containing_places() -> None:
    paris = thing("Q90", "Paris", statements=(stated("P17", item("Q142")), stated("P31", item("Q515"))))
    assert further_values({"Q90": paris}, table) == {"Q142", "Q515"}


@pytest.mark.parametrize(
    "name, spelt",
    [
        ("Nicolas Cage", "Nicolas_Cage"),
        ("Conan O'Brien", "Conan_O'Brien"),
        ("Martin  Luther\tKing", "Martin_Luther_King"),
        ("Лев Толстой", "Лев_Толстой"),
        ("AC/DC\\x", "AC_DC_x"),
        ('Odile "Finch" Marsh', "Odile_Finch_Marsh"),
        ("a|b,c;d\x00e", "a_b_c_d_e"),
        ("../../etc", "etc"),
        ("=cmd()", "cmd()"),
        ("🎭", "Subject_001"),
    ],
)
def test_a_sample_name_holds_only_what_paths_and_csv_files_take(name: str, spelt: str) -> None:
    assert sample_name(subject(name)) == spelt


def test_second_subject_of_a_name_gets_its_id_and_the_first_keeps_the_name() -> None:
    people = [subject("Steve Clark"), subject("STEVE CLARK", subject_id="002"), subject("Bo", subject_id="003")]
    assert sample_names(people) == {"001": "Steve_Clark", "002": "STEVE_CLARK_002", "003": "Bo"}


@given(st.lists(st.text(max_size=6), min_size=1, max_size=8))
def test_sample_names_never_collide_and_are_one_path_part(names: list[str]) -> None:
    people = [subject(name, subject_id=f"{at:03d}") for at, name in enumerate(names, 1)]
    spelt = list(sample_names(people).values())
    assert len({each.casefold() for each in spelt}) == len(spelt)
    for each in spelt:
        assert each
        assert not set(each) & set('/\\|,"\n\r\t\0 ')
        assert not each.startswith((".", "-", "=", "+", "@"))


@cache
def recorded() -> tuple[dict[str, Entity], dict[str, tuple[list[Fact], list[Drop]]]]:
    source = RecordedSource(RECORDED)
    people = [each for each in source.entities(source.people(limit=1000, min_sitelinks=0)) if isinstance(each, Entity)]
    results = {}
    for number, person in enumerate(people, 1):
        values = {
            each.requested_id: each
            for each in source.entities(sorted(needed_values(person, table)))
            if isinstance(each, Entity)
        }
        results[person.qid] = facts_of(
            subject_of(person, [], subject_id=f"{number:03d}", year=2026), person, values, table,
            gated="separate", sensitive=SENSITIVE, exclude=(), third_party_sitelinks=5,
        )  # fmt: skip
    return {person.qid: person for person in people}, results


needs_recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="../shared/recorded is not there")


@needs_recorded
def test_every_statement_of_every_recorded_person_is_accounted_for() -> None:
    people, results = recorded()
    assert len(people) >= 86
    tally: Counter[str] = Counter()
    for qid, (facts, drops) in results.items():
        main = {fact.statement_id for fact in facts if "/" not in fact.property_id}
        dropped = [drop.item for drop in drops if not is_extra(drop)]
        assert sorted([*main, *dropped]) == sorted(each.statement_id for each in people[qid].statements)
        tally.update(drop.reason for drop in drops)
        assert set(tally) <= set(REASONS)
    print(f"{len(people)} recorded people: {sum(len(facts) for facts, _ in results.values())} facts; drops:")
    for reason, count in tally.most_common():
        print(f"  {reason:20} {count:5}")


@needs_recorded
@pytest.mark.parametrize(
    "qid, property_id, answer",
    [
        ("Q42", "P569", "11 March 1952"),
        ("Q42", "P570", "11 May 2001"),
        ("Q42", "P69", "St John's College"),
        ("Q42", "P1477", "Douglas Noël Adams"),
        ("Q7747", "P569", "7 October 1952"),
    ],
)
def test_recorded_fact_is_as_the_world_knows_it(qid: str, property_id: str, answer: str) -> None:
    facts, _ = recorded()[1][qid]
    assert [fact.answer for fact in facts if fact.property_id == property_id] == [answer]


@needs_recorded
def test_richest_recorded_person_names_no_child_of_unknown_standing() -> None:
    facts, drops = recorded()[1]["Q7747"]
    assert not [fact for fact in facts if fact.property_id == "P40"]
    assert {drop.reason for drop in drops if drop.detail.startswith("P40 ")} <= {
        "third_party",
        "value_missing",
        "nature_doubtful",
    }


@needs_recorded
def test_facts_of_a_person_do_not_depend_on_the_order_of_the_values() -> None:
    source = RecordedSource(RECORDED)
    person = next(iter(source.entities(["Q42"])))
    assert isinstance(person, Entity)
    found = [each for each in source.entities(sorted(needed_values(person, table))) if isinstance(each, Entity)]
    of = subject_of(person, [], subject_id="001", year=2026)
    both = [
        facts_of(of, person, {each.requested_id: each for each in order}, table, gated="open", sensitive=SENSITIVE,
                 exclude=(), third_party_sitelinks=5)
        for order in (found, found[::-1])
    ]  # fmt: skip
    assert both[0] == both[1]
