"""Edits over a model: laid, lifted to the same bits, stacked, written and read back, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.records.interventions import INTERVENTIONS, Intervention
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from unlearn.interventions.stack import Layer, beneath_of, lay, lift, read_stack, save_stack, tensors_digest
from unlearn.models.loading import LoadedModel, load_model

PATH = "model.language_model.layers.1.mlp.down_proj"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("model") / "base", seed=1, hidden=32, layers=2))


def weight(loaded: LoadedModel) -> Tensor:
    found = loaded.model.get_submodule(PATH)
    assert isinstance(found, nn.Linear)
    return found.weight


def layer(form: str, tensors: dict[str, Tensor], *, beneath: str = "base") -> Layer:
    named = {f"{PATH}.{part}": each for part, each in tensors.items()}
    record = Intervention(kind="edit", form=form, beneath=beneath, tensors=tensors_digest(named))
    return record, named


FORMS: dict[str, Callable[[Tensor], dict[str, Tensor]]] = {
    "scaled": lambda w: {"index": torch.tensor([0, 7], dtype=torch.int32), "factor": torch.tensor([0.5, 0.0]).half()},
    "low_rank": lambda w: {"left": torch.ones(w.shape[0], 1), "right": torch.full((1, w.shape[1]), 0.1)},
    "dense": lambda w: {"delta": torch.full_like(w, 0.01)},
}
NOTHING: dict[str, Callable[[Tensor], dict[str, Tensor]]] = {
    "scaled": lambda w: {"index": torch.tensor([3], dtype=torch.int32), "factor": torch.tensor([1.0])},
    "low_rank": lambda w: {"left": torch.zeros(w.shape[0], 1), "right": torch.ones(1, w.shape[1])},
    "dense": lambda w: {"delta": torch.zeros_like(w)},
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_edit_changes_the_weight_and_lifting_it_gives_the_same_bits(loaded: LoadedModel, form: str) -> None:
    before = weight(loaded).detach().clone()
    laid = lay(loaded, [layer(form, FORMS[form](before))])
    assert not torch.equal(weight(loaded), before)
    lift(laid)
    assert torch.equal(weight(loaded), before)


@pytest.mark.parametrize("form", sorted(NOTHING))
def test_an_edit_of_strength_zero_keeps_every_bit(loaded: LoadedModel, form: str) -> None:
    before = weight(loaded).detach().clone()
    laid = lay(loaded, [layer(form, NOTHING[form](before))])
    assert torch.equal(weight(loaded), before)
    lift(laid)


def test_a_scaled_edit_multiplies_the_named_entries_alone(loaded: LoadedModel) -> None:
    before = weight(loaded).detach().clone()
    laid = lay(loaded, [layer("scaled", FORMS["scaled"](before))])
    expected = before.clone().flatten()
    expected[0] *= 0.5
    expected[7] = 0
    assert torch.equal(weight(loaded).flatten(), expected)
    lift(laid)


def test_a_low_rank_edit_adds_the_product_of_its_factors(loaded: LoadedModel) -> None:
    before = weight(loaded).detach().clone()
    laid = lay(loaded, [layer("low_rank", FORMS["low_rank"](before))])
    torch.testing.assert_close(weight(loaded).detach(), before + 0.1)
    lift(laid)


def test_edits_that_are_stacked_are_lifted_last_first(loaded: LoadedModel) -> None:
    before = weight(loaded).detach().clone()
    laid = lay(loaded, [layer("dense", FORMS["dense"](before)), layer("scaled", FORMS["scaled"](before))])
    assert weight(loaded).flatten()[7] == 0
    lift(laid)
    assert torch.equal(weight(loaded), before)


def test_a_stack_comes_back_from_its_files(loaded: LoadedModel, tmp_path: Path) -> None:
    first = layer("low_rank", FORMS["low_rank"](weight(loaded).detach()))
    second = layer("scaled", FORMS["scaled"](weight(loaded).detach()), beneath=beneath_of("base", [first]))
    save_stack(tmp_path, [first, second])
    found = read_stack(tmp_path, beneath="base")
    assert [record for record, _ in found] == [first[0], second[0]]
    for (_, expected), (_, tensors) in zip([first, second], found, strict=True):
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_stack_of_another_base_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    save_stack(tmp_path, [layer("dense", FORMS["dense"](weight(loaded).detach()))])
    with pytest.raises(BadInput, match="number 0 was made of base, and beneath it is other"):
        read_stack(tmp_path, beneath="other")


def test_a_stack_whose_middle_was_taken_out_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    stack: list[Layer] = []
    for _ in range(3):
        stack.append(layer("dense", FORMS["dense"](weight(loaded).detach()), beneath=beneath_of("base", stack)))
    save_stack(tmp_path, stack)
    path = tmp_path / INTERVENTIONS
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([rows[0], rows[2]]))
    with pytest.raises(BadInput, match="number 1 was made of .*, and beneath it is"):
        read_stack(tmp_path, beneath="base")


def test_a_stack_without_its_tensors_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    save_stack(tmp_path, [layer("dense", FORMS["dense"](weight(loaded).detach()))])
    (tmp_path / "0.safetensors").unlink()
    with pytest.raises(BadInput, match="0.safetensors: is missing"):
        read_stack(tmp_path, beneath="base")


@pytest.mark.parametrize(
    ("form", "tensors", "said"),
    [
        ("dense", {"delta": torch.zeros(2, 2)}, r"does not fit a weight of shape"),
        ("dense", {"delta": torch.tensor([[float("nan")]])}, r"holds numbers that are not finite"),
        ("low_rank", {"left": torch.zeros(32, 1)}, r"lacks its right"),
        ("scaled", {"index": torch.tensor([10**6]), "factor": torch.ones(1)}, r"does not fit a weight of shape"),
        ("woven", {"delta": torch.zeros(2, 2)}, r"edit woven: is not known"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_in_a_line(
    loaded: LoadedModel, form: str, tensors: dict[str, Tensor], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        lay(loaded, [layer(form, tensors)])


def test_a_stack_of_which_one_does_not_fit_is_not_laid_at_all(loaded: LoadedModel) -> None:
    before = weight(loaded).detach().clone()
    with pytest.raises(BadInput, match="does not fit"):
        lay(loaded, [layer("dense", FORMS["dense"](before)), layer("dense", {"delta": torch.zeros(2, 2)})])
    assert torch.equal(weight(loaded), before)


def test_an_edit_of_a_layer_that_is_not_there_is_refused(loaded: LoadedModel) -> None:
    record = Intervention(kind="edit", form="dense", beneath="base")
    with pytest.raises(BadInput, match="edit of model.nowhere: the model has no such linear layer"):
        lay(loaded, [(record, {"model.nowhere.delta": torch.zeros(1)})])
