"""Steering: what is done to hidden states in the forward passes of certain prompts, by hooks that live no longer.

linear: h += strength (h_q W) over the prompt, W = left right, h_q the state at the prompt's end; answers are untouched.
rotate: h' = h - strength s, brought back to the length of h, at every position, s the mean of the vectors whose
centroids the prompt is close to. corrupt: embeddings of the prompt but its last token are made noisy, zeroed or turned
round, the noise drawn from the prompt's own tokens so that a batch does not change it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.interventions.gates import pooled, prompt_tokens, scores
from unlearn.interventions.parts import Part, by_module, number_of, strength_of, wanted
from unlearn.interventions.restraints import ITEMS, Written, check_restraint, sequences_of
from unlearn.models.forward import core_model, language_layers
from unlearn.models.loading import LoadedModel

Undo = Callable[[], None]
Handle = torch.utils.hooks.RemovableHandle
Output = Tensor | tuple[Tensor, ...]
METHODS_OF_CORRUPTION = ("noise", "zero", "flip")


@dataclass(frozen=True)
class Rows:
    """The rows of the passes at hand."""

    tokens: Tensor
    """[batch, time] bool: tokens of the prompt."""
    ends: Tensor
    ids: Tensor
    active: Tensor | None
    """[batch, K] bool: centroids that a prompt is close to; None where there is no gate."""

    @property
    def meant(self) -> Tensor:
        """[batch] bool: rows that are steered."""
        if self.active is None:
            return torch.ones(len(self.ends), dtype=torch.bool, device=self.ends.device)
        return self.active.any(1)


@dataclass(frozen=True)
class LiveStack:
    """Steering of a stack over a model, and the gates of its guards. Nothing of it is in the model between passes."""

    model: nn.Module
    layers: str
    """Module path of the list of decoder layers."""
    steering: tuple[Part, ...] = ()
    guards: tuple[Part, ...] = ()

    @contextmanager
    def prompts(self, inputs: Mapping[str, Tensor], ends: Tensor) -> Iterator[None]:
        """Steer the passes within, which are of these rows (unlearn/rows/live.py)."""
        hooks: list[Handle] = []
        acting = [part for part in self.steering if amount(part) != 0]
        active = [_active(part, self._features(part, inputs, ends)) for part in acting]
        try:
            for part, found in zip(acting, active, strict=True):
                tokens = prompt_tokens(inputs["attention_mask"], ends)
                rows = Rows(tokens, ends.to(tokens.device), inputs["input_ids"], found)
                if bool(rows.meant.any()):
                    hooks += _HOOKS[part.intervention.form](self, part, rows)
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def fires(self, number: int, inputs: Mapping[str, Tensor], ends: Tensor) -> Tensor:
        """[batch] bool: whether the gate of that guard knows the prompt; all do without one that reads states."""
        guard = self.guards[number]
        found = _active(guard, self._features(guard, inputs, ends))
        return torch.ones(len(ends), dtype=torch.bool) if found is None else found.any(1)

    def _features(self, part: Part, inputs: Mapping[str, Tensor], ends: Tensor) -> Tensor | None:
        gate = part.intervention.gate
        if gate is None or gate.source != "hidden":
            return None
        caught: list[Tensor] = []

        def catch(module: nn.Module, given: object, output: Output) -> None:
            caught.append(_first(output))

        hook = self.model.get_submodule(f"{self.layers}.{gate.layer}").register_forward_hook(catch)
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                self.model(**inputs, use_cache=False, logits_to_keep=1)
        finally:
            hook.remove()
            self.model.train(training)
        if gate.pool == "last":
            return caught[0][torch.arange(len(ends), device=caught[0].device), ends.to(caught[0].device)]
        return pooled(caught[0], inputs["attention_mask"], ends)


def lay_steering(loaded: LoadedModel, part: Part) -> tuple[LoadedModel, Undo]:
    """Steering over what is there already: it acts in the passes of single prompts, and nothing is in the model.

    Raises BadInput for what the model, or any model, cannot take.
    """
    amount(part)
    core = core_model(loaded.model)
    live = _live(loaded)
    layers = _blocks(loaded, part)
    gate = part.intervention.gate
    if gate is not None and gate.source == "hidden":
        _gate_parts(part)
        if gate.layer is None or not 0 <= gate.layer < len(layers):
            raise BadInput(part.name, f"its gate reads layer {gate.layer} of {len(layers)}", "make it anew")
    modules = dict(core.named_modules())
    for path, tensors in by_module(part).items():
        if path not in modules:
            raise BadInput(part.name, f"acts on {path}, which the model lacks", "lay it over the model it was made of")
        _check_size(loaded, part, path, tensors)
    if part.intervention.form == "corrupt":
        for name, known in (("method", METHODS_OF_CORRUPTION), ("dims", None)):
            value = part.intervention.numbers.get(name)
            if (known is not None and value not in known) or value is None:
                raise BadInput(part.name, f"its {name} is {value!r}", "make it anew")
    return replace(loaded, live=replace(live, steering=(*live.steering, part))), _nothing


def lay_restraint(loaded: LoadedModel, part: Part) -> tuple[LoadedModel, Undo]:
    """A restraint on what is written. Raises BadInput as `check_restraint` does, and for a gate that does not fit."""
    strength_of(part.intervention)
    check_restraint(loaded, part)
    gate = part.intervention.gate
    if gate is not None and gate.source == "hidden":
        centroids, _ = _gate_parts(part)
        _blocks(loaded, part)
        if int(part.tensors[ITEMS].max()) >= len(centroids):
            raise BadInput(part.name, f"names a centroid beyond its {len(centroids)}", "make it again")
    live = _live(loaded)
    return replace(loaded, live=replace(live, steering=(*live.steering, part))), _nothing


def lay_guard(loaded: LoadedModel, part: Part) -> tuple[LoadedModel, Undo]:
    """A guard round the model, after those that are there. Raises BadInput for one that says nothing or contradicts."""
    record = part.intervention
    if not any(text.strip() for text in record.texts):
        raise BadInput(part.name, "has no text", "give it what it says")
    if any(each.form == "refuse" and (each.gate is None or each.gate.source == "always") for each in loaded.guards):
        raise BadInput(part.name, "lies over one that refuses everything", "leave out one of the two")
    if record.gate is not None and record.gate.source == "hidden":
        _gate_parts(part)
        _blocks(loaded, part)
    live = _live(loaded)
    live = replace(live, guards=(*live.guards, part))
    return replace(loaded, live=live, guards=(*loaded.guards, record)), _nothing


def amount(part: Part) -> float:
    """How much is done to states: the strength, or the deviation of the noise; raises BadInput out of range."""
    record = part.intervention
    return number_of(record, "sigma") if record.form == "corrupt" else strength_of(record)


def _live(loaded: LoadedModel) -> LiveStack:
    if isinstance(loaded.live, LiveStack):
        return loaded.live
    return LiveStack(core_model(loaded.model), f"{loaded.family.language}.layers")


def _blocks(loaded: LoadedModel, part: Part) -> nn.ModuleList:
    """The decoder blocks that hooks stand behind; raises BadInput for a family that has no plain list of them."""
    try:
        return language_layers(core_model(loaded.model), loaded.family)
    except BadInput as error:
        found = (
            f"needs plain decoder blocks, and {loaded.family.model_type} has none at {loaded.family.language}.layers"
        )
        raise BadInput(part.name, found, "take an edit, or a guard with a text gate, for this family") from error


def _check_size(loaded: LoadedModel, part: Part, path: str, tensors: Mapping[str, Tensor]) -> None:
    """Raise BadInput for tensors that do not fit the model's states."""
    size = int(core_model(loaded.model).config.get_text_config().hidden_size)
    if part.intervention.form == "rotate":
        shapes = [wanted(part, path, tensors, "vectors")[0].shape]
        fits = len(shapes[0]) == 2 and shapes[0][1] == size
    else:
        shapes = [each.shape for each in wanted(part, path, tensors, "left", "right")]
        fits = [len(each) for each in shapes] == [2, 2] and shapes[0][0] == shapes[1][1] == size
        fits = fits and shapes[0][1] == shapes[1][0]
    if not fits:
        found = f"{path} has tensors of the shape {[list(each) for each in shapes]}, and states are of size {size}"
        raise BadInput(part.name, found, "lay it over the model it was made of")


def _nothing() -> None:
    """Nothing is in the model."""


def _gate_parts(part: Part) -> tuple[Tensor, Tensor]:
    """Centroids [K, d] and mean [d] of a part's gate."""
    centroids, mean = wanted(part, "gate", {name.removeprefix("gate."): each for name, each in part.tensors.items()
                                            if name.startswith("gate.")}, "centroids", "mean")  # fmt: skip
    return centroids, mean


def _active(part: Part, features: Tensor | None) -> Tensor | None:
    gate = part.intervention.gate
    if features is None or gate is None:
        return None
    centroids, mean = (each.to(features.device) for each in _gate_parts(part))
    return scores(features, centroids, mean) >= gate.threshold


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _with(output: Tensor | tuple[Tensor, ...], values: Tensor) -> Tensor | tuple[Tensor, ...]:
    return values if isinstance(output, Tensor) else (values, *output[1:])


def _linear(live: LiveStack, part: Part, rows: Rows) -> list[Handle]:
    strength = amount(part)

    def hook_of(left: Tensor, right: Tensor) -> Callable[[nn.Module, object, Output], Output | None]:
        passes = 0

        def hook(module: nn.Module, given: object, output: Output) -> Output | None:
            nonlocal passes
            passes += 1
            if passes > 1:  # answers that are generated are not steered; the cache carries the prompt
                return None
            states = _first(output)
            number = torch.arange(len(rows.ends), device=states.device)
            ends = states[number, rows.ends.to(states.device)].float()  # [batch, hidden]
            added = strength * (ends @ left.to(states.device).float()) @ right.to(states.device).float()
            kept = (rows.tokens & rows.meant[:, None]).to(states.device)[..., None]
            return _with(output, torch.where(kept, states + added[:, None].to(states.dtype), states))

        return hook

    return [
        live.model.get_submodule(path).register_forward_hook(hook_of(*wanted(part, path, tensors, "left", "right")))
        for path, tensors in by_module(part).items()
    ]


def rotated(states: Tensor, away: Tensor, *, strength: float) -> Tensor:
    """h - strength s at the length of h, along the last dimension."""
    moved = states.float() - strength * away.float()
    length = states.float().norm(dim=-1, keepdim=True)
    turned: Tensor = moved * (length / moved.norm(dim=-1, keepdim=True).clamp(min=1e-12))
    return turned.to(states.dtype)


def _rotate(live: LiveStack, part: Part, rows: Rows) -> list[Handle]:
    strength = amount(part)
    ((path, tensors),) = by_module(part).items()
    vectors = wanted(part, path, tensors, "vectors")[0].float()
    active = torch.ones(len(rows.ends), len(vectors)) if rows.active is None else rows.active.float()
    active = active.to(vectors.device)
    away = active @ vectors / active.sum(1, keepdim=True).clamp(min=1)  # [batch, hidden]

    def hook(module: nn.Module, given: object, output: Output) -> Output:
        states = _first(output)
        turned = rotated(states, away.to(states.device)[:, None], strength=strength)
        return _with(output, torch.where(rows.meant.to(states.device)[:, None, None], turned, states))

    return [live.model.get_submodule(path).register_forward_hook(hook)]


def corrupted(states: Tensor, method: str, dims: int, *, sigma: float = 0.0, noise: Tensor | None = None) -> Tensor:
    """Embeddings [tokens, hidden] with noise on the first `dims` numbers, or the largest `dims` zeroed, or the first
    turned round (ECO).
    """
    found = states.clone()
    if method == "noise" and noise is not None:
        found[:, :dims] += (sigma * noise).to(states)
    elif method == "zero":
        found.scatter_(1, states.abs().topk(dims, dim=1).indices, 0.0)
    elif method == "flip":
        found[:, :dims] *= -1
    return found


def _corrupt(live: LiveStack, part: Part, rows: Rows) -> list[Handle]:
    numbers = part.intervention.numbers
    method, sigma, dims = str(numbers["method"]), amount(part), int(number_of(part.intervention, "dims"))
    passes = 0

    def hook(
        module: nn.Module, args: tuple[object, ...], given: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]] | None:
        nonlocal passes
        passes += 1
        states = args[0] if args else given["hidden_states"]
        if passes > 1 or not isinstance(states, Tensor):
            return None
        found = states.clone()
        for row in rows.meant.nonzero().flatten().tolist():
            own = rows.tokens[row].clone()
            own[rows.ends[row]] = False
            places = own.nonzero().flatten().to(states.device)
            draw = _drawn(rows.ids[row][rows.tokens[row].to(rows.ids.device)], (len(places), dims))
            found[row, places] = corrupted(states[row, places], method, dims, sigma=sigma, noise=draw.to(states.device))
        return ((found, *args[1:]), given) if args else (args, {**given, "hidden_states": found})

    first = live.model.get_submodule(f"{live.layers}.0")
    return [first.register_forward_pre_hook(hook, with_kwargs=True)]


def _drawn(ids: Tensor, shape: Sequence[int]) -> Tensor:
    """Normal numbers that follow from a prompt's tokens."""
    name = hashlib.sha256(",".join(map(str, ids.tolist())).encode()).digest()
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int.from_bytes(name[:7])))


def _restrict(live: LiveStack, part: Part, rows: Rows) -> list[Handle]:
    meant = rows.meant.tolist()
    sequences = [
        sequences_of(part, None if rows.active is None else rows.active[row]) if hit else []
        for row, hit in enumerate(meant)
    ]
    return Written(live.model, rows.ends, sequences).handles


Hooks = Callable[[LiveStack, Part, Rows], list[Handle]]
_HOOKS: Mapping[str, Hooks] = {"linear": _linear, "rotate": _rotate, "corrupt": _corrupt, "restrict": _restrict}
