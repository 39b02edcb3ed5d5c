"""Pieces of a step: cut from its groups, measured apart, and pulled back by their share of the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn.training.lanes import Groups


@dataclass(frozen=True)
class Share:
    """Which pieces of a step this process computes: every process has `accumulate` of them."""

    accumulate: int = 1
    rank: int = 0
    processes: int = 1

    @property
    def pieces(self) -> int:
        """Pieces of a step over all processes."""
        return self.accumulate * self.processes


def in_order(pieces: Sequence[Groups]) -> Groups:
    """All samples, by group in the order of the pieces, as their numbers stand."""
    names = dict.fromkeys(name for piece in pieces for name in piece)
    return {name: tuple(row for piece in pieces for row in piece.get(name, ())) for name in names}


def leaves_of(everything: Sequence[Mapping[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    """The pieces' numbers one after another, as leaves of a graph."""
    return {
        key: torch.cat([part[key] for part in everything if key in part]).detach().to(device).requires_grad_()
        for key in sorted({key for part in everything for key in part})
    }


def gathered(found: list[dict[str, Tensor]], share: Share) -> list[dict[str, Tensor]]:
    """The measurements of all processes, in the order of the pieces."""
    if share.processes == 1:
        return found
    from accelerate.utils import gather_object

    own = [{key: value.cpu() for key, value in part.items()} for part in found]
    gathered: list[dict[str, Tensor]] = gather_object(own)
    return gathered


def pulls_of(
    phase: Tensor, leaves: Mapping[str, Tensor], everything: Sequence[Mapping[str, Tensor]]
) -> list[dict[str, Tensor]]:
    """d(phase) / d(measured), cut like the measurements."""
    keys = list(leaves)
    found = torch.autograd.grad(phase, [leaves[key] for key in keys], retain_graph=True, materialize_grads=True)
    pulls: list[dict[str, Tensor]] = [{} for _ in everything]
    for key, entire in zip(keys, found, strict=True):
        start = 0
        for pull, part in zip(pulls, everything, strict=True):
            if key in part:
                pull[key] = entire[start : start + len(part[key])]
                start += len(part[key])
    return pulls


def pulled(measured: Mapping[str, Tensor], pull: Mapping[str, Tensor]) -> Tensor:
    """A scalar whose gradient is this piece's share; zero with a graph where nothing pulls."""
    zero = torch.stack([value.sum() for value in measured.values()]).sum() * 0
    return zero + sum(((measured[key] * share).sum() for key, share in pull.items()), torch.zeros_like(zero))


def random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
