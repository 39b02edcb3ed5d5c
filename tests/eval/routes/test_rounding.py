"""Rounding to 4 bits, worked by hand, and which changes of a weight it undoes."""

import pytest
import torch

from eval.routes.rounding import FP4, NF4, ROUNDINGS, Rounding, codes_kept, codes_of, rounded


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def test_int4_is_worked_by_hand() -> None:
    weight = row(0.7, -0.36, 0.1, 0)
    assert codes_of(weight, "int4").tolist() == [[7, -4, 1, 0]]
    assert rounded(weight, "int4").tolist() == [pytest.approx([0.7, -0.4, 0.1, 0])]


def test_nf4_takes_the_nearest_of_its_levels() -> None:
    assert rounded(row(1.0, 0.5, 0.25, -1.0), "nf4").tolist() == [pytest.approx([1.0, 0.4407, 0.2461, -1.0])]


def test_fp4_takes_the_nearest_of_its_levels() -> None:
    found = rounded(row(1.0, 0.6, 0.4, 0.2, -0.9), "fp4")
    assert found.tolist() == [pytest.approx([1.0, 2 / 3, 1 / 3, 1 / 6, -1.0])]


def test_the_levels_are_symmetric_where_they_are_said_to_be() -> None:
    assert sorted(-each for each in FP4) == pytest.approx(FP4)
    assert (len(NF4), list(NF4)) == (16, sorted(NF4))


@pytest.mark.parametrize("how", ROUNDINGS)
def test_a_block_of_zeros_stays_zero(how: Rounding) -> None:
    assert rounded(torch.zeros(3, 70), how).tolist() == torch.zeros(3, 70).tolist()


@pytest.mark.parametrize("how", ROUNDINGS)
def test_rounding_twice_is_rounding_once(how: Rounding) -> None:
    weight = torch.randn(5, 100, generator=torch.Generator().manual_seed(1))
    once = rounded(weight, how)
    assert torch.allclose(rounded(once, how), once, atol=1e-6)


@pytest.mark.parametrize("how", ROUNDINGS)
def test_a_weight_that_fills_no_block_keeps_its_shape_and_type(how: Rounding) -> None:
    found = rounded(torch.ones(3, 5, dtype=torch.bfloat16), how)
    assert (found.shape, found.dtype) == ((3, 5), torch.bfloat16)


def test_a_large_weight_spoils_its_own_group_of_int4_alone() -> None:
    weight = torch.full((1, 128), 0.1)
    weight[0, 0] = 10.0
    found = rounded(weight, "int4")[0]
    assert found[1:64].abs().max() == 0
    assert found[64:].tolist() == pytest.approx([0.1] * 64)


def test_a_small_change_shares_its_code_and_a_large_one_does_not() -> None:
    assert codes_kept(row(1.0, 0.50, 0.2), row(1.0, 0.501, 0.2), "nf4") == (1, 1)
    assert codes_kept(row(1.0, 0.50, 0.2), row(1.0, 0.9, 0.2), "nf4") == (0, 1)


def test_a_change_of_nothing_is_none() -> None:
    assert codes_kept(row(1.0, 0.5), row(1.0, 0.5), "int4") == (0, 0)
