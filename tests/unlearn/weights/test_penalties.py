"""Penalties on weights: sliced Wasserstein distance and overlap with retain directions, by hand."""

import pytest
import torch

from unlearn.methods.table import METHODS
from unlearn.presets import numbers_for
from unlearn.weights.penalties import overlap, transport


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
