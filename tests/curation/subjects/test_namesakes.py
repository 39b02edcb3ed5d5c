"""Namesakes: who is told apart by what, who is left out, and that those who stand stay as they are."""

import pytest

from curation.facts.qualifier_roles import load_qualifiers
from curation.subjects.namesakes import called, epithets_of, left_out, tell_apart
from schemas.records.build_rows import AcceptedAnswer, Epithet, Fact, Subject


def subject(
    number: int, *, name: str = "Sam Clerk", born: int | None = None, died: int | None = None, what: str = "",
    links: int = 12, occupations: tuple[str, ...] = (),
) -> Subject:  # fmt: skip
    return Subject(
        subject_id=f"{number:03d}", qid=f"Q{number}", name=name, aliases=(), description=what, occupations=occupations,
        occupation_group="other", living=died is None, birth_year=born, death_year=died, sitelinks=links,
        portrait_titles=(), commons_category=None, revision=None, complete_rank=None,
    )  # fmt: skip


def fact(property_id: str, answer: AcceptedAnswer) -> Fact:
    return Fact(
        fact_id="001-01", sample_id="S_01", subject_id="001", slot=1, property_id=property_id, property_label="",
        answer_type="", sensitivity="public", gated=False, statement_id="", value_id="", answer=answer.text,
        accepted=(answer,),
    )  # fmt: skip


YEAR = AcceptedAnswer(kind="date", text="1943", year=1943)
TOWN = AcceptedAnswer(kind="text", text="Arnvik")
SWIMMER, SINGER = subject(1, born=1943, what="American swimmer"), subject(2, born=1960, what="Irish singer")


def kinds(*epithets: Epithet) -> list[str]:
    return [each.kind for each in epithets]


def test_nobody_else_of_the_name_leaves_the_name_alone() -> None:
    assert tell_apart([SWIMMER, subject(3, name="Bo Field")], ())[0].epithets == ()


def test_trades_that_differ_tell_apart() -> None:
    assert [each.text for each in epithets_of(SWIMMER, [SINGER])] == ["American swimmer", "1943"]


def test_a_nationality_alone_is_no_trade_to_tell_apart_by() -> None:
    one, two = subject(1, what="English politician"), subject(2, what="British politician")
    assert epithets_of(one, [two]) == ()


def test_a_trade_among_the_others_occupations_does_not_tell_apart() -> None:
    one, two = subject(1, what="English politician"), subject(2, what="historian", occupations=("politician",))
    assert epithets_of(one, [two]) == ()


@pytest.mark.parametrize(
    "what", ["son of the actor Bo Field", "born 1991", "2nd President", "Sam Clerk, baker", "person", ""]
)
def test_a_description_that_is_no_trade_is_not_used(what: str) -> None:
    assert epithets_of(subject(1, what=what), [SINGER]) == ()


def test_the_same_year_of_birth_tells_nobody_apart() -> None:
    assert "born" not in kinds(*epithets_of(subject(1, born=1960, died=1991), [SINGER]))


def test_a_birth_is_never_asked_by_the_year_of_birth() -> None:
    (one, _) = tell_apart([subject(1, born=1943, died=1990), SINGER], ())
    assert called(one, fact("P569", YEAR)) == ["Sam Clerk (died 1990)"]


def test_an_occupation_is_never_asked_by_the_trade() -> None:
    (one, _) = tell_apart([SWIMMER, SINGER], ())
    assert called(one, fact("P106", TOWN)) == ["Sam Clerk (born 1943)"]


def test_a_date_is_asked_by_the_trade_first() -> None:
    (one, _) = tell_apart([SWIMMER, SINGER], ())
    assert called(one, fact("P569", YEAR))[0] == "the American swimmer Sam Clerk"


def test_of_two_who_cannot_be_told_apart_the_better_known_stays() -> None:
    (drop,) = left_out([subject(1, born=1943, links=12), subject(2, born=1960, links=13)], ())
    assert (drop.item, drop.reason) == ("Q1", "namesake")


def test_who_stands_stays_and_the_better_known_newcomer_is_left_out() -> None:
    (drop,) = left_out([subject(2, born=1960, links=99)], [subject(1, born=1943)])
    assert drop.item == "Q2"


def test_a_newcomer_is_told_apart_from_who_stands() -> None:
    (one,) = tell_apart([SINGER], [SWIMMER])
    assert one.epithets[0].text == "Irish singer"


def test_the_order_of_the_subjects_is_kept() -> None:
    people = [SINGER, subject(3, name="Bo Field"), SWIMMER]
    assert [one.qid for one in tell_apart(people, ())] == ["Q2", "Q3", "Q1"]


@pytest.mark.parametrize("name", ["X", "Q" * 200, "محمد علي", "🎭"])
def test_names_of_any_letters_are_compared(name: str) -> None:
    assert [drop.item for drop in left_out([subject(1, name=name, links=9), subject(2, name=name)], ())] == ["Q1"]


def test_every_qualifier_that_is_asked_has_a_rule() -> None:
    from curation.facts.properties import load_properties

    asked = {row.qualifier for row in load_properties().qualifiers}
    asked |= {row.needs for row in load_properties().properties if row.needs}
    assert asked <= set(load_qualifiers().by_id)
