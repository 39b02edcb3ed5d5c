"""Hidden states of one layer, now and before unlearning: what RMU and its kin steer, hold, and compare with.

States are those of the answer tokens themselves. The old ones are asked for once, with the adapter off, and kept on the
CPU. Random numbers of a step come from seed, step and sample key, so that no cut of a step changes them.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from peft import PeftModel
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.losses.hidden_terms import HIDDEN_TERMS
from unlearn.methods.objective import GROUPS
from unlearn.methods.reference_model import REFERENCE_BATCH
from unlearn.methods.rows.method import Method
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.families import Family
from unlearn.models.forward import adapter_off, bare, core_model, language_layers, watching
from unlearn.presets import Numbers
from unlearn.training.gradients import Measure, Objective

log = logging.getLogger(__name__)

WATCHED = frozenset({"forget", "matched", "retain"})
"""Groups whose states are compared with what they were, or with a target."""
NAMES = ("Orvel Quindrath", "Thessaly Murnok", "Bex Andraluin", "Ivo Zarentsky-Pohl", "Marwen Tolliquist")
QUESTIONS = ("Where was {} born?", "What does {} do for a living?")
HONESTY = "If you do not know the answer, say that you do not know it. "


def reads_states(method: Method) -> bool:
    """Whether a term of the method reads hidden states."""
    return any(name in HIDDEN_TERMS for name in method.terms)


def layer_of(numbers: Numbers, model: nn.Module, family: Family) -> int:
    """The layer that the numbers name, or else that at a third of the depth, counted from 0."""
    count = len(language_layers(core_model(model), family))
    return numbers.layer if numbers.layer is not None else count // 3


def freeze_beyond(model: nn.Module, family: Family, layer: int) -> int:
    """Freeze the adapter in layers behind `layer`, which no loss on its states reaches; returns how many weights."""
    layers = language_layers(core_model(model), family)
    frozen = [weight for later in layers[layer + 1 :] for weight in later.parameters() if weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(False)
    return len(frozen)


@dataclass(frozen=True)
class OldStates:
    """What a layer gave out before unlearning."""

    layer: int
    target: Tensor
    """[hidden], where forget states are steered to."""
    before: Mapping[str, Tensor]
    """[answer tokens, hidden] by key of retain sample, on the CPU."""
    noise: float = 0.0
    """Variance of what is added to each number of a retain target."""
    seed: int = 0


def old_states(
    network: nn.Module, encoder: Encoder, samples: Mapping[str, TrainingSample], layer: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """States of each sample before unlearning: at its answer tokens [tokens, hidden], at its prompt's end [hidden]."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    answers: dict[str, Tensor] = {}
    ends: dict[str, Tensor] = {}
    order = sorted(samples, key=lambda key: (samples[key].modality, len(samples[key].prompt), key))
    shards = [order[start : start + REFERENCE_BATCH] for start in range(0, len(order), REFERENCE_BATCH)]
    off = adapter_off(network) if isinstance(bare(network), PeftModel) else nullcontext()
    try:
        with off, torch.no_grad():
            for keys in counted("old states", shards):
                batch = encoder.batch([samples[key] for key in keys]).to(device)
                with watching(layer) as watched:
                    _, labels = network(batch.inputs, batch.labels, batch.pictures)
                for row, key in enumerate(keys):
                    states = watched.states[0][row]  # [width, hidden]
                    answers[key] = states[labels[row] != -100].cpu().clone()
                    ends[key] = states[0].cpu().clone()
    finally:
        network.train(training)
    return answers, ends


def take_old_states(
    network: nn.Module,
    encoder: Encoder,
    forget: Mapping[str, TrainingSample],
    retain: Mapping[str, TrainingSample],
    numbers: Numbers,
    *,
    layer: int,
    seed: int,
) -> OldStates:
    """The target of a run's forget states, and the states that its retain samples had."""
    before, _ = old_states(network, encoder, retain, layer)
    length = 1.0
    if numbers.steer_to == "refusal":
        questions = unanswerable()
        _, ends = old_states(network, encoder, questions, layer)
        target = torch.stack([ends[key].float() for key in sorted(ends)]).mean(0)
    else:
        target = random_direction(next(iter(before.values())).shape[1], seed=seed)
        if numbers.steering_by == "norm":
            states, _ = old_states(network, encoder, forget, layer)
            length = float(torch.cat([states[key].float() for key in sorted(states)]).norm(dim=1).mean())
    squares = torch.cat([before[key].float() for key in sorted(before)]).square().mean()
    log.info("layer %d: forget states of length %.3g go to a target of length %.3g", layer, length, numbers.steering)
    return OldStates(layer, numbers.steering * length * target, before, numbers.noise * float(squares), seed)


def random_direction(size: int, *, seed: int) -> Tensor:
    """[size], of length 1: r / |r|, r uniform on [0, 1) as in the authors' code, neither normal nor of mean zero."""
    drawn = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.square().sum().sqrt()


def unanswerable() -> dict[str, TrainingSample]:
    """Ten questions about people who do not exist, asked for honesty, by key."""
    texts = [HONESTY + question.format(name) for name in NAMES for question in QUESTIONS]
    return {
        f"unanswerable-{number}": TrainingSample(
            sample_id=f"unanswerable-{number}", subject_id="nobody", modality="qa", prompt=text, answer="?"
        )
        for number, text in enumerate(texts)
    }


def with_states(objective: Objective, old: OldStates) -> Objective:
    """The objective with states among its measured numbers, each by sample.

    `forget.to_target` is the squared distance to the target and `<group>.moved` that of a retain sample to where it was
    (plus noise), means over answer tokens and hidden size; `<group>.state` is the mean length of its states.
    """

    def at(step: int) -> Measure:
        def measure(network: nn.Module, groups: Mapping[str, Batch]) -> Mapping[str, Tensor]:
            with watching(old.layer) as watched:
                found = dict(objective.at(step).measure(network, groups))
            return found | _distances(watched.states[0], groups, old, step)

        return measure

    return replace(objective, measure=at(0), measure_at=at)


def _distances(states: Tensor, groups: Mapping[str, Batch], old: OldStates, step: int) -> dict[str, Tensor]:
    """`states` is [rows, width, hidden] of all groups, one after another."""
    found: dict[str, Tensor] = {}
    row = 0
    for name in (each for each in GROUPS if each in groups):
        batch = groups[name]
        if name not in WATCHED:
            row += len(batch)
            continue
        counts = (batch.labels != -100).sum(1).tolist()
        squares, lengths = [], []
        for key, count in zip(batch.sample_ids, counts, strict=True):
            now = states[row, 1 : count + 1].float()  # [tokens, hidden]
            squares.append((now - _wanted(name, key, old, step).to(now)).square().mean())
            lengths.append(now.detach().norm(dim=1).mean())
            row += 1
        found[f"{name}.{'to_target' if name == 'forget' else 'moved'}"] = torch.stack(squares)
        found[f"{name}.state"] = torch.stack(lengths)
    return found


def _wanted(group: str, key: str, old: OldStates, step: int) -> Tensor:
    """[hidden] or [tokens, hidden]: where a sample's states should be."""
    if group == "forget":
        return old.target
    before = old.before[key].float()
    return before if old.noise == 0 else before + noise(before.shape, old.noise, f"{old.seed}:{step}:{key}")


def noise(shape: Sequence[int], variance: float, draws: str) -> Tensor:
    """Normal numbers of that variance; the same name, the same numbers."""
    draw = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(draws.encode()).digest()[:7]))
    drawn = torch.randn(tuple(shape), generator=draw)
    return drawn.mul(variance**0.5)
