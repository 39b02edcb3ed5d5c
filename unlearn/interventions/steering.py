"""Steering: what is done to hidden states in the forward passes of certain prompts, by hooks that live no longer.

linear: h += strength (h_q W) over the prompt, W = left right, h_q the state at the prompt's end; answers are untouched.
rotate: h' = h - strength s, brought back to the length of h, at every position, s the mean of the vectors whose
centroids the prompt is close to. corrupt: embeddings of the prompt but its last token are made noisy, zeroed or turned
round, the noise drawn from the prompt's own tokens so that a batch does not change it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.records.interventions import Gate, Intervention
from unlearn.interventions.gates import pooled, prompt_tokens, scores

Layer = tuple[Intervention, Mapping[str, Tensor]]
LARGEST = 100.0
"""Of a strength: beyond it nothing is left of what was there."""


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
    steering: tuple[Layer, ...] = ()
    guards: tuple[Layer, ...] = ()

    @contextmanager
    def prompts(self, inputs: Mapping[str, Tensor], ends: Tensor) -> Iterator[None]:
        """Steer the passes within, which are of these rows (unlearn/rows/live.py)."""
        hooks = []
        active = [_active(layer, self._features(layer, inputs, ends)) for layer in self.steering]
        try:
            for (record, tensors), found in zip(self.steering, active, strict=True):
                tokens = prompt_tokens(inputs["attention_mask"], ends)
                rows = Rows(tokens, ends.to(tokens.device), inputs["input_ids"], found)
                if record.numbers.get("strength", record.numbers.get("sigma")) != 0 and bool(rows.meant.any()):
                    hooks += _HOOKS[record.form](self.model, record, tensors, rows)
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def fires(self, number: int, inputs: Mapping[str, Tensor], ends: Tensor) -> Tensor:
        """[batch] bool: whether the gate of that guard knows the prompt; all do without one that reads states."""
        guard = self.guards[number]
        found = _active(guard, self._features(guard, inputs, ends))
        return torch.ones(len(ends), dtype=torch.bool) if found is None else found.any(1)

    def _features(self, layer: Layer, inputs: Mapping[str, Tensor], ends: Tensor) -> Tensor | None:
        gate = layer[0].gate
        if gate is None or gate.source != "hidden":
            return None
        caught: list[Tensor] = []

        def catch(module: nn.Module, given: object, output: Tensor | tuple[Tensor, ...]) -> None:
            caught.append(output if isinstance(output, Tensor) else output[0])

        hook = self.model.get_submodule(gate.path).register_forward_hook(catch)
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                self.model(**inputs, use_cache=False, logits_to_keep=1)
        finally:
            hook.remove()
            self.model.train(training)
        return pooled(caught[0], inputs["attention_mask"], ends)


def check_steering(model: nn.Module, record: Intervention, tensors: Mapping[str, Tensor]) -> None:
    """Raise BadInput for steering that the model, or any model, cannot take."""
    where = f"steering {record.form}"
    if record.form not in _HOOKS:
        raise BadInput(where, "is not known", f"known are {', '.join(_HOOKS)}")
    strength = record.numbers.get("strength", record.numbers.get("sigma", 0))
    if not isinstance(strength, int | float) or not 0 <= strength <= LARGEST:
        raise BadInput(where, f"has strength {strength}", f"give one from 0 to {LARGEST:g}")
    modules = dict(model.named_modules())
    gate = record.gate
    for path in {name.rpartition(".")[0] for name in tensors} | ({gate.path} if gate is not None else set()) - {""}:
        if path not in modules:
            raise BadInput(where, f"acts on {path}, which the model lacks", "lay it over the model it was made of")
    if any(not bool(each.isfinite().all()) for each in tensors.values()):
        raise BadInput(where, "holds numbers that are not finite", "make it anew with a smaller strength")


def gate_parts(gate: Gate, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Centroids [K, d] and mean [d]; raises BadInput where they are missing."""
    try:
        return tensors[f"{gate.path}.centroids"], tensors[f"{gate.path}.mean"]
    except KeyError as error:
        raise BadInput("the gate", f"lacks {error}", "run the method again") from error


def _active(layer: Layer, features: Tensor | None) -> Tensor | None:
    record, tensors = layer
    if features is None or record.gate is None:
        return None
    centroids, mean = (each.to(features.device) for each in gate_parts(record.gate, tensors))
    return scores(features, centroids, mean) > record.gate.threshold


def _strength(record: Intervention, name: str = "strength") -> float:
    value = record.numbers[name]
    return float(value) if isinstance(value, int | float) else 0.0


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _with(output: Tensor | tuple[Tensor, ...], values: Tensor) -> Tensor | tuple[Tensor, ...]:
    return values if isinstance(output, Tensor) else (values, *output[1:])


Handle = torch.utils.hooks.RemovableHandle
Output = Tensor | tuple[Tensor, ...]


def _linear(model: nn.Module, record: Intervention, tensors: Mapping[str, Tensor], rows: Rows) -> list[Handle]:
    strength = _strength(record)

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

    paths = sorted({name.rpartition(".")[0] for name in tensors if name.endswith((".left", ".right"))})
    return [
        model.get_submodule(path).register_forward_hook(hook_of(tensors[f"{path}.left"], tensors[f"{path}.right"]))
        for path in paths
    ]


def rotated(states: Tensor, away: Tensor, *, strength: float) -> Tensor:
    """h - strength s at the length of h, along the last dimension."""
    moved = states.float() - strength * away.float()
    length = states.float().norm(dim=-1, keepdim=True)
    turned: Tensor = moved * (length / moved.norm(dim=-1, keepdim=True).clamp(min=1e-12))
    return turned.to(states.dtype)


def _rotate(model: nn.Module, record: Intervention, tensors: Mapping[str, Tensor], rows: Rows) -> list[Handle]:
    name = next(each for each in tensors if each.endswith(".vectors"))
    vectors, strength = tensors[name].float(), _strength(record)
    active = torch.ones(len(rows.ends), len(vectors)) if rows.active is None else rows.active.float()
    active = active.to(vectors.device)
    away = active @ vectors / active.sum(1, keepdim=True).clamp(min=1)  # [batch, hidden]

    def hook(module: nn.Module, given: object, output: Output) -> Output:
        states = _first(output)
        turned = rotated(states, away.to(states.device)[:, None], strength=strength)
        return _with(output, torch.where(rows.meant.to(states.device)[:, None, None], turned, states))

    return [model.get_submodule(name.rpartition(".")[0]).register_forward_hook(hook)]


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


def _corrupt(model: nn.Module, record: Intervention, tensors: Mapping[str, Tensor], rows: Rows) -> list[Handle]:
    method, sigma = str(record.numbers["method"]), _strength(record, "sigma")
    dims = int(_strength(record, "dims"))
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

    first = model.get_submodule(str(record.numbers["path"]))
    return [first.register_forward_pre_hook(hook, with_kwargs=True)]


def _drawn(ids: Tensor, shape: Sequence[int]) -> Tensor:
    """Normal numbers that follow from a prompt's tokens."""
    name = hashlib.sha256(",".join(map(str, ids.tolist())).encode()).digest()
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int.from_bytes(name[:7])))


Hooks = Callable[[nn.Module, Intervention, Mapping[str, Tensor], Rows], list[Handle]]
_HOOKS: Mapping[str, Hooks] = {"linear": _linear, "rotate": _rotate, "corrupt": _corrupt}
