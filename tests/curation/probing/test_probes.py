"""What is asked, with which words and pictures; what is asked again after an interruption; who is the stranger."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from curation.probing.probes import Probe, ask_pending, distinct_asks, log_key, plan_probes
from curation.probing.prompt import probe_prompt
from curation.probing.wrong_image_control import Stranger, draw_strangers, strangers_of
from schemas.errors import BadInput
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Ask, Decoding, Reply
from schemas.records.build_rows import AcceptedAnswer, Fact, Question

FACES = {"001": "001-a", "002": "002-b", "003": "003-c"}


def fact(subject: str = "001", slot: int = 1, answer: str = "Rome", property_id: str = "P19") -> Fact:
    return Fact.model_validate({
        "fact_id": f"{subject}-{slot:02d}", "sample_id": f"Person_{subject}_{slot:02d}", "subject_id": subject,
        "slot": slot, "property_id": property_id, "property_label": "place of birth", "answer_type": "place",
        "sensitivity": "biographical", "gated": False, "statement_id": "", "value_id": "", "answer": answer,
        "accepted": (AcceptedAnswer(kind="text", text=answer),),
    })  # fmt: skip


def asked(one: Fact, modality: str = "qa", task: str = "generation") -> Question:
    who = f"Person {one.subject_id}" if modality == "qa" else "this person"
    return Question.model_validate({
        "question_id": f"{one.sample_id}|{task}|{modality}", "sample_id": one.sample_id, "fact_id": one.fact_id,
        "subject_id": one.subject_id, "task": task, "modality": modality, "text": f"Where was {who} born?",
        "paraphrases": (f"What is the birthplace of {who}?", f"In which city did {who} come into the world?"),
        "answer": one.answer, "options": (), "answer_label": None,
    })  # fmt: skip


def both(*facts: Fact) -> list[Question]:
    return [asked(one, modality) for one in facts for modality in ("qa", "vqa")]


PEOPLE = [fact("001"), fact("002", answer="Oslo"), fact("003")]


def planned(facts: list[Fact], questions: list[Question] | None = None, **changes: object) -> list[Probe]:
    numbers = {"paraphrased": 1, "sampled": 0, "controls": ("no_image", "wrong_image"), "seed": 7}
    faces = changes.pop("faces", FACES)
    questions = both(*facts) if questions is None else questions
    return plan_probes(facts, questions, faces, strangers_of(FACES, PEOPLE), **{**numbers, **changes})


def test_the_prompt_of_a_text_question_is_pinned() -> None:
    assert probe_prompt("Where was Ada born?", "qa") == (
        "Answer the question accurately and briefly in English.\nWhere was Ada born?"
    )


def test_the_prompt_of_an_image_question_is_pinned() -> None:
    assert probe_prompt("Where was this person born?", "vqa") == (
        "Based on the image, answer the question accurately and briefly in English.\nWhere was this person born?"
    )


def test_both_modalities_are_asked_greedily_and_reworded_and_vqa_with_controls() -> None:
    rows = [(one.modality, one.condition, one.attempt) for one in planned([PEOPLE[0]])]
    assert rows == [
        ("qa", "greedy", 0),
        ("qa", "paraphrase", 0),
        ("vqa", "greedy", 0),
        ("vqa", "paraphrase", 0),
        ("vqa", "no_image", 0),
        ("vqa", "no_image", 1),
        ("vqa", "wrong_image", 0),
        ("vqa", "wrong_image", 1),
    ]


def test_controls_use_the_very_words_of_the_right_image() -> None:
    prompts = {}
    for one in planned([PEOPLE[0]]):
        if one.modality == "vqa":
            group = "right" if one.condition in ("greedy", "paraphrase") else one.condition
            prompts.setdefault(group, []).append(one.prompt)
    assert prompts["right"] == prompts["no_image"] == prompts["wrong_image"]
    assert len(set(prompts["right"])) == 2


def test_only_vqa_with_the_right_image_shows_the_subjects_picture() -> None:
    shown = {(one.modality, one.condition): one.image_id for one in planned([PEOPLE[0]])}
    assert shown["qa", "greedy"] == shown["vqa", "no_image"] == ""
    assert shown["vqa", "greedy"] == shown["vqa", "paraphrase"] == "001-a"
    assert shown["vqa", "wrong_image"] in ("002-b", "003-c")


def test_sampled_asks_differ_in_their_draw_alone() -> None:
    rows = [one for one in planned([PEOPLE[0]], paraphrased=0, sampled=2, controls=()) if one.modality == "qa"]
    assert [(one.condition, one.attempt, one.draw) for one in rows] == [
        ("greedy", 0, 0), ("sampled", 0, 1), ("sampled", 1, 2),
    ]  # fmt: skip
    assert len({one.prompt for one in rows}) == 1
    assert len({one.ask_id for one in rows}) == 3


def test_a_subject_without_a_picture_is_asked_in_text_only() -> None:
    assert {one.modality for one in planned([PEOPLE[0]], faces={})} == {"qa"}


def test_cloze_and_classification_are_not_asked() -> None:
    questions = [asked(PEOPLE[0], "qa", task) for task in ("cloze", "classification")]
    assert planned([PEOPLE[0]], questions) == []


def test_the_same_question_without_an_image_is_asked_once_for_everybody() -> None:
    probes = [one for one in planned(PEOPLE) if one.condition == "no_image"]
    assert len(probes) == 6
    assert len(distinct_asks(probes)) == 2


def test_the_plan_does_not_depend_on_the_order_of_the_questions() -> None:
    assert planned(PEOPLE, both(*PEOPLE)) == planned(PEOPLE, both(*PEOPLE)[::-1])


def test_a_wrong_image_needs_a_second_person() -> None:
    alone = strangers_of({"001": "001-a"}, PEOPLE)
    with pytest.raises(BadInput, match="add subjects"):
        plan_probes(
            PEOPLE[:1], both(PEOPLE[0]), FACES, alone, paraphrased=0, sampled=0, controls=("wrong_image",), seed=1
        )


def test_the_stranger_has_another_answer_where_anybody_has() -> None:
    people = [fact("001")] + [fact(f"{number:03d}") for number in range(2, 30)] + [fact("030", answer="Oslo")]
    strangers = strangers_of({one.subject_id: f"{one.subject_id}-x" for one in people}, people)
    for seed in range(10):
        assert draw_strangers(strangers, people[0], count=1, seed=seed)[0].subject_id == "030"


def test_a_stranger_of_unknown_answer_goes_before_one_who_shares_it() -> None:
    strangers = (Stranger("002", "b", {"P19": frozenset({"rome"})}), Stranger("003", "c", {}))
    assert [one.subject_id for one in draw_strangers(strangers, fact(), count=2, seed=1)] == ["003", "002"]


def test_an_alias_counts_as_the_same_answer() -> None:
    roma = fact("002").model_copy(
        update={
            "answer": "Roma",
            "accepted": (AcceptedAnswer(kind="text", text="Roma"), AcceptedAnswer(kind="text", text="ROME")),
        }
    )
    strangers = strangers_of(FACES, [roma, fact("003", answer="Oslo")])
    assert draw_strangers(strangers, fact(), count=1, seed=1)[0].subject_id == "003"


def test_the_subject_is_never_its_own_stranger_and_the_draw_repeats() -> None:
    strangers = strangers_of(FACES, PEOPLE)
    drawn = draw_strangers(strangers, PEOPLE[1], count=9, seed=3)
    assert sorted(one.subject_id for one in drawn) == ["001", "003"]
    assert drawn == draw_strangers(strangers, PEOPLE[1], count=9, seed=3)


class Echo:
    """A responder that answers with its own decoding and the picture shown, and counts what it is asked."""

    identity = "echo"

    def __init__(self, *, stop_after: int = 10**9, error: str = "") -> None:
        self.asked: list[str] = []
        self.stop_after, self.error = stop_after, error

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        for ask in asks:
            if len(self.asked) >= self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(ask.ask_id)
            text = f"{decoding.temperature} {decoding.seed} {ask.image!r}"
            yield Reply(ask_id=ask.ask_id, text="" if self.error else text, error=self.error)


PICTURES = {"001-a": b"a", "002-b": b"b", "003-c": b"c"}


def run(probes: list[Probe], responder: Echo, log: AnswerLog) -> list[Reply]:
    return list(ask_pending(probes, PICTURES, responder, log, temperature=0.7, max_new_tokens=8, seed=5))


def test_greedy_asks_have_temperature_0_and_each_draw_its_own_seed(tmp_path: Path) -> None:
    probes = planned([PEOPLE[0]], paraphrased=0, sampled=2, controls=())
    with AnswerLog(tmp_path / "log", key="k") as log:
        run(probes, Echo(), log)
        texts = [log.reply(one.ask_id).text for one in probes]
    assert texts == [
        "0.0 5 None", "0.7 6 None", "0.7 7 None", "0.0 5 b'a'", "0.7 6 b'a'", "0.7 7 b'a'",
    ]  # fmt: skip


def test_an_interrupted_probe_asks_only_what_is_missing(tmp_path: Path) -> None:
    probes = planned(PEOPLE)
    first, second, third = Echo(stop_after=5), Echo(), Echo()
    with AnswerLog(tmp_path / "log", key="k") as log, pytest.raises(KeyboardInterrupt):
        run(probes, first, log)
    with AnswerLog(tmp_path / "log", key="k") as log:
        run(probes, second, log)
        run(probes, third, log)
    assert sorted(first.asked + second.asked) == sorted(one.ask_id for one in distinct_asks(probes))
    assert third.asked == []


def test_an_ask_that_failed_is_asked_again(tmp_path: Path) -> None:
    probes = planned(PEOPLE[:1])
    with AnswerLog(tmp_path / "log", key="k") as log:
        run(probes, Echo(error="time-out"), log)
        again = Echo()
        run(probes, again, log)
    assert len(again.asked) == len(distinct_asks(probes))


def test_another_target_or_temperature_has_another_log() -> None:
    keys = {
        log_key(name, temperature=temperature, max_new_tokens=8, seed=seed)
        for name in ("a", "b")
        for temperature in (0.5, 0.7)
        for seed in (1, 2)
    }
    assert len(keys) == 8
