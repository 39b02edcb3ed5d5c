"""schemas.matching.thoughts: what of a reply is its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.matching.match import match
from schemas.matching.thoughts import Answer, answer_of, is_frame, opens_thought, without_thoughts
from schemas.records.build_rows import AcceptedAnswer


@pytest.mark.parametrize(
    "reply",
    [
        "<think>Oslo</think>Bergen",
        "<think>\n\n</think>\n\nBergen",
        "Oslo?</think>Bergen",
        "<thinking>Oslo</thinking> Bergen",
        "<thought>Oslo</thought>Bergen",
        "<reasoning>Oslo</reasoning>\nBergen",
        "[THINK]Oslo[/THINK]Bergen",
        "<seed:think>Oslo</seed:think>Bergen",
        "◁think▷Oslo◁/think▷Bergen",
        "<THINK>Oslo</THINK>Bergen",
        "<|START_THINKING|>Oslo<|END_THINKING|><|START_RESPONSE|>Bergen<|END_RESPONSE|>",
        "<|begin_of_thought|>Oslo<|end_of_thought|><|begin_of_solution|>Bergen<|end_of_solution|>",
        "<|channel|>analysis<|message|>Oslo<|end|><|start|>assistant<|channel|>final<|message|>Bergen<|return|>",
        "analysis<|message|>Oslo<|end|><|start|>assistant<|channel|>final<|message|>Bergen",
        "analysisIt is Oslo.assistantfinalBergen",
        "<|channel>thought\nOslo<channel|>Bergen",
        "<unused94>thought\nOslo<unused95>Bergen",
        "Here is my thought process: Oslo. Here is my response: Bergen",
        "<think>Oslo</think><answer>Bergen</answer>",
        "<think>Oslo <answer>Bergen</answer>",
        "Oslo.\nFinal answer: Bergen",
        "<SUMMARY>Oslo</SUMMARY><REASONING>Oslo</REASONING><CONCLUSION>Bergen</CONCLUSION>",
        "It is \\boxed{Bergen}",
        "$\\boxed{\\text{Bergen}}$",
        "<think>Oslo</think><think>Oslo</think>Bergen",
        "<|begin_of_box|>Bergen<|end_of_box|>",
        "Bergen<|im_end|>",
        "Bergen",
    ],
)
def test_the_answer_is_what_stands_outside_thoughts_and_frames(reply: str) -> None:
    assert answer_of(reply) == Answer("Bergen")


@pytest.mark.parametrize(
    "reply",
    [
        "<think>Oslo",
        "[THINK]Oslo",
        "<|channel|>analysis<|message|>Oslo is",
        "analysisThe user wants Oslo",
        "◁think▷Oslo",
    ],
)
def test_a_thought_that_does_not_end_was_cut(reply: str) -> None:
    assert answer_of(reply) == Answer("", cut=True)


@pytest.mark.parametrize(
    "reply", ["<think>Oslo</think>", "<think></think>\n", "<|channel|>analysis<|message|>Oslo<|end|>"]
)
def test_a_thought_that_ends_without_an_answer_is_an_empty_answer(reply: str) -> None:
    assert answer_of(reply) == Answer("")


@pytest.mark.parametrize(
    "reply", ["analysis of a film", "I <3 Oslo", "[Oslo](x)", "a < b > c", "The reasoning is: Oslo"]
)
def test_a_reply_without_a_frame_is_its_own_answer(reply: str) -> None:
    assert answer_of(reply) == Answer(reply)


@given(st.text(alphabet="<think>/[THINK]|channel answer\\boxed{} ", max_size=60))
def test_an_answer_is_read_the_same_twice(reply: str) -> None:
    said = answer_of(reply)
    assert said.cut or set(answer_of(said.text).text) <= set(reply)


def test_probing_matches_no_thought() -> None:
    assert match("<think>Oslo</think>Bergen", [AcceptedAnswer(kind="text", text="Oslo")]) is None


@pytest.mark.parametrize(
    ("prompt", "opened"), [("assistant\n<think>\n", True), ("<think>\n\n</think>\n\n", False), ("assistant\n", False)]
)
def test_a_prompt_may_end_inside_a_thought(prompt: str, opened: bool) -> None:
    assert opens_thought(prompt) is opened


@pytest.mark.parametrize(
    ("token", "frame"), [("[THINK]", True), ("<|channel|>", True), ("</think>", True), ("<|im_end|>", False)]
)
def test_marks_of_frames_are_told_from_other_special_tokens(token: str, frame: bool) -> None:
    assert is_frame(token) is frame


def test_without_its_thoughts_a_reply_keeps_its_form() -> None:
    assert without_thoughts('<think>Which town?</think>\n{"town": "Arnvik"}') == '{"town": "Arnvik"}'
    assert without_thoughts("<think>Which town?") == ""
