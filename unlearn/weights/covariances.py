"""What goes through linear layers on a set of samples: uncentred covariances of inputs by token, outputs by sample."""

import random
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.models.encoding import Batch, Encoder

BATCH = 16


def input_covariances(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], layers: Mapping[str, nn.Module]
) -> dict[str, Tensor]:
    """Mean over all tokens but padding of x x^T, [in, in] fp64 on the CPU, by name of layer."""

    def tokens(values: Tensor, batch: Batch) -> Tensor:
        return values[batch.inputs["attention_mask"].bool()]

    return _covariances(network, encoder, samples, layers, lambda inputs, output: inputs[0], tokens)


def output_covariances(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Mapping[str, nn.Module],
    *,
    most: int,
    seed: int,
) -> dict[str, Tensor]:
    """Mean over at most so many samples of h h^T, h the mean output over answer tokens, [out, out] fp64 on the CPU."""

    def pooled(values: Tensor, batch: Batch) -> Tensor:
        kept = (batch.labels != -100).to(values.dtype)  # [batch, length]
        return torch.einsum("btd,bt->bd", values, kept) / kept.sum(1, keepdim=True)

    keys = sorted(samples)
    if len(keys) > most:
        keys = sorted(random.Random(f"{seed}:covariances").sample(keys, most))
    chosen = {key: samples[key] for key in keys}
    return _covariances(network, encoder, chosen, layers, lambda inputs, output: output, pooled)


def _covariances(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    layers: Mapping[str, nn.Module],
    side: Callable[[Sequence[Tensor], Tensor], Tensor],
    rows_of: Callable[[Tensor, Batch], Tensor],
) -> dict[str, Tensor]:
    """Mean of the outer products of what `rows_of` makes of one side of each layer, by name."""
    device = next(network.parameters()).device
    caught: dict[str, Tensor] = {}

    def catch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            caught[name] = side(inputs, output)

        return hook

    training = network.training
    network.eval()
    hooks = [layer.register_forward_hook(catch(name)) for name, layer in layers.items()]
    total: dict[str, Tensor] = {}
    count = 0
    keys = sorted(samples)
    try:
        for shard in counted("layers", [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]):
            batch = encoder.batch([samples[key] for key in shard]).to(device)
            with torch.no_grad():
                network(batch.inputs, batch.labels)  # without pictures: each sample in a row of its own
            seen = 0
            for name, values in caught.items():
                rows = rows_of(values, batch).double()
                outer = (rows.T @ rows).cpu()
                total[name] = total[name] + outer if name in total else outer
                seen = len(rows)
            count += seen
    finally:
        for each in hooks:
            each.remove()
        network.train(training)
    return {name: outer / count for name, outer in total.items()}
