"""Whom a name means: the clear winner, and everybody else for the maintainer."""

import pytest

from curation.subjects.name_resolution import resolve_name
from curation.subjects.roster import Resolution
from curation.subjects.selection import HUMAN, as_wanted, balanced, ranked
from schemas.protocols.source import PeopleFilter, PersonMatch
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, ItemValue, Statement


def entity(
    number: int, sitelinks: int, *, human: bool = True, occupation: bool = True, label: str = "Ann Lee"
) -> Entity:
    stated = [("P31", HUMAN if human else "Q95074")] + ([("P106", "Q36180")] if occupation else [])
    return Entity(
        qid=f"Q{number}",
        requested_id=f"Q{number}",
        label=label,
        aliases=(),
        description="writer",
        sitelinks=sitelinks,
        wikipedia_title=None,
        revision=None,
        statements=tuple(
            Statement(
                statement_id=f"Q{number}${place}",
                property_id=property_id,
                rank="normal",
                snak="value",
                value=ItemValue(qid=value),
                qualifiers=(),
                references=0,
                cited=0,
            )
            for place, (property_id, value) in enumerate(stated)
        ),
    )


def meant(*people: Entity, aliases: tuple[str, ...] = (), least: int = 1) -> Resolution:
    matches = [
        PersonMatch(qid=one.qid, label=one.label, description="", matched_alias=one.qid in aliases) for one in people
    ]
    return resolve_name("Ann Lee", matches, {one.qid: one for one in people}, least_sitelinks=least)


def test_three_times_the_sitelinks_of_all_others_wins() -> None:
    assert meant(entity(1, 20), entity(2, 60)).qid == "Q2"


def test_less_than_three_times_is_left_to_the_maintainer_with_all_candidates() -> None:
    found = meant(entity(1, 20), entity(2, 59))
    assert (found.qid, found.reason) == ("", "name_ambiguous")
    assert found.note.startswith("Q2 Ann Lee (writer; 59 sitelinks); Q1 Ann Lee")


def test_a_far_better_known_bearer_of_the_alias_wins_over_a_namesake() -> None:
    assert meant(entity(1, 2), entity(2, 150, label="Ye"), aliases=("Q2",)).qid == "Q2"


def test_the_label_decides_where_sitelinks_do_not() -> None:
    assert meant(entity(1, 30), entity(2, 20, label="A. Lee"), aliases=("Q2",)).qid == "Q1"


def test_a_better_known_alias_makes_the_label_doubtful() -> None:
    assert meant(entity(1, 20), entity(2, 30, label="A. Lee"), aliases=("Q2",)).reason == "name_ambiguous"


def test_what_the_search_offers_instead_is_named_and_never_taken() -> None:
    near = PersonMatch(qid="Q5", label="Ann Leeds", description="writer", matched_alias=False, near=True)
    found = resolve_name("Ann Lee", [near], {"Q5": entity(5, 90)}, least_sitelinks=1)
    assert (found.qid, found.reason) == ("", "name_not_found")
    assert found.note == "0 search results, no person among them; near: Q5 Ann Leeds (writer)"


def test_bands_and_unread_entities_are_no_candidates() -> None:
    assert meant(entity(1, 20), entity(2, 90, human=False)).qid == "Q1"
    assert meant(entity(2, 90, human=False)).reason == "name_not_found"


@pytest.mark.parametrize("person", [entity(1, 3), entity(1, 30, occupation=False)])
def test_the_only_bearer_is_doubtful_if_little_known_or_without_occupation(person: Entity) -> None:
    assert meant(person, least=10).reason == "name_doubtful"


def subject(
    number: int, group: str = "music", *, sitelinks: int = 10, born: int | None = 1950, living: bool = True
) -> Subject:
    return Subject(
        subject_id="000", qid=f"Q{number}", name="x", aliases=(), description="", occupations=(),
        occupation_group=group,
        living=living, birth_year=born, death_year=None, sitelinks=sitelinks, portrait_titles=(), commons_category=None,
        revision=None, complete_rank=None,
    )  # fmt: skip


def test_a_balanced_selection_takes_as_many_of_each_group() -> None:
    people = [
        subject(number, group) for number, group in enumerate(("music",) * 6 + ("sport",) * 3 + ("arts",), start=1)
    ]
    taken = balanced(people, limit=6)
    assert [one.occupation_group for one in taken].count("music") == 3
    assert [one.occupation_group for one in taken].count("sport") == 2
    assert [one.occupation_group for one in taken].count("arts") == 1
    assert [one.qid for one in taken] == ["Q1", "Q2", "Q3", "Q7", "Q8", "Q10"]


def test_ranking_adds_the_places_in_sitelinks_and_pageviews() -> None:
    people = [subject(1, sitelinks=50), subject(2, sitelinks=40), subject(3, sitelinks=30)]
    # Places by sitelinks 0, 1, 2 and by views 2, 0, 1: sums 2, 1, 3.
    assert [one.qid for one in ranked(people, {"Q1": 5, "Q2": 900, "Q3": 40})] == ["Q2", "Q1", "Q3"]


@pytest.mark.parametrize(
    ("wanted", "one", "why"),
    [
        (PeopleFilter(living="living"), subject(1, living=False), "counts as dead"),
        (PeopleFilter(living="dead"), subject(1), "counts as living"),
        (PeopleFilter(born_from=1960), subject(1), "born 1950"),
        (PeopleFilter(born_to=1949), subject(1), "born 1950"),
        (PeopleFilter(born_from=1900), subject(1, born=None), "no year of birth is stated"),
        (PeopleFilter(born_from=1950, born_to=1950, living="living"), subject(1), None),
    ],
)
def test_a_selection_is_checked_against_the_statements(wanted: PeopleFilter, one: Subject, why: str | None) -> None:
    assert as_wanted(one, wanted) == why
