"""Gates: whether a prompt is one of those that are to be forgotten, by the states that it gives an untouched model."""

import math

import torch
from torch import Tensor

from schemas.errors import BadInput
from schemas.records.interventions import GateRecord


def scores(features: Tensor, centroids: Tensor, mean: Tensor) -> Tensor:
    """[n, K]: cosine of each prompt's features [n, d] to each centroid [K, d], both less the mean [d]."""
    rows, centres = (
        torch.nn.functional.normalize(each.double() - mean.double(), dim=-1) for each in (features, centroids)
    )
    return rows @ centres.T


def calibrated(gate: GateRecord, positives: Tensor, negatives: Tensor, *, false_fire: float) -> GateRecord:
    """The gate with its threshold set so that at most `false_fire` of the negatives fire.

    Both are [n], each prompt's largest score. Raises BadInput without positives or without negatives.
    """
    for name, found in (("positives", positives), ("negatives", negatives)):
        if not len(found):
            raise BadInput("the gate", f"has no {name} to be calibrated on", "give forget and retain prompts")
    allowed = int(false_fire * len(negatives))  # so many negatives may reach the threshold
    highest = float(negatives.sort(descending=True).values[allowed]) if allowed < len(negatives) else -2.0
    threshold = math.nextafter(highest, math.inf)
    fires = {"forget": share(positives, threshold), "retain": share(negatives, threshold)}
    told = {"threshold": threshold, "positives": len(positives), "negatives": len(negatives), "fires": fires}
    return gate.model_copy(update={**told, "false_fire": false_fire})


def share(values: Tensor, threshold: float) -> float:
    """Of scores that reach the threshold."""
    return float((values >= threshold).double().mean())


def pooled(values: Tensor, mask: Tensor, ends: Tensor) -> Tensor:
    """[batch, d]: mean of states [batch, time, d] over each prompt's own tokens, up to its end."""
    kept = prompt_tokens(mask, ends).to(values.dtype)
    return torch.einsum("btd,bt->bd", values, kept) / kept.sum(1, keepdim=True)


def prompt_tokens(mask: Tensor, ends: Tensor) -> Tensor:
    """[batch, time] bool: tokens of the prompt, neither padding nor answer."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return (places <= ends.to(mask.device)[:, None]) & mask.bool()
