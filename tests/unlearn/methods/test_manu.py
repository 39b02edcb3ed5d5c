"""MANU: running statistics against numpy, scores by hand, one pass, and pruning that can be undone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import BadInput
from schemas.vocabulary import Modality
from tests.worlds.tiny_models import BUILDERS, tiny_qwen
from tests.worlds.unlearn_world import write_world
from unlearn.data import read_samples
from unlearn.interventions.neurons import Pruned, blocks, prune, read_pruned, restore, write_pruned
from unlearn.methods.activations import Activity, Layer, activity_of, before_answer, merge, record_activity
from unlearn.methods.manu import choose, combined_scores, contrast, contrast_scores, importance, layers_of
from unlearn.methods.table import METHODS
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(tiny_qwen(tmp_path_factory.mktemp("qwen")))


def activity(mean: list[float], squares: list[float], magnitude: list[float], count: int = 4) -> Activity:
    found = (mean, squares, magnitude, [0.0] * len(mean))
    return Activity(count, *(torch.tensor(values, dtype=torch.float64) for values in found))


def test_statistics_of_merged_batches_equal_those_of_all_tokens_at_once() -> None:
    values = torch.randn(37, 5) * torch.tensor([0.01, 1, 30, 2, 5]) + torch.tensor([100.0, 0, 1, -3, 7])
    found = merge(merge(activity_of(values[:3]), activity_of(values[3:20])), activity_of(values[20:]))
    plain = values.double().numpy()
    np.testing.assert_allclose(found.deviation.numpy(), plain.std(0), rtol=1e-9)
    np.testing.assert_allclose(found.root_mean_square.numpy(), np.sqrt((plain**2).mean(0)), rtol=1e-9)
    np.testing.assert_allclose(found.magnitude.numpy(), np.abs(plain).mean(0), rtol=1e-9)


def test_outliers_are_clamped() -> None:
    assert activity_of(torch.tensor([[1e9]])).magnitude.item() == 1000


def test_importance_of_hand_worked_statistics() -> None:
    # forget: |a| 2, std sqrt(16/4) = 2, rms sqrt(4 + 0) = 2; retain: |a| 1, std 1, rms 1 -> 2 (2-1) three times = 6.
    forget, retain = activity([0.0], [16.0], [2.0]), activity([0.0], [4.0], [1.0])
    assert importance(forget, retain).item() == pytest.approx(6.0, abs=1e-3)


def test_the_printed_contrast_of_one_neuron_is_worked_by_hand() -> None:
    multi, text = activity_of(torch.tensor([[1.0], [3.0]])), activity_of(torch.tensor([[1.0], [1.0]]))
    assert METHODS["manu-contrast"].prunes
    # |2-1|/3 + 0 + sqrt(1 + 0) + sqrt((10-2)/12)
    assert contrast(multi, text).item() == pytest.approx(2.1498, abs=1e-4)


def test_the_contrast_score_is_that_of_forget_over_that_of_retain() -> None:
    forget: dict[Modality, dict[str, Activity]] = {
        "vqa": {"a": activity_of(torch.tensor([[1.0], [3.0]]))}, "qa": {"a": activity_of(torch.tensor([[1.0], [1.0]]))}
    }  # fmt: skip
    same: dict[Modality, dict[str, Activity]] = {"vqa": forget["qa"], "qa": forget["qa"]}
    assert contrast_scores(forget, forget)["a"].item() == pytest.approx(1.0, abs=1e-5)
    assert contrast_scores(forget, same)["a"].item() > 1e5  # nothing to tell on retain


def test_a_contrast_of_one_modality_is_refused() -> None:
    with pytest.raises(BadInput, match="holds qa, and the contrast is of qa and vqa"):
        contrast_scores({"qa": {}}, {"qa": {}})


def test_normalized_scores_have_mean_zero_in_each_layer() -> None:
    forget = {"qa": {"a": activity_of(torch.randn(50, 8)), "b": activity_of(torch.randn(50, 8) * 100)}}
    retain = {"qa": {"a": activity_of(torch.randn(50, 8)), "b": activity_of(torch.randn(50, 8) * 100)}}
    scores = combined_scores(forget, retain, published_streams=None, normalize=True)
    for layer in ("a", "b"):
        assert scores[layer].mean().item() == pytest.approx(0, abs=1e-9)
        assert scores[layer].std().item() == pytest.approx(1)


def test_published_scores_take_text_layers_from_qa_and_vision_layers_from_vqa() -> None:
    low, high = activity([0.0], [4.0], [1.0]), activity([0.0], [16.0], [2.0])
    forget = {"qa": {"text": high}, "vqa": {"text": low, "sight": high}}
    retain = {"qa": {"text": low}, "vqa": {"text": high, "sight": low}}
    scores = combined_scores(forget, retain, published_streams=["text"], normalize=False)
    assert scores["text"].item() == pytest.approx(6.0, abs=1e-3)
    assert scores["sight"].item() == pytest.approx(6.0, abs=1e-3)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_both_towers_of_every_family_have_blocks(family: str, tmp_path: Path) -> None:
    model = load_model(BUILDERS[family](tmp_path))
    found = blocks(model.model, model.family, layers="all")
    assert {block.tower for block in found} == {"language", "vision"}
    assert len(found) == 4  # two layers in each tower; what joins the towers is no block


def test_the_last_three_layers_are_the_last_of_each_tower(tmp_path: Path) -> None:
    from sources.sandbox.tiny_model import make_tiny_model

    model = load_model(make_tiny_model(["a text"], tmp_path, seed=0, hidden=32, layers=4))
    paths = [block.path for block in blocks(model.model, model.family, layers="last3") if block.tower == "language"]
    assert [path.split(".")[-2] for path in paths] == ["1", "2", "3"]


def test_padding_has_no_part_in_the_statistics_and_each_sample_is_seen_once(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    data = read_samples(write_world(tmp_path, people=3), setting="selective")
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    layers = layers_of(blocks(loaded.model, loaded.family, layers="all"), unit="hidden")
    together, seen = record_activity(network, encoder, data.forget, layers, tokens="all", batch=7)
    alone, _ = record_activity(network, encoder, data.forget, layers, tokens="all", batch=1)
    assert seen == len(data.forget)
    for modality in ("qa", "vqa"):
        for name in together[modality]:
            assert together[modality][name].count == alone[modality][name].count
            torch.testing.assert_close(
                together[modality][name].magnitude, alone[modality][name].magnitude, rtol=1e-4, atol=1e-6
            )


def test_text_samples_say_nothing_about_the_vision_tower(loaded: LoadedModel, tmp_path: Path) -> None:
    data = read_samples(write_world(tmp_path, people=2), setting="selective")
    network, encoder = AnswerModel(loaded.model, loaded.family), Encoder(loaded.processor, loaded.family)
    layers = layers_of(blocks(loaded.model, loaded.family, layers="all"), unit="hidden")
    found, _ = record_activity(network, encoder, data.forget, layers, tokens="answer", batch=4)
    assert not any("visual" in name for name in found["qa"])
    assert any("visual" in name for name in found["vqa"])


def test_answer_tokens_are_told_by_the_position_before_them() -> None:
    labels = torch.tensor([[-100, -100, 5, 6, -100]])
    assert before_answer(labels).tolist() == [[False, True, True, False, False]]


def test_a_hidden_neuron_no_longer_reaches_the_output(loaded: LoadedModel) -> None:
    block = next(block for block in blocks(loaded.model, loaded.family, layers="all") if block.tower == "language")
    mlp = loaded.model.get_submodule(block.path)
    inputs = torch.randn(5, loaded.model.config.text_config.hidden_size)
    hidden = torch.nn.functional.silu(mlp.gate_proj(inputs)) * mlp.up_proj(inputs)
    hidden[:, [1, 4]] = 0
    expected = mlp.down_proj(hidden)
    pruned = Pruned(unit="hidden", share=0.1, base="b", data="d", layers={block.path: (1, 4)})
    removed = prune(loaded.model, pruned, loaded.family)
    found = mlp(inputs)
    restore(removed)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("unit", ["hidden", "output"])
def test_pruning_is_undone_to_the_last_bit(loaded: LoadedModel, unit: str) -> None:
    towers = blocks(loaded.model, loaded.family, layers="all")
    generator = torch.Generator().manual_seed(1)
    scores = {
        layer.name: torch.rand(_width(loaded, layer), generator=generator)
        for layer in layers_of(towers, unit=unit)  # type: ignore[arg-type]
    }
    layers = choose(scores, towers, share=0.3, unit=unit, ranking="each")  # type: ignore[arg-type]
    before = {name: weight.detach().clone() for name, weight in loaded.model.named_parameters()}
    pruned = Pruned(unit=unit, share=0.3, base="b", data="d", layers=layers)  # type: ignore[arg-type]
    removed = prune(loaded.model, pruned, loaded.family)
    assert any(not torch.equal(before[name], weight) for name, weight in loaded.model.named_parameters())
    restore(removed)
    assert all(torch.equal(before[name], weight) for name, weight in loaded.model.named_parameters())


def _width(loaded: LoadedModel, layer: Layer) -> int:
    weight = loaded.model.get_submodule(layer.linear).weight
    return int(weight.shape[1 if layer.side == "input" else 0])


def test_the_chosen_neurons_are_the_highest_of_each_tower(loaded: LoadedModel) -> None:
    towers = blocks(loaded.model, loaded.family, layers="all")
    scores = {layer.name: torch.zeros(_width(loaded, layer)) for layer in layers_of(towers, unit="hidden")}
    sight = next(name for name in scores if "visual" in name)
    text = next(name for name in scores if "visual" not in name)
    scores[sight][3], scores[text][5] = 1.0, 1.0
    found = choose(scores, towers, share=0.02, unit="hidden", ranking="each")
    assert 3 in found[sight]
    assert 5 in found[text]


def test_one_ranking_over_both_towers_leaves_the_tower_alone_that_tells_nothing_apart(loaded: LoadedModel) -> None:
    towers = blocks(loaded.model, loaded.family, layers="all")
    scores = {
        layer.name: torch.full((_width(loaded, layer),), 0.0 if "visual" in layer.name else 1.0)
        for layer in layers_of(towers, unit="hidden")
    }
    found = choose(scores, towers, share=0.1, unit="hidden", ranking="together")
    assert found
    assert not any("visual" in name for name in found)


def test_a_share_below_one_neuron_is_refused(loaded: LoadedModel) -> None:
    towers = blocks(loaded.model, loaded.family, layers="all")
    scores = {layer.name: torch.zeros(_width(loaded, layer)) for layer in layers_of(towers, unit="hidden")}
    with pytest.raises(BadInput, match="is less than one of the"):
        choose(scores, towers, share=0.0001, unit="hidden", ranking="each")


def test_a_list_of_pruned_neurons_comes_back_from_disk(tmp_path: Path) -> None:
    pruned = Pruned(unit="hidden", share=0.1, base="b", data="d", layers={"x.mlp": (1, 4)})
    write_pruned(tmp_path / "pruned.json", pruned)
    assert read_pruned(tmp_path / "pruned.json", base="b") == pruned


def test_a_list_of_another_base_is_refused(tmp_path: Path) -> None:
    pruned = Pruned(unit="hidden", share=0.1, base="b", data="d", layers={})
    write_pruned(tmp_path / "pruned.json", pruned)
    with pytest.raises(BadInput, match="was made for weights b, not c"):
        read_pruned(tmp_path / "pruned.json", base="c")


def test_neurons_that_the_model_lacks_are_refused(loaded: LoadedModel) -> None:
    pruned = Pruned(unit="hidden", share=0.1, base="b", data="d", layers={"nowhere.mlp": (1,)})
    with pytest.raises(BadInput, match="is not in this model"):
        prune(loaded.model, pruned, loaded.family)
