"""Diagonal Fisher information: mean squared gradients of the weights that move, sample by sample or batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.losses.likelihood import align
from unlearn.losses.term import token_mean
from unlearn.models.encoding import Encoder
from unlearn.models.forward import bare


def preserve_set(
    forget: Mapping[str, TrainingSample], retain: Mapping[str, TrainingSample], *, preserve: Literal["both", "retain"]
) -> dict[str, TrainingSample]:
    """What the mask protects. `both`: retain vqa and the text qa of all subjects, forgotten ones too (the original).

    Without vqa samples, and with `retain`, it is the retain set.
    """
    if preserve == "retain" or all(sample.modality == "qa" for sample in forget.values()):
        return dict(retain)
    text = {key: sample for key, sample in {**forget, **retain}.items() if sample.modality == "qa"}
    return text | {key: sample for key, sample in retain.items() if sample.modality == "vqa"}


def erase_set(
    forget: Mapping[str, TrainingSample], *, preserve: Literal["both", "retain"]
) -> dict[str, TrainingSample]:
    """What the mask is taken for: with `both` the forget vqa samples if there are any, else the forget set."""
    seen = {key: sample for key, sample in forget.items() if sample.modality == "vqa"}
    return seen if seen and preserve == "both" else dict(forget)


def sample_fisher(
    network: nn.Module,
    encoder: Encoder,
    samples: Mapping[str, TrainingSample],
    *,
    batch: int,
    centred: bool = False,
) -> dict[str, Tensor]:
    """Mean over samples of the squared gradient of each sample's mean NLL, by name of trained linear weight, fp32.

    With `centred` it is the variance over samples: the squared mean gradient is taken off.
    One backward pass serves a whole batch: a linear layer's gradient for one sample is the product of that sample's
    inputs and output gradients. Where the vision tower is trained too, its rows mix samples, so one is taken at a time.
    """
    model = bare(network)
    linears = trained_linears(model)
    fisher = {f"{name}.weight": torch.zeros_like(layer.weight, dtype=torch.float32) for name, layer in linears.items()}
    mean = {name: torch.zeros_like(total) for name, total in fisher.items()} if centred else {}
    inputs: dict[str, Tensor] = {}
    of_outputs: dict[str, Tensor] = {}
    hooks = [layer.register_forward_hook(_remember(name, inputs, of_outputs)) for name, layer in linears.items()]
    size = batch if all("vision" not in name and "visual" not in name for name in linears) else 1
    training = network.training
    network.eval()
    try:
        for keys in counted("saliency", _shards(sorted(samples), size)):
            inputs.clear()
            of_outputs.clear()
            losses = _sample_losses(network, encoder, [samples[key] for key in keys])
            torch.autograd.backward([losses.sum()])
            for name in of_outputs:
                fisher[f"{name}.weight"] += _squared_gradients(of_outputs[name], inputs[name], rows=len(keys))
                if centred:
                    together = of_outputs[name].flatten(0, -2).float().T @ inputs[name].flatten(0, -2).float()
                    mean[f"{name}.weight"] += together / len(samples)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)
        model.zero_grad(set_to_none=True)
    found = {name: total / len(samples) for name, total in fisher.items()}
    return {name: (total - mean[name].square()).clamp(min=0) for name, total in found.items()} if centred else found


def summed_gradients(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], *, batch: int
) -> dict[str, Tensor]:
    """Sum over samples of the gradient of each sample's mean NLL, by name of trained linear weight, fp32, with signs.

    It does not depend on how the samples fall into batches; dropout is off.
    """
    model = bare(network)
    total = {
        f"{name}.weight": torch.zeros_like(layer.weight, dtype=torch.float32)
        for name, layer in trained_linears(model).items()
    }
    training = network.training
    network.eval()
    try:
        for keys in counted("saliency", _shards(sorted(samples), batch)):
            torch.autograd.backward([_sample_losses(network, encoder, [samples[key] for key in keys]).sum()])
            for name, held in total.items():
                if (found := model.get_parameter(name).grad) is not None:
                    held += found.float()
            model.zero_grad(set_to_none=True)
    finally:
        network.train(training)
        model.zero_grad(set_to_none=True)
    return total


@contextmanager
def only_moving(model: nn.Module, chosen: Iterable[Tensor]) -> Iterator[None]:
    """Within it the chosen weights alone require a gradient; afterwards all do that did before."""
    wanted = {id(weight) for weight in chosen}
    before = {name: weight.requires_grad for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.requires_grad_(id(weight) in wanted)
    try:
        yield
    finally:
        for name, weight in model.named_parameters():
            weight.requires_grad_(before[name])


Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]


def _remember(name: str, inputs: dict[str, Tensor], of_outputs: dict[str, Tensor]) -> Hook:
    """A forward hook that keeps a layer's input and, once it is known, the gradient of its output."""

    def keep(gradient: Tensor) -> None:
        of_outputs[name] = gradient.detach()

    def hook(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        inputs[name] = given[0].detach()
        output.register_hook(keep)  # type: ignore[no-untyped-call]

    return hook


def _squared_gradients(of_output: Tensor, inputs: Tensor, *, rows: int) -> Tensor:
    """Sum over samples of the squared weight gradient, [out, in]."""
    of_output = of_output.reshape(rows, -1, of_output.shape[-1]).float()  # [samples, tokens, out]
    inputs = inputs.reshape(rows, -1, inputs.shape[-1]).float()  # [samples, tokens, in]
    total = torch.zeros(of_output.shape[-1], inputs.shape[-1], device=inputs.device)
    for row in range(rows):
        total += (of_output[row].T @ inputs[row]).square_()
    return total


def _sample_losses(network: nn.Module, encoder: Encoder, samples: Sequence[TrainingSample]) -> Tensor:
    """[samples], mean NLL over each answer."""
    batch = encoder.batch(samples).to(next(network.parameters()).device)
    logits, labels = network(batch.inputs, batch.labels)
    answers = align(logits, labels)
    return answers.by_sample(answers.nll())[1]


def trained_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """Linear layers whose weight is trained, by module name; an output layer tied to the embeddings is not one."""
    own = {name for name, weight in model.named_parameters() if weight.requires_grad}  # a tied weight stands here once
    return {
        name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and f"{name}.weight" in own
    }


def batch_fisher(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], *, batch: int, seed: int
) -> dict[str, Tensor]:
    """Mean over batches of the squared gradient of the batch-mean loss, dropout on, of every trained weight.

    This is the published Fisher; it depends on how the samples fall into batches.
    """
    model = bare(network)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    fisher = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in trained.items()}
    shards = _shards(sorted(samples), batch)
    training = network.training
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for keys in counted("saliency", shards):
            loaded = encoder.batch([samples[key] for key in keys]).to(next(network.parameters()).device)
            answers = align(*network(loaded.inputs, loaded.labels))
            sums, _ = answers.by_sample(answers.nll())
            loss = token_mean({"all.nll_sum": sums, "all.tokens": answers.token_counts()}, "all")
            torch.autograd.backward([loss])
            for name, parameter in trained.items():
                if parameter.grad is not None:
                    fisher[name] += parameter.grad.float().square() / len(shards)
            model.zero_grad(set_to_none=True)
    network.train(training)
    return fisher


def _shards(keys: Sequence[str], size: int) -> list[Sequence[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
