"""The loss terms against numbers worked by hand, and against torch where a hand is too slow."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, kl_div

from schemas.errors import BadInput
from unlearn.losses import likelihood
from unlearn.losses.bao import boundary_margin, boundary_sum
from unlearn.losses.likelihood import kl_divergence, nll_and_kl, sample_mean, sample_sum, sequence_nll, token_nll
from unlearn.losses.terms import ascent, npo


def logits_of(*probabilities: list[float]) -> torch.Tensor:
    return torch.tensor(probabilities).log()


def test_sequence_nll_is_the_mean_over_answer_tokens_of_the_shifted_prediction() -> None:
    # Position 0 predicts token 1 (p = 1/2), position 1 predicts token 2 (p = 1/8); the last position predicts nothing.
    logits = logits_of([0.5, 0.25, 0.25], [0.125, 0.5, 0.375], [0.1, 0.2, 0.7])[None]
    labels = torch.tensor([[-100, 0, 0]])
    assert sequence_nll(logits, labels).item() == pytest.approx((math.log(2) + math.log(8)) / 2)


def test_sequence_nll_skips_positions_that_are_no_answer() -> None:
    logits = logits_of([0.5, 0.25, 0.25], [0.125, 0.5, 0.375], [0.1, 0.2, 0.7])[None]
    assert sequence_nll(logits, torch.tensor([[-100, -100, 0]])).item() == pytest.approx(math.log(8))


def test_a_sample_without_answer_tokens_has_sequence_nll_zero() -> None:
    logits = torch.randn(2, 3, 5)
    found = sequence_nll(logits, torch.tensor([[-100, -100, -100], [-100, 1, 2]]))
    assert found[0].item() == 0
    assert found[1].item() > 0


def test_a_label_at_the_first_position_is_predicted_by_nothing_and_left_out() -> None:
    assert sequence_nll(torch.randn(1, 2, 4), torch.tensor([[3, -100]])).item() == 0


@given(st.integers(1, 5), st.integers(2, 6), st.integers(2, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_sequence_nll_equals_torch_cross_entropy_sample_by_sample(batch: int, time: int, vocab: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, time, vocab, generator=draw) * 4
    labels = torch.randint(0, vocab, (batch, time), generator=draw)
    labels[torch.rand(batch, time, generator=draw) < 0.3] = -100
    for row in range(batch):
        kept = labels[row, 1:] != -100
        expected = cross_entropy(logits[row, :-1][kept], labels[row, 1:][kept]) if kept.any() else torch.tensor(0.0)
        assert sequence_nll(logits, labels)[row].item() == pytest.approx(expected.item(), abs=1e-5)


def test_token_nll_and_its_gradient_do_not_depend_on_the_vocabulary_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "VOCABULARY_CHUNK", 7)
    logits = torch.randn(6, 23, requires_grad=True)
    targets = torch.tensor([0, 22, 7, 6, 14, 3])
    weights = torch.arange(1.0, 7.0)
    (token_nll(logits, targets) * weights).sum().backward()
    chunked = logits.grad
    logits.grad = None
    (cross_entropy(logits, targets, reduction="none") * weights).sum().backward()
    assert chunked is not None
    torch.testing.assert_close(chunked, logits.grad)


def test_sums_and_means_go_to_the_sample_a_token_belongs_to() -> None:
    values, rows = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0, 0, 2])
    assert sample_sum(values, rows, 3).tolist() == [3.0, 0.0, 6.0]
    assert sample_mean(values, rows, 3).tolist() == [1.5, 0.0, 6.0]


def test_ascent_is_the_negative_nll() -> None:
    assert ascent(torch.tensor([1.5, 4.0]), cap=None).tolist() == [-1.5, -4.0]


def test_ascent_above_the_cap_has_no_gradient() -> None:
    nll = torch.tensor([1.5, 4.0], requires_grad=True)
    loss = ascent(nll, cap=2.0)
    loss.sum().backward()
    assert loss.tolist() == [-1.5, -2.0]
    assert nll.grad is not None
    assert nll.grad.tolist() == [-1.0, 0.0]


def test_npo_at_the_reference_is_two_over_beta_times_log_two() -> None:
    nll = torch.tensor([3.0])
    assert npo(nll, nll, beta=0.4).item() == pytest.approx(2 / 0.4 * math.log(2))


def test_npo_of_a_hand_worked_ratio() -> None:
    # beta d = 0.5 * (4 - 2) = 1; sigmoid(1) = 0.731059; -4 log = 1.253047
    assert npo(torch.tensor([4.0]), torch.tensor([2.0]), beta=0.5).item() == pytest.approx(1.253047, abs=1e-5)


def test_npo_falls_as_the_answer_becomes_less_likely_and_its_pull_fades() -> None:
    nll = torch.tensor([0.0, 5.0, 50.0], requires_grad=True)
    npo(nll, torch.zeros(3), beta=0.4).sum().backward()
    assert nll.grad is not None
    pulls = nll.grad.tolist()
    assert pulls[0] == pytest.approx(-1.0)
    assert pulls[0] < pulls[1] < pulls[2] < 0


def test_kl_of_two_hand_worked_distributions() -> None:
    # 1/2 log(1/2 / 1/4) + 1/2 log(1/2 / 3/4) = 0.5 log 2 + 0.5 log(2/3) = 0.143841
    found = kl_divergence(logits_of([0.5, 0.5]), logits_of([0.25, 0.75]))
    assert found.item() == pytest.approx(0.143841, abs=1e-6)


def test_kl_to_itself_is_zero() -> None:
    logits = torch.randn(4, 50)
    assert kl_divergence(logits, logits).abs().max().item() < 1e-6


def test_kl_and_its_gradient_by_chunks_equal_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "VOCABULARY_CHUNK", 5)
    reference, current = torch.randn(3, 17), torch.randn(3, 17, requires_grad=True)
    found = kl_divergence(reference, current)
    found.sum().backward()
    chunked = current.grad
    current.grad = None
    expected = kl_div(current.log_softmax(1), reference.log_softmax(1), reduction="none", log_target=True).sum(1)
    expected.sum().backward()
    torch.testing.assert_close(found, expected)
    assert chunked is not None
    torch.testing.assert_close(chunked, current.grad)


def test_nll_and_kl_together_have_the_gradient_of_their_sum_and_leave_other_positions_alone() -> None:
    logits = torch.randn(5, 11, requires_grad=True)
    hidden, weight, targets = torch.randn(2, 4), torch.randn(11, 4), torch.tensor([1, 2, 3, 4, 5])
    nll, kl = nll_and_kl(logits, targets, reference=hidden, head_weight=weight)
    (nll.sum() + 3 * kl.sum()).backward()
    joint = logits.grad
    logits.grad = None
    reference = (hidden @ weight.T).log_softmax(1)
    expected = kl_div(logits[3:].log_softmax(1), reference, reduction="none", log_target=True).sum(1)
    (cross_entropy(logits, targets, reduction="sum") + 3 * expected.sum()).backward()
    torch.testing.assert_close(kl, expected)
    assert joint is not None
    torch.testing.assert_close(joint, logits.grad)


def test_a_word_that_the_reference_rules_out_adds_nothing_to_the_kl() -> None:
    reference = torch.tensor([[0.0, 0.0, -math.inf]])
    assert kl_divergence(reference, torch.zeros(1, 3)).item() == pytest.approx(math.log(1.5))


def test_boundary_is_the_mean_over_subjects_of_the_mean_hinge_over_their_pairs() -> None:
    # a: forget 2.0, retain 1.5 and 0.5 -> hinges 0.5 and 0, mean 0.25.
    # b: forget 0.2 and 0.4, retain 0.4 -> hinges 1.2 and 1.0, mean 1.1.
    found = boundary_margin(
        torch.tensor([2.0, 0.2, 0.4, 9.0]),
        torch.tensor([1.5, 0.5, 0.4, 9.0]),
        ["a", "b", "b", "only forget"],
        ["a", "a", "b", "only retain"],
        margin=1.0,
    )
    assert found.item() == pytest.approx((0.25 + 1.1) / 2)


def test_boundary_is_zero_with_a_graph_when_no_subject_matches() -> None:
    forget, retain = torch.tensor([1.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    found = boundary_margin(forget, retain, ["a"], ["b"], margin=1.0)
    found.backward()
    assert found.item() == 0
    assert forget.grad is not None
    assert forget.grad.tolist() == [0.0]


def test_boundary_of_empty_batches_is_zero() -> None:
    assert boundary_margin(torch.zeros(0), torch.zeros(0), [], [], margin=1.0).item() == 0


def test_boundary_is_silent_once_the_margin_is_kept() -> None:
    forget = torch.tensor([3.0], requires_grad=True)
    found = boundary_margin(forget, torch.tensor([1.0]), ["a"], ["a"], margin=1.5)
    found.backward()
    assert found.item() == 0
    assert forget.grad is not None
    assert forget.grad.item() == 0


def test_boundary_pushes_forget_up_and_retain_down() -> None:
    forget, retain = torch.tensor([0.1], requires_grad=True), torch.tensor([0.1], requires_grad=True)
    boundary_margin(forget, retain, ["a"], ["a"], margin=1.0).backward()
    assert forget.grad is not None
    assert retain.grad is not None
    assert (forget.grad.item(), retain.grad.item()) == (-1.0, 1.0)


def test_boundary_sums_of_whole_subjects_add_up() -> None:
    forget, retain = torch.tensor([0.3, 0.9, 0.1]), torch.tensor([0.2, 0.4, 0.6])
    whole = boundary_sum(forget, retain, ["a", "a", "b"], ["a", "b", "b"], margin=1.0)
    first = boundary_sum(forget[:2], retain[:1], ["a", "a"], ["a"], margin=1.0)
    second = boundary_sum(forget[2:], retain[1:], ["b"], ["b", "b"], margin=1.0)
    assert whole.item() == pytest.approx((first + second).item())


def test_boundary_with_a_subject_too_few_is_refused() -> None:
    with pytest.raises(BadInput, match="one subject per sample"):
        boundary_margin(torch.zeros(2), torch.zeros(1), ["a"], ["a"], margin=1.0)
