"""Any family: what is found at load serves training, likelihoods and answers alike, and the checks fail on faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers.utils.import_utils import BACKENDS_MAPPING

from eval.responders.local import LocalResponder
from eval.responders.prefix_cache import FEWEST
from flows.resources.responders import as_local
from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from tests.worlds.tiny_families import FAMILIES, REFUSED, tiny_family
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.methods.objective import measure, objective_for
from unlearn.methods.reference_model import measure_reference
from unlearn.methods.table import METHODS
from unlearn.models import loading, settling
from unlearn.models.adapters import add_lora
from unlearn.models.anatomy import language_linears
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model
from unlearn.models.processors import missing_package
from unlearn.presets import numbers_for
from unlearn.training.loop import Step, train
from unlearn.training.optimisers import Optimisation

SERVED = sorted(set(FAMILIES) - set(REFUSED))
NUMBERS, _ = numbers_for("kl", preset="default", parameters=1, family="", overrides={})


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPUBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


def folder(home: Path, name: str) -> Path:
    place = home / name
    return place if (place / "config.json").is_file() else tiny_family(name, place)


def samples(loaded: LoadedModel) -> dict[str, TrainingSample]:
    """Two of text and two of pictures of different shapes; of text alone where they may not stand together."""
    shown = (None, None, picture(1), picture(2, side=40)) if loaded.family.mixed else (None,) * 4
    return {
        f"s{number}": TrainingSample(
            sample_id=f"s{number}", subject_id="001", modality="vqa" if image else "qa",
            prompt="Where was Ada born?" + " And when?" * number, answer=f"In London{' or Vienna' * (number % 2)}",
            image=image,
        )
        for number, image in enumerate(shown)
    }  # fmt: skip


def asks(count: int = 3) -> list[Ask]:
    return [
        Ask(ask_id=f"{shown}-{number}", text=f"Look and answer:\nWhere was Ada born?{' Really?' * number}", image=image)
        for shown, image in (("one", picture(1)), ("other", picture(2, side=40)), ("text", None))
        for number in range(count)
    ]


def test_at_least_25_types_are_tried() -> None:
    assert len(SERVED) >= 25


@pytest.mark.parametrize("name", SERVED)
def test_two_steps_of_gd_move_every_language_linear_that_runs_and_nothing_else(home: Path, name: str) -> None:
    loaded = load_model(folder(home, name))
    linears = set(language_linears(loaded.model, loaded.family))
    before = {path: weight.clone() for path, weight in loaded.model.named_parameters()}
    network = AnswerModel(add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1), loaded.family)
    rows = samples(loaded)
    outcome = train(
        network,
        Encoder(loaded.processor, loaded.family),
        rows,
        [Step({"forget": ("s0", "s2"), "retain": ("s1", "s3")})] * 2,
        objective_for(METHODS["gd"], NUMBERS, reference=None, keep=None),
        optimisation=Optimisation(lr=1e-2),
        folder=None,
        identity=name,
    )
    assert outcome.reason == "finished"
    weights = dict(network.model.named_parameters())
    moved = {path.removeprefix("base_model.model.").partition(".lora_B")[0] for path, weight in weights.items()
             if ".lora_B" in path and weight.any()}  # fmt: skip
    assert moved <= linears
    assert len(moved) > 0.4 * len(linears)  # experts that were not chosen, and cross attention without pictures, stand
    for path, weight in before.items():
        layer, _, last = path.rpartition(".")
        now = weights[f"base_model.model.{layer}.base_layer.{last}" if layer in linears else f"base_model.model.{path}"]
        assert torch.equal(weight, now), path


@pytest.mark.parametrize("name", SERVED)
def test_batched_answers_and_shared_openings_equal_single_ones(home: Path, name: str) -> None:
    local = as_local(load_model(folder(home, name)), name)
    greedy = Decoding(max_new_tokens=4)
    given = asks(FEWEST)
    together = {reply.ask_id: reply.text for reply in LocalResponder(local, batch=7).answer(given, greedy)}
    singly = LocalResponder(local, batch=1)
    for ask in given[:: FEWEST - 1]:
        (alone,) = singly.answer([ask], greedy)
        assert together[ask.ask_id] == alone.text, ask.ask_id


@pytest.mark.parametrize("name", SERVED)
def test_likelihoods_of_options_equal_teacher_forced_ones(home: Path, name: str) -> None:
    loaded = load_model(folder(home, name))
    given = [(ask, text) for ask in asks(2) for text in ("London", "in Vienna")]
    found = list(LocalResponder(as_local(loaded, name), batch=5).log_likelihood(given))
    encoder = Encoder(loaded.processor, loaded.family, train_on_eot=False)
    for (_, value), (ask, text) in zip(found, given, strict=True):
        sample = TrainingSample(sample_id="x", subject_id="1", modality="vqa" if ask.image else "qa", prompt=ask.text,
                                answer=text, image=ask.image)  # fmt: skip
        batch = encoder.batch([sample])
        with torch.no_grad():
            logits = loaded.model(**batch.inputs).logits[0, :-1].float().log_softmax(-1)
        wanted = batch.labels[0, 1:]
        kept = wanted != -100
        assert value == pytest.approx(logits[kept].gather(1, wanted[kept, None]).mean().item(), abs=1e-5)


@pytest.mark.parametrize("name", ["gemma4", "granite_docling", "qwen3_5", "llava_next"])
def test_the_divergence_to_the_reference_is_zero_at_the_start_whatever_the_head(home: Path, name: str) -> None:
    loaded = load_model(folder(home, name))
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.0, seed=1)
    network, encoder = AnswerModel(model, loaded.family), Encoder(loaded.processor, loaded.family)
    network.eval()
    rows = samples(loaded)
    reference = measure_reference(network, encoder, rows, keep_hidden=True)
    with torch.no_grad():
        batch = {"retain": encoder.batch(list(rows.values()))}
        found = measure(network, batch, method=METHODS["kl"], numbers=NUMBERS, reference=reference)
    assert found["retain.kl"].abs().max() < 1e-4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("florence2", "encoder-decoder"),
        ("blip-2", "takes no text without a picture"),
        ("instructblip", "takes no text without a picture"),
        ("paligemma", "writes an answer, or what follows it, otherwise than its tokenizer"),
    ],
)
def test_a_family_that_cannot_serve_is_refused_in_one_line(home: Path, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        load_model(folder(home, name))
    assert "\n" not in str(refused.value)


def test_a_model_that_looks_ahead_is_refused(home: Path) -> None:
    loaded = load_model(folder(home, "qwen2_vl"))
    for part in loaded.model.modules():
        if hasattr(part, "is_causal"):
            part.is_causal = False
    with pytest.raises(BadInput, match="looks ahead"):
        settling.settle(loaded.model, loaded.processor, where="planted")


def test_experts_that_an_adapter_leaves_out_are_said(home: Path) -> None:
    found = load_model(folder(home, "qwen3_vl_moe")).family
    assert found.left_out == 4
    assert any("experts" in note for note in found.notes)


def test_what_was_found_is_kept_and_not_tried_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_model(folder(home, "ovis2")).family
    monkeypatch.setattr("unlearn.models.settled.settle", lambda *_, **__: pytest.fail("it is tried again"))
    assert load_model(folder(home, "ovis2")).family == first


THINKS = Decoding(max_new_tokens=4, thinking=True)


def test_a_thinking_template_closes_its_thought_unless_the_model_may_think(home: Path) -> None:
    responder = LocalResponder(as_local(load_model(folder(home, "qwen3_5")), "m"), batch=2)
    assert responder._encoder.render("Who?", shows=False).endswith("</think>\n\n")
    assert responder._thinking_encoder.render("Who?", shows=False).endswith("<think>\n")


def test_a_reply_of_a_model_that_may_think_begins_inside_its_thought(home: Path) -> None:
    responder = LocalResponder(as_local(load_model(folder(home, "qwen3_5")), "m"), batch=2)
    given = asks(1)
    assert all(reply.text.startswith("<think>") for reply in responder.answer(given, THINKS))
    assert not any(reply.text.startswith("<think>") for reply in responder.answer(given, Decoding(max_new_tokens=4)))


def test_a_model_whose_template_knows_no_thinking_cannot_be_let_think(home: Path) -> None:
    responder = LocalResponder(as_local(load_model(folder(home, "qwen2_vl")), "the model"), batch=2)
    with pytest.raises(BadInput, match="the model: its chat template knows no thinking; leave out --thinking"):
        list(responder.answer(asks(1), THINKS))


@pytest.mark.parametrize(
    ("said", "package"),
    [
        (BACKENDS_MAPPING["torchvision"][1].format("A processor"), "torchvision"),
        (BACKENDS_MAPPING["timm"][1].format("A processor"), "timm"),
        (
            "Package `num2words` is required to run SmolVLM processor. Install it with `pip install num2words`.",
            "num2words",
        ),
        ("No module named 'einops'", "einops"),
        ("the file is cut off", ""),
    ],
)
def test_the_package_that_a_processor_wants_is_named(said: str, package: str) -> None:
    assert missing_package(ImportError(said)) == package


# --- planted faults ----------------------------------------------------------


def test_a_template_that_writes_the_prompt_otherwise_once_answered_is_refused(tmp_path: Path) -> None:
    model = tiny_qwen(tmp_path / "model")
    file = model / "chat_template.jinja"
    file.write_text("{%- if messages|length > 1 -%}{{ 'Again: ' }}{%- endif -%}" + file.read_text())
    with pytest.raises(BadInput, match="writes the prompt differently once answered"):
        load_model(model)


def test_an_adapter_in_the_tower_is_refused(home: Path) -> None:
    loaded = load_model(folder(home, "qwen2_vl"))
    tower = [name for name, part in loaded.model.named_modules() if "visual" in name and name.endswith("qkv")]
    right = language_linears(loaded.model, loaded.family)
    with pytest.raises(BadInput, match="is no linear layer of the language model"):
        loading.check_reach(add_lora_to(loaded, [*right, *tower]), right)


def add_lora_to(loaded: LoadedModel, paths: list[str]) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    return get_peft_model(loaded.model, LoraConfig(r=2, target_modules=paths))


def test_a_cap_on_logits_is_found_and_applies_at_answer_positions(home: Path) -> None:
    loaded = load_model(folder(home, "gemma4"))
    assert (loaded.family.plain_head, loaded.family.narrow) == (False, True)
    batch = Encoder(loaded.processor, loaded.family).batch(list(samples(loaded).values()))
    with torch.no_grad():
        few, _ = AnswerModel(loaded.model, loaded.family)(batch.inputs, batch.labels)
    assert few.abs().max() <= 30


def test_a_cap_that_is_dropped_at_answer_positions_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_model(folder(home, "gemma4"))
    config = loaded.model.config.get_text_config()
    narrowed, cap = settling.narrowed, config.final_logit_softcapping

    class Dropped:
        """The same, but the cap is off as long as the output layer is narrowed."""

        def __init__(self, *given: object) -> None:
            self.inner = narrowed(*given)

        def __enter__(self) -> None:
            config.final_logit_softcapping = None
            self.inner.__enter__()

        def __exit__(self, *how: object) -> None:
            self.inner.__exit__(*how)
            config.final_logit_softcapping = cap

    monkeypatch.setattr(settling, "narrowed", Dropped)
    head = loaded.model.get_output_embeddings()
    with torch.no_grad():
        head.weight.mul_(20)  # so that the cap bites
    assert not settling.settle(loaded.model, loaded.processor, where="planted").narrow


@pytest.mark.parametrize("name", ["gemma3", "gemma4", "aya_vision"])
def test_a_window_shorter_than_the_prompt_shares_nothing_and_answers_stay_those_of_single_prompts(
    tmp_path: Path, name: str
) -> None:
    local = as_local(load_model(tiny_family(name, tmp_path / name, sliding_window=16)), name)
    given = asks(FEWEST)
    greedy = Decoding(max_new_tokens=4)
    together = {reply.ask_id: reply.text for reply in LocalResponder(local, batch=7).answer(given, greedy)}
    singly = LocalResponder(local, batch=1)
    assert together == {reply.ask_id: reply.text for reply in singly.answer(given, greedy)}


def test_a_family_whose_batches_hold_texts_or_pictures_alone_is_known(home: Path) -> None:
    assert not load_model(folder(home, "mllama")).family.mixed
