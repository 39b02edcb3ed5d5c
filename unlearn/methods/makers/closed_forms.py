"""Closed forms: edits and steering maps that one linear system gives, on tensors alone and in double precision.

Shapes: keys are rows, [samples, in]; a weight is [out, in]; a Gram is K^T K, [in, in]. What comes back is a pair of
factors, left [out, rank] and right [rank, in], whose product is added to the weight, unless said otherwise.
"""

from typing import Literal

import torch
from torch import Tensor

from schemas.errors import BadInput

Factors = tuple[Tensor, Tensor]


def dampening(forget: Tensor, whole: Tensor, *, least: float) -> tuple[Tensor, Tensor]:
    """Flat indices, ascending, and ratios of the entries whose forget Fisher is above `least` times that of all data.

    An entry without any Fisher is not chosen (0 > 0 is false), as published (SSD, arXiv 2308.07707).
    """
    chosen = (forget > least * whole).flatten().nonzero().squeeze(1)
    return chosen, forget.flatten()[chosen] / whole.flatten()[chosen]


def dampening_factor(ratio: Tensor, *, constant: float, power: float) -> Tensor:
    """What a chosen weight is multiplied by: min((constant F_all / F_forget)^power, 1)."""
    return (constant / ratio).pow(power).clamp(max=1.0)


def redirected(gram: Tensor, forget_sum: Tensor, direction: Tensor, *, ridge: float) -> Factors:
    """The edit that adds `direction` to the output of forget keys and nothing to that of retain keys (ASRU, stage 1).

    Delta = (1 v^T)^T X_f (X^T X + gamma I)^-1: all forget rows have one target, so it is v b^T with
    b = (G + gamma I)^-1 X_f^T 1. `gram` is of forget and retain keys together, `forget_sum` [in] the sum of forget
    keys, gamma `ridge` times the mean diagonal. The ridge holds the weight where it is, not at zero (arXiv 2605.15687).
    """
    solved = torch.linalg.solve(_ridged(gram, ridge), forget_sum.double())
    return direction.double()[:, None], solved[None]


def null_space_edit(keys: Tensor, residual: Tensor, projection: Tensor, before: Tensor, *, ridge: float) -> Factors:
    """AlphaEdit's update of one linear: Delta^T = (P (K^T K + C) + ridge I)^-1 P K^T R, as R^T times what is left.

    `keys` [n, in], `residual` [n, out] what their outputs lack, `projection` [in, in] onto what general keys leave
    free, `before` [in, in] the Gram of keys edited earlier (arXiv 2410.02355).
    """
    keys, projection = keys.double(), projection.double()
    system = projection @ (keys.T @ keys + before.double())
    system += ridge * torch.eye(len(system), dtype=torch.float64, device=system.device)
    return residual.double().T, torch.linalg.solve(system, projection @ keys.T).T


def value_projection(values: Tensor, *, most: int, left: float, inflate: bool = False) -> Tensor:
    """[out, out]: what takes the leading directions of the old answers' values [n, out] off an output.

    I - (1 - left) v v^T, so that all else stays as it is; with `inflate`, as published, (1 + left) I - v v^T, which
    makes every other output larger. At most `most` directions.
    """
    _, found, right = torch.linalg.svd(values.double(), full_matrices=False)
    count = min(most, int((found > 1e-9 * found.max().clamp(min=1e-30)).sum()))
    basis = right[:count].T  # [out, count]
    whole = torch.eye(values.shape[1], dtype=torch.float64, device=values.device)
    found_there: Tensor = (1 + left) * whole - basis @ basis.T if inflate else whole - (1 - left) * basis @ basis.T
    return found_there


def zero_unlearning(
    weight: Tensor,
    keys: Tensor,
    values: Tensor,
    general: Tensor,
    projection: Tensor,
    *,
    weights: tuple[float, float, float],
) -> Tensor:
    """ZeroUnlearn's D W of one linear, [out, in]: forget keys go to neutral values, old answers' directions go.

    D = A B^-1, A = P (w S_w + f V^T K + r W) W^T, B = W (w G_w + f K^T K + r I) W^T, with S_w = W G_w (both uncentred,
    so that without forget facts D is P), `general` G_w [in, in], `keys` K [n, in], `values` V [n, out] and `weights`
    (w, f, r) (arXiv 2605.18879).
    """
    weight, keys, values, general = weight.double(), keys.double(), values.double(), general.double()
    on_general, on_forget, on_weight = weights
    mapped = on_general * weight @ general + on_forget * values.T @ keys + on_weight * weight
    moment = on_general * general + on_forget * keys.T @ keys
    moment += on_weight * torch.eye(len(moment), dtype=torch.float64, device=moment.device)
    below = weight @ moment @ weight.T
    above = projection.double() @ mapped @ weight.T
    try:
        design: Tensor = torch.linalg.solve(below, above, left=False)
    except RuntimeError as error:  # what torch raises where a matrix is singular
        found = f"the system of {weight.shape[0]} outputs over {weight.shape[1]} inputs has no solution"
        raise BadInput("zerounlearn", found, "edit other blocks (edit_first, edit_last)") from error
    return design @ weight


def erasing_map(retain: Tensor, forget: Tensor, direction: Tensor, *, free: float, ridge: float) -> Factors:
    """MLLMEraser's map of a prompt's state to what is added, h W: about `direction` for forget, 0 for retain states.

    P = Q Q^T of the last `free` share of right singular directions of the retain states [n, d], X = H_f P,
    W = P (X^T X + ridge P)^+ X^T (1 r^T): as all forget states have one target, W = u r^T, left u [d, 1] and right
    r [1, d] (arXiv 2510.04217).
    """
    count = max(1, int(free * retain.shape[1]))
    vectors = torch.linalg.eigh(retain.double().T @ retain.double()).eigenvectors  # ascending
    return erasing_factors(vectors[:, :count], forget, direction, ridge=ridge)


def erasing_factors(basis: Tensor, forget: Tensor, direction: Tensor, *, ridge: float) -> Factors:
    """`erasing_map` for a known orthonormal basis Q [d, free] of what retain states leave alone.

    With c = H_f Q it is u = Q (c^T c + ridge I)^+ c^T 1.
    """
    inner = forget.double() @ basis.double()  # [n, free]
    system = inner.T @ inner + ridge * torch.eye(inner.shape[1], dtype=torch.float64, device=inner.device)
    solved = torch.linalg.pinv(system, hermitian=True) @ inner.sum(0)
    return (basis.double() @ solved)[:, None], direction.double()[None]


def away_from(
    forget: Tensor, retain: Tensor, *, length: float, by: Literal["orthogonal", "difference"] = "orthogonal"
) -> Tensor:
    """[d] of a given length: what a cluster's mean state has and the retain mean lacks (GUARD-IT, arXiv 2605.12765).

    orthogonal: f less its part along r; difference: f - r.
    """
    forget, retain = forget.double(), retain.double()
    found = forget - retain
    if by == "orthogonal":
        found = forget - (forget @ retain) / (retain.square().sum() + 1e-6) * retain
    scaled: Tensor = found * (length / found.norm().clamp(min=1e-12))
    return scaled


def _ridged(gram: Tensor, ridge: float) -> Tensor:
    """G + ridge x mean diagonal x I."""
    gram = gram.double()
    amount = ridge * gram.diagonal().mean()
    return gram + amount * torch.eye(len(gram), dtype=torch.float64, device=gram.device)
