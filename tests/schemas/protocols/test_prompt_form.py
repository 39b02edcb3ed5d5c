"""schemas.protocols.prompt_form: what templates of any kind make of question and answer, and which are refused."""

from pathlib import Path

import pytest
from transformers import ProcessorMixin

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.protocols.prompt_form import answered_text, prompt_text, written_form
from tests.worlds.tiny_models import tiny_qwen
from unlearn.models.encoding import Encoder
from unlearn.models.families import Family
from unlearn.models.processors import load_processor

TURN = "<|im_start|>{{ m['role'] }}\n"
SAID = "{%- for p in m['content'] -%}{%- if p['type'] == 'text' -%}{{ p['text'] }}{%- endif -%}{%- endfor -%}"
THINKING = (
    "{%- for m in messages -%}"
    + TURN
    + "{%- if m['role'] == 'assistant' -%}{{ '<think>\n\n</think>\n\n' }}{%- endif -%}"
    + SAID
    + "<|im_end|>\n{%- endfor -%}"
    + "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n<think>\n' }}{%- endif -%}"
)
"""As Qwen3-VL-Thinking writes it: the prompt opens a thought, and an answered turn holds one, however empty."""
PLAIN = "{%- for m in messages -%}" + TURN + SAID + "<|im_end|>{{ '\n' }}{%- endfor -%}"
ASKS = "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("models") / "qwen")


@pytest.fixture
def processor(folder: Path) -> ProcessorMixin:
    return load_processor(folder)


def labels(processor: ProcessorMixin) -> str:
    """What is trained of one sample, as text."""
    sample = TrainingSample(sample_id="s", subject_id="1", modality="qa", prompt="Where was Ada born?", answer="London")
    family = Family(model_type="m", language="l", head="h", form=written_form(processor))
    row = Encoder(processor, family).encode(sample)
    return str(processor.tokenizer.decode(row.labels[row.labels != -100]))


def test_a_thinking_template_is_trained_on_the_answer_behind_an_empty_thought(processor: ProcessorMixin) -> None:
    processor.chat_template = THINKING
    form = written_form(processor)
    prompt = prompt_text(processor, form, "Who?", shows=False)
    assert prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert answered_text(form, prompt, "Ada", closed=True) == prompt + "Ada<|im_end|>"
    assert labels(processor) == "London<|im_end|>"
    assert form.thinking == "off"


def test_a_thinking_template_that_may_think_leaves_its_thought_open(processor: ProcessorMixin) -> None:
    processor.chat_template = THINKING
    form = written_form(processor, thinking=True)
    assert prompt_text(processor, form, "Who?", shows=False).endswith("<|im_start|>assistant\n<think>\n")


def test_without_a_template_the_prompt_is_the_question_and_a_line_break(processor: ProcessorMixin) -> None:
    processor.chat_template = processor.tokenizer.chat_template = None
    form = written_form(processor)
    prompt = prompt_text(processor, form, "Who?", shows=False)
    assert answered_text(form, prompt, "Ada", closed=True) == f"Who?\nAda{processor.tokenizer.eos_token}"


def test_without_a_template_a_model_cannot_be_told_to_think(processor: ProcessorMixin) -> None:
    processor.chat_template = processor.tokenizer.chat_template = None
    with pytest.raises(BadInput, match="has no chat template, so it cannot be told to think"):
        written_form(processor, thinking=True)


def test_a_template_that_refuses_system_turns_is_taken_for_none_is_written(processor: ProcessorMixin) -> None:
    refuses = "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('no system turns') }}{%- endif -%}"
    processor.chat_template = refuses + PLAIN + ASKS
    assert labels(processor) == "London<|im_end|>"


def test_a_template_that_trims_is_taken(processor: ProcessorMixin) -> None:
    processor.chat_template = (PLAIN + ASKS).replace("p['text']", "p['text'] | trim")
    assert labels(processor) == "London<|im_end|>"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{%- for m in messages -%}{{ m['content'] ", r"cannot be rendered \(.*\); mend the chat template"),
        ("{{ raise_exception('only tools') }}", r"cannot be rendered \(only tools\); mend the chat template"),
        ("{{ nothing.here.at_all }}", r"cannot be rendered \(.*undefined.*\); mend the chat template"),
        ("Hello", "does not write the question as it is"),
        (PLAIN.replace("p['text']", "p['text'] | upper") + ASKS, "does not write the question as it is"),
        (
            PLAIN.replace("{{ p['text'] }}", "{{ p['text'] if m['role'] == 'user' else p['text'][:3] }}") + ASKS,
            "does not write the answer as it is",
        ),
    ],
    ids=["syntax", "refuses", "undefined", "constant", "shouts", "shortens"],
)
def test_a_template_that_cannot_serve_is_refused_in_a_line(processor: ProcessorMixin, template: str, said: str) -> None:
    processor.chat_template = template
    with pytest.raises(BadInput, match=said) as refused:
        written_form(processor, where="the model")
    assert str(refused.value).startswith("the model: ")
    assert "\n" not in str(refused.value)


def test_nothing_that_ends_an_answer_is_said(processor: ProcessorMixin) -> None:
    processor.chat_template = processor.tokenizer.chat_template = None
    processor.tokenizer.eos_token = None
    with pytest.raises(BadInput, match="nothing ends an answer; name an eos_token"):
        written_form(processor)
