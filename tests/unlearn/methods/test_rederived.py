"""Losses of rows written anew from their papers' formulas, in float64 on random logits, against the rows themselves.

What is written here knows nothing of `unlearn.losses`: each sample's answer is a list of logits and targets, and every
formula is over those.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log, log1p, tanh

import pytest
import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from unlearn.methods.aids import Aids
from unlearn.methods.objective import objective_for
from unlearn.methods.reference_model import Reference
from unlearn.methods.table import METHODS
from unlearn.models.encoding import Batch
from unlearn.models.families import Family
from unlearn.presets import Numbers, numbers_for

WORDS, WIDTH = 11, 6
LENGTHS = {
    "forget": (5, 2, 3), "retain": (4, 1, 5, 2), "refusal": (2, 3, 2), "alternate": (3, 5, 1), "decoupled": (2, 2, 4),
    "mixed_forget_first": (5, 4, 3), "mixed_retain_first": (4, 4, 2), "retain_refusal": (2, 3, 1, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One sample's answer under the model now, before, and under a second teacher."""

    now: Tensor
    """[tokens, words]."""
    before: Tensor
    second: Tensor
    targets: Tensor
    """[tokens]."""
    fact: tuple[bool, ...]
    """Of each token, whether it is the fact itself."""
    risk: float

    def nll(self, logits: Tensor | None = None) -> Tensor:
        """[tokens]."""
        logs = (self.now if logits is None else logits).log_softmax(1)
        return -logs[torch.arange(len(logs)), self.targets]

    @property
    def total(self) -> float:
        return self.nll().sum().item()

    @property
    def total_before(self) -> float:
        return self.nll(self.before).sum().item()


World = Mapping[str, list[Answer]]


@pytest.fixture(scope="module")
def world() -> World:
    draw = torch.Generator().manual_seed(5)

    def answer(length: int) -> Answer:
        now, before, second = (2 * torch.randn(length, WORDS, generator=draw, dtype=torch.float64) for _ in range(3))
        targets = torch.randint(WORDS, (length,), generator=draw)
        risk = float(torch.rand(1, generator=draw))
        return Answer(now, before, second, targets, tuple(place % 2 == 0 for place in range(length)), risk)

    return {group: [answer(length) for length in lengths] for group, lengths in LENGTHS.items()}


def sigmoid_loss(value: float) -> float:
    """-log sigmoid(value)."""
    return log1p(exp(-value))


def per_token(answers: list[Answer], value: Callable[[Answer], Tensor]) -> float:
    """The mean over all answer tokens of a batch."""
    return torch.cat([value(each) for each in answers]).mean().item()


def ce(world: World, group: str) -> float:
    return per_token(world[group], Answer.nll)


def kept(world: World, numbers: Numbers) -> float:
    return numbers.retain_weight * ce(world, "retain")


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def npo(each: Answer, beta: float) -> float:
    return 2 / beta * sigmoid_loss(beta * (each.total - each.total_before))


def preference(world: World, numbers: Numbers, better: str) -> float:
    beta = numbers.beta
    pairs = zip(world[better], world["forget"], strict=True)
    arguments = [beta * ((w.total_before - w.total) - (lost.total_before - lost.total)) for w, lost in pairs]
    return mean([2 / beta * sigmoid_loss(value) for value in arguments]) + kept(world, numbers)


def to_uniform(each: Answer) -> Tensor:
    return each.now.logsumexp(1) - each.now.mean(1) - log(WORDS)


def hinge(each: Answer) -> Tensor:
    shares = each.now.softmax(1)
    own = shares[torch.arange(len(shares)), each.targets]
    others = shares.clone()
    others[torch.arange(len(shares)), each.targets] = -1
    return (1 + own - others.max(1).values).clamp(min=0)


def without_target(each: Answer) -> Tensor:
    """Cross entropy to the model's own distribution without the target; the first token is skipped."""
    shares = each.now.softmax(1).clone()
    shares[torch.arange(len(shares)), each.targets] = 0
    wanted = shares / shares.sum(1, keepdim=True)
    return -(wanted * each.now.log_softmax(1)).sum(1)[1:]


def lowered(each: Answer, strength: float) -> Tensor:
    logits = each.before.clone()
    logits[torch.arange(len(logits)), each.targets] -= strength
    return -(logits.softmax(1) * each.now.log_softmax(1)).sum(1)


def reverse(each: Answer, strength: float) -> Tensor:
    teacher = each.before - strength * (each.second - each.before).clamp(min=0)
    logs = each.now.log_softmax(1)
    return (logs.exp() * (logs - teacher.log_softmax(1))).sum(1)


def banned_mass(each: Answer) -> Tensor:
    return -(1 - each.now.softmax(1)[:, BANNED].sum(1)).log()


def forward_kl(each: Answer) -> Tensor:
    before = each.before.log_softmax(1)
    return (before.exp() * (before - each.now.log_softmax(1))).sum(1)


def flat(world: World) -> float:
    probabilities = [[(-each.nll()).exp().mean().item() for each in world[group]] for group in ("refusal", "forget")]
    return mean([-tanh(e) / 2 + tanh(f) / 2 for e, f in zip(*probabilities, strict=True)])


def tif(world: World, numbers: Numbers) -> float:
    def wanted(each: Answer, logits: Tensor) -> float:
        own = logits[torch.arange(len(logits)), each.targets]
        return own[torch.tensor(each.fact)].mean().item()

    forget = world["forget"]
    fallen = mean([wanted(each, each.before) for each in forget]) - mean([wanted(each, each.now) for each in forget])
    words = mean([each.nll()[~torch.tensor(each.fact)].sum().item() for each in forget])
    return 2 / numbers.beta * sigmoid_loss(numbers.beta * fallen) + numbers.words_weight * words


def avoiding(world: World, beta: float) -> float:
    pairs = zip(world["retain_refusal"], world["retain"], strict=True)
    return mean([sigmoid_loss(beta * (refused.total - own.total)) / beta for refused, own in pairs])


BANNED = torch.tensor([False, True, False, False, True, False, False, True, False, False, False])

FORMULAS: dict[str, Callable[[World, Numbers], float]] = {
    "ga": lambda w, n: -ce(w, "forget"),
    "gd": lambda w, n: -ce(w, "forget") + kept(w, n),
    "kl": lambda w, n: -ce(w, "forget") + kept(w, n) + n.kl_weight * per_token(w["retain"], forward_kl),
    "npo": lambda w, n: mean([npo(each, n.beta) for each in w["forget"]]),
    "npo-retain": lambda w, n: mean([npo(each, n.beta) for each in w["forget"]]) + kept(w, n),
    "simnpo": lambda w, n: (
        n.forget_weight
        * mean([2 / n.beta * sigmoid_loss(n.beta * (each.nll().mean().item() - n.gamma)) for each in w["forget"]])
        + kept(w, n)
    ),
    "sga": lambda w, n: (
        -(1 - n.smooth_rate + n.smooth_rate / n.smooth_count) * ce(w, "forget") - n.smooth_rate * ce(w, "retain")
    ),
    "ihl": lambda w, n: per_token(w["forget"], hinge) + kept(w, n),
    "me-gd": lambda w, n: n.forget_weight * per_token(w["forget"], to_uniform) + kept(w, n),
    "wga": lambda w, n: -per_token(w["forget"], lambda each: (-each.nll()).exp() * each.nll()) + kept(w, n),
    "satimp": lambda w, n: (
        -n.forget_weight
        * per_token(w["forget"], lambda each: (-5 * each.nll()).exp() * (1 - (-each.nll()).exp()) * each.nll())
        + kept(w, n)
    ),
    "ce-u": lambda w, n: per_token(w["forget"], without_target),
    "undial": lambda w, n: per_token(w["forget"], lambda each: lowered(each, 10.0)),
    "rkld": lambda w, n: per_token(w["forget"], lambda each: reverse(each, 8.0)) + kept(w, n),
    "po": lambda w, n: ce(w, "refusal") + ce(w, "retain"),
    "idk-ap": lambda w, n: ce(w, "refusal") + avoiding(w, 0.1),
    "dpo": lambda w, n: preference(w, n, "refusal"),
    "altpo": lambda w, n: preference(w, n, "alternate"),
    "flat": lambda w, n: flat(w),
    "gd-pd": lambda w, n: -ce(w, "forget") + 0.5 * ce(w, "retain") + 0.5 * ce(w, "decoupled"),
    "ga-pd": lambda w, n: -ce(w, "forget") + 0.5 * ce(w, "decoupled"),
    "mp-idk": lambda w, n: ce(w, "mixed_forget_first") + ce(w, "mixed_retain_first"),
    "tif": tif,
    "tif-retain": lambda w, n: tif(w, n) + kept(w, n),
    "obliviate-masked": lambda w, n: (
        per_token(w["forget"], banned_mass) + n.kl_weight * per_token(w["retain"], forward_kl)
    ),
    "pdu": lambda w, n: (
        per_token(w["forget"], lambda each: (each.now.max(1).values - each.now.mean(1)).square())
        + n.dual_start * ce(w, "retain")
    ),
    "unpii-npo": lambda w, n: mean([npo(each, n.beta) * (1 + each.risk) for each in w["forget"]]) + kept(w, n),
}


class Told(nn.Module):
    """A network that says of each row the logits that were drawn for it."""

    def __init__(self, rows: Mapping[int, Tensor], family: Family) -> None:
        super().__init__()
        self.rows, self.family = rows, family

    def forward(self, inputs: Mapping[str, Tensor], labels: Tensor, pictures: object) -> tuple[Tensor, Tensor]:
        return torch.stack([self.rows[int(row)] for row in inputs["input_ids"][:, 0]]), labels


def key(group: str, number: int) -> str:
    """Other answers to a prompt bear its key and their group's name."""
    if group in ("forget", "retain"):
        return f"{group}-{number}"
    return f"{'retain' if group == 'retain_refusal' else 'forget'}-{number}|{group}"


def batches_of(world: World) -> tuple[dict[str, Batch], dict[int, Tensor]]:
    """A step's batches, whose first token names the row, and the logits of each row [width, words]."""
    batches, rows = {}, {}
    for group, answers in world.items():
        labels = torch.full((len(answers), WIDTH), -100)
        ids = torch.zeros(len(answers), WIDTH, dtype=torch.long)
        for number, answer in enumerate(answers):
            length = len(answer.targets)
            labels[number, 1 : length + 1] = answer.targets
            ids[number, 0] = len(rows)
            rows[len(rows)] = nn.functional.pad(answer.now, (0, 0, 0, WIDTH - length))
        names = tuple(key(group, number) for number in range(len(answers)))
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        batches[group] = Batch(inputs, labels, names, names, (None,) * len(answers))
    return batches, rows


def reference_of(world: World, logits: Callable[[Answer], Tensor]) -> Reference:
    everything = {key(group, number): each for group, answers in world.items() for number, each in enumerate(answers)}
    return Reference(
        {name: each.nll(logits(each)).sum().item() for name, each in everything.items()},
        {name: len(each.targets) for name, each in everything.items()},
        {name: logits(each) for name, each in everything.items()},
        None,
    )


@pytest.mark.parametrize("method", FORMULAS)
def test_a_row_has_the_value_that_its_papers_formula_gives(world: World, method: str) -> None:
    row = METHODS[method]
    numbers, _ = numbers_for(method, preset="default", parameters=10**10, family="", own=row.numbers)
    batches, rows = batches_of(world)
    groups = {name: batch for name, batch in batches.items() if name in row.groups}
    samples = {
        name: tuple(
            TrainingSample(sample_id=each, subject_id=each, modality="qa", prompt="?", answer="!")
            for each in batch.sample_ids
        )
        for name, batch in groups.items()
    }
    forget = {key("forget", number): each for number, each in enumerate(world["forget"])}
    aids = Aids(
        factors={name: 1 + each.risk for name, each in forget.items()} if numbers.factors != "none" else {},
        unwanted={name: torch.tensor(each.fact) for name, each in forget.items()} if method.startswith("tif") else {},
        banned=BANNED,
        second=reference_of(world, lambda each: each.second),
    )
    before = reference_of(world, lambda each: each.before)
    objective = objective_for(row, numbers, reference=before, keep=None, aids=aids, retain_bound=0.0)
    objective = objective.remembering({})
    measured = objective.measure(Told(rows, Family.__new__(Family)), groups)
    found = sum(value.item() for value in objective.terms(measured, samples).values())
    assert found == pytest.approx(FORMULAS[method](world, numbers), rel=1e-6)
