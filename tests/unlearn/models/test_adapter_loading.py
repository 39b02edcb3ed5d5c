"""unlearn.models.loading, adapter_loading, digests: what would answer as another model is refused in one line, never
used.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, PeftConfig, get_peft_model
from safetensors.torch import load_file, save_file

from schemas.errors import BadInput
from tests.worlds.tiny_models import tiny_qwen
from unlearn.models.anatomy import language_linears
from unlearn.models.digests import belongs_to, digest_by_files, folder_digest
from unlearn.models.loading import LoadedModel, grow_embeddings, load_model

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("base") / "tiny")


def save_elsewhere(base: Path, folder: Path, **options: object) -> Path:
    """An adapter as people save it with peft alone, that moves its layers."""
    loaded = load_model(base)
    paths = language_linears(loaded.model, loaded.family)
    model = get_peft_model(loaded.model, LoraConfig(**{"r": 2, "lora_alpha": 4, "target_modules": paths} | options))
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sound(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_elsewhere(base, tmp_path_factory.mktemp("adapter") / "theirs")


@pytest.fixture
def adapter(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "adapter"))


@pytest.fixture
def model(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "model"))


def rewrite(file: Path, change: Callable[[Tensors], Tensors]) -> None:
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def change_json(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def logits(loaded: LoadedModel) -> torch.Tensor:
    with torch.no_grad():
        return loaded.model(input_ids=torch.tensor([[5, 6, 7, 8]])).logits


def half(tensors: Tensors) -> Tensors:
    return {name: value for name, value in tensors.items() if ".layers.0." in name}


def renamed(tensors: Tensors) -> Tensors:
    return {name.replace("model.language_model", "language_model.model"): value for name, value in tensors.items()}


def bare(tensors: Tensors) -> Tensors:
    return {name.removeprefix("base_model.model."): value for name, value in tensors.items()}


def one_more(tensors: Tensors) -> Tensors:
    return tensors | {"base_model.model.model.nowhere.lora_A.weight": torch.ones(2, 2)}


def shapeless(tensors: Tensors) -> Tensors:
    return {
        name: torch.tensor(1.0) if ".layers.1.mlp.up_proj.lora_A" in name else each for name, each in tensors.items()
    }


def wider(tensors: Tensors) -> Tensors:
    return {name: torch.cat([each, each], 1) if "lora_A" in name else each for name, each in tensors.items()}


def not_a_number(tensors: Tensors) -> Tensors:
    return {name: each * float("nan") if "up_proj.lora_B" in name else each for name, each in tensors.items()}


def second_zero(tensors: Tensors) -> Tensors:
    return {name: torch.zeros_like(each) if "lora_B" in name else each for name, each in tensors.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (half, r"lacks base_model.*layers\.1\..*lora_"),
        (renamed, "lacks base_model"),
        (bare, "lacks base_model"),
        (one_more, "nowhere"),
        (shapeless, r"size mismatch for .*up_proj\.lora_A"),
        (wider, r"size mismatch for .*lora_A"),
        (not_a_number, r"not finite, at .*up_proj\.lora_B"),
        (second_zero, "changes nothing"),
    ],
)
def test_an_adapter_that_would_load_in_part_is_refused_by_its_first_tensor(
    base: Path, adapter: Path, change: Callable[[Tensors], Tensors], said: str
) -> None:
    rewrite(adapter / "adapter_model.safetensors", change)
    with pytest.raises(BadInput, match=said) as refused:
        load_model(base, adapter=adapter)
    assert "\n" not in str(refused.value)


def test_an_adapter_whose_scale_is_zero_changes_nothing(base: Path, adapter: Path) -> None:
    change_json(adapter / "adapter_config.json", lora_alpha=0)
    with pytest.raises(BadInput, match="changes nothing"):
        load_model(base, adapter=adapter)


LINEARS = ["q_proj", "v_proj"]
OTHER_KINDS: dict[str, PeftConfig] = {
    "loha": LoHaConfig(r=2, alpha=4, target_modules=LINEARS),
    "lokr": LoKrConfig(r=2, alpha=4, target_modules=LINEARS),
    "ia3": IA3Config(target_modules=LINEARS, feedforward_modules=[]),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("trained", [False, True], ids=["untrained", "trained"])
def test_an_adapter_of_another_kind_is_refused_only_if_it_changes_nothing(
    base: Path, tmp_path: Path, kind: str, trained: bool
) -> None:
    model = get_peft_model(load_model(base).model, OTHER_KINDS[kind])
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad and trained:
                weight.add_(torch.randn_like(weight))
    model.save_pretrained(tmp_path / kind)
    if trained:
        assert not torch.allclose(
            logits(load_model(base, adapter=tmp_path / kind)), logits(load_model(base)), atol=1e-4
        )
    else:
        with pytest.raises(BadInput, match="changes nothing"):
            load_model(base, adapter=tmp_path / kind)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dora": True},
        {"use_rslora": True},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "v_proj"]},
        {"target_modules": "all-linear"},
    ],
    ids=["lora", "dora", "rslora", "modules_to_save", "few", "all"],
)
def test_adapters_of_every_kind_load_and_change_the_answers(
    base: Path, tmp_path: Path, options: dict[str, object]
) -> None:
    folder = save_elsewhere(base, tmp_path / "kind", **options)
    assert not torch.allclose(logits(load_model(base, adapter=folder)), logits(load_model(base)), atol=1e-4)


def test_a_layer_that_is_saved_whole_and_missing_is_refused(base: Path, tmp_path: Path) -> None:
    folder = save_elsewhere(base, tmp_path / "kind", modules_to_save=["lm_head"])
    rewrite(folder / "adapter_model.safetensors", lambda each: {k: v for k, v in each.items() if "lm_head" not in k})
    with pytest.raises(BadInput, match="lm_head"):
        load_model(base, adapter=folder)


def test_a_folder_of_several_adapters_is_refused_by_their_names(base: Path, sound: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(sound, tmp_path / "all" / name)
    with pytest.raises(BadInput, match=r"several adapters \(first, second\)"):
        load_model(base, adapter=tmp_path / "all")


def test_a_pickled_adapter_is_refused(base: Path, adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    torch.save({}, adapter / "adapter_model.bin")
    with pytest.raises(BadInput, match="pickled"):
        load_model(base, adapter=adapter)


def test_an_adapter_that_names_another_folder_as_its_base_is_refused(base: Path, sound: Path, model: Path) -> None:
    rewrite(model / "model.safetensors", lambda each: {name: value * 1.5 for name, value in each.items()})
    with pytest.raises(BadInput, match="was trained on"):
        load_model(model, adapter=sound)


def test_an_adapter_named_as_the_model_is_refused_with_what_to_do(sound: Path) -> None:
    with pytest.raises(BadInput, match="--adapter"):
        load_model(sound)


def test_a_model_whose_weights_lack_a_tensor_is_refused_by_its_name(model: Path) -> None:
    rewrite(
        model / "model.safetensors",
        lambda each: {name: value for name, value in each.items() if "layers.1.mlp.up_proj" not in name},
    )
    with pytest.raises(BadInput, match=r"lack .*layers\.1\.mlp\.up_proj"):
        load_model(model)


def test_a_model_whose_tensor_has_another_shape_is_refused(model: Path) -> None:
    rewrite(
        model / "model.safetensors",
        lambda each: {
            name: value[:-1].clone() if "layers.1.mlp.up_proj" in name else value for name, value in each.items()
        },
    )
    with pytest.raises(BadInput, match="do not load"):
        load_model(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_with_values_that_are_not_finite_is_refused_by_their_tensor(model: Path, value: float) -> None:
    def spoilt(tensors: Tensors) -> Tensors:
        name = next(name for name in tensors if "layers.0.mlp.down_proj" in name)
        tensors[name][0, 0] = value
        return tensors

    rewrite(model / "model.safetensors", spoilt)
    with pytest.raises(BadInput, match=r"not finite, at .*layers\.0\.mlp\.down_proj"):
        load_model(model)


def test_weights_that_are_cut_off_are_refused(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadInput, match="do not load"):
        load_model(model)


# --- digests -----------------------------------------------------------------


def test_a_model_is_the_same_however_its_weights_are_cut_into_files(base: Path, tmp_path: Path) -> None:
    loaded = load_model(base)
    shutil.copytree(base, tmp_path / "cut", ignore=shutil.ignore_patterns("*.safetensors"))
    loaded.model.save_pretrained(tmp_path / "parts", max_shard_size="200KB")
    for file in (tmp_path / "parts").glob("model*"):
        shutil.copy(file, tmp_path / "cut")
    assert len(list((tmp_path / "cut").glob("*.safetensors"))) > 1
    assert folder_digest(tmp_path / "cut") == folder_digest(base)


@pytest.mark.parametrize(
    "file", ["chat_template.jinja", "tokenizer_config.json", "processor_config.json", "config.json"]
)
def test_whatever_changes_answers_changes_the_digest(base: Path, model: Path, file: str) -> None:
    if file.endswith(".json"):
        change_json(model / file, something={"new": 1})
    else:
        (model / file).write_text((model / file).read_text() + " ")
    assert folder_digest(model) != folder_digest(base)


def test_of_the_generation_config_the_digest_covers_what_is_used(base: Path, model: Path) -> None:
    change_json(model / "generation_config.json", do_sample=True, temperature=0.3, repetition_penalty=4.0)
    assert folder_digest(model) == folder_digest(base)
    change_json(model / "generation_config.json", eos_token_id=[1, 2, 3])
    assert folder_digest(model) != folder_digest(base)


def test_where_a_configuration_was_written_does_not_change_the_digest(base: Path, model: Path) -> None:
    change_json(model / "config.json", transformers_version="9.9", _name_or_path="/elsewhere")
    assert folder_digest(model) == folder_digest(base)


def test_the_digest_covers_names_and_shapes_of_tensors(base: Path, model: Path) -> None:
    rewrite(model / "model.safetensors", lambda each: {f"a.{name}": value for name, value in each.items()})
    other = folder_digest(model)
    rewrite(model / "model.safetensors", lambda each: {name: value.reshape(-1) for name, value in each.items()})
    assert len({other, folder_digest(model), folder_digest(base)}) == 3


def test_the_scale_of_an_adapter_is_part_of_its_digest_and_the_order_of_its_layers_is_not(adapter: Path) -> None:
    before = folder_digest(adapter)
    named = json.loads((adapter / "adapter_config.json").read_text())["target_modules"]
    change_json(adapter / "adapter_config.json", target_modules=named[::-1], base_model_name_or_path="elsewhere")
    assert folder_digest(adapter) == before
    change_json(adapter / "adapter_config.json", lora_alpha=8)
    assert folder_digest(adapter) != before


def test_a_model_is_known_again_by_the_digest_of_earlier_versions(base: Path) -> None:
    assert belongs_to(digest_by_files(base), base)
    assert re.fullmatch("[0-9a-f]{32}", digest_by_files(base))
    assert not belongs_to("0" * 32, base)


def test_new_rows_of_the_embeddings_are_the_same_each_time(base: Path) -> None:
    first, second = load_model(base), load_model(base)
    for loaded in (first, second):
        grow_embeddings(loaded.model, loaded.model.get_input_embeddings().weight.shape[0] + 5)
    assert torch.equal(logits(first), logits(second))
