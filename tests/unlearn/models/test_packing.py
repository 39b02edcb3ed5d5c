"""unlearn.models.packing: samples of one picture share its tokens, and nothing that is measured moves."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.losses.likelihood import align
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.forward import AnswerModel, token_positions
from unlearn.models.loading import load_model
from unlearn.models.packing import MOST_TOKENS, Packed, pack

ASK = "Look at the picture and answer.\n"


def sample(number: int, prompt: str, answer: str, *, face: int | None = None, side: int = 64) -> TrainingSample:
    return TrainingSample(
        sample_id=f"{number:03d}",
        subject_id=f"{face or 0:03d}",
        modality="qa" if face is None else "vqa",
        prompt=ASK + prompt,
        answer=answer,
        image=None if face is None else picture(face, side=side),
    )


MIXED = [
    sample(0, "Who is this?", "Ada", face=1),
    sample(1, "Where was this person born?", "London in England", face=1),
    sample(2, "Where was Ada born?", "London"),
    sample(3, "What is her trade?", "a composer from Vienna", face=2),
    sample(4, "Who?", "Bo", face=1),
    sample(5, "When was Ada born?", "1815"),
    sample(6, "Who is this?", "Cleo of Alexandria", face=3),
    sample(7, "Where was this person born?", "London in England", face=1),
]
CASES = {
    "persons and text": MIXED,
    "one sample": MIXED[:1],
    "text alone": [MIXED[2], MIXED[5]],
    "one person": [each for each in MIXED if each.image == picture(1)],
    "the same sample twice": [MIXED[0], MIXED[0], MIXED[3]],
    "nothing in common": [
        TrainingSample(sample_id=str(n), subject_id="1", modality="qa", prompt=f"{word} it?", answer="Oslo")
        for n, word in enumerate(("Where was", "42", "Élan"))
    ],
    "one ends where another goes on": [sample(0, "Who", "Ada", face=1), sample(1, "Who is", "Ada", face=1)],
    "sixty of one person": [sample(n, f"Who is number {n}?", f"Person {n}", face=1) for n in range(60)],
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[AnswerModel, Encoder]:
    loaded = load_model(tiny_qwen(tmp_path_factory.mktemp("model") / "qwen"))
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return AnswerModel(model, loaded.family).train(), Encoder(loaded.processor, loaded.family)


def nll_and_gradient(
    network: AnswerModel, batch: Batch, pictures: Sequence[bytes | None] | None
) -> tuple[Tensor, dict[str, Tensor]]:
    answers = align(*network(batch.inputs, batch.labels, pictures))
    sums, _ = answers.by_sample(answers.nll())
    network.zero_grad()
    (sums * torch.arange(1.0, len(batch) + 1)).sum().backward()
    return sums.detach(), {name: w.grad.clone() for name, w in network.named_parameters() if w.grad is not None}


def packed_of(network: AnswerModel, batch: Batch) -> Packed:
    starts = batch.labels.ne(-100).int().argmax(dim=1).tolist()
    core = network.model.get_base_model()
    return pack(batch.inputs, starts, batch.pictures, token_positions(core, batch.inputs))


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_sample_has_the_likelihood_that_it_has_apart(network: tuple[AnswerModel, Encoder], case: str) -> None:
    model, encoder = network
    batch = encoder.batch(CASES[case])
    apart, _ = nll_and_gradient(model, batch, None)
    packed, _ = nll_and_gradient(model, batch, batch.pictures)
    torch.testing.assert_close(packed, apart, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_weight_has_the_gradient_that_it_has_apart(network: tuple[AnswerModel, Encoder], case: str) -> None:
    model, encoder = network
    batch = encoder.batch(CASES[case])
    _, apart = nll_and_gradient(model, batch, None)
    _, packed = nll_and_gradient(model, batch, batch.pictures)
    assert apart.keys() == packed.keys()
    for name, gradient in apart.items():
        assert (packed[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-6


def test_a_picture_and_the_words_beside_it_are_computed_once(network: tuple[AnswerModel, Encoder]) -> None:
    model, encoder = network
    batch = encoder.batch(CASES["one person"])
    packed = packed_of(model, batch)
    assert packed.inputs["image_grid_thw"].shape[0] == 1
    assert packed.inputs["input_ids"].shape[0] == 1
    assert packed.inputs["input_ids"].numel() < batch.inputs["input_ids"].numel()


def test_pictures_come_in_the_order_of_the_rows(network: tuple[AnswerModel, Encoder]) -> None:
    model, encoder = network
    batch = encoder.batch(MIXED)
    packed = packed_of(model, batch)
    assert packed.inputs["image_grid_thw"].shape[0] == 3
    tokens = (packed.inputs["mm_token_type_ids"] != 0).sum()
    assert tokens == 3 * (batch.inputs["mm_token_type_ids"][0] != 0).sum()


def test_a_row_is_no_longer_than_it_may_be_unless_one_sample_is(network: tuple[AnswerModel, Encoder]) -> None:
    model, encoder = network
    assert packed_of(model, encoder.batch(CASES["sixty of one person"])).inputs["input_ids"].shape[1] <= MOST_TOKENS
    long = [sample(n, "word " * MOST_TOKENS + str(n), "Ada", face=1) for n in range(2)]
    batch = encoder.batch(long)
    apart, _ = nll_and_gradient(model, batch, None)
    packed, _ = nll_and_gradient(model, batch, batch.pictures)
    torch.testing.assert_close(packed, apart, rtol=1e-5, atol=1e-5)


def test_a_question_before_the_picture_leaves_its_sample_alone() -> None:
    """Two samples of one picture whose texts differ before it: each keeps its own copy."""
    ids = torch.tensor([[5, 9, 9, 7, 3, 0], [6, 9, 9, 7, 4, 4]])
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0], [1] * 6]),
        "mm_token_type_ids": (ids == 9).int(),
        "pixel_values": torch.arange(16.0).reshape(8, 2),
        "image_grid_thw": torch.tensor([[1, 2, 2], [1, 2, 2]]),
    }
    packed = pack(inputs, [4, 4], [b"p", b"p"], torch.arange(6).expand(1, 2, 6))
    assert packed.inputs["image_grid_thw"].shape[0] == 2
    longest_first = torch.cat([inputs["pixel_values"][4:], inputs["pixel_values"][:4]])
    assert torch.equal(packed.inputs["pixel_values"], longest_first)


def test_with_dropout_samples_stay_apart(tmp_path: Path) -> None:
    """What samples share would draw one mask where each has its own."""
    loaded = load_model(tiny_qwen(tmp_path / "qwen"))
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.3, seed=1)
    network, encoder = AnswerModel(model, loaded.family).train(), Encoder(loaded.processor, loaded.family)
    batch = encoder.batch(MIXED)
    torch.manual_seed(5)
    apart, _ = network(batch.inputs, batch.labels)
    torch.manual_seed(5)
    packed, _ = network(batch.inputs, batch.labels, batch.pictures)
    assert torch.equal(apart, packed)
