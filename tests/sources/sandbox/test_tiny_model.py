"""sources.sandbox.tiny_model: an ordinary Qwen3-VL folder with its own tokenizer, the same bytes for the same texts."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from schemas.errors import BadInput
from schemas.storage.tables import file_sha256
from sources.sandbox.tiny_model import SPECIAL, make_tiny_model
from tests.worlds.tiny_models import TEXTS, picture, tiny_qwen
from unlearn.models.loading import load_model
from unlearn.models.processors import load_processor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("models") / "qwen")


def digests(folder: Path) -> dict[str, str]:
    return {file.name: file_sha256(file) for file in sorted(folder.iterdir())}


def test_the_same_texts_in_any_order_give_the_same_files(tmp_path: Path) -> None:
    one = make_tiny_model(TEXTS, tmp_path / "a", seed=5, hidden=64, layers=1)
    two = make_tiny_model(reversed(TEXTS), tmp_path / "b", seed=5, hidden=64, layers=1)
    assert digests(one) == digests(two)


def test_another_seed_gives_other_weights_and_the_same_tokenizer(tmp_path: Path) -> None:
    one = digests(make_tiny_model(TEXTS, tmp_path / "a", seed=5, hidden=64, layers=1))
    two = digests(make_tiny_model(TEXTS, tmp_path / "b", seed=6, hidden=64, layers=1))
    assert {name for name in one if one[name] != two[name]} == {"model.safetensors"}


def test_making_it_leaves_the_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    make_tiny_model(TEXTS, tmp_path / "a", seed=5, hidden=64, layers=1)
    assert torch.equal(torch.rand(2), wanted)


def test_it_loads_through_the_auto_classes_with_the_same_logits(folder: Path) -> None:
    loaded = load_model(folder)
    again = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(loaded.model).__name__ == "Qwen3VLForConditionalGeneration"
    ids = torch.tensor([[1, 40, 50, 60]])
    assert torch.equal(loaded.model(input_ids=ids).logits, again(input_ids=ids).logits)


def test_any_text_survives_the_tokenizer(folder: Path) -> None:
    tokenizer = load_processor(folder).tokenizer
    text = "Zoë Ångström 漢字 🦊 — 14 March 1962"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("token", SPECIAL)
def test_control_tokens_are_one_token_each(folder: Path, token: str) -> None:
    assert len(load_processor(folder).tokenizer(token)["input_ids"]) == 1


def test_a_portrait_becomes_four_tokens(folder: Path) -> None:
    import io

    from PIL import Image

    processor = load_processor(folder)
    portrait = Image.open(io.BytesIO(picture(1))).resize((512, 640))
    user = {"role": "user", "content": [{"type": "image", "image": portrait}, {"type": "text", "text": "Who?"}]}
    inputs = processor.apply_chat_template([user], add_generation_prompt=True, tokenize=True, return_dict=True)
    assert inputs["input_ids"][0].count(processor.image_token_id) == 4


def test_a_turn_is_written_as_qwen_writes_it(folder: Path) -> None:
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Who?"}]}
    text = load_processor(folder).apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Who?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_tiny_model_of_no_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no text"):
        make_tiny_model([], tmp_path / "a", seed=1)
