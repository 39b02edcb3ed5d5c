"""eval.encoding: the tensors are those that the processor gives, whatever was remembered."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from eval.encoding import PictureEncoder
from flows.responders import load_local
from schemas.responders import Ask
from tests.tiny_models import BUILDERS, picture

PAIRS = [("Where was Ada born?", 1), ("Who?", 2), ("Where was Ada born?", 2), ("Who?", 1)]


def asks(side: int = 64) -> list[Ask]:
    return [Ask(ask_id=str(n), text=text, image=picture(seed, side=side)) for n, (text, seed) in enumerate(PAIRS)]


def opened(rows: list[Ask]) -> list[Image.Image]:
    import io

    return [Image.open(io.BytesIO(row.image or b"")).convert("RGB") for row in rows]


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_a_batch_is_what_the_processor_makes_of_it(tmp_path: Path, family: str) -> None:
    processor = load_local(str(BUILDERS[family](tmp_path / family)), None).processor
    rows = asks()
    turns = [
        [{"role": "user", "content": [{"type": "image", "image": shown}, {"type": "text", "text": row.text}]}]
        for row, shown in zip(rows, opened(rows), strict=True)
    ]
    expected = processor.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    )  # fmt: skip
    found = PictureEncoder(processor).batch(rows, opened(rows))
    assert found.keys() == {name for name, value in expected.items() if isinstance(value, torch.Tensor)}
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


def test_pictures_of_other_shapes_do_not_share_a_questions_tokens(tmp_path: Path) -> None:
    processor = load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor
    encoder = PictureEncoder(processor)
    small, large = asks(side=32)[:1], asks(side=64)[:1]
    lengths = {encoder.batch(rows, opened(rows))["input_ids"].shape[1] for rows in (small, large)}
    assert len(lengths) == 2


def test_little_memory_changes_no_tensor(tmp_path: Path) -> None:
    processor = load_local(str(BUILDERS["qwen3_vl"](tmp_path / "m")), None).processor
    rows = asks()
    roomy, narrow = PictureEncoder(processor), PictureEncoder(processor, capacity_mb=0)
    for name, tensor in roomy.batch(rows, opened(rows)).items():
        assert torch.equal(tensor, narrow.batch(rows, opened(rows))[name])
