"""One step's gradient: of the whole batch at once, or piece by piece with exactly the same result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.fsdp import cut_like, is_cut, whole
from unlearn.training.lanes import Groups, Lanes, in_pieces
from unlearn.training.memory import Held, Memory, Terms

Measure = Callable[[nn.Module, Mapping[str, Batch]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Objective:
    """What a step descends, in two halves, so that a batch can be cut anywhere without changing the loss.

    `measure` gives numbers per sample, named "<group>.<quantity>" and each [rows of the group], such as "forget.nll";
    row i may depend on row i of its group alone. `terms` makes named scalars of them, signed and weighted; their sum is
    the loss. Where `mask` is set, the gradient of `masked_terms` is multiplied by it (by parameter name of the bare
    model) before the gradient of the other terms is added (MMUnlearner, BAO on MMUnlearner).
    """

    measure: Measure
    terms: Terms
    mask: Mapping[str, Tensor] | None = None
    masked_terms: frozenset[str] = frozenset()
    memory: Memory | None = None
    """What the terms carry from step to step, where they do."""
    held: Held = field(default_factory=dict)
    """That of the step at hand."""

    def remembering(self, held: Held) -> "Objective":
        """The objective of a step that comes with these numbers; with none, of the first step."""
        if self.memory is None:
            return self
        held = held or self.memory.start
        return replace(self, held=held, terms=self.memory.recalled(held))

    def remembered(self, measured: Mapping[str, float]) -> Held:
        """What the next step is given, after a step that measured these means."""
        return self.memory.after(self.held, measured) if self.memory is not None else {}


@dataclass(frozen=True)
class Gradient:
    """What a step's forward passes found; the gradient itself lies in the parameters."""

    terms: dict[str, float]
    measured: dict[str, float]
    """Means over the samples of the whole step."""
    cosine: float | None = field(default=None)
    """Between the masked gradient and that of the other terms."""

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())


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


def check_mask(objective: Objective, weights: Mapping[str, nn.Parameter]) -> None:
    """Raise BadInput unless the mask covers exactly the weights that move, shape by shape."""
    if objective.mask is None:
        return
    missing = sorted(set(weights) - set(objective.mask))
    unknown = sorted(set(objective.mask) - set(weights))
    if missing or unknown:
        found = f"has no entry for {missing[0]}" if missing else f"has {unknown[0]}, which does not move here"
        raise BadInput("the gradient mask", found, "compute the mask on the model and adapter that will be trained")
    for name, weight in weights.items():
        if objective.mask[name].shape != weight.shape:
            raise BadInput(
                "the gradient mask", f"has another shape at {name}", "compute it on the model that will be trained"
            )


def step_gradient(
    network: nn.Module,
    weights: Mapping[str, nn.Parameter],
    encoder: Encoder,
    groups: Groups,
    objective: Objective,
    *,
    share: Share,
    device: torch.device,
    backward: Callable[[Tensor], None] = Tensor.backward,
    lanes: Lanes | None = None,
) -> Gradient:
    """Fill `.grad` of the weights for one step. Lanes need an objective without a mask and a model without dropout."""
    if lanes is not None:
        return _beside(network, weights, encoder, groups, objective, device=device, lanes=lanes)
    if share.pieces == 1:
        batches = {name: encoder.batch(rows).to(device) for name, rows in groups.items()}
        measured = objective.measure(network, batches)
        terms = objective.terms(measured, groups)
        cosine = _backward_whole(terms, weights, objective, backward)
        return Gradient(_floats(terms), _means(measured), cosine)
    return _by_pieces(network, weights, encoder, groups, objective, share=share, device=device, backward=backward)


def _backward_whole(
    terms: Mapping[str, Tensor],
    weights: Mapping[str, nn.Parameter],
    objective: Objective,
    backward: Callable[[Tensor], None],
) -> float | None:
    masked, rest = _phases(terms, objective)
    if masked is None:
        if rest is not None:
            backward(rest)
        return None
    found = torch.autograd.grad(masked, list(weights.values()), retain_graph=rest is not None, materialize_grads=True)
    gradients = dict(zip(weights, found, strict=True))
    if rest is not None:
        backward(rest)
    return _add_masked(gradients, weights, objective, alone=rest is None)


def _phases(terms: Mapping[str, Tensor], objective: Objective) -> tuple[Tensor | None, Tensor | None]:
    """Sum of the terms whose gradient is masked, and of all others; None where there is none."""
    masked = [term for name, term in terms.items() if objective.mask is not None and name in objective.masked_terms]
    rest = [term for name, term in terms.items() if objective.mask is None or name not in objective.masked_terms]
    return _sum(masked), _sum(rest)


def _sum(terms: Sequence[Tensor]) -> Tensor | None:
    return torch.stack(list(terms)).sum() if terms else None


def _add_masked(
    gradients: Mapping[str, Tensor], weights: Mapping[str, nn.Parameter], objective: Objective, *, alone: bool
) -> float | None:
    """Mask `gradients` and add them to `.grad`; returns the cosine of the two, None if one of them is absent."""
    if objective.mask is None:
        raise RuntimeError("masked terms without a mask")
    dot, ours, theirs = 0.0, 0.0, 0.0
    for name, weight in weights.items():
        gradient = gradients[name] * cut_like(objective.mask[name].to(gradients[name].dtype), weight)
        other = torch.zeros_like(weight) if weight.grad is None else weight.grad
        dot += float(whole((gradient * other).sum()))
        ours += float(whole(gradient.square().sum()))
        theirs += float(whole(other.square().sum()))
        weight.grad = other + gradient
    return None if alone or ours == 0 or theirs == 0 else dot / (ours * theirs) ** 0.5


def _by_pieces(
    network: nn.Module,
    weights: Mapping[str, nn.Parameter],
    encoder: Encoder,
    groups: Groups,
    objective: Objective,
    *,
    share: Share,
    device: torch.device,
    backward: Callable[[Tensor], None],
) -> Gradient:
    """The chain rule over per-sample numbers: all pieces are measured without a graph, the loss is differentiated in
    those numbers, and each piece is measured again with a graph and pulled back by its share. Costs one more forward
    pass and is exact for every objective, also where terms couple samples of several pieces.
    """
    pieces = cut(groups, share.pieces)
    own = range(share.rank * share.accumulate, (share.rank + 1) * share.accumulate)
    states, found = [], []
    for index in own:
        states.append(_random_state(device))
        with torch.no_grad():
            found.append(_detached(objective.measure(network, _batches(encoder, pieces[index], device))))
    everything = _gather(found, share)
    leaves = {
        key: torch.cat([part[key] for part in everything if key in part]).to(device).requires_grad_()
        for key in sorted({key for part in everything for key in part})
    }
    terms = objective.terms(leaves, groups)
    masked, rest = _phases(terms, objective)
    held: dict[str, Tensor] = {}
    for phase in (masked, rest):
        if phase is None:
            continue
        pulls = _pulls(phase, leaves, everything)
        for index, state in zip(own, states, strict=True):
            _set_random_state(state, device)
            measured = objective.measure(network, _batches(encoder, pieces[index], device))
            backward(_pulled(measured, pulls[index]))
        _sum_over_processes(weights, share)
        if phase is masked:
            held = {
                name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
                for name, weight in weights.items()
            }
            for weight in weights.values():
                weight.grad = None
    cosine = _add_masked(held, weights, objective, alone=rest is None) if held else None
    return Gradient(_floats(terms), _means(leaves), cosine)


def _beside(
    network: nn.Module,
    weights: Mapping[str, nn.Parameter],
    encoder: Encoder,
    groups: Groups,
    objective: Objective,
    *,
    device: torch.device,
    lanes: Lanes,
) -> Gradient:
    """The chain rule over per-sample numbers as in _by_pieces, with all pieces' graphs held at once, a lane each."""
    pieces = in_pieces(groups, encoder, pieces=lanes.count)
    everything = lanes.each(
        lambda batches: objective.measure(network, batches), [_batches(encoder, piece, device) for piece in pieces]
    )
    leaves = {
        key: torch.cat([part[key].detach() for part in everything if key in part]).requires_grad_()
        for key in sorted({key for part in everything for key in part})
    }
    ordered = {name: tuple(row for piece in pieces for row in piece.get(name, ())) for name in groups}
    terms = objective.terms(leaves, ordered)
    pulls = _pulls(torch.stack(list(terms.values())).sum(), leaves, everything)
    found = lanes.each(
        lambda part: torch.autograd.grad(_pulled(*part), list(weights.values()), materialize_grads=True),
        zip(everything, pulls, strict=True),
    )
    for weight, *parts in zip(weights.values(), *found, strict=True):
        weight.grad = sum(parts[1:], start=parts[0])
    return Gradient(_floats(terms), _means(leaves))


def cut(groups: Groups, pieces: int) -> list[Groups]:
    """Cut every group into `pieces` runs of rows as even as can be; a group may be absent from a piece.

    Raises BadInput where a piece would be empty.
    """
    cuts: list[dict[str, tuple[TrainingSample, ...]]] = [{} for _ in range(pieces)]
    for name, rows in groups.items():
        for index in range(pieces):
            part = rows[index * len(rows) // pieces : (index + 1) * len(rows) // pieces]
            if part:
                cuts[index][name] = part
    if not all(cuts):
        rows_found = max(len(rows) for rows in groups.values())
        raise BadInput("a step", f"has {rows_found} samples a group for {pieces} pieces", "accumulate over fewer")
    return list(cuts)


def _batches(encoder: Encoder, piece: Groups, device: torch.device) -> dict[str, Batch]:
    return {name: encoder.batch(rows).to(device) for name, rows in piece.items()}


def _sum_over_processes(weights: Mapping[str, nn.Parameter], share: Share) -> None:
    """Add up the gradients of all processes, once a phase. DDP's hooks would want as many forward passes in each
    process, and a group may be absent from a piece.
    """
    if share.processes == 1:
        return
    for weight in weights.values():
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        if not is_cut(weight):  # FSDP has added up its own
            torch.distributed.all_reduce(weight.grad)


def _gather(found: list[dict[str, Tensor]], share: Share) -> list[dict[str, Tensor]]:
    """The measurements of all processes, in the order of the pieces."""
    if share.processes == 1:
        return found
    from accelerate.utils import gather_object

    own = [{key: value.cpu() for key, value in part.items()} for part in found]
    gathered: list[dict[str, Tensor]] = gather_object(own)
    return gathered


def _pulls(
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


def _pulled(measured: Mapping[str, Tensor], pull: Mapping[str, Tensor]) -> Tensor:
    """A scalar whose gradient is this piece's share; zero with a graph where nothing pulls."""
    zero = torch.stack([value.sum() for value in measured.values()]).sum() * 0
    return zero + sum(((measured[key] * share).sum() for key, share in pull.items()), torch.zeros_like(zero))


def _detached(measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach() for key, value in measured.items()}


def _floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in values.items()}


def _means(measured: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach().float().mean()) for name, value in measured.items()}


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
