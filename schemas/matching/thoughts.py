"""Reasoning frames: the answer of a reply, without the thoughts, channels and wrappers that models put around it.

One rule for probing, evaluation and judges. Known are tags of thinking in any bracket (`<think>`, `[THINK]`,
`<seed:think>`, `<|START_THINKING|>`, `<|begin_of_thought|>`), channels (`<|channel|>analysis … final`, written out or
with their marks stripped), labelled thoughts ("Here is my thought process: … Here is my response:"), tags of answers
(`<answer>`, `<|START_RESPONSE|>`, `<conclusion>`), `\\boxed{}`, and "Answer:" or "Final answer:" at the start of a
line. A JSON object is its answer, and a question that the model asks itself next ends its answer.
"""

import ast
import json
import re
from functools import lru_cache
from typing import NamedTuple

CUT_THOUGHT = "the thought was cut off before an answer"
"""Why a question failed whose reply never left its thought."""

_KIND = (
    r"(?:[a-z]+[:_])?(?:think(?:ing)?(?:_\w+)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|scratch_?pad|analysis"
    r"|inner_monologue|monologue|cot|rationale|deliberation|summary|caption)"
)
_MARK = re.compile(
    rf"(?:[<◁]\|?\s*(?:(?P<close>/|end_(?:of_)?)|(?:(?:begin|start)_(?:of_)?)?)\|?{_KIND}(?:\s[^<>\n]*)?\|?[>▷])"
    r"|\[(?P<close_square>/)?(?:THINK|THINKING|THOUGHT|REASONING)\]"
    r"|<\|channel>\s*(?:thought|analysis)\b|(?P<close_channel><channel\|>)"
    r"|<unused94>(?:thought\b)?|(?P<close_unused><unused95>)",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?P<name>\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<text>.*?)"
    r"(?P<end><\|(?:end|return|call|start|channel)\|>|$)",
    re.DOTALL,
)
_CHANNEL_AT_START = re.compile(r"\s*(?:analysis|commentary|final)<\|message\|>")
_STRIPPED_CHANNELS = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z\"'“]|\s*\n)", re.DOTALL)
"""How a reply in channels begins whose special tokens were left out: the name is glued to the text."""
_STRIPPED_FINAL = re.compile(r"(?:assistant\s*)final(?=\S|\s|$)")
_LABELLED = re.compile(r"\s*here(?:'s| is) my thought process\s*:", re.IGNORECASE)
_LABELLED_ANSWER = re.compile(r"here(?:'s| is) my (?:response|answer)\s*:", re.IGNORECASE)
_ANSWER_TAG = re.compile(
    r"<\|?(?:begin_of_|start_)?(?P<name>answer|final_answer|final|response|conclusion|solution|output|result|box"
    r"|option|choice|letter)\|?>"
    r"(?P<text>.*?)(?:<\|?(?:/|end_of_|end_)(?P=name)\|?>|$)",
    re.IGNORECASE | re.DOTALL,
)
_CALL = re.compile(r"<tool_call>.*?(?:</tool_call>|$)|\[TOOL_CALLS\].*$", re.DOTALL)
_LEFT_OVER = re.compile(
    r"<\|[a-z_]+\|>|</?s>|<(?:end|start)_of_turn>|<turn\|>|<eos>|<pad>|</(?:answer|response|final|output|result)>"
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_IN_BOX = re.compile(r"\\(?:text|mathrm|mathbf|textbf|rm)\w*\s*\{([^{}]*)\}")
_FINAL_LINE = re.compile(r"^[\s*_#>]*(?:my )?final answer(?: is)?\s*[*_]*\s*[:=][*_]*[ \t]*(?=\S|\n)", re.I | re.M)
_ANSWER_LINE = re.compile(
    r"^[\s*_#>]*(?:my |the )?(?:(?:correct |short )?answer|conclusion)(?: is)?\s*[*_]*\s*[:=]\s*(?=\S)", re.I | re.M
)
_MANY_LINES = 3
"""So many lines with an answer are a list of them."""
_STRUCK = re.compile(r"~~[^~\n]+~~|<(?P<tag>s|del|strike)>.*?</(?P=tag)>", re.IGNORECASE)
_ROLE = re.compile(r"\A[\s#*]*(?:assistant|bot|chatbot|ai|model|response|output|reply)\s*\**\s*:\**\s*", re.IGNORECASE)
"""Who speaks, or that an answer follows, as some models write before it."""
_JSON = re.compile(r"\s*(?:```\w*\s*)?([{\[].*[}\]])\s*(?:```)?\s*", re.DOTALL)
_NAMED_ANSWER = ("answer", "final_answer", "response", "output", "choice", "letter", "option", "result", "value")
_NEXT_TURN = re.compile(r"(?<=[^\s:])\s*\n[\s*_#]*(?:question|user|human|q)\s*\d*\s*[*_]*:", re.IGNORECASE)
"""Where a model goes on with a question of its own, as base models do: what follows answers that."""
_TRIGGER = re.compile(
    r"[<◁{]|~~|\A\s*\[|\A[\s#*]*\w+\s*\**:|\[/?[A-Z]|\\[bf]|analysis|commentary|here(?:'s| is) my|answer|conclusion"
    r"|question|user|human|q\s*\d*:",
    re.IGNORECASE,
)


class Answer(NamedTuple):
    """What a reply answers. `cut`: it is still in its thought, so there is no answer to judge."""

    text: str
    cut: bool = False


@lru_cache(maxsize=1 << 13)
def answer_of(reply: str) -> Answer:
    """The answer of a reply as it came; a reply without a frame is its own answer.

    A thought that ends without having begun began in the prompt. After a thought that ended and before nothing else,
    the answer is empty: the model had its say and gave none.
    """
    if not _TRIGGER.search(reply):
        return Answer(reply.strip())
    text, cut = _out_of_channels(reply)
    if not cut:
        text, cut = _out_of_thoughts(text)
    if cut:
        return Answer("", cut=True)
    text = _CALL.sub("", text)
    if tags := list(_ANSWER_TAG.finditer(text)):
        text = tags[-1]["text"]
    text = unstruck if (unstruck := _STRUCK.sub("", text)).strip() else text
    text = _out_of_box(_LEFT_OVER.sub("", text))
    text = text[: turn.start()] if (turn := _NEXT_TURN.search(text)) else text
    text = _ROLE.sub("", _out_of_json(text))
    if lines := list(_FINAL_LINE.finditer(text)):
        text = text[lines[-1].end() :]
    elif 0 < len(lines := list(_ANSWER_LINE.finditer(text))) < _MANY_LINES:
        text = text[lines[-1].start() :]
    return Answer(text.strip())


def without_thoughts(reply: str) -> str:
    """A reply after its thoughts, in whatever form it is; "" where it is still in them."""
    text, cut = _out_of_channels(reply)
    if not cut:
        text, cut = _out_of_thoughts(text)
    return "" if cut else text.strip()


def opens_thought(prompt: str) -> bool:
    """Whether a prompt ends inside a thought, so that the reply to it begins there."""
    marks = list(_MARK.finditer(prompt[-200:]))
    return bool(marks) and not _closes(marks[-1]) and not prompt[-200:][marks[-1].end() :].strip()


def is_frame(token: str) -> bool:
    """Whether a special token is part of a frame and must be left in the text of a reply for it to be read."""
    return bool(_MARK.fullmatch(token) or re.fullmatch(r"<\|(?:channel|message|start|end|return|call)\|>", token)) or (
        token in ("<|channel>", "<channel|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>")
    )


def _closes(mark: re.Match[str]) -> bool:
    return any(mark[name] for name in ("close", "close_square", "close_channel", "close_unused"))


def _out_of_thoughts(text: str) -> tuple[str, bool]:
    """The text outside thoughts, and whether it ends inside one."""
    kept: list[str] = []
    start, inside = 0, False
    for mark in _MARK.finditer(text):
        if _closes(mark):
            if not inside:
                kept.clear()
            start, inside = mark.end(), False
        elif not inside:
            kept.append(text[start : mark.start()])
            start, inside = mark.end(), True
    if labelled := _LABELLED.match(text):
        answered = _LABELLED_ANSWER.search(text, labelled.end())
        return (text[answered.end() :], False) if answered else ("", True)
    if inside:
        tags = [tag for tag in _ANSWER_TAG.finditer(text, start) if tag[0].endswith(">")]
        return (tags[-1]["text"], False) if tags else ("", True)  # an answer in its tag ends a thought too
    return "".join([*kept, text[start:]]), False


def _out_of_channels(text: str) -> tuple[str, bool]:
    """The final channel of a reply in channels, and whether it ends before one; else the text as it is."""
    if _CHANNEL_AT_START.match(text):
        text = "<|channel|>" + text.lstrip()
    if "<|channel|>" in text:
        parts = list(_CHANNEL.finditer(text))
        final = [part["text"] for part in parts if part["name"] == "final"]
        if final:
            return final[-1], False
        return "", not parts or not parts[-1]["end"]
    if _STRIPPED_CHANNELS.match(text):
        answers = list(_STRIPPED_FINAL.finditer(text))
        return (text[answers[-1].end() :], False) if answers else ("", True)
    return text, False


def _out_of_json(text: str) -> str:
    """The answer of a JSON object that is all of the text: under a name for it, or its only value."""
    whole = _JSON.fullmatch(text)
    if whole is None:
        return text
    try:
        found: object = json.loads(whole[1]) if '"' in whole[1] else ast.literal_eval(whole[1])
    except (ValueError, SyntaxError, RecursionError):
        return text
    if isinstance(found, list):
        found = {"answer": found[0]} if len(found) == 1 else {}
    if not isinstance(found, dict):
        return text
    values = [found[name] for name in _NAMED_ANSWER if name in found] or (
        list(found.values()) if len(found) == 1 else []
    )
    return str(values[0]) if values and isinstance(values[0], str | int | float) else text


def _out_of_box(text: str) -> str:
    """What stands in the last box, or the text where there is none."""
    boxes = list(_BOXED.finditer(text))
    if not boxes:
        return text
    start, depth = boxes[-1].end(), 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            inner = text[start:place]
            while (flat := _IN_BOX.sub(r"\1", inner)) != inner:
                inner = flat
            return inner
    return text[start:]
