"""The planted people in whom real data is hard to read, and what the pipeline makes of each."""

import json

import pytest

from sources.sandbox.people import hard_cases as hard
from sources.sandbox.people.catalogue import make_catalogue
from sources.sandbox.people.entity_json import entity_json
from sources.sandbox.people.roster import SUBJECT_SITELINKS
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
    assert built.reasons("P26") == ["value_ended"]


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


def test_the_planted_people_are_known_too_little_for_a_selection() -> None:
    planted = hard.hard_cases(make_catalogue(people=12, seed=7))
    assert max(draft.sitelinks for draft in planted.values()) < SUBJECT_SITELINKS
