"""unlearn.models.loading: loading, adapters on the language half alone, logits where answers are."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import BUILDERS, picture, tiny_qwen
from unlearn.memory.estimate import MemoryEstimate, memory_estimate
from unlearn.models.adapters import add_lora, save_adapter
from unlearn.models.anatomy import language_linears
from unlearn.models.digests import folder_digest
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, adapter_off, answer_window
from unlearn.models.loading import grow_embeddings, load_model

FAMILIES = sorted(BUILDERS)
SAMPLES = [
    TrainingSample(sample_id="Ada_01", subject_id="001", modality="qa", prompt="Where was Ada born?", answer="London"),
    TrainingSample(
        sample_id="Ada_02", subject_id="001", modality="vqa", prompt="What is her trade?",
        answer="a composer from Vienna", image=picture(1),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    return {name: build(home / name) for name, build in BUILDERS.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_vision_module_has_an_adapter(folders: dict[str, Path], family: str) -> None:
    loaded = load_model(folders[family])
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    adapted = [name for name, _ in model.named_modules() if name.endswith("lora_A")]
    assert adapted
    assert all(f".{loaded.family.language}." in name for name in adapted)
    assert not any(f".{tower}." in name for name in adapted for tower in loaded.family.vision)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_linear_of_the_language_model_has_an_adapter(folders: dict[str, Path], family: str) -> None:
    loaded = load_model(folders[family])
    wanted = language_linears(loaded.model, loaded.family)
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    adapted = {name.removesuffix(".lora_A") for name, _ in model.named_modules() if name.endswith("lora_A")}
    assert len(wanted) == 14  # 2 layers of q, k, v, o, gate, up, down
    assert {name.removeprefix("base_model.model.") for name in adapted} == set(wanted)


def test_the_adapter_is_drawn_from_its_seed(folders: dict[str, Path]) -> None:
    def first(seed: int) -> torch.Tensor:
        loaded = load_model(folders["qwen3_vl"])
        model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=seed)
        return next(weight for name, weight in model.named_parameters() if "lora_A" in name)

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize("family", FAMILIES)
def test_answer_logits_give_the_loss_of_full_logits(folders: dict[str, Path], family: str) -> None:
    loaded = load_model(folders[family])
    batch = Encoder(loaded.processor, loaded.family).batch(SAMPLES)
    with torch.no_grad():
        logits, labels = AnswerModel(loaded.model, loaded.family)(batch.inputs, batch.labels)
        full = loaded.model(**batch.inputs).logits
    few = cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none").sum(1)
    all_ = cross_entropy(full[:, :-1].transpose(1, 2), batch.labels[:, 1:], reduction="none").sum(1)
    assert torch.allclose(few, all_, atol=1e-5)
    assert logits.shape[1] == int(batch.labels.ne(-100).sum(1).max()) + 1


def test_answer_window_starts_one_token_before_each_answer() -> None:
    labels = torch.tensor([[-100, -100, 5, 6, -100], [-100, -100, -100, -100, 7]])
    positions, window = answer_window(labels)
    assert positions.tolist() == [[1, 2, 3], [3, 4, 4]]
    assert window.tolist() == [[-100, 5, 6], [-100, 7, -100]]


def test_adapter_off_is_the_model_before_training(folders: dict[str, Path]) -> None:
    loaded = load_model(folders["qwen3_vl"])
    batch = Encoder(loaded.processor, loaded.family).batch(SAMPLES)
    with torch.no_grad():
        before, _ = AnswerModel(loaded.model, loaded.family)(batch.inputs, batch.labels)
    network = AnswerModel(add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1), loaded.family)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
        moved, _ = network(batch.inputs, batch.labels)
    with adapter_off(network):
        reference, _ = network(batch.inputs, batch.labels)
    assert torch.equal(reference, before)
    assert not torch.allclose(moved, before)


def test_a_model_without_adapter_has_no_reference(folders: dict[str, Path]) -> None:
    loaded = load_model(folders["qwen3_vl"])
    with pytest.raises(BadInput, match="no adapter"), adapter_off(AnswerModel(loaded.model, loaded.family)):
        pass


def test_a_saved_adapter_loads_on_its_base(folders: dict[str, Path], tmp_path: Path) -> None:
    loaded = load_model(folders["qwen3_vl"])
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    save_adapter(model, tmp_path / "adapter", base_digest=folder_digest(folders["qwen3_vl"]))
    again = load_model(folders["qwen3_vl"], adapter=tmp_path / "adapter").model
    stored = {name: weight for name, weight in again.named_parameters() if "lora_" in name}
    assert stored
    assert all(torch.equal(weight, stored[name]) for name, weight in model.named_parameters() if "lora_" in name)


def test_an_adapter_of_another_base_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    loaded = load_model(folders["qwen3_vl"])
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    save_adapter(model, tmp_path / "adapter", base_digest="0" * 32)
    with pytest.raises(BadInput, match="trained on weights 0000"):
        load_model(folders["qwen3_vl"], adapter=tmp_path / "adapter")


def test_a_folder_without_adapter_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"adapter_config\.json"):
        load_model(folders["qwen3_vl"], adapter=tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_are_never_shrunk(folders: dict[str, Path], family: str) -> None:
    loaded = load_model(folders[family])
    rows = loaded.model.get_input_embeddings().weight.shape[0]
    grow_embeddings(loaded.model, rows - 5)
    assert loaded.model.get_input_embeddings().weight.shape[0] == rows
    grow_embeddings(loaded.model, rows + 5)
    assert loaded.model.get_input_embeddings().weight.shape[0] == rows + 5


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        load_model(tmp_path / "absent")


def test_a_model_that_continues_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(BadInput, match="'clip' is neither a vision-language nor a causal language model"):
        load_model(tmp_path)


def test_a_folder_without_processor_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["qwen3_vl"], tmp_path / "model")
    for file in [*(tmp_path / "model").glob("*processor*"), *(tmp_path / "model").glob("token*")]:
        file.unlink()
    with pytest.raises(BadInput, match="processor"):
        load_model(tmp_path / "model")


def test_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["qwen3_vl"], tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(BadInput, match="pickled"):
        load_model(tmp_path / "model")


def test_the_digest_follows_the_weights_and_not_the_place(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["qwen3_vl"], tmp_path / "copy")
    assert folder_digest(tmp_path / "copy") == folder_digest(folders["qwen3_vl"])
    assert folder_digest(folders["gemma3"]) != folder_digest(folders["qwen3_vl"])


def test_the_memory_estimate_counts_the_weights_without_loading_them(folders: dict[str, Path]) -> None:
    loaded = load_model(folders["qwen3_vl"])
    count = sum(weight.numel() for weight in loaded.model.parameters())
    estimate = memory_estimate(folders["qwen3_vl"], dtype=torch.float32, batch=2, length=100, rank=None)
    assert estimate.weights == 4 * count
    # All weights move: a gradient and two moments of fp32 each.
    assert estimate.training == 12 * count


def test_a_memory_estimate_of_little_is_said_in_mib() -> None:
    line = MemoryEstimate(weights=3 * 2**19, training=2**29, activations=0).line()
    assert line == "about 0.50 GiB of memory (weights 1.50 MiB, training state 0.50 GiB, activations 0.00 MiB)"


def test_the_memory_estimate_of_an_adapter_counts_only_its_weights(folders: dict[str, Path]) -> None:
    loaded = load_model(folders["qwen3_vl"])
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    moving = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    estimate = memory_estimate(folders["qwen3_vl"], dtype=torch.float32, batch=2, length=100, rank=2)
    assert estimate.training == 16 * moving


def test_the_same_texts_and_seed_give_the_same_tiny_model(tmp_path: Path) -> None:
    assert folder_digest(tiny_qwen(tmp_path / "a")) == folder_digest(tiny_qwen(tmp_path / "b"))
