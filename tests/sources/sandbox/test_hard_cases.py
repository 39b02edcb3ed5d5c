"""The planted people in whom real data is hard to read, and what the pipeline makes of each."""

import json
from pathlib import Path

import pytest

from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import run_stage
from flows.resources.resources import Resources
from flows.stages.stage_table import stage_table
from schemas.matching.match import match
from schemas.recipes.build_recipe import BuildRecipe
from schemas.records.build_rows import Drop, Fact
from schemas.storage.tables import read_records
from sources.sandbox.people import hard_cases as hard
from sources.sandbox.people.catalogue import make_catalogue
from sources.sandbox.people.entity_json import entity_json
from sources.sandbox.people.roster import SUBJECT_SITELINKS
from sources.sandbox.server.server import serve
from sources.sandbox.world import make_world
from tests.servers.live_hosts import live_routes
from tests.worlds.case_build import Built, build_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    catalogue = make_catalogue(people=12, seed=7)
    drafts = dict(catalogue.drafts) | hard.hard_cases(catalogue)
    qids = {*hard.HARD_CASES, *(qid for qid in drafts if qid.startswith("Q9041"))}
    told = json.dumps([entity_json(drafts[qid]) for qid in sorted(qids)])
    qids |= {qid for qid in catalogue.drafts if f'"{qid}"' in told}
    return build_of(tmp_path_factory.mktemp("hard"), *(entity_json(drafts[qid]) for qid in sorted(qids)), links=5)


def test_a_birth_in_the_1740s_is_that_of_somebody_dead(built: Built) -> None:
    assert built.subjects[hard.COARSE_BIRTH].living is False


def test_a_birth_in_the_2010s_is_that_of_a_minor(built: Built) -> None:
    assert built.reasons(hard.MAYBE_MINOR) == ["minor"]


def test_nobody_has_left_an_office_that_is_held_again(built: Built) -> None:
    (start,) = built.of(hard.IN_OFFICE_AGAIN, "P39/P580")
    assert ([each.text for each in start.accepted], built.of(hard.IN_OFFICE_AGAIN, "P39/P582")) == (
        ["2000", "2012"],
        [],
    )


def test_a_birth_in_a_hospital_is_one_in_its_town(built: Built) -> None:
    (fact,) = built.of(hard.BORN_IN_HOSPITAL, "P19")
    accepted = [each.text for each in fact.accepted]
    assert fact.answer != "Saint Brigid Hospital"
    assert "Saint Brigid Hospital" in accepted


def test_a_second_party_without_a_source_is_no_option(built: Built) -> None:
    (fact,) = built.of(hard.SECOND_PARTY, "P102")
    assert len(fact.withheld_digests) > 0
    assert built.reasons("P102") == ["gate_uncited"]


def test_a_marriage_with_an_end_cause_is_over(built: Built) -> None:
    assert (built.of(hard.PARTED, "P26"), set(built.reasons("P26"))) == ([], {"value_ended"})


def test_a_marriage_that_the_other_side_ended_is_over(built: Built) -> None:
    assert built.of(hard.STILL_MARRIED_BY_ONE, "P26") == []


def test_the_end_of_work_in_a_role_is_no_end_of_work(built: Built) -> None:
    assert built.reasons("P2032") == ["nature_doubtful"]


def test_a_language_without_a_name_keeps_the_other_from_being_asked(built: Built) -> None:
    assert sorted(built.reasons("P1412")) == ["siblings_unread", "value_unlabelled"]


def test_work_begun_at_nine_is_not_asked(built: Built) -> None:
    assert built.reasons("P2031") == ["date_impossible"]


def test_a_british_label_is_the_label(built: Built) -> None:
    assert built.subjects[hard.BRITISH_LABEL].name == "Colin Greywell"


def test_the_street_and_number_of_a_residence_stand_nowhere(built: Built) -> None:
    assert hard.AT_AN_ADDRESS in built.subjects
    assert not [text for text in (repr(built.facts), repr(built.questions)) if "Ferryman Row" in text or "12b" in text]


def test_there_is_no_year_nought(built: Built) -> None:
    assert built.of(hard.YEAR_NOUGHT, "P569") == []


def test_a_birth_name_that_is_the_name_is_not_asked(built: Built) -> None:
    ids = {fact.fact_id for fact in built.of(hard.OWN_NAME, "P1477")}
    assert not [each for each in built.questions if each.fact_id in ids]


def test_a_former_office_is_accepted_and_not_the_answer(built: Built) -> None:
    (fact,) = built.of(hard.FORMER_OFFICE, "P39")
    assert len(fact.accepted) == 2


def test_of_two_planted_namesakes_one_is_left_out(built: Built) -> None:
    assert (built.reasons(hard.NAMED_ALIKE), built.reasons(hard.NAMED_ALIKE_TOO)) == ([], ["namesake"])


def test_an_office_since_1790_is_that_of_somebody_dead(built: Built) -> None:
    assert built.subjects[hard.LONG_IN_OFFICE].living is False


def test_a_survivor_and_no_more_is_no_subject(built: Built) -> None:
    assert built.reasons(hard.SHIPWRECKED) == ["relative_only"]


@pytest.mark.parametrize(
    ("qid", "property_id", "said"),
    [
        (hard.RETIRED, "P641", "Which sport did Otto Overley take part in?"),
        (hard.IN_A_TEAM, "P54/P580", "In which year did Tilda Articley join the Harbour Tide Comets?"),
        (hard.PET_OWNER, "P1429", "Which pet does Hank Houndsley have?"),
    ],
)
def test_a_planted_fact_is_asked_in_the_words_of_speech(qid: str, property_id: str, said: str, built: Built) -> None:
    assert built.texts(qid, property_id) == [said]


def test_an_ampersand_is_and(built: Built) -> None:
    (fact,) = built.of(hard.AT_PARTNERS, "P108")
    assert match("Brand and Quill", fact.accepted)


def test_a_country_is_no_employer(built: Built) -> None:
    assert built.of(hard.OF_ANOTHER_SORT, "P108") == []


def test_options_of_a_birth_name_share_the_given_name(built: Built) -> None:
    options = built.options(built.of(hard.BORN_OTHERWISE, "P1477")[0])
    assert (len(options), {each.split()[0] for each in options}) == (4, {"Greta"})


def test_the_planted_people_are_found_through_the_server(tmp_path: Path) -> None:
    world = make_world(people=4, seed=7)
    with serve(world) as running:
        recipe = {
            "name": "hard", "source": {"kind": "wikidata", "contact": "t@x.example", "routes": live_routes(running)},
            "select": {"subjects": list(hard.HARD_CASES), "min_sitelinks": 0},
            "probe": {"responder": "openai:http://127.0.0.1:9/v1#none"},
        }  # fmt: skip
        with Resources(tmp_path, BuildRecipe.model_validate(recipe)) as resources:
            build, table = BuildFolder(tmp_path, resources.recipe), stage_table(resources)
            for stage in ("select", "facts"):
                run_stage(build, table[stage], table)
    left_out = {
        row.item: row.reason
        for path in (tmp_path / "select" / "0").glob("drops-*.parquet")
        for row in read_records(path, Drop)
    }
    assert left_out == {
        hard.MAYBE_MINOR: "minor", hard.SHIPWRECKED: "relative_only", hard.NAMED_ALIKE_TOO: "namesake",
    }  # fmt: skip
    facts = [row for path in (tmp_path / "facts" / "0").glob("facts-*.parquet") for row in read_records(path, Fact)]
    assert len({fact.subject_id for fact in facts}) == len(hard.HARD_CASES) - len(left_out)


def test_the_planted_people_are_known_too_little_for_a_selection() -> None:
    planted = hard.hard_cases(make_catalogue(people=12, seed=7))
    assert max(draft.sitelinks for draft in planted.values()) < SUBJECT_SITELINKS
