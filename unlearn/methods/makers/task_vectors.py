"""Task vectors: what fine-tuning on the forget set adds to the weights is taken off them; with MSA, retain's is added.

The vectors live as adapters. Taking one off scales its second matrix alone: with both matrices turned round nothing
would change. The sum of two adapters is exact, their ranks beside each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from peft import PeftModel
from pydantic import JsonValue
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from schemas.storage.artifacts import digest
from unlearn.methods.makers.maker import Candidates, Given, Made, edit
from unlearn.methods.objective import objective_for
from unlearn.methods.rows.method import Method
from unlearn.models.adapters import add_lora
from unlearn.models.forward import AnswerModel
from unlearn.schedules import turns
from unlearn.training.loop import Step, train
from unlearn.training.optimisers import Optimisation
from unlearn.weights.starts import adapted_linears, matrices

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DESCENT = Method("vector", "Descent on one set, whose change of the weights is a task vector", ("descent",))


@dataclass(frozen=True)
class Vector:
    """The change of one linear's weight as factors: second [out, rank] times first [rank, in], the scale in it."""

    first: Tensor
    second: Tensor


def negated(given: Given) -> Candidates:
    """The task vector of the forget set, taken off (arXiv 2212.04089); the sweep is over how much of it."""
    forget = vectors(given, given.data.forget, "vector-forget")

    def make(alpha: float) -> Made:
        return edit("low_rank", {"alpha": alpha}, combined(forget, {}, alpha=alpha, beta=0.0))

    return Candidates("how much of the vector is taken off", given.numbers.tried, make, _seen(given, "forget"))


def state_arithmetic(given: Given) -> Candidates:
    """MSA: the forget vector is taken off and the retain vector added (arXiv 2506.20941).

    The paper takes both from an earlier checkpoint, which a target does not have here: it is the target itself.
    """
    forget = vectors(given, given.data.forget, "vector-forget")
    retain = vectors(given, given.data.retain, "vector-retain")
    beta = given.numbers.retain_weight

    def make(alpha: float) -> Made:
        tensors = combined(forget, retain, alpha=alpha, beta=beta)
        return edit("low_rank", {"alpha": alpha, "beta": beta}, tensors)

    return Candidates(
        "how much of the vector is taken off", given.numbers.tried, make, _seen(given, "forget", "retain")
    )


def combined(
    forget: Mapping[str, Vector], retain: Mapping[str, Vector], *, alpha: float, beta: float
) -> dict[str, Tensor]:
    """Factors of -alpha forget + beta retain, by `<module path>.left` and `.right`."""
    found: dict[str, Tensor] = {}
    for path, vector in forget.items():
        parts = [(-alpha * vector.second, vector.first)]
        if path in retain and beta:
            parts.append((beta * retain[path].second, retain[path].first))
        found[f"{path}.left"] = torch.cat([second for second, _ in parts], dim=1)
        found[f"{path}.right"] = torch.cat([first for _, first in parts], dim=0)
    return found


def vectors(given: Given, samples: Mapping[str, TrainingSample], folder: str) -> dict[str, Vector]:
    """Fine-tune an adapter on the samples and take it off again: what it did, by module path, fp32 on the CPU.

    The teaching is kept in a folder of the run, so that a run that was cut goes on with it.
    """
    numbers = given.numbers
    adapted = cast(PeftModel, add_lora(
        given.network.model, given.family, rank=numbers.rank, alpha=numbers.alpha, dropout=numbers.dropout,
        seed=given.seed, initial=numbers.adapter_initial,
    ))  # fmt: skip
    plan = [
        Step({"retain": turn.forget})  # to descend on a group is what retain samples are for
        for turn in turns(
            {key: sample.subject_id for key, sample in samples.items()}, {}, schedule="forget_only",
            batch=numbers.batch, retain_batch=numbers.batch, epochs=numbers.epochs, seed=given.seed,
        )
    ]  # fmt: skip
    told: dict[str, JsonValue] = {
        "beneath": given.beneath, "data": given.data.digest, "numbers": numbers.model_dump(mode="json"),
        "seed": given.seed, "of": folder,
    }  # fmt: skip
    try:
        train(
            AnswerModel(cast("PreTrainedModel", adapted), given.family), given.encoder, samples, plan[: numbers.steps],
            objective_for(_DESCENT, numbers.model_copy(update={"retain_weight": 1.0}), reference=None, keep=None),
            optimisation=Optimisation(
                lr=numbers.lr, weight_decay=numbers.weight_decay, schedule=numbers.lr_schedule,
                warmup_steps=numbers.warmup_steps, clip_norm=numbers.clip_norm, accumulate=numbers.accumulate,
                seed=given.seed,
            ),
            folder=given.out / folder, identity=digest(told), keep=1, resume=True,
        )  # fmt: skip
        found = {}
        for name, layer in adapted_linears(adapted).items():
            first, second = (each.detach().float().cpu().clone() for each in matrices(layer))
            found[name.removeprefix("base_model.model.")] = Vector(first, layer.scaling["default"] * second)
    finally:
        adapted.unload()
        given.network.model.requires_grad_(False)
    return found


def _seen(given: Given, *sets: str) -> dict[str, int]:
    return {name: len(getattr(given.data, name)) for name in sets}
