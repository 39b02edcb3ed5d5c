"""Hidden states of prompts: what directions, maps and gates are made of. One pass, each prompt by itself."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from unlearn.methods.makers.maker import Given
from unlearn.weights.covariances import Rows, at_prompt_end, layer_values, over_prompt


def end_states(given: Given, samples: Mapping[str, TrainingSample], layers: Sequence[int]) -> dict[int, Tensor]:
    """[n, hidden] fp64 by layer: what a layer gives out at each prompt's last token, in the order of keys."""
    return _states(given, samples, layers, at_prompt_end)


def prompt_means(given: Given, samples: Mapping[str, TrainingSample], layers: Sequence[int]) -> dict[int, Tensor]:
    """[n, hidden] fp64 by layer: mean of what a layer gives out over each prompt, picture and text alike."""
    return _states(given, samples, layers, over_prompt)


def _states(
    given: Given, samples: Mapping[str, TrainingSample], layers: Sequence[int], rows: Rows
) -> dict[int, Tensor]:
    modules = {str(layer): given.layers[layer] for layer in layers}
    found: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    for batch, values in layer_values(given.network, given.encoder, samples, modules, side="output"):
        for layer in layers:
            found[layer].append(rows(values[str(layer)], batch).double().cpu())
    return {layer: torch.cat(each) for layer, each in found.items()}


def clusters(values: Tensor, *, most: int, seed: int) -> Tensor:
    """[n] number of each row's cluster: K-means over rows [n, d], K from 2 to `most` by the silhouette.

    One cluster where there are fewer than three rows. The same values and seed, the same clusters.
    """
    if len(values) < 3:
        return torch.zeros(len(values), dtype=torch.long)
    distances = torch.cdist(values, values)
    tried = {count: _k_means(values, count, seed=seed) for count in range(2, min(most, len(values) - 1) + 1)}
    best = max(tried, key=lambda count: (silhouette(distances, tried[count]), -count))
    return tried[best]


def silhouette(distances: Tensor, labels: Tensor) -> float:
    """Mean over rows of (b - a) / max(a, b): a the mean distance within, b to the nearest other cluster; 0 alone."""
    member = torch.nn.functional.one_hot(labels).to(distances)  # [n, K]
    sizes = member.sum(0)
    sums = distances @ member
    own = sums.gather(1, labels[:, None]).squeeze(1) / (sizes[labels] - 1).clamp(min=1)
    others = (sums / sizes.clamp(min=1)).masked_fill(member.bool() | (sizes == 0), float("inf")).min(1).values
    score = (others - own) / torch.maximum(own, others).clamp(min=1e-30)
    return float(torch.where(sizes[labels] > 1, score, torch.zeros_like(score)).mean())


def _k_means(values: Tensor, count: int, *, seed: int, rounds: int = 50) -> Tensor:
    """Lloyd's rounds from centres that lie far apart: the first drawn, each next the row farthest from them all."""
    draw = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(values), (1,), generator=draw))]
    for _ in range(count - 1):
        chosen.append(int(torch.cdist(values, values[chosen]).min(1).values.argmax()))
    centres = values[chosen].clone()
    labels = torch.cdist(values, centres).argmin(1)
    for _ in range(rounds):
        for number in range(count):
            if bool((labels == number).any()):
                centres[number] = values[labels == number].mean(0)
        moved = torch.cdist(values, centres).argmin(1)
        if torch.equal(moved, labels):
            break
        labels = moved
    return labels
