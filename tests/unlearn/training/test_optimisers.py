"""Optimisers without a gradient or with its sign alone: numbers by hand, directions, what AdamW divides by."""

import pytest
import torch
from torch import nn

from unlearn.methods.table import METHODS
from unlearn.presets import numbers_for
from unlearn.training.optimisers import Optimisation, estimate, is_estimated, learning_rate, optimiser_of, step_scale


def weight(*values: float) -> dict[str, nn.Parameter]:
    return {"w": nn.Parameter(torch.tensor(values))}


def test_an_estimate_of_a_square_in_one_dimension_is_its_derivative() -> None:
    weights = weight(1.0)
    # v = +-1: ((1.1)^2 - (0.9)^2) / 0.2 = 2, whichever way v points
    seen = estimate(weights, lambda: float(weights["w"].square()), radius=0.1, directions=1, draws="0:0")
    assert weights["w"].grad is not None
    assert weights["w"].grad.item() == pytest.approx(2.0, abs=1e-5)
    assert seen == pytest.approx(1.01)  # mean of 1.21 and 0.81
    assert weights["w"].item() == 1.0


def test_estimates_of_a_linear_function_are_right_on_average() -> None:
    weights, slope = weight(0.3, -0.2, 0.1), torch.tensor([1.0, -2.0, 0.5])
    estimate(weights, lambda: float((weights["w"] * slope).sum()), radius=0.5, directions=4000, draws="x")
    assert weights["w"].grad is not None
    torch.testing.assert_close(weights["w"].grad, slope, rtol=0.0, atol=0.15)


def test_directions_lie_on_a_sphere_whose_radius_is_the_root_of_the_number_of_weights() -> None:
    weights, start = weight(0.0, 0.0, 0.0, 0.0), torch.zeros(4)
    lengths: list[float] = []

    def loss() -> float:
        lengths.append(float((weights["w"] - start).norm()))
        return 0.0

    estimate(weights, loss, radius=0.25, directions=3, draws="x")
    assert lengths == pytest.approx([0.5] * 6)


def test_directions_are_those_of_their_name_and_of_no_other() -> None:
    found = []
    for draws in ("0:1", "0:1", "1:1"):
        weights = weight(0.0, 0.0, 0.0)
        estimate(weights, lambda weights=weights: float(weights["w"].sum()), radius=1.0, directions=1, draws=draws)
        assert weights["w"].grad is not None
        found.append(weights["w"].grad.tolist())
    assert found[0] == found[1] != found[2]


def test_the_sign_moves_every_coordinate_by_the_rate() -> None:
    weights = weight(0.0, 0.0)
    weights["w"].grad = torch.tensor([-0.3, 7.0])
    optimiser_of(weights, Optimisation(lr=0.5, weight_decay=0.0, optimiser="sign-sgd")).step()
    assert weights["w"].tolist() == [0.5, -0.5]


def test_sign_adam_takes_the_sign_of_the_running_mean_after_decay() -> None:
    weights = weight(1.0)
    optimiser = optimiser_of(weights, Optimisation(lr=0.1, weight_decay=0.5, optimiser="sign-adam"))
    for gradient in (10.0, -1.0):  # means 1.0 and 0.9 - 0.1 = 0.8: both steps go down
        weights["w"].grad = torch.tensor([gradient])
        optimiser.step()
    assert weights["w"].item() == pytest.approx((1.0 * 0.95 - 0.1) * 0.95 - 0.1)


def test_the_metric_is_what_adamw_divides_by() -> None:
    weights = weight(0.0, 0.0)
    optimiser = optimiser_of(weights, Optimisation(lr=0.1, betas=(0.9, 0.5)))
    assert step_scale(optimiser, weights) == {}
    for gradient in ([2.0, 0.0], [4.0, 0.0]):
        weights["w"].grad = torch.tensor(gradient)
        optimiser.step()
    # v = 0.5 (0.5 x 4) + 0.5 x 16 = 9; over 1 - 0.25: 12
    torch.testing.assert_close(step_scale(optimiser, weights)["w"], torch.tensor([12**0.5, 0.0]) + 1e-8)


def test_a_hybrid_run_ends_with_a_whole_block_of_estimates() -> None:
    numbers = Optimisation(lr=1.0, optimiser="adam-zeroth", zeroth_block=2)
    # counted back from the last: 6 and 5 are estimates, 4 and 3 Adam's, 2 and 1 estimates, 0 Adam's
    assert [is_estimated(step, 7, numbers) for step in range(7)] == [False, True, True, False, False, True, True]


def test_estimated_steps_may_have_a_rate_of_their_own() -> None:
    numbers = Optimisation(lr=1.0, optimiser="adam-zeroth", zeroth_block=1, zeroth_lr=0.25, schedule="constant")
    assert [learning_rate(step, 3, numbers) for step in range(3)] == [0.25, 1.0, 0.25]


@pytest.mark.parametrize(
    ("method", "optimiser"), [("downgrade-sign", "sign-adam"), ("downgrade-zeroth", "adam-zeroth")]
)
def test_the_rows_of_coarser_optimisers_differ_from_gd_in_their_optimiser(method: str, optimiser: str) -> None:
    assert METHODS[method].terms == METHODS["gd"].terms
    assert numbers_for(method, preset="default", parameters=10**9, family="")[0].optimiser == optimiser
