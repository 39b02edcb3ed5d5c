"""Saliency masks: which weights a masked method may move, by Fisher ratio (MMUnlearner) or by rank over all layers.

Ranked masks take the share of all weights with the largest score: the summed forget gradient (SalUn, arXiv 2310.12508),
or what moving the weight would do to forgetting, the retain loss inside it (WAGLE, arXiv 2410.17509). With LoRA the
weights are those of the second matrix, the first one frozen, as for MMUnlearner.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.data import Assigned
from unlearn.methods.fisher import summed_gradients, trained_linears
from unlearn.methods.mmunlearner import Mask, adapter_weights, check_mask, take_mask
from unlearn.models.encoding import Encoder
from unlearn.models.forward import bare
from unlearn.presets import Numbers


def saliency_mask(
    network: nn.Module, encoder: Encoder, data: Assigned, numbers: Numbers, *, base: str, seed: int
) -> Mask:
    """The mask that the numbers ask for (`mask_by`), at the weights as they are."""
    if numbers.mask_by == "ratio":
        return take_mask(network, encoder, data, numbers, base=base, seed=seed)
    model = bare(network)
    forget = summed_gradients(network, encoder, data.forget, batch=numbers.fisher_batch)
    if numbers.mask_by == "gradient":
        scores = {name: gradient.abs() for name, gradient in forget.items()}
    else:
        retain = summed_gradients(network, encoder, data.retain, batch=numbers.fisher_batch)
        weights = {name: model.get_parameter(name).detach().float() for name in forget}
        scores = {
            name: attribution(weights[name], gradient, retain[name], hessian=numbers.mask_hessian)
            for name, gradient in forget.items()
        }
    initial = {name: weight.detach().clone() for name, weight in adapter_weights(model).items()}
    return Mask(keep=top_share(scores, numbers.mask_share), initial=initial, base=base, data=data.digest)


def check_saliency(mask: Mask, model: nn.Module, numbers: Numbers) -> None:
    """Refuse a mask that does not fit the weights to be trained, or that decides nothing.

    A ratio decides in every layer; a rank over all layers may keep all of one and none of another.
    """
    if numbers.mask_by == "ratio":
        check_mask(mask, model, allow_full=numbers.fisher == "batch")
        return
    trained = {f"{name}.weight": layer.weight.shape for name, layer in trained_linears(model).items()}
    if trained != {name: kept.shape for name, kept in mask.keep.items()}:
        raise BadInput("the saliency mask", "belongs to other weights than those trained", "take the mask anew")
    if mask.kept_share() in (0.0, 1.0):
        found = f"keeps {'everything' if mask.kept_share() else 'nothing'}"
        raise BadInput("the saliency mask", found, "change mask_share, or give more forget samples")


def attribution(weight: Tensor, forget: Tensor, retain: Tensor, *, hessian: float) -> Tensor:
    """|(w - g_retain / mu) g_forget|, elementwise: WAGLE's weight attribution. mu stands for the retain Hessian, mu I.

    The gradients are sums of gradients, not of their squares.
    """
    return ((weight - retain.to(weight) / hessian) * forget.to(weight)).abs()


def top_share(scores: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """bool by name: the `share` of all entries with the largest scores (>= 0, fp32) over all tensors together.

    Entries that equal the last one are kept too. The threshold is found bit by bit of the number, as such floats order
    like whole numbers, so that nothing is sorted: 31 counts, whatever the size.
    """
    total = sum(each.numel() for each in scores.values())
    wanted = max(1, round(share * total))
    bits = {name: each.float().contiguous().view(torch.int32) for name, each in scores.items()}
    threshold = 0
    for bit in range(30, -1, -1):
        higher = threshold | 1 << bit
        if sum(int((each >= higher).sum()) for each in bits.values()) >= wanted:
            threshold = higher
    return {name: each >= threshold for name, each in sorted(bits.items())}
