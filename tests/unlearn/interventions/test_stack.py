"""The stack: each form laid and lifted to the bit, saved and read, set upon what it was made on, and refused else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.records.interventions import INTERVENTIONS, Intervention
from tests.worlds.tiny_models import tiny_qwen
from unlearn.interventions.files import read_stack, save_stack
from unlearn.interventions.parts import Part
from unlearn.interventions.stack import lay, lay_above, lift, without
from unlearn.models.adapters import add_lora, save_adapter
from unlearn.models.digests import folder_digest
from unlearn.models.loading import LoadedModel, load_model

DOWN = "model.language_model.layers.1.mlp.down_proj"
MLP = "model.language_model.layers.1.mlp"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen(tmp_path_factory.mktemp("stack") / "base")


@pytest.fixture(scope="module")
def loaded(home: Path) -> LoadedModel:
    return load_model(home)


@pytest.fixture(scope="module")
def base(home: Path) -> str:
    return folder_digest(home)


@pytest.fixture(scope="module")
def adapters(home: Path, tmp_path_factory: pytest.TempPathFactory, base: str) -> list[Path]:
    """Two saved adapters of the base."""
    found = []
    for seed in (1, 2):
        model = load_model(home)
        adapted = add_lora(model.model, model.family, rank=2, alpha=4, dropout=0.0, seed=seed)
        torch.manual_seed(seed)
        for name, weight in adapted.named_parameters():
            if ".lora_B." in name:
                nn.init.normal_(weight, std=0.05)
        found.append(tmp_path_factory.mktemp("adapters") / str(seed))
        save_adapter(adapted, found[-1], base_digest=base)
    return found


def edit(form: str, tensors: dict[str, Tensor], **numbers: JsonValue) -> Part:
    record = Intervention(kind="edit", form=form, numbers=numbers)
    return Part(record, {f"{DOWN}.{name}": tensor for name, tensor in tensors.items()})


def zeroed(loaded: LoadedModel) -> Part:
    record = Intervention(kind="edit", form="zeroed", numbers={"unit": "hidden", "share": 0.02})
    return Part(record, {f"{MLP}.index": torch.tensor([1, 3])})


def scaled(loaded: LoadedModel, **numbers: JsonValue) -> Part:
    return edit("scaled", {"index": torch.tensor([0, 5, 7]), "factor": torch.tensor([0.5, 0.0, 0.25])}, **numbers)


def low_rank(loaded: LoadedModel, **numbers: JsonValue) -> Part:
    rows, columns = weight(loaded).shape
    made = torch.Generator().manual_seed(3)
    left, right = torch.randn(rows, 2, generator=made), torch.randn(2, columns, generator=made)
    return edit("low_rank", {"left": left, "right": right}, **numbers)


def dense(loaded: LoadedModel, **numbers: JsonValue) -> Part:
    return edit("dense", {"delta": torch.full(weight(loaded).shape, 0.125)}, **numbers)


def seeded(loaded: LoadedModel, **numbers: JsonValue) -> Part:
    return edit("seeded", {"index": torch.arange(0, 40, 2)}, **{"seed": 4, "sigma": 0.5, **numbers})


EDITS: dict[str, Callable[..., Part]] = {
    "scaled": scaled, "low_rank": low_rank, "dense": dense, "seeded": seeded
}  # fmt: skip


def weight(loaded: LoadedModel) -> Tensor:
    module: nn.Module = loaded.model
    return module.get_submodule(DOWN).weight  # type: ignore[return-value]


def bits(loaded: LoadedModel) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in loaded.model.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def logits(loaded: LoadedModel) -> Tensor:
    ids = torch.arange(5, 17)[None]
    with torch.inference_mode():
        return loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits  # type: ignore[no-any-return]


@pytest.mark.parametrize("form", ["zeroed", *EDITS])
def test_an_edit_that_is_lifted_leaves_the_same_bits(loaded: LoadedModel, base: str, form: str) -> None:
    before = bits(loaded)
    laid = lay(loaded, [{"zeroed": zeroed, **EDITS}[form](loaded)], base=base)
    assert not same(bits(laid.model), before)
    assert same(bits(lift(laid).model), before)


@pytest.mark.parametrize("form", EDITS)
def test_an_edit_of_strength_0_is_the_base(loaded: LoadedModel, base: str, form: str) -> None:
    before = bits(loaded)
    laid = lay(loaded, [EDITS[form](loaded, strength=0)], base=base)
    assert same(bits(laid.model), before)
    lift(laid)


def test_scaled_weights_are_multiplied_at_their_place_in_the_flat_weight(loaded: LoadedModel, base: str) -> None:
    old = weight(loaded).detach().flatten()[:8].clone()
    laid = lay(loaded, [scaled(loaded, strength=0.5)], base=base)
    # 1 + 0.5 (0.5 - 1) = 0.75; 1 + 0.5 (0 - 1) = 0.5; 1 + 0.5 (0.25 - 1) = 0.625
    factors = torch.tensor([0.75, 1, 1, 1, 1, 0.5, 1, 0.625])
    assert torch.allclose(weight(loaded).flatten()[:8], old * factors, rtol=1e-6)
    lift(laid)


def test_a_low_rank_edit_adds_left_times_right(loaded: LoadedModel, base: str) -> None:
    old, part = weight(loaded).detach().clone(), low_rank(loaded, strength=2)
    laid = lay(loaded, [part], base=base)
    wanted = old + 2 * part.tensors[f"{DOWN}.left"] @ part.tensors[f"{DOWN}.right"]
    assert torch.allclose(weight(loaded), wanted, atol=1e-6)
    lift(laid)


def test_seeded_noise_has_the_deviation_that_is_asked_for_and_is_drawn_again_alike(
    loaded: LoadedModel, base: str
) -> None:
    old = weight(loaded).detach().clone()
    everywhere = edit("seeded", {"index": torch.arange(old.numel())}, seed=1, sigma=0.5)
    drawn = []
    for _ in range(2):
        laid = lay(loaded, [everywhere], base=base)
        drawn.append(weight(loaded).detach() - old)
        lift(laid)
    assert torch.equal(*drawn)
    assert float(drawn[0].std() / old.std()) == pytest.approx(0.5, rel=0.05)


def test_two_adapters_add_up_and_come_off_to_the_bit(
    loaded: LoadedModel, base: str, adapters: list[Path], home: Path
) -> None:
    before, plain = bits(loaded), logits(loaded)
    peft = Intervention(kind="adapter", form="peft")
    laid = lay(loaded, [Part(peft, folder=folder) for folder in adapters], base=base)
    both = logits(laid.model)
    lower = lift(laid, keep=1)
    first = logits(lower.model)
    assert not torch.allclose(first, plain, atol=1e-4)
    assert not torch.allclose(both, first, atol=1e-4)
    assert torch.equal(first, logits(load_model(home, adapter=adapters[0])))
    assert same(bits(lift(lower).model), before)


def test_a_scaled_edit_above_an_adapter_scales_what_both_come_to(
    loaded: LoadedModel, base: str, adapters: list[Path]
) -> None:
    before = bits(loaded)
    peft = Part(Intervention(kind="adapter", form="peft"), folder=adapters[0])
    laid = lay(loaded, [peft], base=base)
    module = loaded.model.get_submodule(DOWN)
    delta = module.get_delta_weight("default").detach().flatten()[:8]
    old = module.base_layer.weight.detach().flatten()[:8].clone()
    laid = lay_above(laid, [scaled(loaded)])
    assert torch.allclose(weight(loaded).flatten()[:8], (old + delta) * torch.tensor([0.5, 1, 1, 1, 1, 0, 1, 0.25]))
    assert same(bits(lift(laid).model), before)


def test_a_stack_is_read_as_it_was_saved(loaded: LoadedModel, base: str, adapters: list[Path], tmp_path: Path) -> None:
    peft = Part(Intervention(kind="adapter", form="peft"), folder=adapters[0])
    saved = save_stack(tmp_path, [peft, *(make(loaded) for make in EDITS.values())], base=base)
    laid = lay(loaded, saved, base=base)
    found, digest = logits(laid.model), laid.digest
    lift(laid)
    again = lay(loaded, read_stack(tmp_path, beneath=base), base=base)
    assert torch.equal(logits(again.model), found)
    assert again.digest == digest
    lift(again)


def test_a_stack_with_its_middle_removed_is_refused(loaded: LoadedModel, base: str, tmp_path: Path) -> None:
    save_stack(tmp_path, [scaled(loaded), dense(loaded), low_rank(loaded)], base=base)
    file = tmp_path / INTERVENTIONS
    whole = json.loads(file.read_text())
    del whole["interventions"][1]
    file.write_text(json.dumps(whole))
    with pytest.raises(BadInput, match=r"part 1 \(edit low_rank\) was made on something else .* one is missing"):
        read_stack(tmp_path, beneath=base)


def test_a_stack_of_another_base_is_refused(loaded: LoadedModel, base: str, tmp_path: Path) -> None:
    save_stack(tmp_path, [scaled(loaded)], base=base)
    with pytest.raises(BadInput, match=f"part 0 .* was made on {base}, not on another"):
        read_stack(tmp_path, beneath="another")


def test_tensors_that_were_changed_on_disk_are_refused(loaded: LoadedModel, base: str, tmp_path: Path) -> None:
    save_stack(tmp_path / "a", [scaled(loaded)], base=base)
    save_stack(tmp_path / "b", [edit("scaled", {"index": torch.tensor([1]), "factor": torch.tensor([0.5])})], base=base)
    (tmp_path / "b" / "0.safetensors").rename(tmp_path / "a" / "0.safetensors")
    with pytest.raises(BadInput, match="not those that were saved"):
        read_stack(tmp_path / "a", beneath=base)


def test_a_part_made_on_the_base_is_not_laid_above_another(loaded: LoadedModel, base: str, tmp_path: Path) -> None:
    (part,) = save_stack(tmp_path, [dense(loaded)], base=base)
    before = bits(loaded)
    with pytest.raises(BadInput, match="was made on"):
        lay(loaded, [scaled(loaded), part], base=base)
    assert same(bits(loaded), before)


BAD: dict[str, tuple[dict[str, Tensor], dict[str, JsonValue], str]] = {
    "negative": ({"delta": torch.zeros(64, 128)}, {"strength": -1}, "its strength is -1"),
    "huge": ({"delta": torch.zeros(64, 128)}, {"strength": 1e9}, "its strength is 1e[+]09"),
    "no number": ({"delta": torch.zeros(64, 128)}, {"strength": "much"}, "its strength is 'much'"),
    "shape": ({"delta": torch.zeros(3, 3)}, {}, r"has the shape \[3, 3\]"),
    "nan": ({"delta": torch.full((64, 128), torch.nan)}, {}, "not finite"),
    "missing": ({"left": torch.zeros(64, 1)}, {}, "lacks the tensor"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_edit_is_refused_and_leaves_the_bits(loaded: LoadedModel, base: str, why: str) -> None:
    tensors, numbers, message = BAD[why]
    before = bits(loaded)
    with pytest.raises(BadInput, match=message):
        lay(loaded, [scaled(loaded), edit("dense", tensors, **numbers)], base=base)
    assert same(bits(loaded), before)


def test_an_index_outside_of_the_weight_is_refused(loaded: LoadedModel, base: str) -> None:
    part = edit("scaled", {"index": torch.tensor([10**8]), "factor": torch.tensor([0.5])})
    with pytest.raises(BadInput, match="points outside of"):
        lay(loaded, [part], base=base)


def test_an_adapter_under_another_is_taken_out_and_the_other_is_what_it_is_alone(
    loaded: LoadedModel, base: str, adapters: list[Path], home: Path, tmp_path: Path
) -> None:
    peft = Intervention(kind="adapter", form="peft")
    both = save_stack(tmp_path, [Part(peft, folder=folder) for folder in adapters], base=base)
    laid = lay(loaded, without(both, 0, base=base), base=base)
    assert torch.equal(logits(laid.model), logits(load_model(home, adapter=adapters[1])))
    lift(laid)


def test_an_edit_under_another_cannot_be_taken_out(loaded: LoadedModel, base: str, tmp_path: Path) -> None:
    both = save_stack(tmp_path, [dense(loaded), scaled(loaded)], base=base)
    with pytest.raises(BadInput, match="the edit scaled above was made on it"):
        without(both, 0, base=base)


def test_an_adapter_below_an_edit_that_is_lifted_acts_as_before(
    loaded: LoadedModel, base: str, adapters: list[Path], home: Path
) -> None:
    peft = Part(Intervention(kind="adapter", form="peft"), folder=adapters[0])
    lower = lift(lay(loaded, [peft, scaled(loaded)], base=base), keep=1)
    assert torch.equal(logits(lower.model), logits(load_model(home, adapter=adapters[0])))
    lift(lower)


def test_an_adapter_below_an_edit_that_is_refused_acts_as_before(
    loaded: LoadedModel, base: str, adapters: list[Path], home: Path
) -> None:
    lower = lay(loaded, [Part(Intervention(kind="adapter", form="peft"), folder=adapters[0])], base=base)
    with pytest.raises(BadInput, match="points outside of"):
        lay_above(lower, [edit("scaled", {"index": torch.tensor([10**8]), "factor": torch.tensor([0.5])})])
    assert torch.equal(logits(lower.model), logits(load_model(home, adapter=adapters[0])))
    lift(lower)


def test_steering_that_is_lifted_leaves_what_lies_below_it(loaded: LoadedModel, base: str) -> None:
    made = Intervention(kind="steering", form="rotate")
    steered = Part(made, {"model.language_model.layers.0.vectors": torch.ones(1, weight(loaded).shape[0])})
    laid = lay(loaded, [dense(loaded), steered], base=base)
    lower = lift(laid, keep=1)
    assert laid.model.live is not None
    assert lower.model.live is None
    assert [part.name for part in lower.parts] == ["edit dense"]
    lift(lower)


def test_steering_on_a_family_without_plain_blocks_is_refused_in_a_line(loaded: LoadedModel, base: str) -> None:
    odd = replace(loaded, family=loaded.family.model_copy(update={"language": "model.visual"}))
    with pytest.raises(BadInput, match="needs plain decoder blocks, and qwen3_vl has none at model.visual.layers"):
        lay(odd, [Part(Intervention(kind="steering", form="rotate"))], base=base)


def test_steering_of_another_width_is_refused(loaded: LoadedModel, base: str) -> None:
    made = Intervention(kind="steering", form="rotate")
    with pytest.raises(BadInput, match="and states are of size"):
        lay(loaded, [Part(made, {"model.language_model.layers.0.vectors": torch.ones(1, 7)})], base=base)
