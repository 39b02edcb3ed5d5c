"""Penalties on weights: sliced Wasserstein distance and overlap with retain directions, by hand."""

from pathlib import Path

import pytest
import torch

from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from unlearn.losses.terms import ascent
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.loading import load_model
from unlearn.presets import numbers_for
from unlearn.weights.penalties import block_of, drop_small_groups, group_squares, overlap, transport
from unlearn.weights.starts import adapted_linears, matrices


def test_the_distance_is_that_of_sorted_projections_summed_over_rows() -> None:
    # 1, 3 against 2, 5: (2 - 1)^2 + (5 - 3)^2
    assert transport(torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [2.0]])).item() == 5.0


def test_the_distance_is_a_mean_over_directions() -> None:
    old, new = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    assert transport(old, new).item() == 5.0  # (1 + 9) / 2


def test_the_order_of_rows_does_not_matter() -> None:
    values = torch.tensor([[0.3, 1.0], [-2.0, 0.5], [4.0, -1.0]])
    assert transport(values, values[[2, 0, 1]]).item() == 0.0


def test_at_the_start_the_distance_has_no_gradient() -> None:
    old, moved = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1, requires_grad=True)
    transport(old, old + moved).backward()  # type: ignore[no-untyped-call]
    assert moved.grad is not None
    assert moved.grad.tolist() == [[0.0], [0.0]]


def test_overlap_is_the_squared_length_of_b_in_the_directions() -> None:
    second = torch.tensor([[1.0], [0.0]])
    assert overlap(second, torch.tensor([[1.0], [0.0]])).item() == 1.0
    assert overlap(second, torch.tensor([[0.0], [1.0]])).item() == 0.0
    assert overlap(torch.tensor([[1.0, 2.0], [0.0, 5.0]]), torch.tensor([[1.0], [0.0]])).item() == 5.0


def test_opt_out_has_the_authors_weights() -> None:
    numbers, _ = numbers_for("opt-out", preset="default", parameters=10**9, family="")
    assert METHODS["opt-out"].terms == ("npo", "descent")
    assert (numbers.transport_weight, numbers.transport_directions, numbers.beta) == (0.1, 100, 0.1)


@pytest.mark.parametrize("name", ["fila-gd", "vila-gd", "reglu-ga", "null-space"])
def test_a_row_with_a_start_says_so_in_its_numbers(name: str) -> None:
    numbers, _ = numbers_for(name, preset="default", parameters=10**9, family="")
    assert name.startswith(numbers.adapter_start)


def test_a_group_is_a_numbered_block() -> None:
    assert block_of("base_model.model.model.layers.12.mlp.down_proj") == "base_model.model.model.layers.12"
    assert block_of("model.head") == "model.head"


def test_a_block_is_a_group_by_both_norms_and_a_small_one_loses_its_adapter(tmp_path: Path) -> None:
    loaded = load_model(make_tiny_model(TEXTS, tmp_path / "base", seed=1, hidden=32, layers=2))
    model = add_lora(loaded.model, loaded.family, rank=1, alpha=1, dropout=0.0, seed=0, on="mlp")
    layers = adapted_linears(model)
    with torch.no_grad():
        for name, layer in layers.items():
            first, second = matrices(layer)
            first.zero_()
            second.zero_()
            if name.endswith("down_proj"):
                first[0, 0] = 3.0
                second[0, 0] = 4.0 if ".0." in name else 1e-3
    assert all(".mlp." in name for name in layers)
    first_block, second_block = (
        float(value.detach()) ** 0.5 for value in group_squares(layers, norm="factors").values()
    )
    assert (first_block, second_block) == (5.0, pytest.approx(3.0, abs=1e-6))
    assert [float(value.detach()) for value in group_squares(layers, norm="product").values()] == pytest.approx(
        [144.0, 9e-6]
    )
    assert drop_small_groups(model, 1e-3) == 1
    assert [float(value.detach()) for value in group_squares(layers, norm="product").values()] == pytest.approx(
        [144.0, 0.0]
    )


def test_the_bound_of_gs_lora_is_a_cap_on_ascent() -> None:
    numbers, _ = numbers_for("gs-lora", preset="default", parameters=10**9, family="")
    assert (numbers.forget_weight, numbers.adapter_on, METHODS["gs-lora"].terms) == (0.15, "mlp", ("ascent", "descent"))
    # .15 relu(10 - L) is .9 at 4 and 0 at 12; ours is that less .15 times the bound
    below, above = (0.15 * (10 + float(ascent(torch.tensor(nll), cap=10.0))) for nll in (4.0, 12.0))
    assert (below, above) == (pytest.approx(0.9), pytest.approx(0.0))
