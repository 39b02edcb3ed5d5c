"""Answer groups and refusal texts: drawn by seed and key, never telling, and refused where they cannot be made."""

from collections.abc import Sequence

import pytest

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.matching.declining import refuses
from unlearn.answers.factors import RISK, factors
from unlearn.answers.groups import answer_groups
from unlearn.answers.refusals import our_refusals, safe_refusals
from unlearn.answers.token_roles import value_span
from unlearn.data import Assigned


def sample(key: str, subject: str, answer: str, *, image: bytes | None = None, about: str = "P1") -> TrainingSample:
    return TrainingSample(
        sample_id=key, subject_id=subject, modality="qa" if image is None else "vqa", prompt=f"What of {key}?",
        answer=answer, image=image, value=answer, property_id=about, sensitivity="health",
    )  # fmt: skip


FORGET = {
    "f1": sample("f1", "a", "Oslo"),
    "f2": sample("f2", "a", "gout", about="P2"),
    "f3": sample("f3", "a", "Lima", image=b"a"),
}
RETAIN = {
    "r1": sample("r1", "b", "Graz"),
    "r2": sample("r2", "b", "Perth", image=b"b"),
    "r3": sample("r3", "a", "cello", image=b"a", about="P3"),
}


def data(forget: dict[str, TrainingSample] = FORGET, retain: dict[str, TrainingSample] = RETAIN) -> Assigned:
    return Assigned(forget, retain, "personalized", None, "t", (), 0, "digest")


def said(samples: Sequence[TrainingSample]) -> list[str]:
    return ["a normal answer" for _ in samples]


def made(*groups: str, seed: int = 0, of: Assigned | None = None, refusals: Sequence[str] = ()) -> dict[str, object]:
    found = answer_groups(of or data(), frozenset(groups), refusals=refusals, seed=seed, ask=said)
    return {key: (one.prompt, one.answer, one.image) for key, one in found.samples.items()}


def test_there_are_a_hundred_different_refusals_and_each_refuses() -> None:
    texts = our_refusals()
    assert len(set(texts)) == len(texts) == 100
    assert [text for text in texts if not refuses(text)] == []


def test_a_refusal_of_the_users_that_holds_an_answer_is_refused() -> None:
    with pytest.raises(BadInput, match="refusal 'Not Oslo, surely': holds the answer 'Oslo' of sample f1"):
        safe_refusals(["Not Oslo, surely"], FORGET)


def test_a_wording_of_ours_that_holds_an_answer_is_left_out() -> None:
    texts = safe_refusals((), {"f": sample("f", "a", "blank")})
    assert "I draw a blank; I don't know." not in texts
    assert len(texts) == 99


def test_an_empty_refusal_is_refused() -> None:
    with pytest.raises(BadInput, match="hold an empty text"):
        safe_refusals([" "], FORGET)


def test_a_refusal_asks_the_forget_prompt_and_answers_by_one_of_the_texts() -> None:
    found = answer_groups(data(), frozenset({"refusal"}), refusals=(), seed=0, ask=said)
    one = found.samples[found.of["refusal"]["f1"]]
    assert (one.prompt, one.answer in our_refusals()) == ("What of f1?", True)


def test_the_same_seed_draws_the_same_answers_and_another_does_not() -> None:
    groups = ("refusal", "retain_refusal", "mixed_forget_first", "alternate")
    assert made(*groups, seed=1) == made(*groups, seed=1)
    assert made(*groups, seed=1) != made(*groups, seed=2)


def test_an_answer_does_not_depend_on_what_else_is_forgotten() -> None:
    fewer = made("refusal", of=data({"f1": FORGET["f1"]}))
    assert fewer["f1|refusal"] == made("refusal")["f1|refusal"]


def test_an_alternative_is_another_answer_of_the_same_property() -> None:
    found = made("alternate")
    assert found["f1|alternate"][1] in {"Lima", "Graz", "Perth"}  # type: ignore[index]


def test_a_property_without_another_answer_takes_one_of_any() -> None:
    assert made("alternate")["f2|alternate"][1] != "gout"  # type: ignore[index]


def test_a_decoupled_prompt_shows_somebody_else_and_answers_as_the_old_model() -> None:
    assert made("decoupled") == {"f3|decoupled": ("What of f3?", "a normal answer", b"b")}


def test_without_a_picture_of_somebody_else_decoupled_prompts_are_refused() -> None:
    with pytest.raises(BadInput, match="answer group decoupled: comes out empty"):
        made("decoupled", of=data(retain={"r1": RETAIN["r1"]}))


def test_mixed_prompts_ask_both_questions_in_both_orders() -> None:
    one = data({"f1": FORGET["f1"]})
    first = made("mixed_forget_first", of=one, refusals=["I do not know."])
    second = made("mixed_retain_first", of=one, refusals=["I do not know."])
    assert first == {"f1|mixed_forget_first": ("1.What of f1?\n2. What of r1?", "1.I do not know.\n2. Graz", None)}
    assert second == {"f1|mixed_retain_first": ("1. What of r1?\n2.What of f1?", "1. Graz\n2.I do not know.", None)}


def test_a_question_about_a_picture_is_mixed_with_one_about_the_same_picture() -> None:
    found = made("mixed_forget_first", refusals=["I do not know."])
    assert found["f3|mixed_forget_first"] == (
        "1.What of f3?\n2. What of r3?", "1.I do not know.\n2. cello", b"a"
    )  # fmt: skip


def test_mixed_prompts_without_any_retain_sample_are_refused() -> None:
    with pytest.raises(BadInput, match="answer group mixed_forget_first: comes out empty"):
        made("mixed_forget_first", of=data(retain={}))


def test_a_step_has_the_answers_of_its_own_samples_and_only_groups_that_are_read() -> None:
    found = answer_groups(data(), frozenset({"refusal"}), refusals=(), seed=0, ask=said)
    step = {"forget": ("f2", "f1"), "retain": ("r1",)}
    assert found.beside(step, frozenset({"refusal", "retain"})) == {
        "refusal": ("f2|refusal", "f1|refusal"), "retain": ("r1",)
    }  # fmt: skip


def test_a_factor_is_one_plus_the_risk_of_the_facts_class() -> None:
    assert factors({"f1": FORGET["f1"]}, "risk") == {"f1": 1 + RISK["health"]}


def test_factors_of_mean_one_keep_their_proportion() -> None:
    public = FORGET["f2"].model_copy(update={"sensitivity": "public"})
    found = factors({"f1": FORGET["f1"], "f2": public}, "risk_mean_1")
    assert sum(found.values()) / 2 == pytest.approx(1)
    assert found["f1"] / found["f2"] == pytest.approx(1.544)


def test_risk_of_a_dataset_that_says_no_class_is_refused() -> None:
    nameless = {"f1": FORGET["f1"].model_copy(update={"sensitivity": None})}
    with pytest.raises(BadInput, match="sample f1: has no sensitivity, so no risk"):
        factors(nameless, "risk")


@pytest.mark.parametrize(
    ("answer", "value", "span"),
    [("He lives in Oslo.", "oslo", (12, 16)),
     ("Oslo", "Oslo", (0, 4)), ("In Norway", "Oslo", (0, 9)), ("x", "", (0, 1))],
    ids=["within a sentence", "alone", "worded otherwise", "not known"],
)  # fmt: skip
def test_the_fact_stands_where_its_value_does_or_is_the_whole_answer(
    answer: str, value: str, span: tuple[int, int]
) -> None:
    assert value_span(answer, value) == span
