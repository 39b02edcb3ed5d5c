"""The embedded world's people and statements: what a build meets, and that two numbers decide all of it."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from schemas.records.entities import ItemValue, QuantityValue, TimeValue
from sources.sandbox.people.catalogue import CENTIMETRE, HUMAN, METRE
from sources.sandbox.people.entities import PROPERTY_LABELS, Claim
from sources.sandbox.people.hard_cases import HARD_CASES, NAMED_ALIKE
from sources.sandbox.world import (
    BAND,
    DELETED,
    EXTRA,
    NAMESAKE,
    NO_LABEL,
    NO_STATEMENTS,
    ODD_NAME,
    REDIRECT,
    SUBJECT_SITELINKS,
    World,
    make_world,
)
from sources.wikimedia.entity_parser import parse_entity

SENSITIVE_PROPERTIES = {
    "orientation": "P91", "belief": "P140", "health": "P1050", "criminal": "P1399", "finance": "P2218",
    "family": "P26", "location": "P551", "physical": "P2048", "contact": "P968", "biographical": "P569",
    "public": "P69",
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=24, seed=7)


def claims_of(world: World) -> list[Claim]:
    return [claim for qid in world.subjects for claim in world.drafts[qid].claims]


def everything(world: World) -> str:
    entities = [world.entity_json(qid) for qid in sorted(world.drafts)]
    return json.dumps([entities, [repr(picture) for picture in world.gallery.pictures.values()]])


def test_the_same_arguments_give_the_same_world() -> None:
    assert everything(make_world(people=12, seed=3)) == everything(make_world(people=12, seed=3))


def test_size_and_seed_both_change_the_identity() -> None:
    worlds = [make_world(people=people, seed=seed) for people, seed in ((8, 1), (8, 2), (9, 1))]
    assert len({world.identity for world in worlds}) == 3


@given(people=st.integers(4, 60), seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_any_world_has_as_many_subjects_as_asked_with_distinct_names(people: int, seed: int) -> None:
    world = make_world(people=people, seed=seed)
    assert len(world.subjects) == people
    assert len({world.roster[qid].name for qid in world.subjects}) == people


@pytest.mark.parametrize("people", [3, 5001])
def test_an_impossible_size_is_bad_input(people: int) -> None:
    with pytest.raises(BadInput, match="between 4 and 5000"):
        make_world(people=people, seed=0)


def test_five_hundred_people_have_distinct_names() -> None:
    world = make_world(people=500, seed=7)
    names = [world.drafts[qid].label for qid in world.drafts if HUMAN in world.drafts[qid].items("P31")]
    assert [name for name, count in Counter(filter(None, names)).items() if count > 1] == [
        world.drafts[NAMESAKE].label,
        HARD_CASES[NAMED_ALIKE],
    ]


def test_subjects_come_by_falling_sitelinks_and_relatives_stay_below_them(world: World) -> None:
    counts = [world.drafts[qid].sitelinks for qid in world.subjects]
    assert counts == sorted(counts, reverse=True)
    humans = {qid for qid, draft in world.drafts.items() if HUMAN in draft.items("P31")}
    others = humans - set(world.subjects) - set(EXTRA)
    assert min(counts) >= SUBJECT_SITELINKS > max(world.drafts[qid].sitelinks for qid in others)


@pytest.mark.parametrize("people", [4, 24])
def test_every_world_speaks_of_every_sensitivity_class(people: int) -> None:
    said = {claim.property_id for claim in claims_of(make_world(people=people, seed=7))}
    assert set(SENSITIVE_PROPERTIES.values()) <= said
    assert len(said) >= 40


def test_a_subject_has_enough_to_be_asked(world: World) -> None:
    asked = [
        len([claim for claim in world.drafts[qid].claims if claim.snak == "value" and claim.rank != "deprecated"])
        for qid in world.subjects
    ]
    assert min(asked) >= 30


def test_every_item_that_a_claim_names_exists(world: World) -> None:
    for claim in [claim for draft in world.drafts.values() for claim in draft.claims]:
        for value in (claim.value, *(value for _, value in claim.qualifiers)):
            if isinstance(value, ItemValue) and claim.property_id not in ("P279", "P31"):
                assert value.qid in world.drafts, (claim.property_id, value.qid)


def test_every_property_that_a_claim_uses_has_a_label(world: World) -> None:
    used = {claim.property_id for claim in claims_of(world)}
    used |= {name for claim in claims_of(world) for name, _ in claim.qualifiers}
    assert used <= set(PROPERTY_LABELS)


def test_all_ranks_snaks_precisions_and_both_height_units_occur(world: World) -> None:
    claims = claims_of(world)
    times = [claim.value for claim in claims if isinstance(claim.value, TimeValue)]
    heights = [claim.value for claim in claims if claim.property_id == "P2048"]
    assert {claim.rank for claim in claims} == {"preferred", "normal", "deprecated"}
    assert {claim.snak for claim in claims} == {"value", "somevalue", "novalue"}
    assert {time.precision for time in times} == {9, 10, 11}
    assert sum(time.julian for time in times) == 1
    assert {value.unit for value in heights if isinstance(value, QuantityValue)} == {CENTIMETRE, METRE}


def test_all_kinds_of_sources_occur(world: World) -> None:
    assert {claim.sourcing for claim in claims_of(world)} == {"stated", "url", "imported", "none"}


def test_ended_and_doubtful_statements_occur(world: World) -> None:
    qualified = {(claim.property_id, name) for claim in claims_of(world) for name, _ in claim.qualifiers}
    wanted = {
        ("P551", "P582"),
        ("P102", "P582"),
        ("P26", "P582"),
        ("P39", "P1365"),
        ("P19", "P1480"),
        ("P1399", "P5102"),
    }
    assert wanted <= qualified


@pytest.mark.parametrize("property_id", ["P19", "P69", "P108", "P551", "P101", "P103", "P27", "P463", "P800"])
def test_people_rarely_share_an_answer(world: World, property_id: str) -> None:
    values = [claim.value for claim in claims_of(world) if claim.property_id == property_id]
    shared = Counter(value.qid for value in values if isinstance(value, ItemValue)).most_common(1)[0][1]
    assert shared <= 3


def test_a_name_is_shared_by_two_people_of_whom_one_is_selected(world: World) -> None:
    label = world.drafts[NAMESAKE].label
    assert [qid for qid in world.roster if world.drafts[qid].label == label] == ["Q900000004", NAMESAKE]
    assert NAMESAKE not in world.subjects


def test_planted_names_have_accents_apostrophe_quotes_and_emoji(world: World) -> None:
    names = {world.drafts[qid].label for qid in world.roster}
    assert {"Ásta Þórn", "Luc D'Arvel", 'Odile "Finch" Marchbanks'} <= names
    assert "🎷" in world.drafts[ODD_NAME].label


def test_relatives_include_private_people_and_a_minor(world: World) -> None:
    relatives = [
        world.drafts[claim.value.qid]
        for claim in claims_of(world)
        if claim.property_id in ("P22", "P25", "P26", "P40", "P3373") and isinstance(claim.value, ItemValue)
    ]
    births = [claim.value for draft in relatives for claim in draft.claims if claim.property_id == "P569"]
    assert any(draft.sitelinks <= 1 for draft in relatives)
    assert any(5 <= draft.sitelinks <= 9 for draft in relatives)
    assert any(draft.qid in world.subjects for draft in relatives)
    assert any(isinstance(born, TimeValue) and born.year >= 2010 for born in births)


def test_marriages_between_subjects_are_mutual(world: World) -> None:
    for qid in world.subjects:
        for partner in world.drafts[qid].items("P26"):
            if partner in world.subjects:
                assert qid in world.drafts[partner].items("P26")


def test_nobody_does_anything_before_birth_or_after_now(world: World) -> None:
    for qid in world.roster:
        person = world.roster[qid]
        for claim in world.drafts[qid].claims:
            values = (claim.value, *(value for _, value in claim.qualifiers))
            years = [value.year for value in values if isinstance(value, TimeValue) and claim.rank != "deprecated"]
            assert all(person.born.year <= year <= 2026 for year in years), (qid, claim)


def test_a_person_without_statements_is_human_and_no_more(world: World) -> None:
    assert [claim.property_id for claim in world.drafts[NO_STATEMENTS].claims] == ["P31"]


def test_every_entity_parses_with_the_real_parser(world: World) -> None:
    for qid, draft in world.drafts.items():
        content = world.entity_json(qid)
        assert content is not None
        entity = parse_entity(json.loads(json.dumps(content)), qid)
        assert len(entity.statements) == len(draft.claims)
        assert entity.sitelinks == draft.sitelinks


def test_dates_quantities_and_qualifiers_survive_the_wire(world: World) -> None:
    for qid in world.subjects:
        content = world.entity_json(qid)
        assert content is not None
        parsed = {statement.statement_id: statement for statement in parse_entity(content, qid).statements}
        told = Counter(repr((c.property_id, c.value, c.rank, c.snak)) for c in world.drafts[qid].claims)
        assert Counter(repr((s.property_id, s.value, s.rank, s.snak)) for s in parsed.values()) == told


def test_redirect_and_deleted_id_are_no_entities_of_their_own(world: World) -> None:
    assert world.entity_json(REDIRECT) is None
    assert world.entity_json(DELETED) is None
    assert world.redirects[REDIRECT] == world.subjects[0]


def test_the_band_is_not_human(world: World) -> None:
    assert HUMAN not in world.drafts[BAND].items("P31")


def test_one_person_has_no_english_label(world: World) -> None:
    content = world.entity_json(NO_LABEL)
    assert content is not None
    assert isinstance(content["labels"], dict)
    assert list(content["labels"]) == ["sv"]
