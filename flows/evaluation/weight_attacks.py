"""Attacks on the weights: training on what was kept, and fewer bits. Neither should bring a forgotten fact back."""

import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from curation.probing.prompt import probe_prompt
from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.records.evaluation import AttackName
from schemas.storage.artifacts import digest
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from flows.evaluation.model import Overlay
    from unlearn.models.loading import LoadedModel

RELEARN_STEPS, RELEARN_BATCH, RELEARN_SEED = 24, 16, 0
"""A few steps: what somebody's harmless fine-tuning does to an unlearned model."""
VERSIONS = {"relearn": 1, "quantised": 1}
"""Raised when an attack does something else; part of what replies under it depend on."""


def attack_key(attack: AttackName | None, dataset: str) -> str:
    """What replies under an attack on the weights depend on besides model and prompt; "" for any other."""
    if attack == "relearn":
        return digest([attack, VERSIONS[attack], RELEARN_STEPS, RELEARN_BATCH, RELEARN_SEED, dataset])
    return digest([attack, VERSIONS[attack]]) if attack == "quantised" else ""


def weight_attack(
    attack: AttackName | None, dataset: Path, setting: Setting, ratio: int | None, target: str
) -> "Overlay | None":
    """The attack as something to do to a loaded model; None for any other. Raises BadInput where data is missing."""
    if attack == "quantised":
        return quantise
    if attack != "relearn":
        return None
    from unlearn.data import read_samples, reword

    pairs = read_samples(dataset, setting=setting, ratio=ratio, target=target or None, allow_missing=True)
    kept = [sample for _, sample in sorted(reword(pairs, probe_prompt).retain.items())]
    return partial(relearn, samples=kept)


def relearn(loaded: "LoadedModel", samples: Sequence[TrainingSample], *, steps: int = RELEARN_STEPS) -> "LoadedModel":
    """Descend on retain samples for some steps, with the numbers that unlearning uses for a model of this size.

    An adapter that is there is trained on; without one, a new one is laid over the weights.
    """
    from peft import PeftModel
    from torch import nn

    from unlearn.methods.objective import objective_for
    from unlearn.methods.rows.method import Method
    from unlearn.models.adapters import add_lora
    from unlearn.models.encoding import Encoder
    from unlearn.models.forward import AnswerModel
    from unlearn.presets import numbers_for
    from unlearn.training.loop import Step, train
    from unlearn.training.optimisers import Optimisation

    parameters = sum(weight.numel() for weight in loaded.model.parameters())
    numbers, _ = numbers_for(
        "gd", preset="default", parameters=parameters, family=loaded.family.model_type, overrides={}
    )
    model = loaded.model
    if not isinstance(cast(nn.Module, model), PeftModel):
        model = add_lora(model, loaded.family, rank=numbers.rank, alpha=numbers.alpha, dropout=0.0, seed=RELEARN_SEED)
    by_id = {sample.sample_id: sample for sample in samples}
    rng = random.Random(f"{RELEARN_SEED}:relearn")
    order: list[str] = []
    while len(order) < steps * RELEARN_BATCH:
        order += rng.sample(sorted(by_id), len(by_id))
    plan = [
        Step({"retain": tuple(dict.fromkeys(order[at : at + RELEARN_BATCH]))})
        for at in range(0, steps * RELEARN_BATCH, RELEARN_BATCH)
    ]
    train(
        AnswerModel(model, loaded.family, live=loaded.live),
        Encoder(loaded.processor, loaded.family),
        by_id,
        plan,
        objective_for(Method("relearn", "Descent on retain", ("descent",)), numbers, reference=None, keep=None),
        optimisation=Optimisation(lr=numbers.lr, seed=RELEARN_SEED),
        folder=None,
        identity="relearn",
    )
    nn.Module.eval(model)
    return replace(loaded, model=model)


def quantise(loaded: "LoadedModel") -> "LoadedModel":
    """The model with every linear layer in dynamic int8, as a CPU runs it; adapters are merged first."""
    import torch
    from peft import PeftModel
    from torch import nn

    if loaded.model.device.type != "cpu":
        raise BadInput("attack quantised", f"the model is on {loaded.model.device}", "evaluate it with --device cpu")
    model: nn.Module = loaded.model
    if isinstance(model, PeftModel):
        model = cast(nn.Module, model.merge_and_unload())
    with warnings.catch_warnings():
        # torch asks for torchao instead, a further dependency for the same arithmetic.
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            model, {nn.Linear}, dtype=torch.qint8
        )
    return replace(loaded, model=quantised)
