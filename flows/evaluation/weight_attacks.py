"""Attacks on the weights: training on what was kept, and fewer bits. None should bring a forgotten fact back."""

import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from curation.probing.prompt import probe_prompt
from eval.routes.rounding import ROUNDINGS, Rounding, codes_kept, rounded
from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.records.routes import AnyRoute
from schemas.storage.artifacts import digest
from schemas.vocabulary import Setting

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from flows.evaluation.model import Evaluated, Overlay
    from unlearn.models.loading import LoadedModel
    from unlearn.presets import Numbers
    from unlearn.training.loop import Callback

RELEARN_STEPS, RELEARN_BATCH, RELEARN_SEED = 24, 16, 0
"""A few steps: what somebody's harmless fine-tuning does to an unlearned model."""
VERSIONS: dict[AnyRoute, int] = {"relearn": 1, "quantised": 1, "int4": 1, "nf4": 1, "fp4": 1}
"""Raised when an attack does something else; part of what replies under it depend on."""


def attack_key(attack: AnyRoute | None, dataset: str) -> str:
    """What replies under an attack on the weights depend on besides model and prompt; "" for any other."""
    if attack == "relearn":
        return digest([attack, VERSIONS[attack], RELEARN_STEPS, RELEARN_BATCH, RELEARN_SEED, dataset])
    return digest([attack, VERSIONS[attack]]) if attack in VERSIONS else ""


def weight_attack(
    attack: AnyRoute | None, dataset: Path, setting: Setting, ratio: int | None, target: str
) -> "Overlay | None":
    """The attack as something to do to a loaded model; None for any other. Raises BadInput where data is missing."""
    if attack == "quantised":
        return quantise
    for how in ROUNDINGS:
        if attack == how:
            return partial(round_weights, how=how)
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
    from torch import nn

    adapted = with_adapter(loaded)
    descend(adapted, samples, steps=steps)
    nn.Module.eval(adapted.model)
    return adapted


def with_adapter(loaded: "LoadedModel") -> "LoadedModel":
    """The model with an adapter that can be trained: its own, or a new one that changes nothing yet."""
    from peft import PeftModel
    from torch import nn

    from unlearn.models.adapters import add_lora

    if isinstance(cast(nn.Module, loaded.model), PeftModel):
        return loaded
    numbers = _numbers(loaded)
    model = add_lora(
        loaded.model, loaded.family, rank=numbers.rank, alpha=numbers.alpha, dropout=0.0, seed=RELEARN_SEED
    )
    return replace(loaded, model=model)


def descend(
    adapted: "LoadedModel",
    samples: Sequence[TrainingSample],
    *,
    steps: int,
    callbacks: "Sequence[Callback]" = (),
) -> None:
    """Train the model's adapter in place on the samples, so many steps of RELEARN_BATCH, in an order by chance."""
    from unlearn.methods.objective import objective_for
    from unlearn.methods.rows.method import Method
    from unlearn.models.encoding import Encoder
    from unlearn.models.forward import AnswerModel
    from unlearn.training.loop import Step, train
    from unlearn.training.optimisers import Optimisation

    numbers = _numbers(adapted)
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
        AnswerModel(adapted.model, adapted.family, live=adapted.live),
        Encoder(adapted.processor, adapted.family),
        by_id,
        plan,
        objective_for(Method("relearn", "Descent on retain", ("descent",)), numbers, reference=None, keep=None),
        optimisation=Optimisation(lr=numbers.lr, seed=RELEARN_SEED),
        folder=None,
        identity="relearn",
        callbacks=callbacks,
    )


def _numbers(loaded: "LoadedModel") -> "Numbers":
    """Those of gradient descent for a model of this size."""
    from unlearn.presets import numbers_for

    parameters = sum(weight.numel() for weight in loaded.model.parameters())
    family = loaded.family.model_type
    return numbers_for("gd", preset="default", parameters=parameters, family=family, overrides={})[0]


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


def round_weights(loaded: "LoadedModel", *, how: Rounding) -> "LoadedModel":
    """The model with the weights of every linear layer but the output layer rounded to 4 bits, on any device.

    Adapters are merged first: laid over rounded weights, the change they make would stay in full precision.
    """
    import torch
    from peft import PeftModel
    from torch import nn

    model: nn.Module = loaded.model
    if isinstance(model, PeftModel):
        model = cast(nn.Module, model.merge_and_unload())
    with torch.no_grad():
        for weight in linear_weights(model, head=loaded.family.head).values():
            weight.copy_(rounded(weight, how))
    return replace(loaded, model=cast("PreTrainedModel", model))


def linear_weights(model: "nn.Module", *, head: str) -> "dict[str, Tensor]":
    """The weights of all linear layers by name, without the output layer's: what a 4-bit reload rounds."""
    from torch import nn

    return {
        name: layer.weight
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name != head and not name.startswith(f"{head}.")
    }


def code_survival(evaluated: "Evaluated", how: Rounding, *, device: str, trust_remote_code: bool) -> tuple[int, int]:
    """(weights that the overlay changed and whose 4-bit code it did not, weights that it changed).

    Loads the model twice: as it is evaluated, and without what is laid over it.
    """
    from peft import PeftModel
    from torch import nn

    from flows.evaluation.model import load_evaluated

    plain = replace(evaluated, overlay=None, run=None)
    before, after = (
        load_evaluated(each, device=device, trust_remote_code=trust_remote_code) for each in (plain, evaluated)
    )
    model: nn.Module = after.model
    if isinstance(model, PeftModel):
        model = cast(nn.Module, model.merge_and_unload())
    own, others = (linear_weights(each, head=before.family.head) for each in (model, before.model))
    pairs = [codes_kept(others[name], weight, how) for name, weight in own.items() if name in others]
    return sum(kept for kept, _ in pairs), sum(changed for _, changed in pairs)
