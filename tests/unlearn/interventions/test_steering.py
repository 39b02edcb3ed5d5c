"""Steering over a tiny model: forms by hand, no batch or cache that changes anything, and gates that know prompts."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from pydantic import JsonValue
from torch import Tensor

from eval.guards.guarded import Guard, Guarded, drawn
from eval.responders.local import LocalModel, LocalResponder
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from schemas.records.interventions import GateRecord, Intervention
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS, picture
from unlearn.interventions.files import read_stack, save_stack
from unlearn.interventions.gates import calibrated, scores
from unlearn.interventions.parts import Part
from unlearn.interventions.stack import lay, lift
from unlearn.interventions.steering import corrupted, rotated
from unlearn.models.loading import LoadedModel, load_model

LAYER = "model.language_model.layers.0"
NEXT = "model.language_model.layers.1"
ASKS = (
    Ask(ask_id="a", text="Where was Ada Lovelace born?"),
    Ask(ask_id="b", text="What does this person do for a living? yes no red green"),
    Ask(ask_id="c", text="Bruno?"),
    Ask(ask_id="d", text="What does this person do for a living?", image=picture(1)),
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("model") / "base", seed=1, hidden=32, layers=2))


def layer(
    form: str, strength: float, *, gate: GateRecord | None = None, parts: Mapping[str, Tensor] | None = None
) -> Part:
    draw = torch.Generator().manual_seed(3)
    tensors: dict[str, dict[str, Tensor]] = {
        "linear": {
            f"{LAYER}.left": torch.randn(32, 1, generator=draw), f"{LAYER}.right": torch.randn(1, 32, generator=draw)
        },
        "rotate": {f"{LAYER}.vectors": torch.randn(1, 32, generator=draw)},
        "corrupt": {},
    }  # fmt: skip
    numbers: dict[str, JsonValue] = {"strength": strength}
    if form == "corrupt":
        numbers = {"sigma": strength, "method": "noise", "dims": 4}
    made = Intervention(kind="steering", form=form, numbers=numbers, gate=gate)
    return Part(made, {**tensors[form], **(parts or {})})


def responder(loaded: LoadedModel, stack: list[Part], *, batch: int = 4) -> LocalResponder:
    laid = lay(loaded, stack, base="base").model
    return LocalResponder(LocalModel(laid.model, laid.processor, "x", laid.family.form, live=laid.live), batch=batch)


def replies(asked: LocalResponder | Guarded) -> dict[str, str]:
    return {each.ask_id: each.text for each in asked.answer(ASKS, Decoding(max_new_tokens=12))}


def likelihoods(asked: LocalResponder | Guarded) -> dict[str, float]:
    return {name: scores.mean for name, scores in asked.token_scores([(ask, "in London") for ask in ASKS])}


def test_a_state_is_turned_away_at_its_length() -> None:
    found = rotated(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 5.0]), strength=0.8)
    torch.testing.assert_close(found, torch.tensor([5.0, 0.0]))


def test_the_largest_numbers_of_an_embedding_are_zeroed_or_the_first_turned_round() -> None:
    states = torch.tensor([[0.1, -3.0, 2.0]])
    torch.testing.assert_close(corrupted(states, "zero", 1), torch.tensor([[0.1, 0.0, 2.0]]))
    torch.testing.assert_close(corrupted(states, "flip", 1), torch.tensor([[-0.1, -3.0, 2.0]]))


@pytest.mark.parametrize("form", ["linear", "rotate", "corrupt"])
def test_steering_changes_likelihoods_and_none_of_strength_zero_does(loaded: LoadedModel, form: str) -> None:
    base = likelihoods(responder(loaded, [layer("rotate", 0.0)]))
    assert likelihoods(responder(loaded, [layer(form, 0.0)])) == base
    assert all(
        abs(value - base[key]) > 1e-4 for key, value in likelihoods(responder(loaded, [layer(form, 2.0)])).items()
    )


@pytest.mark.parametrize("form", ["linear", "rotate", "corrupt"])
def test_a_batch_of_one_is_steered_as_a_batch_of_many(loaded: LoadedModel, form: str) -> None:
    alone, together = (responder(loaded, [layer(form, 2.0)], batch=batch) for batch in (1, 4))
    assert replies(alone) == replies(together)
    expected = likelihoods(alone)
    for key, value in likelihoods(together).items():
        assert value == pytest.approx(expected[key], abs=1e-4)


@pytest.mark.parametrize("form", ["linear", "rotate", "corrupt"])
def test_decoding_from_a_cache_says_what_teacher_forcing_finds_likeliest(loaded: LoadedModel, form: str) -> None:
    laid = lay(loaded, [layer(form, 2.0)], base="base").model
    assert laid.live is not None
    ids = torch.tensor(laid.processor.tokenizer(ASKS[0].text)["input_ids"])[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    ends = torch.tensor([ids.shape[1] - 1])
    with torch.inference_mode(), laid.live.prompts(given, ends):
        found = laid.model.generate(  # type: ignore[operator]
            **given, do_sample=False, min_new_tokens=5, max_new_tokens=5, output_logits=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    whole = {"input_ids": found.sequences, "attention_mask": torch.ones_like(found.sequences)}
    with torch.inference_mode(), laid.live.prompts(whole, ends):
        logits = laid.model(**whole).logits[0, ids.shape[1] - 1 : -1]
    torch.testing.assert_close(torch.stack(found.logits)[:, 0], logits, rtol=1e-3, atol=1e-4)


def test_after_the_passes_nothing_is_left_in_the_model(loaded: LoadedModel) -> None:
    base = likelihoods(responder(loaded, [layer("rotate", 0.0)]))
    hooks = [(len(each._forward_hooks), len(each._forward_pre_hooks)) for each in loaded.model.modules()]
    stack = [layer("rotate", 2.0), layer("linear", 1.0)]
    likelihoods(responder(loaded, stack))
    lift(lay(loaded, stack, base="base"))
    assert hooks == [(len(each._forward_hooks), len(each._forward_pre_hooks)) for each in loaded.model.modules()]
    assert likelihoods(responder(loaded, [layer("rotate", 0.0)])) == base


def test_of_two_that_are_stacked_the_second_stays_when_the_first_is_left_out(loaded: LoadedModel) -> None:
    first, second = layer("rotate", 2.0), layer("linear", 1.0)
    both, alone = (likelihoods(responder(loaded, stack)) for stack in ([first, second], [second]))
    assert both != alone
    assert alone == likelihoods(responder(loaded, [layer("rotate", 0.0), second]))


def gated(loaded: LoadedModel, form: str) -> Part:
    """Steering of prompts that are like the first ask alone."""
    caught: list[Tensor] = []
    asked = responder(loaded, [layer("rotate", 0.0)])
    rows, _ = asked._rows([ASKS[0]], asked._encoder)
    hook = loaded.model.get_submodule(NEXT).register_forward_hook(lambda m, i, o: caught.append(o))
    with torch.no_grad():
        loaded.model(**rows[0][1].tokens)
    hook.remove()
    parts = {"gate.centroids": caught[0][0].mean(0)[None], "gate.mean": torch.zeros(32)}
    return layer(form, 2.0, gate=GateRecord(source="hidden", layer=1, pool="mean", threshold=0.999), parts=parts)


@pytest.mark.parametrize("form", ["rotate", "corrupt", "linear"])
def test_a_prompt_that_the_gate_does_not_know_has_the_base_s_bits(loaded: LoadedModel, form: str) -> None:
    base = likelihoods(responder(loaded, [layer("rotate", 0.0)], batch=1))
    found = likelihoods(responder(loaded, [gated(loaded, form)], batch=1))
    assert {key for key, value in found.items() if value != base[key]} == {"a"}


def test_a_refusing_guard_answers_for_the_model_and_has_no_likelihood(loaded: LoadedModel) -> None:
    known = gated(loaded, "rotate")
    guard = Intervention(kind="guard", form="refuse", texts=("I cannot say.",), gate=known.intervention.gate)
    parts = {name: each for name, each in known.tensors.items() if name.startswith("gate.")}
    inner = responder(loaded, [Part(guard, parts)])
    asked = Guarded(inner, (Guard(guard, lambda asks: inner.fires(0, asks)),), inner)
    base = replies(inner)
    assert replies(asked) == {**base, "a": "I cannot say."}
    assert set(likelihoods(asked)) == {"b", "c", "d"}
    assert asked.identity != inner.identity


def test_a_prompt_guard_asks_in_its_own_words_too(loaded: LoadedModel) -> None:
    guard = Intervention(kind="guard", form="prompt", texts=("yes no red green.",))
    inner = responder(loaded, [Part(guard)])
    asked = Guarded(inner, (Guard(guard, lambda asks: inner.fires(0, asks)),), inner)
    worded = [ask.model_copy(update={"text": f"yes no red green.\n{ask.text}"}) for ask in ASKS]
    expected = {each.ask_id: each.text for each in inner.answer(worded, Decoding(max_new_tokens=12))}
    assert replies(asked) == expected


def test_a_refusal_follows_from_the_prompt_s_words() -> None:
    assert drawn(("a", "b", "c"), ASKS[0]) == drawn(("a", "b", "c"), ASKS[0].model_copy(update={"ask_id": "z"}))


def test_the_threshold_lets_the_stated_share_of_negatives_fire() -> None:
    negatives = torch.arange(100, dtype=torch.float64) / 100
    gate = calibrated(GateRecord(source="hidden"), torch.tensor([0.99, 0.5]), negatives, false_fire=0.05)
    assert (gate.threshold, gate.fires) == (pytest.approx(0.94), {"forget": 0.5, "retain": 0.05})


def test_a_gate_without_positives_is_refused() -> None:
    with pytest.raises(BadInput, match="has no positives to be calibrated on"):
        calibrated(GateRecord(source="hidden"), torch.zeros(0), torch.zeros(3), false_fire=0.05)


def test_scores_are_cosines_of_what_the_mean_leaves() -> None:
    found = scores(torch.tensor([[2.0, 1.0], [1.0, 5.0]]), torch.tensor([[3.0, 1.0]]), torch.tensor([1.0, 1.0]))
    assert found.flatten().tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("strength", [-1.0, 1e9])
def test_a_strength_that_cannot_be_is_refused(loaded: LoadedModel, strength: float) -> None:
    with pytest.raises(BadInput, match="its strength is"):
        lay(loaded, [layer("rotate", strength)], base="base")


def test_steering_of_a_layer_that_is_not_there_is_refused(loaded: LoadedModel) -> None:
    made = Part(Intervention(kind="steering", form="rotate"), {"model.nowhere.vectors": torch.zeros(1, 32)})
    with pytest.raises(BadInput, match="acts on model.nowhere, which the model lacks"):
        lay(loaded, [made], base="base")


def test_two_guards_that_contradict_are_refused(loaded: LoadedModel) -> None:
    refuse = Part(Intervention(kind="guard", form="refuse", texts=("No.",)))
    prompt = Part(Intervention(kind="guard", form="prompt", texts=("Be kind.",)))
    with pytest.raises(BadInput, match="lies over one that refuses everything"):
        lay(loaded, [refuse, prompt], base="base")


def test_steering_comes_back_from_its_files(loaded: LoadedModel, tmp_path: Path) -> None:
    made = gated(loaded, "rotate")
    save_stack(tmp_path, [made], base="base")
    found = likelihoods(responder(loaded, read_stack(tmp_path, beneath="base")))
    assert found == likelihoods(responder(loaded, [made]))
