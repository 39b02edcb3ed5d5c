"""Where an adapter starts: FILA, VILA, ReGLU and the null space by hand, and that a start changes no logit."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from tests.worlds.unlearn_world import write_world
from unlearn.data import Assigned, read_samples
from unlearn.methods.fisher import sample_fisher
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora, save_adapter
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, adapter_off, bare
from unlearn.models.loading import LoadedModel, load_model
from unlearn.presets import Numbers
from unlearn.weights.starts import (
    Start,
    adapted_linears,
    apply_start,
    fila_matrices,
    load_start,
    matrices,
    null_projection,
    reglu_basis,
    row_weights,
    save_start,
    take_start,
)

PLAIN = Numbers(lr=1.0, epochs=1, batch=2, retain_batch=2, rank=2, alpha=4, overlap_rank=4, null_share=0.2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Assigned:
    return read_samples(write_world(tmp_path_factory.mktemp("world"), people=2), setting="personalized", modality="qa")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(TEXTS, tmp_path_factory.mktemp("models") / "base", seed=1, hidden=32, layers=2)


def fresh(base: Path) -> tuple[LoadedModel, AnswerModel, Encoder]:
    loaded = load_model(base)
    adapted = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    return loaded, AnswerModel(adapted, loaded.family), Encoder(loaded.processor, loaded.family)


def test_fila_starts_in_the_direction_that_weighs_most() -> None:
    # W = diag(2, 1), rows weigh 1 and 3: diag(2, 3) leads along e2, and B A = diag(0, 1)
    first, second = fila_matrices(torch.diag(torch.tensor([2.0, 1.0])), torch.tensor([1.0, 3.0]), rank=1, scale=1.0)
    torch.testing.assert_close(second @ first, torch.diag(torch.tensor([0.0, 1.0])), rtol=1e-4, atol=1e-5)


def test_fila_of_full_rank_is_the_weight_whatever_the_scale() -> None:
    weight = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    first, second = fila_matrices(weight, torch.tensor([0.5, 2.0]), rank=2, scale=4.0)
    torch.testing.assert_close(4.0 * second @ first, weight, rtol=1e-4, atol=1e-4)


def test_rows_weigh_the_root_of_their_summed_importance() -> None:
    forget, retain = torch.tensor([[4.0, 5.0], [0.0, 1.0]]), torch.ones(2, 2)
    assert row_weights(forget, retain).tolist() == pytest.approx([3.0, 1.0], rel=1e-4)


def test_vila_multiplies_the_importances_of_the_two_factors() -> None:
    product = torch.tensor([[1.0], [2.0]]) @ torch.tensor([[3.0, 4.0]])
    assert product.tolist() == [[3.0, 4.0], [6.0, 8.0]]
    # rows: sqrt(7 / 1) and sqrt(14 / 1)
    assert row_weights(product, torch.ones(2, 2)).tolist() == pytest.approx([7**0.5, 14**0.5], rel=1e-4)


def test_reglu_starts_where_forget_outputs_outweigh_retain_outputs() -> None:
    forget, retain = torch.diag(torch.tensor([4.0, 1.0])), torch.diag(torch.tensor([1.0, 4.0]))
    chosen = reglu_basis(forget, retain, balance=0.5, rank=1)
    assert chosen.abs().squeeze(1).tolist() == pytest.approx([1.0, 0.0])
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    taken = weight - 2.0 * chosen @ (chosen.T @ weight)  # s = 2
    assert taken.tolist() == [[-1.0, -2.0], [3.0, 4.0]]


def test_the_null_space_of_one_direction_is_the_other() -> None:
    covariance = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    projection, count = null_projection(covariance, share=0.01)
    assert count == 1
    assert (torch.tensor([1.0, 2.0], dtype=torch.float64) @ projection).tolist() == pytest.approx([0.0, 2.0])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-3, 3, width=32), min_size=12, max_size=12),
    st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6),
)
def test_no_matrix_after_a_projected_one_reaches_a_kept_input(second: list[float], kept: list[float]) -> None:
    key = torch.tensor(kept, dtype=torch.float64)
    if float(key.norm()) > 1e-2:
        projection, count = null_projection(torch.outer(key, key), share=0.01)
        first = torch.arange(12, dtype=torch.float64).reshape(2, 6) @ projection
        assert count == 5
        assert float((torch.tensor(second, dtype=torch.float64).reshape(6, 2) @ first @ key).abs().max()) < 1e-8


def test_centred_fisher_is_the_variance_over_samples(base: Path, data: Assigned) -> None:
    _, network, encoder = fresh(base)
    with torch.no_grad():
        for layer in adapted_linears(bare(network)).values():
            matrices(layer)[1].normal_()
    samples = {key: data.forget[key] for key in sorted(data.forget)[:3]}
    one = {key: sample_fisher(network, encoder, {key: samples[key]}, batch=4) for key in samples}
    found = sample_fisher(network, encoder, samples, batch=2, centred=True)
    plain = sample_fisher(network, encoder, samples, batch=2)
    name = sorted(found)[0]
    torch.testing.assert_close(plain[name], torch.stack([each[name] for each in one.values()]).mean(0))
    assert (found[name] <= plain[name] + 1e-12).all()
    lone = sample_fisher(network, encoder, {key: samples[key] for key in list(samples)[:1]}, batch=2, centred=True)
    assert float(lone[name].max()) < 1e-6 * float(one[next(iter(samples))][name].max()) + 1e-12


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("fila-gd", {"adapter_start": "fila"}),
        ("vila-gd", {"adapter_start": "vila"}),
        ("reglu-ga", {"adapter_start": "reglu", "overlap_weight": 0.5}),
        ("null-space", {"adapter_start": "null-space"}),
    ],
)
def test_a_start_changes_no_logit_and_is_saved_as_one_adapter_of_the_base(
    base: Path, data: Assigned, tmp_path: Path, name: str, numbers: dict[str, object]
) -> None:
    assert METHODS[name].kind == "weights"
    _, network, encoder = fresh(base)
    batch = encoder.batch([data.forget[key] for key in sorted(data.forget)[:3]])
    network.eval()
    with torch.no_grad():
        before, _ = network(batch.inputs, batch.labels, batch.pictures)
    start = take_start(network, encoder, data, PLAIN.model_copy(update=numbers), seed=0)
    save_start(tmp_path / "start.safetensors", start, base="b", data="d")
    apply_start(bare(network), load_start(tmp_path / "start.safetensors", base="b", data="d"))
    with torch.no_grad():
        after, _ = network(batch.inputs, batch.labels, batch.pictures)
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
        with adapter_off(network):
            old, _ = network(batch.inputs, batch.labels, batch.pictures)
        torch.testing.assert_close(old, before, rtol=0.0, atol=0.0)
        for layer in adapted_linears(bare(network)).values():  # as if it had been trained
            matrices(layer)[1].add_(0.1)
        moved, _ = network(batch.inputs, batch.labels, batch.pictures)
    assert (moved - before).abs().max() > 1e-2
    save_adapter(network, tmp_path / "adapter", base_digest="b")
    (tmp_path / "adapter" / "base.json").unlink()
    opened = load_model(base, adapter=tmp_path / "adapter")
    with torch.no_grad():
        again, _ = AnswerModel(opened.model, opened.family).eval()(batch.inputs, batch.labels, batch.pictures)
    torch.testing.assert_close(again, moved, rtol=1e-4, atol=1e-4)


def test_what_takes_the_start_off_does_not_move_and_stays_frozen_after_the_reference_was_asked(
    base: Path, data: Assigned
) -> None:
    _, network, encoder = fresh(base)
    numbers = PLAIN.model_copy(update={"adapter_start": "reglu"})
    apply_start(bare(network), take_start(network, encoder, data, numbers, seed=0))
    with adapter_off(network):
        pass
    moving = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert moving
    assert not any("origin" in name for name in moving)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ({"adapter_start": "fila", "rank": 99}, "rank 99: is more than the 1?[0-9]+ that"),
        ({"adapter_start": "null-space", "null_share": 1e-9}, "rank 2: is more than the [01] directions"),
        ({"adapter_start": "reglu", "overlap_weight": 1.0, "overlap_rank": 64}, "overlap_rank 64: leaves none of the"),
    ],
)
def test_ranks_that_do_not_fit_are_refused(base: Path, data: Assigned, numbers: dict[str, object], found: str) -> None:
    _, network, encoder = fresh(base)
    with pytest.raises(BadInput, match=found):
        take_start(network, encoder, data, PLAIN.model_copy(update=numbers), seed=0)


def test_a_start_of_other_weights_or_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    save_start(path, Start({"x": torch.ones(1, 2)}, {"x": torch.ones(2, 1)}, {}), base="b", data="d")
    with pytest.raises(BadInput, match="was taken with base b, not c"):
        load_start(path, base="c", data="d")
    with pytest.raises(BadInput, match="was taken with data d, not e"):
        load_start(path, base="b", data="e")
    path.write_bytes(b"no tensors")
    with pytest.raises(BadInput, match="is no start of an adapter"):
        load_start(path, base="b", data="d")
