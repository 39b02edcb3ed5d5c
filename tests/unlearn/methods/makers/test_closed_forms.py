"""Closed forms of edits and steering maps: by hand, and against numpy that goes another way."""

import numpy as np
import pytest
import torch

from unlearn.methods.makers.closed_forms import (
    away_from,
    dampening,
    dampening_factor,
    erasing_factors,
    erasing_map,
    null_space_edit,
    redirected,
    value_projection,
    zero_unlearning,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance * float(abs(expected).max()))


def test_a_weight_is_dampened_by_how_much_more_it_matters_to_the_forget_set() -> None:
    forget, whole, weight = torch.tensor([1.5, 4.0, 2.0]), torch.ones(3), torch.full((3,), 3.0)
    index, ratio = dampening(forget, whole, least=2.0)
    assert (index.tolist(), ratio.tolist()) == ([1], [4.0])
    weight[index] *= dampening_factor(ratio, constant=1.0, power=1.0)
    assert weight.tolist() == [3.0, 0.75, 3.0]


def test_a_weight_is_never_made_larger_by_dampening() -> None:
    assert dampening_factor(torch.tensor([4.0]), constant=10.0, power=1.0).tolist() == [1.0]


def test_a_weight_without_any_fisher_is_not_dampened() -> None:
    assert dampening(torch.zeros(2), torch.zeros(2), least=2.0)[0].tolist() == []


def test_dampening_is_that_of_a_loop_over_weights() -> None:
    forget, whole = drawn(4, 5).square(), drawn(4, 5, seed=1).square()
    weight = drawn(4, 5, seed=2)
    expected = weight.clone().numpy()
    for place in np.ndindex(4, 5):
        f, d = float(forget[place]), float(whole[place])
        if f > 1.5 * d:
            expected[place] *= min((0.5 * d / f) ** 2, 1.0)
    index, ratio = dampening(forget, whole, least=1.5)
    weight.view(-1)[index] *= dampening_factor(ratio, constant=0.5, power=2.0)
    close(weight, expected)


def test_a_forget_key_moves_along_the_direction_and_a_retain_key_stays() -> None:
    left, right = redirected(torch.eye(2), torch.tensor([1.0, 0.0]), torch.tensor([6.0]), ridge=0.0)
    assert (left @ right).tolist() == [[6.0, 0.0]]


def test_redirection_is_the_ridge_regression_of_its_targets() -> None:
    forget, retain, direction = drawn(7, 5), drawn(11, 5, seed=1), drawn(3, seed=2)
    keys = torch.cat([forget, retain]).numpy()
    targets = np.concatenate([np.tile(direction.numpy(), (7, 1)), np.zeros((11, 3))])
    amount = 1e-2 * np.mean(np.diag(keys.T @ keys))
    # ridge as more rows: least squares of [X; sqrt(gamma) I] onto [T; 0]
    rows = np.concatenate([keys, np.sqrt(amount) * np.eye(5)])
    expected, *_ = np.linalg.lstsq(rows, np.concatenate([targets, np.zeros((5, 3))]), rcond=None)
    gram = torch.tensor(keys.T @ keys)
    left, right = redirected(gram, forget.sum(0), direction, ridge=1e-2)
    close(left @ right, expected.T)


def test_an_edit_in_the_null_space_writes_its_value_and_spares_other_keys() -> None:
    keys, residual = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0]])
    left, right = null_space_edit(keys, residual, torch.diag(torch.tensor([1.0, 0.0])), torch.zeros(2, 2), ridge=1.0)
    assert (left @ right).tolist() == [[1.0, 0.0]]
    left, right = null_space_edit(keys, residual, torch.diag(torch.tensor([0.0, 1.0])), torch.zeros(2, 2), ridge=1.0)
    assert (left @ right).tolist() == [[0.0, 0.0]]


def test_alphaedit_is_the_published_solve_in_its_own_orientation() -> None:
    keys, residual, earlier = drawn(4, 6), drawn(4, 3, seed=1), drawn(5, 6, seed=2)
    basis = torch.linalg.qr(drawn(6, 4, seed=3)).Q
    projection, before = basis @ basis.T, earlier.T @ earlier
    columns, wanted = keys.T.numpy(), residual.T.numpy()  # the paper's: keys and values are columns
    p = projection.numpy()
    system = p @ (columns @ columns.T + before.numpy()) + 10 * np.eye(6)
    expected = np.linalg.solve(system, p @ columns @ wanted.T).T
    left, right = null_space_edit(keys, residual, projection, before, ridge=10.0)
    close(left @ right, expected)


def test_without_forget_facts_zero_unlearning_leaves_the_weight() -> None:
    weight, general = drawn(3, 5), drawn(9, 5, seed=1)
    nothing = torch.zeros(0, 5), torch.zeros(0, 3)
    found = zero_unlearning(weight, *nothing, general.T @ general, torch.eye(3), weights=(1.0, 0.0, 1.0))
    close(found, weight.numpy())


def test_old_values_leave_the_output_and_what_is_orthogonal_to_them_stays() -> None:
    weight, general, values = drawn(3, 5), drawn(9, 5, seed=1), torch.tensor([[0.0, 2.0, 0.0]])
    nothing = torch.zeros(0, 5), torch.zeros(0, 3)
    projection = value_projection(values, most=1, left=0.0)
    found = zero_unlearning(weight, *nothing, general.T @ general, projection, weights=(1.0, 0.0, 1.0))
    close(found[1], np.zeros(5))
    close(found[[0, 2]], weight[[0, 2]].numpy())


def test_the_published_projection_makes_all_other_outputs_a_hundredth_larger() -> None:
    projection = value_projection(torch.tensor([[0.0, 2.0, 0.0]]), most=1, left=0.01, inflate=True)
    assert projection.diagonal().tolist() == pytest.approx([1.01, 0.01, 1.01])


def test_no_more_directions_are_taken_off_than_were_allowed() -> None:
    assert float(value_projection(drawn(6, 8), most=2, left=0.0).trace()) == pytest.approx(6.0)


def test_zero_unlearning_is_the_minimum_of_its_quadratic() -> None:
    weight, keys, values, general = drawn(3, 6), drawn(4, 6, seed=1), drawn(4, 3, seed=2), drawn(12, 6, seed=3)
    projection = value_projection(drawn(2, 3, seed=4), most=1, left=0.01)
    found = zero_unlearning(weight, keys, values, general.T @ general, projection, weights=(15.0, 5.0, 1.0))
    # D minimises 15 |D W X - P W X|^2 + 5 |D W K - P V|^2 + |D W - P W|^2: least squares in D, row by row
    w, p = weight.numpy(), projection.numpy()
    inputs = np.concatenate([np.sqrt(15) * general.numpy(), np.sqrt(5) * keys.numpy(), np.eye(6)])
    wanted = np.concatenate([np.sqrt(15) * general.numpy() @ w.T, np.sqrt(5) * values.numpy(), w.T])
    design, *_ = np.linalg.lstsq(inputs @ w.T, wanted @ p.T, rcond=None)
    close(found, design.T @ w)


def test_a_forget_state_is_mapped_to_the_direction_and_a_retain_state_to_nothing() -> None:
    basis, forget, direction = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([0.0, 1.0])
    left, right = erasing_factors(basis, forget, direction, ridge=0.0)
    assert (torch.tensor([[1.0, 2.0], [5.0, 0.0]], dtype=torch.float64) @ left @ right).tolist() == [[0, 1], [0, 0]]
    left, right = erasing_factors(basis, forget, direction, ridge=0.1)
    assert (forget.double() @ left @ right)[0, 1].item() == pytest.approx(0.9756, abs=1e-4)


def test_the_erasing_map_is_the_published_product_of_matrices() -> None:
    retain, forget, direction = drawn(30, 6), drawn(4, 6, seed=1), drawn(6, seed=2)
    _, _, rows = np.linalg.svd(retain.numpy().T @ retain.numpy())
    free = rows[-2:].T
    p = free @ free.T
    x = forget.numpy() @ p
    d = np.linalg.pinv(x.T @ x + 0.1 * p.T @ p) @ x.T @ np.tile(direction.numpy(), (4, 1))
    left, right = erasing_map(retain, forget, direction, free=0.34, ridge=0.1)
    close(left @ right, p @ d)


def test_what_a_cluster_has_and_retain_lacks_has_the_mean_length_of_both() -> None:
    forget, retain = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0])
    found = away_from(forget, retain, length=(2**0.5 + 1) / 2)
    assert found.tolist() == pytest.approx([0.0, 1.2071], abs=1e-4)
    assert away_from(forget, retain, length=3.0, by="difference").tolist() == [0.0, 3.0]
