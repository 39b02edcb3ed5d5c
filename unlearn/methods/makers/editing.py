"""Editing keys and values: AlphaEdit and ZeroUnlearn write another value for what a forget prompt looks up.

A key is the input of a layer's last linear at the end of the prompt, a value what the layer should then give out. Both
kinds of prompt, with a picture and without, have their key there: under a picture no token names the subject.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.progress import counted
from unlearn.answers.refusals import refusal_for, safe_refusals
from unlearn.losses.likelihood import align
from unlearn.methods.makers.closed_forms import null_space_edit, value_projection, zero_unlearning
from unlearn.methods.makers.maker import Candidates, Given, Made, edit
from unlearn.models.encoding import Batch
from unlearn.weights.covariances import all_tokens, at_prompt_end, grams, layer_values, prompt_ends
from unlearn.weights.starts import null_projection

VALUE_BATCH = 8
"""Samples whose values are found together."""
CLAMP, DECAY, LOW_ENOUGH = 0.75, 0.5, 0.05
"""Published: largest change of a state over its length; weight of that change; NLL at which the search ends."""
SAMPLES = Mapping[str, TrainingSample]


@dataclass(frozen=True)
class Edited:
    """One linear of those that are edited, in order."""

    path: str
    linear: nn.Linear
    left: int
    """How many are still to be edited, this one with them."""


def null_space_edited(given: Given) -> Candidates:
    """AlphaEdit: refusals become the values of forget keys, where retain inputs do not reach; the sweep is a strength.

    What is left to be changed at the last edited layer is spread over the layers before it, each after the one before
    has moved.
    """
    numbers = given.numbers
    chosen = edited_linears(given)
    retain, _ = grams(
        given.network, given.encoder, given.data.retain, {each.path: each.linear for each in chosen},
        side="input", rows=all_tokens,
    )  # fmt: skip
    texts = safe_refusals(numbers.refusals, given.data.forget)
    wanted = {
        key: sample.model_copy(update={"answer": refusal_for(key, texts, seed=given.seed)})
        for key, sample in given.data.forget.items()
    }
    last = given.layers[last_layer(given)]
    values = optimised_values(given, wanted, last)
    tensors: dict[str, Tensor] = {}
    with restored([each.linear for each in chosen]):
        for each in chosen:
            projection, free = null_projection(retain[each.path], share=numbers.null_share)
            if free == 0:
                found = f"leaves no direction of {each.path} free of retain inputs"
                raise BadInput(f"null_share {numbers.null_share:g}", found, "take a larger null_share")
            keys, states = keys_and_states(given, each, last)
            residual = (values - states) / each.left
            nothing = torch.zeros_like(projection)
            left, right = null_space_edit(keys, residual, projection, nothing, ridge=numbers.ridge)
            tensors |= {f"{each.path}.left": left.float(), f"{each.path}.right": right.float()}
            with torch.no_grad():
                each.linear.weight += (left @ right).to(each.linear.weight)

    def make(strength: float) -> Made:
        scaled = {name: strength * each if name.endswith(".left") else each for name, each in tensors.items()}
        return edit("low_rank", {"strength": strength}, scaled)

    return Candidates("how much of the edit is made", numbers.tried, make, _seen(given))


def zeroed_values(given: Given) -> Candidates:
    """ZeroUnlearn: forget keys go to where the answer ends at once, and old answers' directions leave the output.

    The sweep is over how much of the edit is made.
    """
    numbers = given.numbers
    chosen = edited_linears(given)
    general, count = grams(
        given.network, given.encoder, given.data.retain, {each.path: each.linear for each in chosen},
        side="input", rows=all_tokens,
    )  # fmt: skip
    last = given.layers[last_layer(given)]
    neutral = optimised_values(given, given.data.forget, last, ends=True)
    changes: dict[str, Tensor] = {}
    with restored([each.linear for each in chosen]):
        for each in chosen:
            old = optimised_values(given, given.data.forget, each.linear)
            keys, states = keys_and_states(given, each, last)
            weight = each.linear.weight.detach().double().cpu()
            values = keys @ weight.T + (neutral - states) / each.left
            projection = value_projection(
                old, most=max(1, weight.shape[0] // 20), left=numbers.value_left, inflate=numbers.value_inflate
            )
            moved = zero_unlearning(
                weight, keys, values, general[each.path] / count, projection,
                weights=(numbers.general_weight, numbers.key_weight, 1.0),
            )  # fmt: skip
            changes[each.path] = (moved - weight).float()
            with torch.no_grad():
                each.linear.weight += changes[each.path].to(each.linear.weight)

    def make(strength: float) -> Made:
        tensors = {f"{path}.delta": strength * change for path, change in changes.items()}
        return edit("dense", {"strength": strength}, tensors)

    return Candidates("how much of the edit is made", numbers.tried, make, _seen(given))


def edited_linears(given: Given) -> list[Edited]:
    """The last linears of the layers between two shares of the depth, in order."""
    numbers = given.numbers
    first = given.depth(numbers.edit_first)
    layers = range(first, max(first, given.depth(numbers.edit_last)) + 1)
    return [Edited(*given.last_linear(layer), left=len(layers) - place) for place, layer in enumerate(layers)]


def last_layer(given: Given) -> int:
    """The layer at which values are wanted: the last one that is edited."""
    return max(given.depth(given.numbers.edit_first), given.depth(given.numbers.edit_last))


def keys_and_states(given: Given, each: Edited, last: nn.Module) -> tuple[Tensor, Tensor]:
    """Keys [n, in] of a linear and states [n, hidden] of the last edited layer at forget prompts' ends, fp64, CPU."""
    keys, states = [], []
    samples = given.data.forget
    for batch, values in layer_values(given.network, given.encoder, samples, {"keys": each.linear}, side="input"):
        keys.append(at_prompt_end(values["keys"], batch).double().cpu())
    for batch, values in layer_values(given.network, given.encoder, samples, {"states": last}, side="output"):
        states.append(at_prompt_end(values["states"], batch).double().cpu())
    return torch.cat(keys), torch.cat(states)


def optimised_values(given: Given, samples: SAMPLES, module: nn.Module, *, ends: bool = False) -> Tensor:
    """[n, size] fp64: what a module should give out at each prompt's end so that the sample's answer follows.

    Adam on NLL + 0.5 |delta| / |h|^2, delta held to three quarters of the state's length; with `ends` the answer is
    the end of the turn. In the order of keys, each sample by itself whatever the batch.
    """
    keys = sorted(samples)
    shards = [keys[start : start + VALUE_BATCH] for start in range(0, len(keys), VALUE_BATCH)]
    training = given.network.training
    given.network.eval()
    try:
        found = [
            _values(given, given.encoder.batch([samples[key] for key in shard]), module, ends=ends)
            for shard in counted("values", shards)
        ]
    finally:
        given.network.train(training)
    return torch.cat(found)


def _values(given: Given, batch: Batch, module: nn.Module, *, ends: bool) -> Tensor:
    device = next(given.network.parameters()).device
    batch = batch.to(device)
    places = prompt_ends(batch)
    rows = torch.arange(len(batch), device=device)
    state: list[Tensor] = []
    delta: Tensor | None = None

    def hook(layer: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        values = output if isinstance(output, Tensor) else output[0]
        if delta is None:
            state.append(values[rows, places].detach().float())
            return output
        moved = values.index_put((rows, places), delta.to(values.dtype), accumulate=True)
        return moved if isinstance(output, Tensor) else (moved, *output[1:])

    handle = module.register_forward_hook(hook)
    try:
        with torch.no_grad():
            given.network(batch.inputs, batch.labels)
        length = state[0].norm(dim=1, keepdim=True).clamp(min=1e-12)  # [batch, 1]
        delta = torch.zeros_like(state[0], requires_grad=True)
        done = torch.zeros(len(batch), 1, dtype=torch.bool, device=device)
        optimiser = torch.optim.Adam([delta], lr=given.numbers.value_lr)
        for _ in range(given.numbers.value_steps):
            nll = _nll(given, batch, ends=ends)
            done |= (nll < LOW_ENOUGH)[:, None]
            if bool(done.all()):
                break
            loss = nll.sum() + DECAY * (delta.norm(dim=1) / length.squeeze(1).square()).sum()
            optimiser.zero_grad()
            torch.autograd.backward([loss])
            before = delta.detach().clone()
            optimiser.step()
            with torch.no_grad():
                size = delta.norm(dim=1, keepdim=True)
                delta.mul_((CLAMP * length / size.clamp(min=1e-12)).clamp(max=1.0))
                delta.copy_(torch.where(done, before, delta))
    finally:
        handle.remove()
    return (state[0] + delta.detach()).double().cpu()


def _nll(given: Given, batch: Batch, *, ends: bool) -> Tensor:
    """[batch]: mean NLL of the answer, or that of ending the turn at once."""
    logits, labels = given.network(batch.inputs, batch.labels)
    if ends:
        ended: Tensor = -logits[:, 0].float().log_softmax(-1)[:, given.encoder.end_token]
        return ended
    answers = align(logits, labels)
    return answers.by_sample(answers.nll())[1]


@contextmanager
def restored(linears: Sequence[nn.Linear]) -> Iterator[None]:
    """Within it the weights may be edited; afterwards they hold the bits that they had."""
    before = [each.weight.detach().clone() for each in linears]
    try:
        yield
    finally:
        with torch.no_grad():
            for each, weight in zip(linears, before, strict=True):
                each.weight.copy_(weight)


def _seen(given: Given) -> dict[str, int]:
    return {"forget": len(given.data.forget), "retain": len(given.data.retain)}
