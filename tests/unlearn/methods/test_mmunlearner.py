"""MMUnlearner's mask: per-sample Fisher against autograd, what it protects, what it refuses, the file it lives in."""

from pathlib import Path

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import tiny_qwen
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.losses.likelihood import align
from unlearn.methods.fisher import batch_fisher, erase_set, preserve_set, sample_fisher
from unlearn.methods.mmunlearner import (
    Mask,
    adapter_weights,
    check_mask,
    freeze_first_matrices,
    keep_salient,
    load_mask,
    save_mask,
    take_mask,
)
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.models.loading import load_model
from unlearn.presets import Numbers

NUMBERS = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2, rank=4, adapter_initial="kaiming", dropout=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=3), setting="personalized")


def adapted(folder: Path, *, seed: int = 1, frozen: bool = True, dropout: float = 0.0) -> tuple[AnswerModel, Encoder]:
    loaded = load_model(folder)
    model = add_lora(loaded.model, loaded.family, rank=4, alpha=8, dropout=dropout, seed=seed)
    if frozen:
        freeze_first_matrices(model)
    return AnswerModel(model, loaded.family), Encoder(loaded.processor, loaded.family)


def one_by_one(network: AnswerModel, encoder: Encoder, samples: list[TrainingSample]) -> dict[str, torch.Tensor]:
    """Mean squared gradient by autograd, one sample at a time."""
    model = bare(network).eval()
    found: dict[str, torch.Tensor] = {}
    for sample in samples:
        model.zero_grad()
        batch = encoder.batch([sample])
        answers = align(*network(batch.inputs, batch.labels))
        answers.nll().mean().backward()
        for name, weight in model.named_parameters():
            if weight.grad is not None and weight.dim() == 2:
                found[name] = found.get(name, torch.zeros_like(weight)) + weight.grad.square() / len(samples)
    model.zero_grad()
    return found


def test_fisher_of_a_batch_equals_squared_gradients_sample_by_sample(folder: Path, data: Assigned) -> None:
    network, encoder = adapted(folder)
    expected = one_by_one(network, encoder, list(data.forget.values()))
    found = sample_fisher(network, encoder, data.forget, batch=5)
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-9)


def test_fisher_of_the_whole_model_takes_one_sample_at_a_time(folder: Path, data: Assigned) -> None:
    loaded = load_model(folder)
    loaded.model.requires_grad_(True)
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    samples = dict(list(data.forget.items())[:3])
    expected = one_by_one(network, encoder, list(samples.values()))
    found = sample_fisher(network, encoder, samples, batch=3)
    assert any("visual" in name for name in found)
    for name in found:
        torch.testing.assert_close(found[name], expected.get(name, torch.zeros_like(found[name])), rtol=1e-3, atol=1e-9)


def test_the_published_fisher_says_nothing_about_the_first_matrices(folder: Path, data: Assigned) -> None:
    network, encoder = adapted(folder, frozen=False)
    found = batch_fisher(network, encoder, data.forget, batch=2, seed=0)
    for name, fisher in found.items():
        assert (fisher.max().item() == 0) == (".lora_A." in name)


def test_both_preserve_sets_are_retain_vqa_and_the_text_qa_of_all_subjects(data: Assigned) -> None:
    found = preserve_set(data.forget, data.retain, preserve="both")
    text = {key for key in {**data.forget, **data.retain} if key.endswith("|qa")}
    assert set(found) == text | {key for key in data.retain if key.endswith("|vqa")}
    assert set(erase_set(data.forget, preserve="both")) == {key for key in data.forget if key.endswith("|vqa")}


def test_text_only_data_is_masked_against_the_retain_set(data: Assigned) -> None:
    text = {key: sample for key, sample in data.forget.items() if sample.modality == "qa"}
    assert preserve_set(text, data.retain, preserve="both") == dict(data.retain)
    assert erase_set(text, preserve="both") == text


def test_weights_are_kept_where_the_forget_fisher_reaches_the_threshold() -> None:
    forget, preserve = {"w": torch.tensor([4.0, 1.0, 0.5])}, {"w": torch.tensor([1.0, 1.0, 1.0])}
    assert keep_salient(forget, preserve, threshold=1.0)["w"].tolist() == [True, True, False]
    assert keep_salient(forget, preserve, threshold=2.0)["w"].tolist() == [True, False, False]


def test_a_mask_covers_the_second_matrices_and_decides_in_every_one(folder: Path, data: Assigned) -> None:
    network, encoder = adapted(folder)
    mask = take_mask(network, encoder, data, NUMBERS, base="b", seed=0)
    check_mask(mask, bare(network), allow_full=False)
    assert all(".lora_B." in name for name in mask.keep)
    assert 0 < mask.kept_share() < 1


def test_a_mask_is_the_same_for_the_same_adapter_and_carries_it(folder: Path, data: Assigned) -> None:
    first, second = (take_mask(*adapted(folder), data, NUMBERS, base="b", seed=0) for _ in range(2))
    assert all(torch.equal(first.keep[name], second.keep[name]) for name in first.keep)
    network, _ = adapted(folder)
    assert all(torch.equal(first.initial[name], weight) for name, weight in adapter_weights(bare(network)).items())


def test_the_published_mask_is_taken_of_another_adapter_and_keeps_the_first_matrices_whole(
    folder: Path, data: Assigned
) -> None:
    numbers = NUMBERS.model_copy(update={"fisher": "batch", "preserve": "retain", "mask_new_adapter": True})
    network, encoder = adapted(folder, frozen=False)
    before = {name: weight.detach().clone() for name, weight in adapter_weights(bare(network)).items()}
    mask = take_mask(network, encoder, data, numbers, base="b", seed=0)
    same = take_mask(network, encoder, data, numbers.model_copy(update={"mask_new_adapter": False}), base="b", seed=0)
    shares = mask.shares()
    assert all(shares[name] == 1 for name in shares if ".lora_A." in name)
    assert any(not torch.equal(mask.keep[name], same.keep[name]) for name in mask.keep)
    assert all(torch.equal(before[name], weight) for name, weight in adapter_weights(bare(network)).items())
    with pytest.raises(BadInput, match="keeps everything"):
        check_mask(mask, bare(network), allow_full=False)
    check_mask(mask, bare(network), allow_full=True)


def test_a_mask_that_keeps_nothing_somewhere_is_refused(folder: Path) -> None:
    network, _ = adapted(folder)
    weights = {name: weight for name, weight in bare(network).named_parameters() if weight.requires_grad}
    keep = {name: torch.arange(weight.numel()).reshape(weight.shape) % 2 == 0 for name, weight in weights.items()}
    name = sorted(keep)[2]
    keep[name] = torch.zeros_like(keep[name])
    with pytest.raises(BadInput, match=r"lora_B.default.weight keeps nothing"):
        check_mask(Mask(keep=keep, initial={}, base="b", data="d"), bare(network), allow_full=True)


def test_a_mask_with_other_names_is_refused_before_training(folder: Path) -> None:
    network, _ = adapted(folder)
    with pytest.raises(BadInput, match="the trained weights differ"):
        check_mask(Mask(keep={"x": torch.ones(2) > 0}, initial={}, base="b", data="d"), bare(network), allow_full=True)


def test_a_mask_comes_back_from_its_file_bit_by_bit(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    keep = {"a.weight": torch.rand(7, 5, generator=draw) < 0.3, "b.weight": torch.rand(3, generator=draw) < 0.5}
    mask = Mask(keep=keep, initial={"a.weight": torch.randn(7, 5)}, base="b", data="d")
    save_mask(tmp_path / "mask.safetensors", mask)
    found = load_mask(tmp_path / "mask.safetensors", base="b", data="d")
    assert all(torch.equal(found.keep[name], keep[name]) for name in keep)
    assert torch.equal(found.initial["a.weight"], mask.initial["a.weight"])
    assert found.shares() == mask.shares()


def test_a_mask_takes_one_bit_a_weight(tmp_path: Path) -> None:
    keep = {"a": torch.rand(1000, 800) < 0.5}
    save_mask(tmp_path / "mask.safetensors", Mask(keep=keep, initial={}, base="b", data="d"))
    assert (tmp_path / "mask.safetensors").stat().st_size < 1000 * 800 / 8 + 1000


@pytest.mark.parametrize(
    ("base", "data", "found"), [("c", "d", "with base b, not c"), ("b", "e", "with data d, not e")]
)
def test_a_mask_of_another_base_or_other_samples_is_refused(tmp_path: Path, base: str, data: str, found: str) -> None:
    mask = Mask(keep={"a": torch.ones(3) > 0}, initial={}, base="b", data="d")
    save_mask(tmp_path / "mask.safetensors", mask)
    with pytest.raises(BadInput, match=found):
        load_mask(tmp_path / "mask.safetensors", base=base, data=data)


def test_a_file_that_is_no_mask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mask.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="is no mask"):
        load_mask(tmp_path / "mask.safetensors", base="b", data="d")


def test_full_training_moves_weights_without_a_mask_freely(folder: Path) -> None:
    loaded = load_model(folder)
    loaded.model.requires_grad_(True)
    factors = Mask(keep={}, initial={}, base="b", data="d").for_weights(loaded.model)
    assert all(bool(factor.all()) for factor in factors.values())
