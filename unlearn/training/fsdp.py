"""FSDP: the layers of the language model cut over processes, where an accelerate configuration asks for it.

Only those layers are cut: they hold nearly all of a large model, every process runs them in every forward pass (a tower
is skipped where a piece of a batch has no picture, and processes would wait for each other), and the output layer is
called by itself at answer positions.
"""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from unlearn.models.families import Family
from unlearn.models.forward import core_model, language_layers


def fsdp_wanted(processes: int) -> bool:
    """Whether accelerate's configuration (`distributed_type: FSDP`) asks for it, of several processes."""
    return processes > 1 and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


@contextmanager
def sharded_layers(model: nn.Module, family: Family, *, wanted: bool, device: torch.device) -> Iterator[None]:
    """The language model's layers cut over all processes while this lasts; whole again in every process afterwards.

    Gradients are summed over processes. Raises BadInput for a model whose layers cannot be found.
    """
    if not wanted:
        yield
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    layers = language_layers(core_model(model), family)
    # What is once cut up does not come back as it was: its empty likeness will take its place.
    likenesses = [copy.deepcopy(layer).to("meta") for layer in layers]
    for layer in layers:
        fully_shard(layer, mesh=mesh)
        if isinstance(layer, FSDPModule):
            layer.set_gradient_divide_factor(1.0)
            layer.set_force_sum_reduction_for_comms(True)  # gloo knows no other way not to average
    yield
    torch.distributed.barrier()
    for place, likeness in enumerate(likenesses):
        held = {name: whole(value) for name, value in layers[place].state_dict().items()}
        likeness.load_state_dict(held, assign=True)
        layers[place] = likeness.train(layers[place].training)


def whole(tensor: Tensor) -> Tensor:
    """The tensor put together again; every process has to ask for it. One that is not cut, as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def cut_like(tensor: Tensor, weight: Tensor) -> Tensor:
    """This process's cut of a tensor that all processes have, if the weight is cut."""
    if not isinstance(weight, DTensor):
        return tensor
    placed = tensor.to(weight.device)
    return distribute_tensor(placed, weight.device_mesh, weight.placements, src_data_rank=None)


def is_cut(tensor: Tensor) -> bool:
    """Whether each process holds only its part."""
    return isinstance(tensor, DTensor)


def parameter_groups(weights: Mapping[str, nn.Parameter]) -> list[dict[str, Sequence[nn.Parameter]]]:
    """The weights for an optimiser, those that are cut apart from others: it cannot update both in one go."""
    cut = [weight for weight in weights.values() if is_cut(weight)]
    others = [weight for weight in weights.values() if not is_cut(weight)]
    return [{"params": group} for group in (others, cut) if group]


def clip_gradients(weights: Mapping[str, nn.Parameter], limit: float) -> Tensor:
    """Scale gradients so that their norm over all weights and processes is at most `limit`; returns it as it was."""
    gradients = [weight.grad for weight in weights.values() if weight.grad is not None]
    squares = [whole(gradient.square().sum()).float() for gradient in gradients]
    norm = torch.stack(squares).sum().sqrt()
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        part = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        part.mul_(factor.to(part))
    return norm
