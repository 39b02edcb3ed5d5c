"""Prompt form: how a family's template writes prompts and answers, the same for training, likelihoods and answers.

`written_form` reads it from a processor alone; what only the model can tell (may rows be batched, may prompts share
their opening) is found by the checks at load and stands beside it.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Literal, Protocol

from schemas.errors import BadInput, first_line
from schemas.storage.tables import Record

QUESTION, ANSWER = "Where was Ada Lovelace born?", "In London"
"""What is rendered to see how a template writes."""
PER_TOKEN = (
    "input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids", "position_ids", "cross_attention_mask",
)  # fmt: skip
"""Processor outputs with one entry per token; every other output belongs to pictures."""
_THOUGHTS = {
    "<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>", "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>", "[THINK]": "[/THINK]", "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel>thought": "<channel|>",
}  # fmt: skip
"""What opens a thought in the templates of reasoning models, and what closes it."""
_OPENS = re.compile(f"({'|'.join(map(re.escape, _THOUGHTS))})\\s*$")
_EMPTY = re.compile("|".join(f"{re.escape(begin)}\\s*{re.escape(end)}\\s*$" for begin, end in _THOUGHTS.items()))
_SWITCHES = {
    "enable_thinking": re.compile(r"\benable_thinking\b"),
    "thinking": re.compile(r"\bif\s+(not\s+)?thinking\b|\bthinking\s+is\b|\bthinking\s*(==|and\b|or\b|%})"),
}
"""Variables by which templates are told whether to think, and how they are used."""


class Processor(Protocol):
    """What is asked of a processor of transformers, which is not imported here."""

    tokenizer: Any
    chat_template: Any

    @property
    def apply_chat_template(self) -> Callable[..., object]: ...


class PromptForm(Record):
    """How prompts are written and batched. Texts are prompt + gap + answer + closing, never rendered a second time."""

    chat: Literal["template", "bare"] = "template"
    """bare: there is no chat template; the prompt is the question and a line break."""
    thinking: Literal["none", "off", "on"] = "none"
    """Of a template that can think: off closes the thought before the answer, on lets the model think."""
    switches: tuple[str, ...] = ()
    """Variables that tell the template."""
    opener: str = ""
    """What the prompt ends with if the template opens a thought; a reply of a thinking model starts within it."""
    after_prompt: str = ""
    """Closes the thought that the template opens; "" where the model is to think."""
    gap: str = ""
    """Between prompt and answer, where the template writes a space."""
    closing: str = ""
    """What the template writes after an answer, up to the token that ends the turn."""
    end_of_turn: str = ""
    """That token."""
    before_picture: str = ""
    """bare: what stands for a picture in the text, where the processor does not put it there itself."""
    nested_images: bool = True
    """The processor wants one list of pictures per text instead of one flat list."""
    text_by_processor: bool = True
    """Texts without a picture go through the processor too; else through its tokenizer."""
    per_token: tuple[str, ...] = PER_TOKEN
    stacked: bool = True
    """Rows that were encoded one by one may be padded to one batch; else each is a batch of its own."""
    shares: bool = True
    """Prompts that begin alike may share what the model makes of their beginning."""


def written_form(processor: Processor, *, where: str = "the processor", thinking: bool = False) -> PromptForm:
    """The form of a processor's texts. `thinking` lets a reasoning model think before it answers.

    Raises BadInput for a template that does not render, does not write question and answer as they are, writes the
    prompt otherwise once it is answered, or, with `thinking`, cannot think; and where nothing ends an answer.
    """
    template = _template(processor)
    if not template:
        if thinking:
            raise BadInput(where, "has no chat template, so it cannot be told to think", "leave out --thinking")
        end = _eos(processor, where)
        return PromptForm(chat="bare", closing=end, end_of_turn=end)
    switches = tuple(name for name, used in _SWITCHES.items() if used.search(template))
    form = PromptForm(switches=switches, thinking="on" if thinking else "off" if switches else "none")
    advice = "mend the chat template in the model's folder"
    try:
        prompt = _rendered(processor, form, QUESTION, shows=False, answer="")
        whole = _rendered(processor, form, QUESTION, shows=False, answer=ANSWER)
    except Exception as error:
        reason = first_line(error)
        raise BadInput(where, f"its chat template cannot be rendered ({reason})", advice) from error
    if QUESTION not in prompt:
        raise BadInput(where, "its chat template does not write the question as it is", advice)
    if ANSWER not in whole:
        raise BadInput(where, "its chat template does not write the answer as it is", advice)
    opened = _OPENS.search(prompt)
    if thinking and not (switches or opened):
        raise BadInput(where, "its chat template knows no thinking", "leave out --thinking")
    start = whole.rindex(ANSWER)
    bare = _EMPTY.sub("", prompt[: opened.start()] if opened else prompt).rstrip()
    if not whole.startswith(bare):
        raise BadInput(where, "its chat template writes the prompt differently once answered", advice)
    after = ""
    if opened and not thinking:
        own = whole[len(prompt) : start] if whole.startswith(prompt) else ""
        closer = _THOUGHTS[opened.group(1)]
        after = own if closer in own else ("\n" if prompt.endswith("\n") else "\n\n") + closer + "\n\n"
    begun = prompt + after
    closing, end = _closing(processor, whole[start + len(ANSWER) :].rstrip(), where)
    return form.model_copy(
        update={
            "thinking": "on" if thinking else "off" if switches or opened else "none",
            "opener": opened.group() if opened else "",
            "after_prompt": after,
            "gap": whole[len(begun) : start] if whole.startswith(begun) else "",
            "closing": closing,
            "end_of_turn": end,
        }
    )


def as_written(processor: Processor, form: PromptForm) -> PromptForm:
    """A form that was found earlier, with its texts as the processor's template writes them now."""
    if form.chat == "bare":
        return form
    texts = {"chat", "thinking", "switches", "opener", "after_prompt", "gap", "closing", "end_of_turn"}
    return form.model_copy(update=written_form(processor).model_dump(include=texts))


def prompt_text(processor: Processor, form: PromptForm, text: str, *, shows: bool) -> str:
    """The user turn up to where the answer begins, with a picture's placeholder if it `shows` one."""
    if form.chat == "bare":
        return (form.before_picture if shows else "") + text + "\n"
    return _rendered(processor, form, text, shows=shows, answer="") + form.after_prompt


def answered_text(form: PromptForm, prompt: str, answer: str, *, closed: bool) -> str:
    """A prompt with an answer, and with what ends it if it is `closed`."""
    return prompt + form.gap + answer + (form.closing if closed else "")


def adds_special(processor: Processor, text: str) -> bool:
    """Whether the tokenizer is to add its start token: not where the template has written it already."""
    start = processor.tokenizer.bos_token
    return not (start and text.startswith(start))


def special_tokens(processor: Processor, text: str) -> list[str]:
    """Added tokens of the vocabulary that stand in a text, in order."""
    tokenizer = processor.tokenizer
    added = set(tokenizer.added_tokens_decoder)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [str(tokenizer.convert_ids_to_tokens(each)) for each in ids if each in added]


def _template(processor: Processor) -> str:
    """The processor's chat template, or its tokenizer's, which is handed to the processor."""
    found = getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
    if found and not getattr(processor, "chat_template", None):
        processor.chat_template = found
    return json.dumps(found) if isinstance(found, dict) else str(found or "")


def _rendered(processor: Processor, form: PromptForm, text: str, *, shows: bool, answer: str) -> str:
    shown: list[dict[str, object]] = [{"type": "image"}] if shows else []
    turns: list[dict[str, object]] = [{"role": "user", "content": [*shown, {"type": "text", "text": text}]}]
    if answer:
        turns.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    told = dict.fromkeys(form.switches, form.thinking == "on")
    return str(processor.apply_chat_template(turns, add_generation_prompt=not answer, tokenize=False, **told))


def _closing(processor: Processor, written: str, where: str) -> tuple[str, str]:
    """What ends an answer, and the token in it that ends the turn: the first added one, or the tokenizer's end."""
    inside = special_tokens(processor, written)
    if inside and inside[0] in written:
        return written[: written.index(inside[0]) + len(inside[0])], inside[0]
    end = _eos(processor, where)
    return written + end, end


def _eos(processor: Processor, where: str) -> str:
    if not processor.tokenizer.eos_token:
        raise BadInput(where, "nothing ends an answer", "name an eos_token in tokenizer_config.json")
    return str(processor.tokenizer.eos_token)
