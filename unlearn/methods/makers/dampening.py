"""SSD: weights that matter far more to the forget set than to all data are made smaller, without a step of training."""

import logging
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.methods.fisher import only_moving, sample_fisher
from unlearn.methods.makers.closed_forms import dampening, dampening_factor
from unlearn.methods.makers.maker import Candidates, Given, Made, edit
from unlearn.models.anatomy import language_linears
from unlearn.weights.covariances import some_of

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Tensors of the size of a block's weights that a pass holds in fp32: gradient, its square, and two statistics."""


def dampened(given: Given) -> Candidates:
    """SSD with per-sample Fishers of the language linears, block by block; the sweep is over the ratio that chooses.

    The Fisher of all data is that of the forget set and of as many retain samples, in the proportions of the data.
    """
    numbers, data = given.numbers, given.data
    retain = some_of(data.retain, most=len(data.forget), seed=given.seed)
    share = len(data.forget) / (len(data.forget) + len(data.retain))
    least = min(numbers.tried)
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for group in groups(given, room=int(numbers.statistics_gb * 2**30)):
        forget, kept = (_fisher(given, samples, group) for samples in (data.forget, retain))
        for path in group:
            mine = forget[path]
            index, ratio = dampening(mine, share * mine + (1 - share) * kept[path], least=least)
            found[path] = (index.to(torch.int32).cpu(), ratio.cpu())
    if not any(len(index) for index, _ in found.values()):
        most = f"no ratio of Fishers is above it; none can be above {1 / share:.3g}, the data over the forget set"
        raise BadInput(f"tried {least:g}", most, "try smaller values")

    def make(alpha: float) -> Made:
        tensors: dict[str, Tensor] = {}
        for path, (index, ratio) in found.items():
            chosen = ratio > alpha
            if chosen.any():
                factor = dampening_factor(ratio[chosen], constant=numbers.dampen_constant, power=numbers.dampen_power)
                tensors |= {f"{path}.index": index[chosen], f"{path}.factor": factor.half()}
        return edit("scaled", {"alpha": alpha}, tensors)

    return Candidates("ratio of Fishers", numbers.tried, make, {"forget": len(data.forget), "retain": len(retain)})


def groups(given: Given, *, room: int) -> list[list[str]]:
    """Paths of the language linears, cut into runs whose statistics take at most `room` bytes, one linear at least."""
    found: list[list[str]] = [[]]
    held = 0
    for path in language_linears(given.model, given.family):
        size = AT_ONCE * 4 * _linear(given, path).weight.numel()
        if found[-1] and held + size > room:
            found.append([])
            held = 0
        found[-1].append(path)
        held += size
    most = max(sum(AT_ONCE * 4 * _linear(given, path).weight.numel() for path in group) for group in found)
    log.info("statistics: %d passes over each set, about %.2f GiB at once", len(found), most / 2**30)
    return found


def _linear(given: Given, path: str) -> nn.Linear:
    return cast(nn.Linear, given.model.get_submodule(path))


def _fisher(given: Given, samples: Mapping[str, TrainingSample], group: Sequence[str]) -> dict[str, Tensor]:
    """By module path, of one group of linears."""
    with only_moving(given.model, [_linear(given, path).weight for path in group]):
        found = sample_fisher(given.network, given.encoder, samples, batch=given.numbers.fisher_batch)
    return {name.removesuffix(".weight"): each for name, each in found.items()}
