"""Language models without eyes: taught and asked by text, and pictures are refused in one line."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from flows.adopting.adopt import adopt
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.errors import BadInput
from sources.sandbox.tiny_model import CHAT_TEMPLATE, wrapped_tokenizer
from tests.flows.adopting.benchmark_files import write_mllmu_bench, write_tofu
from tests.worlds.tiny_models import TEXTS
from unlearn.models.loading import load_model

SMALL: dict[str, JsonValue] = {"batch": 4, "retain_batch": 4, "probe_every": 0, "probe_samples": 4, "rank": 4}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 of two layers with random weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    out = tmp_path_factory.mktemp("text") / "base"
    tokenizer = wrapped_tokenizer(sorted(set(TEXTS)))
    tokenizer.chat_template = CHAT_TEMPLATE
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    Qwen3ForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def test_a_language_model_is_loaded_and_said_to_take_no_picture(base: Path) -> None:
    family = load_model(base).family
    assert (family.pictures, family.vision, family.placeholders) == (False, (), ())
    assert family.form.stacked


def test_a_text_benchmark_is_unlearned_from_it_and_asked_of_it(base: Path, tmp_path: Path) -> None:
    adopt(str(write_tofu(tmp_path / "source", authors=2)), tmp_path / "tofu")
    asked = UnlearnRequest(
        dataset=tmp_path / "tofu", method="gd", setting="complete", ratio=1, model=str(base), overrides=SMALL, steps=2
    )
    record = run_unlearning(asked, tmp_path / "run")
    assert record.outcome == "adapter"
    found = run_evaluation(
        EvaluateRequest(
            dataset=tmp_path / "tofu", model=str(base), adapter=tmp_path / "run", setting="complete", ratio=1,
            tasks=("generation", "classification"), max_new_tokens=2,
        ),
        tmp_path / "evaluations",
    )  # fmt: skip
    assert found.questions > 0
    assert found.failed == 0


def test_pictures_are_refused_in_one_line(base: Path, tmp_path: Path) -> None:
    adopt(str(write_mllmu_bench(tmp_path / "source")), tmp_path / "mllmu")
    asked = UnlearnRequest(
        dataset=tmp_path / "mllmu", method="gd", setting="complete", ratio=5, model=str(base), overrides=SMALL, steps=2
    )
    with pytest.raises(BadInput, match="model type qwen3 takes no picture, and some samples have one"):
        run_unlearning(asked, tmp_path / "run")
    wanted = EvaluateRequest(dataset=tmp_path / "mllmu", model=str(base), setting="complete", ratio=5)
    with pytest.raises(BadInput, match="model type qwen3 takes no picture, and some questions show one"):
        run_evaluation(wanted, tmp_path / "evaluations")
