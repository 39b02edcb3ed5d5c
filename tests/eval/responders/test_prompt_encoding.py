"""eval.responders.prompt_encoding: the tensors are those that the processor gives, whatever was remembered."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from eval.responders.prompt_encoding import PromptEncoder, UnreadablePicture, pad_left, stack_pixels
from flows.resources.responders import load_local
from schemas.protocols.responder import Ask
from tests.worlds.tiny_models import BUILDERS, picture

PAIRS = [("Where was Ada born?", 1), ("Who?", 2), ("Where was Ada born?", 2), ("Who?", 1)]


def asks(side: int = 64) -> list[Ask]:
    return [Ask(ask_id=str(n), text=text, image=picture(seed, side=side)) for n, (text, seed) in enumerate(PAIRS)]


def batch(encoder: PromptEncoder, rows: Sequence[Ask]) -> dict[str, Tensor]:
    found = [encoder.row(encoder.render(row.text, shows=row.image is not None), row.image) for row in rows]
    return pad_left(found, pad=0) | stack_pixels(found)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_a_batch_is_what_the_processor_makes_of_it(tmp_path: Path, family: str) -> None:
    processor = load_local(str(BUILDERS[family](tmp_path / family)), None).processor
    rows = asks()
    turns = []
    for row in rows:
        shown = Image.open(io.BytesIO(row.image or b"")).convert("RGB")
        turns.append(
            [{"role": "user", "content": [{"type": "image", "image": shown}, {"type": "text", "text": row.text}]}]
        )
    expected = processor.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    )  # fmt: skip
    found = batch(PromptEncoder(processor), rows)
    assert found.keys() == {name for name, value in expected.items() if isinstance(value, torch.Tensor)}
    for name, tensor in found.items():
        # What stands where nothing is attended to does not matter.
        seen = found["attention_mask"] if name == "input_ids" else torch.ones(())
        assert torch.equal(tensor * seen, expected[name] * seen), name


def test_pictures_of_other_shapes_do_not_share_a_questions_tokens(tmp_path: Path) -> None:
    encoder = PromptEncoder(load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor)
    small, large = asks(side=32)[:1], asks(side=64)[:1]
    lengths = {batch(encoder, rows)["input_ids"].shape[1] for rows in (small, large)}
    assert len(lengths) == 2


def test_little_memory_changes_no_tensor(tmp_path: Path) -> None:
    processor = load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor
    roomy, narrow = batch(PromptEncoder(processor), asks()), batch(PromptEncoder(processor, capacity_mb=0), asks())
    for name, tensor in roomy.items():
        assert torch.equal(tensor, narrow[name])


def test_a_picture_is_scaled_once_for_all_questions(tmp_path: Path) -> None:
    processor = load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor
    scaled: list[int] = []
    real = processor.image_processor.preprocess

    def counting(images: object, *rest: object, **options: object) -> object:
        scaled.append(1)
        return real(images, *rest, **options)

    processor.image_processor.preprocess = counting
    rows = [Ask(ask_id=str(n), text=f"Where was person {n} born?", image=picture(n % 2)) for n in range(8)]
    batch(PromptEncoder(processor), rows)
    assert len(scaled) == 2


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_a_prompt_that_begins_otherwise_has_the_tokens_it_has_alone(tmp_path: Path, family: str) -> None:
    processor = load_local(str(BUILDERS[family](tmp_path / "m")), None).processor
    rows = [Ask(ask_id=text, text=text, image=picture(1)) for text in ("Who is it?", "Ada, who is it?", "Who was it?")]
    together = batch(PromptEncoder(processor), rows)
    for place, row in enumerate(rows):
        alone = batch(PromptEncoder(processor), [row])["input_ids"][0].tolist()
        assert together["input_ids"][place].tolist()[-len(alone) :] == alone


def test_a_row_knows_where_its_picture_ends(tmp_path: Path) -> None:
    encoder = PromptEncoder(load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor)
    row = encoder.row(encoder.render("Who?", shows=True), picture(1))
    types = row.tokens["mm_token_type_ids"][0].tolist()
    assert row.settled == len(types) - types[::-1].index(1)
    assert encoder.row(encoder.render("Who?", shows=False), None).settled == 0


def test_what_is_no_picture_is_said_to_be_unreadable(tmp_path: Path) -> None:
    encoder = PromptEncoder(load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor)
    with pytest.raises(UnreadablePicture, match="does not decode"):
        encoder.row(encoder.render("Who?", shows=True), b"no picture")
