"""The table of methods: terms by hand from measured numbers, one forward pass against the plain one, presets."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import BUILDERS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.losses.bao import boundary_margin
from unlearn.losses.term import Samples
from unlearn.losses.terms import TERMS
from unlearn.methods.objective import loss_terms, measure, objective_for
from unlearn.methods.reference_model import measure_reference
from unlearn.methods.table import METHODS, method_named
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, adapter_off, bare
from unlearn.models.loading import load_model
from unlearn.presets import PRESETS, Numbers, numbers_for, preset_table
from unlearn.training.gradients import Moving, step_gradient
from unlearn.training.pieces import Share

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2)


def sample(key: str, subject: str) -> TrainingSample:
    return TrainingSample(sample_id=key, subject_id=subject, modality="qa", prompt="?", answer="!")


def measured(group: str, sums: list[float], tokens: list[float]) -> dict[str, torch.Tensor]:
    total, counts = torch.tensor(sums), torch.tensor(tokens)
    return {f"{group}.nll_sum": total, f"{group}.tokens": counts, f"{group}.nll": total / counts}


FOUND = {**measured("forget", [4.0, 6.0], [2.0, 3.0]), **measured("retain", [1.0], [4.0])}
SAMPLES: Samples = {"forget": (sample("f1", "a"), sample("f2", "b")), "retain": (sample("r1", "a"),)}


def test_gradient_difference_of_hand_worked_numbers() -> None:
    terms = loss_terms(METHODS["gd"], PLAIN, FOUND, SAMPLES)
    assert terms["ascent"].item() == pytest.approx(-10 / 5)
    assert terms["descent"].item() == pytest.approx(1 / 4)


def test_the_cap_holds_each_forget_sample_by_its_mean() -> None:
    numbers = PLAIN.model_copy(update={"forget_nll_cap": 1.5})
    assert loss_terms(METHODS["ga"], numbers, FOUND, SAMPLES)["ascent"].item() == pytest.approx(-1.5)


def test_npo_takes_the_whole_answers_ratio_sample_by_sample() -> None:
    found = FOUND | {"forget.reference": torch.tensor([2.0, 6.0])}
    numbers = PLAIN.model_copy(update={"beta": 0.5})
    # d = 2 and 0: -4 log sigmoid(1) = 1.253047, -4 log sigmoid(0) = 2.772589
    value = loss_terms(METHODS["npo"], numbers, found, SAMPLES)["npo"].item()
    assert value == pytest.approx((1.253047 + 2.772589) / 2, abs=1e-5)


def test_npo_normalised_by_length_divides_the_ratio_by_the_answers_tokens() -> None:
    found = FOUND | {"forget.reference": torch.tensor([2.0, 6.0])}
    numbers = PLAIN.model_copy(update={"beta": 1.0, "npo_length_normalize": True})
    # d = (4 - 2) / 2 = 1 and 0: -2 log sigmoid(1) = 0.626523, -2 log sigmoid(0) = 1.386294
    value = loss_terms(METHODS["npo"], numbers, found, SAMPLES)["npo"].item()
    assert value == pytest.approx((0.626523 + 1.386294) / 2, abs=1e-5)


def test_published_npo_puts_one_ratio_of_batch_means_into_the_sigmoid() -> None:
    found = FOUND | {"forget.reference": torch.tensor([2.0, 3.0])}
    numbers = PLAIN.model_copy(update={"beta": 1.0, "npo_reduction": "batch"})
    # (10 - 5) / 5 tokens = 1: -2 log sigmoid(1)
    assert loss_terms(METHODS["npo"], numbers, found, SAMPLES)["npo"].item() == pytest.approx(0.626523, abs=1e-5)


def test_kl_is_a_mean_over_answer_positions_and_published_kl_a_sum_over_the_batch() -> None:
    found = {**measured("retain", [1.0, 1.0], [2.0, 6.0]), "retain.kl": torch.tensor([3.0, 1.0])}
    samples = {"retain": (sample("r1", "a"), sample("r2", "a"))}
    assert loss_terms(METHODS["kl"], PLAIN, found, samples)["kl"].item() == pytest.approx(4 / 8)
    published = PLAIN.model_copy(update={"kl_positions": "all"})
    assert loss_terms(METHODS["kl"], published, found, samples)["kl"].item() == pytest.approx(4 / 2)


def test_matched_and_global_retain_have_weights_of_their_own() -> None:
    found = FOUND | measured("matched", [6.0], [2.0])
    numbers = PLAIN.model_copy(update={"retain_weight": 2.0, "matched_weight": 0.5})
    samples = SAMPLES | {"matched": (sample("r2", "b"),)}
    assert loss_terms(METHODS["gd"], numbers, found, samples)["descent"].item() == pytest.approx(2 * 0.25 + 0.5 * 3)


def test_the_boundary_compares_forget_with_matched_samples_of_the_same_subject() -> None:
    found = FOUND | measured("matched", [6.0], [2.0])
    samples = SAMPLES | {"matched": (sample("r2", "b"),)}
    numbers = PLAIN.model_copy(update={"boundary_weight": 2.0, "margin": 1.5})
    expected = boundary_margin(torch.tensor([2.0]), torch.tensor([3.0]), ["b"], ["b"], margin=1.5)
    assert loss_terms(METHODS["bao-gd"], numbers, found, samples)["boundary"].item() == pytest.approx(
        2 * expected.item()
    )


def test_npo_with_the_boundary_is_the_sum_of_npo_descent_and_the_margin() -> None:
    found = FOUND | measured("matched", [6.0], [2.0]) | {"forget.reference": torch.tensor([4.0, 6.0])}
    samples = SAMPLES | {"matched": (sample("r2", "b"),)}
    terms = loss_terms(METHODS["npo-boundary"], PLAIN.model_copy(update={"margin": 1.5}), found, samples)
    # (2 / 0.4) log 2; 1/4 of retain and 6/2 of matched; 1.5 - (2 - 3)
    assert [value.item() for value in terms.values()] == pytest.approx([3.465736, 3.25, 2.5])


def test_a_step_has_only_the_terms_whose_groups_it_has() -> None:
    only_retain = {"retain": SAMPLES["retain"]}
    assert set(loss_terms(METHODS["bao-gd"], PLAIN, FOUND, only_retain)) == {"descent"}
    assert set(loss_terms(METHODS["gd"], PLAIN, FOUND, {"forget": SAMPLES["forget"]})) == {"ascent"}


def test_the_boundary_can_be_added_to_every_method_with_forget_and_retain_batches() -> None:
    for name, method in METHODS.items():
        if method.uses_retain:
            assert "boundary" in method_named(name, boundary=True).terms


@pytest.mark.parametrize("name", ["ga", "npo", "manu"])
def test_the_boundary_is_refused_where_there_is_nothing_to_compare_with(name: str) -> None:
    with pytest.raises(BadInput, match="no forget and retain batches"):
        method_named(name, boundary=True)


def test_a_boundary_added_to_a_masked_method_is_masked() -> None:
    assert method_named("mmunlearner", boundary=True).masked == METHODS["bao-mmunlearner"].masked


def test_an_unknown_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(BadInput, match="choose one of ga, gd, kl"):
        method_named("nope")


def test_every_term_of_every_method_exists() -> None:
    assert {term for method in METHODS.values() for term in method.terms} <= set(TERMS)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_has_numbers_of_ours_and_a_section_of_its_own(method: str) -> None:
    numbers, sections = numbers_for(method, preset="default", parameters=10**9, family="gemma3")
    assert numbers.lr > 0
    assert {"default.all", f"default.{method}"} <= set(sections)


PUBLISHED = sorted(set(METHODS) & set(preset_table()["published"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", PUBLISHED)
def test_a_published_preset_has_numbers(method: str) -> None:
    numbers, sections = numbers_for(method, preset="published", parameters=10**9, family="gemma3")
    assert numbers.lr > 0
    assert {"published.all", f"published.{method}"} <= set(sections)


def test_a_method_whose_paper_gives_no_full_numbers_has_no_published_preset() -> None:
    with pytest.raises(BadInput, match="flat, preset published: has no numbers"):
        numbers_for("flat", preset="published", parameters=10**9, family="gemma3")


def test_published_bao_has_the_readme_numbers() -> None:
    numbers, _ = numbers_for("bao-gd", preset="published", parameters=10**9, family="qwen3_vl")
    assert (numbers.lr, numbers.epochs, numbers.batch, numbers.margin, numbers.boundary_weight) == (2e-5, 2, 2, 1, 1)
    assert (numbers.schedule, numbers.matched, numbers.keep_global, numbers.rank) == ("joint", 1, False, 8)


def test_the_arms_of_bao_share_one_learning_rate_in_every_preset() -> None:
    for preset in PRESETS:
        for parameters in (10**6, 10**10):
            rates = {
                numbers_for(arm, preset=preset, parameters=parameters, family="qwen3_vl")[0].lr
                for arm in ("gd-interleaved", "gd-joint", "bao-gd")
            }
            assert len(rates) == 1


def test_tiny_models_have_numbers_of_their_own_and_say_so() -> None:
    _, sections = numbers_for("gd", preset="default", parameters=10**6, family="qwen3_vl")
    assert "default-tiny.all" in sections
    assert not any("tiny" in name for name in numbers_for("gd", preset="published", parameters=1, family="x")[1])


def test_what_was_typed_wins_and_is_named() -> None:
    numbers, sections = numbers_for("gd", preset="default", parameters=1, family="x", overrides={"lr": 0.5})
    assert (numbers.lr, sections[-1]) == (0.5, "command line")


def test_a_number_out_of_range_or_unknown_is_refused() -> None:
    with pytest.raises(BadInput, match="gd, lr: "):
        numbers_for("gd", preset="default", parameters=1, family="x", overrides={"lr": -1})
    with pytest.raises(BadInput, match="gd, speed: "):
        numbers_for("gd", preset="default", parameters=1, family="x", overrides={"speed": 1})


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[AnswerModel, Encoder]:
    loaded = load_model(BUILDERS[request.param](tmp_path_factory.mktemp(request.param)))
    model = add_lora(loaded.model, loaded.family, rank=4, alpha=8, dropout=0.0, seed=1)
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            weight.data.normal_(std=0.1)  # as if it had been trained, so that it differs from the reference
    return AnswerModel(model, loaded.family), Encoder(loaded.processor, loaded.family)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=3), setting="personalized")


def test_one_forward_over_all_groups_measures_what_the_plain_model_says(
    setup: tuple[AnswerModel, Encoder], data: Assigned
) -> None:
    network, encoder = setup
    network.eval()
    groups = {"forget": list(data.forget.values())[:3], "retain": list(data.retain.values())[:5]}
    method = METHODS["kl"]
    reference = measure_reference(network, encoder, data.retain, keep_hidden=True)
    batches = {name: encoder.batch(rows) for name, rows in groups.items()}
    with torch.no_grad():
        found = measure(network, batches, method=method, numbers=PLAIN, reference=reference)
        for name, rows in groups.items():
            for row, one in enumerate(rows):
                batch = encoder.batch([one])
                logits = bare(network)(**batch.inputs).logits[0, :-1]
                with adapter_off(network):
                    before = bare(network)(**batch.inputs).logits[0, :-1]
                kept = batch.labels[0, 1:] != -100
                nll = cross_entropy(logits[kept], batch.labels[0, 1:][kept])
                assert found[f"{name}.nll"][row].item() == pytest.approx(nll.item(), abs=1e-4)
                assert found[f"{name}.tokens"][row].item() == int(kept.sum())
                if name == "retain":
                    now, then = logits[kept].log_softmax(1), before[kept].log_softmax(1)
                    kl = kl_div(now, then, reduction="sum", log_target=True).item()
                    assert kl > 1e-3
                    assert found["retain.kl"][row].item() == pytest.approx(kl, rel=1e-3, abs=1e-4)


def test_the_reference_is_the_model_with_its_adapter_off(setup: tuple[AnswerModel, Encoder], data: Assigned) -> None:
    network, encoder = setup
    found = measure_reference(network, encoder, data.forget, keep_hidden=False)
    key = sorted(data.forget)[0]
    batch = encoder.batch([data.forget[key]])
    with adapter_off(network):
        logits = bare(network).eval()(**batch.inputs).logits[0, :-1]
    kept = batch.labels[0, 1:] != -100
    expected = cross_entropy(logits[kept], batch.labels[0, 1:][kept], reduction="sum")
    assert found.nll_sum[key] == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("name", ["gd", "kl", "npo-retain", "bao-gd"])
def test_gradients_accumulated_over_pieces_equal_those_of_the_whole_step(
    setup: tuple[AnswerModel, Encoder], data: Assigned, name: str
) -> None:
    network, encoder = setup
    network.train()
    matched = tuple(data.retain[key] for key in sorted(data.retain)[:4])
    groups = {"forget": tuple(data.forget.values())[:4], "matched": matched, "retain": tuple(data.retain.values())[:6]}
    method = METHODS[name]
    compared = data.retain if name == "kl" else data.forget
    reference = measure_reference(network, encoder, compared, keep_hidden=name == "kl")
    objective = objective_for(method, PLAIN, reference=reference, keep=None)
    weights = {name: weight for name, weight in bare(network).named_parameters() if weight.requires_grad}
    gradients = []
    for accumulate in (1, 3):
        bare(network).zero_grad()
        step_gradient(Moving(network, weights, encoder, share=Share(accumulate)), groups, objective)
        gradients.append({name: weight.grad.clone() for name, weight in weights.items() if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for key in gradients[0]:
        torch.testing.assert_close(gradients[0][key], gradients[1][key], rtol=1e-3, atol=1e-6)


def test_published_kl_counts_every_position_of_the_padded_batch(
    setup: tuple[AnswerModel, Encoder], data: Assigned
) -> None:
    network, encoder = setup
    network.eval()
    published = PLAIN.model_copy(update={"kl_positions": "all"})
    batch = encoder.batch(list(data.retain.values())[:3])
    with torch.no_grad():
        found = measure(network, {"retain": batch}, method=METHODS["kl"], numbers=published, reference=None)
        now = bare(network)(**batch.inputs).logits.log_softmax(2)
        with adapter_off(network):
            then = bare(network)(**batch.inputs).logits.log_softmax(2)
    expected = kl_div(now, then, reduction="none", log_target=True).sum((1, 2))
    torch.testing.assert_close(found["retain.kl"], expected, rtol=1e-3, atol=1e-3)


def test_a_masked_method_without_a_mask_is_refused() -> None:
    with pytest.raises(BadInput, match="needs a saliency mask"):
        objective_for(METHODS["mmunlearner"], PLAIN, reference=None, keep=None)


def test_npo_before_the_first_step_is_two_log_two_over_beta(tmp_path: Path, data: Assigned) -> None:
    loaded = load_model(BUILDERS["qwen3_vl"](tmp_path))
    network = AnswerModel(
        add_lora(loaded.model, loaded.family, rank=4, alpha=8, dropout=0.0, seed=1), loaded.family
    ).train()
    encoder = Encoder(loaded.processor, loaded.family)
    reference = measure_reference(network, encoder, data.forget, keep_hidden=False)
    rows = tuple(data.forget.values())[:5]
    batches = {"forget": encoder.batch(rows)}
    found = measure(network, batches, method=METHODS["npo"], numbers=PLAIN, reference=reference)
    value = loss_terms(METHODS["npo"], PLAIN, found, {"forget": rows})["npo"].item()
    assert value == pytest.approx(2 / PLAIN.beta * math.log(2), abs=1e-4)
