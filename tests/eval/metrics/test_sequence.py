"""Figures of sequences of requests, worked by hand."""

import pytest

from eval.metrics.sequence import over_seeds, sequence_figures
from schemas.errors import BadInput

ACCURACY = [[0.2], [0.3, 0.1], [0.5, 0.0, 0.3]]
RETAIN = [0.9, 0.8, 0.85, 0.6]


def test_immediate_is_the_mean_of_the_diagonal() -> None:
    assert sequence_figures(ACCURACY, RETAIN).immediate == pytest.approx(0.2)


def test_rebound_is_the_mean_change_to_the_end_of_all_but_the_last() -> None:
    assert sequence_figures(ACCURACY, RETAIN).rebound == pytest.approx((0.3 - 0.1) / 2)


def test_worst_rebound_is_the_largest_change_after_any_step() -> None:
    assert sequence_figures(ACCURACY, RETAIN).worst_rebound == pytest.approx(0.3)


def test_a_rebound_in_the_middle_is_seen_by_the_worst_and_not_at_the_end() -> None:
    found = sequence_figures([[0.0], [0.6, 0.0], [0.0, 0.0, 0.0]], RETAIN)
    assert (found.rebound, found.worst_rebound) == (0.0, 0.6)


def test_decay_is_what_was_lost_of_the_rest_and_its_share_of_a_request() -> None:
    found = sequence_figures(ACCURACY, RETAIN)
    assert (found.decay, found.decay_per_request) == (pytest.approx(0.3), pytest.approx(0.1))


def test_stability_is_the_largest_loss_in_one_step() -> None:
    assert sequence_figures(ACCURACY, RETAIN).stability == pytest.approx(0.25)


def test_the_penalty_is_what_one_batch_keeps_more() -> None:
    assert sequence_figures(ACCURACY, RETAIN, batch_retain=0.7).penalty == pytest.approx(0.1)


def test_one_request_has_no_rebound() -> None:
    found = sequence_figures([[0.2]], [0.9, 0.8])
    assert (found.rebound, found.worst_rebound) == (None, None)


def test_a_square_is_refused() -> None:
    with pytest.raises(BadInput, match="row t with t"):
        sequence_figures([[0.1, 0.2], [0.3, 0.1]], [1, 1, 1])


def test_seeds_give_their_mean_and_the_range_they_span() -> None:
    two = [sequence_figures([[each]], [0.9, 0.8]) for each in (0.2, 0.4)]
    found = over_seeds(two)["immediate"]
    assert (found.value, found.low, found.high, found.n) == (pytest.approx(0.3), 0.2, 0.4, 2)
