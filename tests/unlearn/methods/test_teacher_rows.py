"""Rows with teachers, token roles, banned words and a bound, by hand from measured numbers."""

import math

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from unlearn.losses.answer_values import ANSWER_VALUES, AnswerTokens
from unlearn.losses.term import Samples
from unlearn.losses.token_values import Teacher
from unlearn.methods.objective import constraint, loss_terms
from unlearn.methods.table import METHODS
from unlearn.presets import Numbers

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2, dual_start=3.0, dual_step=2.0, dual_warmup=1)
ONE = TrainingSample(sample_id="f1", subject_id="a", modality="qa", prompt="?", answer="!")
SAMPLES: Samples = {"forget": (ONE, ONE), "retain": (ONE,)}
FOUND = {
    "forget.tokens": torch.tensor([2.0, 3.0]), "retain.nll_sum": torch.tensor([6.0]),
    "retain.tokens": torch.tensor([4.0]), "retain.kl": torch.tensor([2.0]),
}  # fmt: skip


def terms(method: str, found: dict[str, list[float]], **numbers: float) -> dict[str, float]:
    given = {**FOUND, **{f"forget.{name}": torch.tensor(values) for name, values in found.items()}}
    values = loss_terms(METHODS[method], PLAIN.model_copy(update=numbers), given, SAMPLES)
    return {name: value.item() for name, value in values.items()}


def tokens(unwanted: list[bool]) -> AnswerTokens:
    logits = torch.tensor([[2.0, 1.0, 0.0]] * len(unwanted))
    return AnswerTokens(
        logits=logits,
        targets=torch.zeros(len(unwanted), dtype=torch.long),
        nll=torch.full((len(unwanted),), 0.5),
        kept=torch.ones(len(unwanted), dtype=torch.bool),
        first=torch.arange(len(unwanted)) == 0,
        numbers=PLAIN,
        teacher=Teacher(logits + 1, strength=10.0),
        unwanted=torch.tensor(unwanted),
    )


def test_undial_is_a_mean_over_answer_tokens() -> None:
    assert terms("undial", {"taught": [4.0, 1.0]}) == {"undial": pytest.approx(1.0)}


def test_undial_lowers_the_targets_logit_whatever_constant_the_teacher_has() -> None:
    assert ANSWER_VALUES["taught"](tokens([True])).item() == pytest.approx(1.676433, abs=1e-5)


def test_rkld_is_a_mean_over_answer_tokens_and_descent() -> None:
    assert terms("rkld", {"reverse": [4.0, 6.0]}) == {
        "reverse-kl": pytest.approx(2.0), "descent": pytest.approx(1.5)
    }  # fmt: skip


def test_tif_of_hand_worked_logits() -> None:
    # means by sample: 4 and 4 now, 6 and 6 before
    found = {"unwanted": [2.0, 1.0], "unwanted_logit": [8.0, 4.0], "unwanted_logit_before": [12.0, 6.0],
             "general_nll": [1.0, 2.0]}  # fmt: skip
    assert terms("tif", found, beta=0.32) == {
        "lower-values": pytest.approx(2.64685, abs=1e-5), "keep-words": pytest.approx(1.5)
    }  # fmt: skip


def test_tif_leaves_samples_without_unwanted_tokens_out_of_the_mean() -> None:
    found = {"unwanted": [2.0, 0.0], "unwanted_logit": [8.0, 0.0], "unwanted_logit_before": [12.0, 0.0],
             "general_nll": [1.0, 2.0]}  # fmt: skip
    assert terms("tif-retain", found, beta=0.32)["lower-values"] == pytest.approx(2.64685, abs=1e-5)


def test_tif_with_general_tokens_alone_has_nothing_to_lower() -> None:
    found = {"unwanted": [0.0, 0.0], "unwanted_logit": [0.0, 0.0], "unwanted_logit_before": [0.0, 0.0],
             "general_nll": [1.0, 2.0]}  # fmt: skip
    assert terms("tif", found, beta=0.32) == {"lower-values": 0.0, "keep-words": pytest.approx(1.5)}


def test_roles_split_logits_and_likelihood_of_an_answer() -> None:
    two = tokens([True, False])
    assert ANSWER_VALUES["unwanted_logit"](two).tolist() == [2.0, 0.0]
    assert ANSWER_VALUES["unwanted_logit_before"](two).tolist() == [3.0, 0.0]
    assert ANSWER_VALUES["general_nll"](two).tolist() == [0.0, 0.5]


def test_the_masked_term_is_a_mean_over_answer_tokens_beside_the_kl() -> None:
    found = terms("obliviate-masked", {"banned": [-math.log(0.75) * 2, 0.0]})
    assert found == {"banned": pytest.approx(0.28768 * 2 / 5, abs=1e-5), "kl": pytest.approx(0.5)}


def test_the_bounded_retain_loss_has_the_weight_that_is_carried() -> None:
    found = loss_terms(
        METHODS["pdu"], PLAIN, {**FOUND, "forget.margin": torch.tensor([5.0, 5.0]), "memory.dual": torch.tensor(3.0)},
        SAMPLES,
    )  # fmt: skip
    assert {name: value.item() for name, value in found.items()} == {"margin": 2.0, "dual": 4.5}


def test_the_weight_of_the_bound_stands_still_in_the_warm_up_then_follows_the_excess() -> None:
    memory = constraint(PLAIN, lambda measured, groups: {}, bound=1.0)
    measured = {"retain.nll_sum": 6.0, "retain.tokens": 4.0}
    first = memory.after(memory.start, measured)
    second = memory.after(first, measured)
    assert first == {"dual": 3.0, "done": 1.0}
    assert second == {"dual": 4.0, "done": 2.0}  # 3 + 2 (1.5 - 1)


def test_the_weight_of_the_bound_never_falls_below_zero() -> None:
    memory = constraint(PLAIN, lambda measured, groups: {}, bound=9.0)
    assert memory.after({"dual": 3.0, "done": 1.0}, {"retain.nll_sum": 6.0, "retain.tokens": 4.0})["dual"] == 0.0


def test_a_step_without_a_retain_batch_leaves_the_weight_of_the_bound() -> None:
    memory = constraint(PLAIN, lambda measured, groups: {}, bound=1.0)
    assert memory.after({"dual": 3.0, "done": 1.0}, {"forget.nll_sum": 6.0})["dual"] == 3.0
