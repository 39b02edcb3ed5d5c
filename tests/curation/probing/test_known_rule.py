"""Verdicts on recorded answers, worked by hand."""

from pathlib import Path

import pytest

from curation.probing.known_rule import drops_of, evidence_of, judge, judge_all, kept_facts
from curation.probing.probes import Probe
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Reply
from schemas.records.build_rows import AcceptedAnswer, Evidence, Fact

ROME = AcceptedAnswer(kind="text", text="Rome")


def fact(subject: str = "001", slot: int = 1) -> Fact:
    return Fact.model_validate({
        "fact_id": f"{subject}-{slot:02d}", "sample_id": f"P_{subject}_{slot:02d}", "subject_id": subject, "slot": slot,
        "property_id": "P19", "property_label": "", "answer_type": "place", "sensitivity": "public", "gated": False,
        "statement_id": "", "value_id": "", "answer": "Rome", "accepted": (ROME,),
    })  # fmt: skip


def rows(modality: str = "vqa", one: Fact | None = None, **answers: str) -> list[Evidence]:
    """Evidence from strings of 1 (right), 0 (wrong) and e (error), by condition: greedy="1", paraphrase="10"."""
    one = one or fact()
    return [
        Evidence.model_validate(
            {
                "sample_id": one.sample_id,
                "subject_id": one.subject_id,
                "modality": modality,
                "condition": condition,
                "attempt": attempt,
                "prompt": "",
                "image_id": "",
                "reply": "" if mark == "e" else f" reply {mark} ",
                "error": "time-out" if mark == "e" else "",
                "matched": "Rome" if mark == "1" else "",
            }
        )
        for condition, marks in answers.items()
        for attempt, mark in enumerate(marks)
    ]


def verdict(agree: int = 1, modality: str = "vqa", **answers: str) -> str:
    return judge(fact(), modality, rows(modality, **answers), agree=agree).verdict


def test_a_right_greedy_answer_and_enough_further_ones_are_known() -> None:
    assert verdict(greedy="1", paraphrase="01") == "known"
    assert verdict(greedy="1", paraphrase="0", sampled="1") == "known"
    assert verdict(greedy="1", agree=0) == "known"


def test_a_wrong_greedy_answer_is_not_known_whatever_follows() -> None:
    assert verdict(greedy="0", paraphrase="11") == "greedy_wrong"


def test_too_few_further_answers_are_not_consistent() -> None:
    assert verdict(greedy="1", paraphrase="10", agree=2) == "not_consistent"
    assert verdict(greedy="1", agree=1) == "not_consistent"


@pytest.mark.parametrize("control", ["no_image", "wrong_image"])
def test_a_control_that_is_right_as_often_as_the_face_leaks(control: str) -> None:
    assert verdict(greedy="1", paraphrase="11", **{control: "1"}) == "leaks_without_face"
    assert verdict(greedy="1", paraphrase="10", **{control: "011"}) == "leaks_without_face"


def test_a_control_that_is_right_less_often_than_the_face_does_not_leak() -> None:
    assert verdict(greedy="1", paraphrase="11", no_image="110", wrong_image="000") == "known"


def test_each_control_must_be_beaten() -> None:
    assert verdict(greedy="1", paraphrase="11", no_image="000", wrong_image="111") == "leaks_without_face"


def test_a_greedy_ask_without_answer_is_no_answer() -> None:
    assert verdict(greedy="e", paraphrase="11") == "no_answer"
    assert verdict() == "no_answer"


def test_errors_that_could_have_decided_are_no_answer_and_others_do_not_count() -> None:
    assert verdict(greedy="1", paraphrase="0e") == "no_answer"
    assert verdict(greedy="1", paraphrase="1e") == "known"
    assert verdict(greedy="1", paraphrase="1", wrong_image="e") == "no_answer"
    assert verdict(greedy="1", paraphrase="1", wrong_image="e0") == "known"


def test_the_counts_and_the_targets_own_answer_are_kept() -> None:
    known = judge(fact(), "vqa", rows(greedy="1", paraphrase="10", no_image="10", wrong_image="00"), agree=1)
    assert known.generated_answer == "reply 1"
    assert (known.agreeing, known.asked, known.control_matches, known.controls) == (1, 2, 1, 4)
    assert known.known


def test_rows_of_other_facts_and_modalities_do_not_count() -> None:
    others = rows("qa", greedy="0") + rows("vqa", fact(slot=2), greedy="0")
    assert judge(fact(), "vqa", others + rows(greedy="1", paraphrase="1"), agree=1).verdict == "known"


def test_only_facts_known_in_both_modalities_are_kept() -> None:
    facts = [fact(), fact(slot=2), fact(slot=3)]
    evidence = [
        *rows("qa", facts[0], greedy="1"), *rows("vqa", facts[0], greedy="1"),
        *rows("qa", facts[1], greedy="1"), *rows("vqa", facts[1], greedy="0"),
        *rows("qa", facts[2], greedy="1"),
    ]  # fmt: skip
    knowledge = judge_all(facts, evidence, agree=0)
    assert [(row.sample_id, row.modality) for row in knowledge] == [
        ("P_001_01", "qa"), ("P_001_01", "vqa"), ("P_001_02", "qa"), ("P_001_02", "vqa"), ("P_001_03", "qa"),
    ]  # fmt: skip
    assert kept_facts(facts, knowledge) == facts[:1]
    assert [(drop.item, drop.reason, drop.detail) for drop in drops_of(["001"], facts, knowledge)] == [
        ("P_001_02", "not_known", "qa known, vqa greedy_wrong"),
        ("P_001_03", "not_known", "qa known, vqa not asked"),
    ]


def test_a_subject_without_a_known_fact_is_dropped_too() -> None:
    facts = [fact("001"), fact("002")]
    knowledge = judge_all(facts, rows("qa", facts[0], greedy="0"), agree=0)
    drops = drops_of(["001", "002", "003"], facts, knowledge)
    assert [(drop.item, drop.reason) for drop in drops] == [
        ("P_001_01", "not_known"), ("P_002_01", "not_known"),
        ("001", "no_known_fact"), ("002", "no_known_fact"), ("003", "no_known_fact"),
    ]  # fmt: skip
    assert drops[-1].detail == "none of 0 facts is known in both modalities"


def test_evidence_says_what_a_reply_matched_and_a_missing_reply_is_an_error(tmp_path: Path) -> None:
    def probe(ask_id: str) -> Probe:
        return Probe(ask_id, "P_001_01", "001", "qa", "greedy", 0, "Where?", "", 0)

    with AnswerLog(tmp_path / "log", key="k") as log:
        log.save(Reply(ask_id="right", text="She was born in Rome."))
        log.save(Reply(ask_id="wrong", text="Oslo"))
        log.save(Reply(ask_id="failed", text="", error="time-out"))
        probes = [probe(name) for name in ("right", "wrong", "failed", "lost")]
        found = evidence_of(probes, log, {"P_001_01": fact()})
    assert [(row.matched, row.error) for row in found] == [
        ("Rome", ""), ("", ""), ("", "time-out"), ("", "the responder gave no reply"),
    ]  # fmt: skip
    assert found[0].reply == "She was born in Rome."


def test_a_probe_judges_the_answer_and_not_the_thought_before_it(tmp_path: Path) -> None:
    texts = {"other": "<think>Rome</think>Oslo", "cut": "<think>Rome", "right": "<think>Oslo?</think>Rome"}
    with AnswerLog(tmp_path / "log", key="k") as log:
        for name, text in texts.items():
            log.save(Reply(ask_id=name, text=text))
        probes = [Probe(name, "P_001_01", "001", "qa", "greedy", 0, "Where?", "", 0) for name in texts]
        found = evidence_of(probes, log, {"P_001_01": fact()})
    assert [(row.matched, row.error) for row in found] == [
        ("", ""), ("", "the thought was cut off before an answer"), ("Rome", ""),
    ]  # fmt: skip
