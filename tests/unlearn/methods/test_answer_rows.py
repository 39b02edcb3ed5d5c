"""Rows on other answers: refusals, preferences, FLAT, decoupled and mixed prompts, by hand from measured numbers."""

import math

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from unlearn.losses.answer_terms import flat_divergence
from unlearn.losses.term import Samples
from unlearn.methods.objective import loss_terms
from unlearn.methods.table import METHODS
from unlearn.presets import Numbers

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2, beta=0.1)


def one(key: str) -> TrainingSample:
    return TrainingSample(sample_id=key, subject_id="a", modality="qa", prompt="?", answer="!")


SAMPLES: Samples = {
    "forget": (one("f1"),), "refusal": (one("f1|refusal"),), "alternate": (one("f1|alternate"),),
    "decoupled": (one("f1|decoupled"),), "mixed_forget_first": (one("f1|mixed_forget_first"),),
    "mixed_retain_first": (one("f1|mixed_retain_first"),), "retain": (one("r1"),),
    "retain_refusal": (one("r1|retain_refusal"),),
}  # fmt: skip
FOUND = {
    f"{group}.{name}": torch.tensor([value])
    for group, sums, tokens in (
        ("forget", 9.0, 3.0), ("refusal", 10.0, 5.0), ("alternate", 10.0, 5.0), ("decoupled", 6.0, 3.0),
        ("mixed_forget_first", 4.0, 2.0), ("mixed_retain_first", 3.0, 6.0), ("retain", 8.0, 3.0),
        ("retain_refusal", 20.0, 4.0),
    )
    for name, value in (("nll_sum", sums), ("tokens", tokens), ("nll", sums / tokens))
}  # fmt: skip
BEFORE = {
    "forget.reference": torch.tensor([5.0]),
    "refusal.reference": torch.tensor([12.0]),
    "alternate.reference": torch.tensor([12.0]),
}


def terms(
    method: str, found: dict[str, torch.Tensor] | None = None, samples: Samples = SAMPLES, **numbers: object
) -> dict[str, float]:
    given = {**FOUND, **BEFORE, **(found or {})}
    values = loss_terms(METHODS[method], PLAIN.model_copy(update=numbers), given, samples)
    return {name: value.item() for name, value in values.items()}


def test_po_has_a_mean_for_refusals_and_one_for_retain() -> None:
    assert terms("po") == {"refuse": pytest.approx(2.0), "descent": pytest.approx(8 / 3)}


def test_published_po_takes_one_mean_over_refusals_and_retain() -> None:
    assert sum(terms("po", refusal_mean="union").values()) == pytest.approx(18 / 8)


def test_a_step_of_retain_alone_has_its_plain_mean_in_published_po() -> None:
    values = loss_terms(
        METHODS["po"], PLAIN.model_copy(update={"refusal_mean": "union"}),
        {name: value for name, value in FOUND.items() if name.startswith("retain.")}, {"retain": SAMPLES["retain"]},
    )  # fmt: skip
    assert {name: value.item() for name, value in values.items()} == {"descent": pytest.approx(8 / 3)}


@pytest.mark.parametrize(("method", "term"), [("dpo", "dpo"), ("altpo", "dpo-alternate")])
def test_dpo_of_hand_worked_sums(method: str, term: str) -> None:
    assert terms(method)[term] == pytest.approx(8.74976, abs=1e-5)


def test_dpo_with_winner_and_loser_exchanged_has_the_argument_negated() -> None:
    swapped = {
        "forget.nll_sum": torch.tensor([10.0]), "forget.reference": torch.tensor([12.0]),
        "refusal.nll_sum": torch.tensor([9.0]), "refusal.reference": torch.tensor([5.0]),
    }  # fmt: skip
    assert terms("dpo", swapped)["dpo"] == pytest.approx(20.74976, abs=1e-5)


def test_dpo_before_the_first_step_is_two_log_two_over_beta() -> None:
    same = {"forget.reference": torch.tensor([9.0]), "refusal.reference": torch.tensor([10.0])}
    assert terms("dpo", same)["dpo"] == pytest.approx(13.8629, abs=1e-4)


def test_dpo_whose_refusal_does_not_move_is_npo() -> None:
    still = {"refusal.reference": torch.tensor([10.0])}
    assert terms("dpo", still)["dpo"] == pytest.approx(terms("npo")["npo"])


def test_pairs_are_found_by_key_and_not_by_place() -> None:
    found = {
        "forget.nll_sum": torch.tensor([9.0, 1.0]), "forget.reference": torch.tensor([5.0, 1.0]),
        "refusal.nll_sum": torch.tensor([1.0, 10.0]), "refusal.reference": torch.tensor([1.0, 12.0]),
    }  # fmt: skip
    samples = {
        "forget": (one("f1"), one("f2")), "refusal": (one("f2|refusal"), one("f1|refusal")), "retain": (one("r1"),)
    }  # fmt: skip
    assert terms("dpo", found, samples)["dpo"] == pytest.approx((8.74976 + 13.86294) / 2, abs=1e-5)


def test_answer_preservation_of_hand_worked_sums() -> None:
    assert terms("idk-ap")["answer-preservation"] == pytest.approx(2.63282, abs=1e-5)


def test_answer_preservation_of_equal_sums_is_log_two_over_beta() -> None:
    found = {"retain.nll_sum": torch.tensor([20.0])}
    assert terms("idk-ap", found)["answer-preservation"] == pytest.approx(10 * math.log(2))


@pytest.mark.parametrize(
    ("divergence", "expected"), [("tv", 0.10096), ("kl", 0.31873), ("js", 0.25888), ("pearson", 0.46)]
)
def test_flat_of_a_half_and_eight_tenths(divergence: str, expected: float) -> None:
    found = {"refusal.share": torch.tensor([2.5]), "forget.share": torch.tensor([2.4])}  # over 5 and 3 tokens
    assert terms("flat", found, divergence=divergence)["flat"] == pytest.approx(expected, abs=1e-5)


def test_flat_by_total_variation_of_equal_probabilities_is_zero() -> None:
    half = torch.tensor([0.5])
    assert flat_divergence(half, half, divergence="tv").item() == 0


def test_published_flat_takes_one_probability_of_the_batch() -> None:
    found = {
        "refusal.share": torch.tensor([0.0, 2.0]), "refusal.tokens": torch.tensor([2.0, 2.0]),
        "forget.share": torch.tensor([1.6, 0.8]), "forget.tokens": torch.tensor([1.0, 2.0]),
    }  # fmt: skip
    samples = {"forget": (one("f1"), one("f2")), "refusal": (one("f1|refusal"), one("f2|refusal"))}
    assert terms("flat", found, samples, flat_pairs=False)["flat"] == pytest.approx(0.10096, abs=1e-5)


def test_a_decoupled_prompt_costs_its_weighted_mean() -> None:
    found = terms("gd-pd", decoupled_weight=0.5, retain_weight=0.5)
    assert found["decoupled"] == pytest.approx(1.0)


def test_without_decoupled_prompts_the_loss_is_that_of_gradient_difference() -> None:
    assert sum(terms("gd-pd", decoupled_weight=0.0).values()) == pytest.approx(sum(terms("gd").values()))


@pytest.mark.parametrize(
    ("method", "others"), [("ga-pd", {"ascent"}), ("kl-pd", {"ascent", "kl"}), ("po-pd", {"refuse", "descent"})]
)
def test_decoupled_prompts_stand_beside_the_terms_of_their_method(method: str, others: set[str]) -> None:
    assert set(terms(method, {"retain.kl": torch.tensor([1.0])})) == others | {"decoupled"}


def test_mixed_prompts_have_a_mean_for_each_order() -> None:
    assert terms("mp-idk")["mixed"] == pytest.approx(4 / 2 + 3 / 6)


def test_risk_weighs_each_sample_of_a_mean() -> None:
    found = {
        "forget.nll_sum": torch.tensor([2.0, 1.0]), "forget.nll": torch.tensor([2.0, 1.0]),
        "forget.tokens": torch.ones(2), "forget.factor": torch.tensor([1.567, 1.0]),
    }  # fmt: skip
    samples = {"forget": (one("f1"), one("f2"))}
    assert terms("unpii-ga", found, samples)["ascent"] == pytest.approx(-2.067)


def test_risk_weighs_npo_sample_by_sample() -> None:
    found = {"forget.factor": torch.tensor([1.5])}
    assert terms("unpii-npo", found)["npo"] == pytest.approx(1.5 * terms("npo")["npo"])


def test_without_risk_unpii_is_its_base() -> None:
    found = {"forget.factor": torch.ones(1)}
    assert terms("unpii-ga", found)["ascent"] == terms("ga")["ascent"]
