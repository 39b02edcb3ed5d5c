"""One step's gradient: of the whole batch at once, or piece by piece with exactly the same result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.models.encoding import Batch, Encoder
from unlearn.training.combiners import Combiner, Weighted, cosine, norm
from unlearn.training.cutting import cut
from unlearn.training.fsdp import cut_like, is_cut
from unlearn.training.lanes import Groups, Lanes, in_pieces
from unlearn.training.memory import Held, Memory, Terms
from unlearn.training.pieces import (
    Share,
    gathered,
    in_order,
    leaves_of,
    pulled,
    pulls_of,
    random_state,
    set_random_state,
)

Measure = Callable[[nn.Module, Mapping[str, Batch]], Mapping[str, Tensor]]
Penalty = Callable[[int], Tensor]
"""A scalar of the trained weights alone, at a step: no sample enters."""
MASKED, REST = "masked", "rest"
"""Phases of an objective with a mask; without mask and combiner all terms are the rest."""


@dataclass(frozen=True)
class Objective:
    """What a step descends, in two halves, so that a batch can be cut anywhere without changing the loss.

    `measure` gives numbers per sample, named "<group>.<quantity>" and each [rows of the group], such as "forget.nll";
    row i may depend on row i of its group alone. `terms` makes named scalars of them, signed and weighted; their sum is
    the loss. Where `mask` is set, the gradient of `masked_terms` is multiplied by it (by parameter name of the bare
    model) before the gradient of the other terms is added (MMUnlearner, BAO on MMUnlearner). With a `combiner` the
    terms' phases are differentiated apart and it makes one gradient of theirs. `penalties` are terms of the weights,
    by name, whose gradient is added to that, once a step.
    """

    measure: Measure
    terms: Terms
    mask: Mapping[str, Tensor] | None = None
    masked_terms: frozenset[str] = frozenset()
    combiner: Combiner | None = None
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    measure_at: Callable[[int], Measure] | None = None
    """The measurement of a step, where it draws numbers of its own; it takes the place of `measure`."""
    memory: Memory | None = None
    """What the terms carry from step to step, where they do."""
    held: Held = field(default_factory=dict)
    """That of the step at hand."""

    def at(self, step: int) -> "Objective":
        """The objective of that step."""
        return self if self.measure_at is None else replace(self, measure=self.measure_at(step))

    def phase(self, term: str) -> str:
        """The phase of a term: what is differentiated together."""
        if self.combiner is not None:
            return self.combiner.phase_of[term]
        return MASKED if self.mask is not None and term in self.masked_terms else REST

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
    cosine: float | None = None
    """Between the gradients of the two phases, the masked one after its mask."""
    norms: Mapping[str, float] = field(default_factory=dict)
    """Of each phase's gradient, where there are several."""

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())


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


@dataclass(frozen=True)
class Moving:
    """The model whose weights a step moves, and with what the step's gradient is computed."""

    network: nn.Module
    weights: Mapping[str, nn.Parameter]
    encoder: Encoder
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    share: Share = field(default_factory=Share)
    lanes: Lanes | None = None
    """For an objective of one phase and a model without dropout."""
    backward: Callable[[Tensor], None] = Tensor.backward

    def measured(self, objective: Objective, piece: Groups) -> Mapping[str, Tensor]:
        """What the objective measures of one piece's samples."""
        return objective.measure(self.network, self.batches(piece))

    def batches(self, piece: Groups) -> dict[str, Batch]:
        """One piece's samples as the model takes them, by group."""
        return {name: self.encoder.batch(rows).to(self.device) for name, rows in piece.items()}


def step_gradient(
    moving: Moving,
    groups: Groups,
    objective: Objective,
    *,
    pieces: Sequence[Groups] | None = None,
    step: int = 0,
    scale: Weighted | None = None,
) -> Gradient:
    """Fill `.grad` of the weights for one step.

    `pieces` are how one process cuts the step; without them every process has its share of equal ones. `scale` is what
    a combiner measures angles by: the divisor of each weight's step in the optimiser.
    """
    objective = objective.at(step)
    pieces = pieces or cut(groups, moving.share.pieces)
    if moving.lanes is not None and len(pieces) == 1:
        return _beside(moving, groups, objective, moving.lanes)
    if len(pieces) == 1:
        measured = moving.measured(objective, groups)
        terms = objective.terms(measured, groups)
        angle, norms = _backward_whole(moving, terms, objective, scale or {})
        gradient = Gradient(_floats(terms), _means(measured), angle, norms)
    else:
        gradient = _by_pieces(moving, pieces, objective, scale or {})
    return _add_penalties(gradient, moving, objective, step) if objective.penalties else gradient


def _backward_whole(
    moving: Moving, terms: Mapping[str, Tensor], objective: Objective, scale: Weighted
) -> tuple[float | None, dict[str, float]]:
    phases = _phases(terms, objective)
    if set(phases) == {REST}:
        moving.backward(phases[REST])
        return None, {}
    found: dict[str, Weighted] = {}
    for name, total in phases.items():
        gradients = torch.autograd.grad(
            total, list(moving.weights.values()), retain_graph=len(found) + 1 < len(phases), materialize_grads=True
        )
        found[name] = dict(zip(moving.weights, gradients, strict=True))
    return _put_together(found, moving.weights, objective, scale)


def _phases(terms: Mapping[str, Tensor], objective: Objective) -> dict[str, Tensor]:
    """Sum of the terms of each phase that the step has, the masked one first."""
    found: dict[str, list[Tensor]] = {}
    for name, term in terms.items():
        found.setdefault(objective.phase(name), []).append(term)
    return {phase: torch.stack(found[phase]).sum() for phase in sorted(found)}


def _put_together(
    phases: Mapping[str, Weighted], weights: Mapping[str, nn.Parameter], objective: Objective, scale: Weighted
) -> tuple[float | None, dict[str, float]]:
    """Make `.grad` of the phases' gradients: masked or combined. Returns the cosine of the two, and their norms."""
    if objective.combiner is not None:
        total = objective.combiner(phases, scale)
    else:
        masked = objective.mask or {}
        kept = {
            name: gradient * cut_like(masked[name].to(gradient.dtype), weights[name])
            for name, gradient in phases.get(MASKED, {}).items()
        }
        phases = {**phases, **({MASKED: kept} if kept else {})}
        others = phases.get(REST, {})
        total = {name: others[name] + part for name, part in kept.items()} if others else kept
    for name, weight in weights.items():
        weight.grad = total[name]
    two = tuple(phases.values())
    return cosine(*two) if len(two) == 2 else None, {name: norm(each) for name, each in phases.items()}


def _penalties(moving: Moving, objective: Objective, step: int) -> dict[str, Tensor]:
    """Each penalty at a step, in the weights' own precision: small distances would be lost in autocast's."""
    with torch.autocast(moving.device.type, enabled=False):
        return {name: penalty(step) for name, penalty in objective.penalties.items()}


def _add_penalties(gradient: Gradient, moving: Moving, objective: Objective, step: int) -> Gradient:
    """Add the penalties' gradients, in every process alike, for they depend on no piece."""
    values, weights = _penalties(moving, objective, step), list(moving.weights.values())
    found = torch.autograd.grad(torch.stack(list(values.values())).sum(), weights, allow_unused=True)
    for weight, part in zip(weights, found, strict=True):
        if part is not None:
            weight.grad = part if weight.grad is None else weight.grad + part
    return replace(gradient, terms=gradient.terms | _floats(values))


def _by_pieces(moving: Moving, pieces: Sequence[Groups], objective: Objective, scale: Weighted) -> Gradient:
    """The chain rule over per-sample numbers: all pieces are measured without a graph, the loss is differentiated in
    those numbers, and each piece is measured again with a graph and pulled back by its share. Costs one more forward
    pass and is exact for every objective, also where terms couple samples of several pieces.
    """
    states, everything = _measured_apart(moving, pieces, objective)
    leaves = leaves_of(everything, moving.device)
    terms = objective.terms(leaves, in_order(pieces))
    phases = _phases(terms, objective)
    held: dict[str, Weighted] = {}
    for name, phase in phases.items():
        pulls = pulls_of(phase, leaves, everything)
        for index, state in zip(_own(pieces, moving.share), states, strict=True):
            set_random_state(state, moving.device)
            moving.backward(pulled(moving.measured(objective, pieces[index]), pulls[index]))
        _sum_over_processes(moving.weights, moving.share)
        if set(phases) != {REST}:
            held[name] = _taken(moving.weights)
    angle, norms = _put_together(held, moving.weights, objective, scale) if held else (None, {})
    return Gradient(_floats(terms), _means(leaves), angle, norms)


def _own(pieces: Sequence[Groups], share: Share) -> range:
    """Which of the pieces are this process's."""
    each = len(pieces) // share.processes
    return range(share.rank * each, (share.rank + 1) * each)


def _measured_apart(
    moving: Moving, pieces: Sequence[Groups], objective: Objective
) -> tuple[list[tuple[Tensor, Tensor | None]], list[dict[str, Tensor]]]:
    """Random state before each own piece, and what all processes measured without a graph, piece by piece."""
    states, found = [], []
    for index in _own(pieces, moving.share):
        states.append(random_state(moving.device))
        with torch.no_grad():
            measured = moving.measured(objective, pieces[index])
        found.append({key: value.detach() for key, value in measured.items()})
    return states, gathered(found, moving.share)


def _taken(weights: Mapping[str, nn.Parameter]) -> Weighted:
    """The gradients, taken off the weights; zero where there is none."""
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        found[name] = torch.zeros_like(weight) if weight.grad is None else weight.grad
        weight.grad = None
    return found


def step_loss(
    moving: Moving, groups: Groups, objective: Objective, *, step: int, pieces: Sequence[Groups] | None = None
) -> Gradient:
    """The step's terms and what was measured, without a gradient: the forward half of `step_gradient`."""
    objective = objective.at(step)
    pieces = pieces or cut(groups, moving.share.pieces)
    _, everything = _measured_apart(moving, pieces, objective)
    with torch.no_grad():
        found = leaves_of(everything, moving.device)
        terms = dict(objective.terms(found, in_order(pieces)))
        terms |= _penalties(moving, objective, step)
    return Gradient(_floats(terms), _means(found))


def _beside(moving: Moving, groups: Groups, objective: Objective, lanes: Lanes) -> Gradient:
    """The chain rule over per-sample numbers as in _by_pieces, with all pieces' graphs held at once, a lane each."""
    pieces = in_pieces(groups, moving.encoder, pieces=lanes.count)
    batches = [moving.batches(piece) for piece in pieces]
    everything = lanes.each(lambda each: objective.measure(moving.network, each), batches)
    leaves = leaves_of(everything, moving.device)
    terms = objective.terms(leaves, in_order(pieces))
    pulls = pulls_of(torch.stack(list(terms.values())).sum(), leaves, everything)
    weights = list(moving.weights.values())
    found = lanes.each(
        lambda part: torch.autograd.grad(pulled(*part), weights, materialize_grads=True),
        zip(everything, pulls, strict=True),
    )
    for weight, *parts in zip(weights, *found, strict=True):
        weight.grad = sum(parts[1:], start=parts[0])
    return Gradient(_floats(terms), _means(leaves))


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


def _floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in values.items()}


def _means(measured: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach().float().mean()) for name, value in measured.items()}
