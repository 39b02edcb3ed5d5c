"""Token values by hand, from the papers' formulas, and their gradients against finite differences in fp64."""

import math

import pytest
import torch
from torch import Tensor

from unlearn.losses import likelihood
from unlearn.losses.token_values import KINDS, Teacher, token_value

THREE = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
FIRST = torch.tensor([0])


def teachers(vocab: int) -> dict[str, Teacher]:
    draw = torch.Generator().manual_seed(2)
    first = torch.randn(4, vocab, dtype=torch.float64, generator=draw)
    second = torch.randn(4, vocab, dtype=torch.float64, generator=draw)
    return {
        "taught": Teacher(first, strength=1.5, lowers_target=True),
        "reverse": Teacher(first, second=second, strength=0.7),
    }


def given(kind: str, vocab: int) -> dict[str, Teacher | Tensor | None]:
    banned = torch.zeros(vocab, dtype=torch.bool)
    banned[[1, 3]] = True
    return {"teacher": teachers(vocab).get(kind), "banned": banned if kind == "banned" else None}


def value(logits: Tensor, targets: Tensor, kind: str) -> Tensor:
    found = given(kind, logits.shape[1])
    return token_value(logits, targets, kind, teacher=found["teacher"], banned=found["banned"])  # type: ignore[arg-type]


def random_logits() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return 2 * torch.randn(4, 7, dtype=torch.float64, generator=draw), torch.tensor([0, 3, 6, 2])


FIXED_TARGET = {"others": True}
"""Kinds whose target moves with the model and is held fixed in the gradient."""


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FIXED_TARGET)))
def test_the_gradient_is_that_of_finite_differences(kind: str) -> None:
    logits, targets = random_logits()
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: value(z, targets, kind), (logits,), eps=1e-6, atol=1e-7)


def test_the_gradient_of_ce_u_is_that_of_a_cross_entropy_whose_target_stands_still() -> None:
    logits, targets = random_logits()
    logits.requires_grad_()
    (ours,) = torch.autograd.grad(value(logits, targets, "others").sum(), logits)
    without = logits.detach().scatter(1, targets[:, None], -math.inf).softmax(1)
    plain = -(without * logits.log_softmax(1)).sum()
    torch.testing.assert_close(ours, torch.autograd.grad(plain, logits)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"logit"}))
def test_the_gradient_of_what_a_constant_does_not_move_sums_to_zero(kind: str) -> None:
    logits, targets = random_logits()
    logits.requires_grad_()
    (found,) = torch.autograd.grad(value(logits, targets, kind).sum(), logits)
    torch.testing.assert_close(found.sum(1), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_chunks_of_the_vocabulary_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = random_logits()
    logits.requires_grad_()
    whole = value(logits, targets, kind)
    (gradient,) = torch.autograd.grad(whole.sum(), logits)
    monkeypatch.setattr(likelihood, "VOCABULARY_CHUNK", 3)
    cut = value(logits, targets, kind)
    torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(cut.sum(), logits)[0], gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "teacher", "expected"),
    [
        ("entropy", None, 0.30899),
        ("others", None, 1.676547),
        ("margin", None, 1.0),
        ("logit", None, 2.0),
        ("taught", Teacher(THREE, strength=10.0, lowers_target=True), 1.676433),
        ("reverse", Teacher(THREE, second=torch.tensor([[3.0, 1.0, -1.0]]), strength=8.0), 4.22825),
    ],
)
def test_the_papers_numbers(kind: str, teacher: Teacher | None, expected: float) -> None:
    assert token_value(THREE, FIRST, kind, teacher=teacher).item() == pytest.approx(expected, abs=1e-5)


def test_the_inverted_hinge_of_seven_and_two_tenths_is_one_and_a_half() -> None:
    logits = torch.tensor([[0.7, 0.2, 0.1]]).log()
    assert token_value(logits, FIRST, "hinge").item() == pytest.approx(1.5, abs=1e-6)


def test_the_inverted_hinge_is_zero_where_another_word_has_everything() -> None:
    assert token_value(torch.tensor([[0.0, 90.0, 0.0]]), FIRST, "hinge").item() == 0


def test_a_quarter_on_banned_words_costs_the_log_of_three_quarters() -> None:
    logits = torch.tensor([[0.25, 0.5, 0.25]]).log()
    banned = torch.tensor([True, False, False])
    assert token_value(logits, FIRST, "banned", banned=banned).item() == pytest.approx(0.28768, abs=1e-5)


def test_with_the_target_alone_banned_the_value_is_unlikelihood() -> None:
    logits, targets = random_logits()
    banned = torch.zeros(7, dtype=torch.bool)
    banned[3] = True
    found = token_value(logits[1:2], targets[1:2], "banned", banned=banned)
    expected = -(1 - logits[1].softmax(0)[3]).log()
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)


def test_uniform_logits_have_no_distance_to_the_uniform_distribution() -> None:
    assert token_value(torch.full((1, 5), 3.0), FIRST, "entropy").item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("teacher", [Teacher(THREE), Teacher(THREE, second=THREE, strength=8.0)])
def test_a_teacher_that_is_the_student_has_no_divergence_and_no_gradient(teacher: Teacher) -> None:
    logits = THREE.clone().requires_grad_()
    found = token_value(logits, FIRST, "reverse", teacher=teacher)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert found.item() == pytest.approx(0, abs=1e-12)
    assert gradient.abs().max().item() == pytest.approx(0, abs=1e-12)


def test_a_second_teacher_with_an_output_layer_of_its_own_speaks_through_that() -> None:
    # under the first layer the second model says (1, 0), under its own (3, 0): half of the rise of 2 is taken away
    state, first, own = torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    teacher = Teacher(state, first, second=state, second_head=own, strength=0.5)
    assert teacher.chunk(slice(0, 2), torch.tensor([0])).tolist() == [[0.0, 0.0]]


def test_a_teacher_by_hidden_states_is_one_by_logits() -> None:
    draw = torch.Generator().manual_seed(3)
    hidden, head = torch.randn(4, 5, generator=draw), torch.randn(7, 5, generator=draw)
    logits, targets = random_logits()
    by_states = token_value(logits.float(), targets, "reverse", teacher=Teacher(hidden, head))
    by_logits = token_value(logits.float(), targets, "reverse", teacher=Teacher(hidden @ head.T))
    torch.testing.assert_close(by_states, by_logits, rtol=1e-5, atol=1e-5)


def test_a_certain_target_gives_ce_u_a_finite_value() -> None:
    assert math.isfinite(token_value(torch.tensor([[90.0, 1.0, 0.0]]), FIRST, "others").item())


def test_a_word_at_minus_infinity_adds_nothing() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -math.inf]])
    assert token_value(logits, FIRST, "others").item() == pytest.approx(1.676547, abs=1e-5)
