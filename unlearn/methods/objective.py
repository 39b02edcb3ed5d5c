"""A method as the loop takes it: one forward pass a step, what the terms need to know of it, and their values."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.losses.answer_values import ANSWER_VALUES, AnswerTokens
from unlearn.losses.likelihood import Answers, align, nll_and_kl, sample_sum
from unlearn.losses.term import KEPT, Measured, Samples
from unlearn.methods.aids import Aids, teacher_of
from unlearn.methods.reference_model import Reference
from unlearn.methods.rows.method import Method
from unlearn.models.encoding import Batch, join
from unlearn.models.forward import adapter_off, bare
from unlearn.presets import Numbers
from unlearn.training.gradients import Objective
from unlearn.training.memory import Held, Memory, Terms

GROUPS = (
    "forget", "refusal", "alternate", "decoupled", "mixed_forget_first", "mixed_retain_first", "retain_refusal",
    "matched", "retain",
)  # fmt: skip
"""Groups of a step in the order of their rows; those with a KL come last."""
NO_AIDS = Aids()


def own_value(where: str, value: Callable[[], Tensor], *, measured: Iterable[str]) -> Tensor:
    """What `value` returns; raises BadInput where its code fails, or gives no scalar. `where` names file and term."""
    known = f"measured are {', '.join(sorted(measured))}"
    try:
        found: object = value()
    except BadInput:
        raise
    except KeyError as error:
        raise BadInput(where, f"asks for {error}, which is not there", known) from error
    except (IndexError, ArithmeticError, AttributeError, NameError, TypeError, ValueError) as error:
        raise BadInput(where, f"fails with {type(error).__name__}: {error}", f"mend the file; {known}") from error
    if isinstance(found, Tensor) and found.dim() == 0:
        return found
    kind = f"a tensor of shape {list(found.shape)}" if isinstance(found, Tensor) else f"{type(found).__name__}"
    raise BadInput(where, f"gives {kind}, not a scalar tensor", f"end it with .sum() or .mean(); {known}")


def loss_terms(method: Method, numbers: Numbers, measured: Measured, samples: Samples) -> dict[str, Tensor]:
    """The method's terms that this step's groups allow, signed and weighted; their sum is the loss."""
    present = frozenset(samples)
    found: dict[str, Tensor] = {}
    for name in method.terms:
        term = method.term(name)
        if all(group & present for group in term.needs):
            value = partial(term.value, measured, samples, numbers)
            where = f"{method.where or method.name}, term {name!r}"
            found[name] = own_value(where, value, measured=measured) if name in method.own else value()
    if not found:
        advice = "choose a schedule whose steps bring what its terms read (number `schedule`)"
        raise BadInput(f"a step of {method.name}", f"has only {', '.join(sorted(present))}", advice)
    return found


def measure(
    network: nn.Module,
    groups: Mapping[str, Batch],
    *,
    method: Method,
    numbers: Numbers,
    reference: Reference | None,
    aids: Aids = NO_AIDS,
) -> dict[str, Tensor]:
    """One forward pass over all groups of a step; what the terms need to know of each sample.

    `<group>.nll` is the mean and `.nll_sum` the sum over answer tokens (nats), `.tokens` their number, `.reference`
    the old model's sum, `.kl` the divergence summed over the sample's answer positions, `.factor` how much a forget
    sample counts, and `.<value>` one of ANSWER_VALUES summed over the answer. Each is [samples].
    """
    order = [name for name in GROUPS if name in groups]
    whole = join([groups[name] for name in order])
    logits, labels = network(whole.inputs, whole.labels, whole.pictures)
    answers = align(logits, labels)
    diverges = "kl" in method.terms
    known = [name for name in order if name in KEPT and diverges and numbers.kl_positions == "answer"]
    hidden = head = None
    if known and reference is not None:
        hidden = reference.hidden_of(join([groups[name] for name in known]), width=labels.shape[1])
        head = reference.head
    nll, kl = nll_and_kl(answers.logits, answers.targets, reference=hidden, head_weight=head)
    sums, means = answers.by_sample(nll[answers.kept])
    counts = answers.token_counts()
    padded = nn.functional.pad(kl, (nll.shape[0] - kl.shape[0], 0))
    divergences, _ = answers.by_sample(padded[answers.kept])
    values = wanted_values(method)
    found: dict[str, Tensor] = {}
    start = 0
    for name in order:
        rows = slice(start, start + len(groups[name]))
        start = rows.stop
        found |= {f"{name}.nll": means[rows], f"{name}.nll_sum": sums[rows], f"{name}.tokens": counts[rows]}
        if name in known:
            found[f"{name}.kl"] = divergences[rows]
        if name in method.compared and reference is not None:
            found[f"{name}.reference"] = reference.nll(groups[name])
        if name in KEPT and diverges and numbers.kl_positions == "all":
            found[f"{name}.kl"] = kl_everywhere(network, groups[name])
        if name == "forget" and aids.factors:
            found["forget.factor"] = aids.factor(groups[name])
        if name in values:
            tokens = _tokens(answers, nll, rows, groups[name], numbers=numbers, reference=reference, aids=aids)
            by_row = answers.rows[_positions(answers, rows)][tokens.kept] - rows.start
            for value in values[name]:
                each = ANSWER_VALUES[value](tokens)[tokens.kept]
                found[f"{name}.{value}"] = sample_sum(each, by_row, len(groups[name]))
    return found


def wanted_values(method: Method) -> dict[str, list[str]]:
    """By group, what the method's terms read of answer tokens beside NLL and KL."""
    found: dict[str, list[str]] = {}
    for named in sorted({each for term in map(method.term, method.terms) for each in term.values}):
        group, _, value = named.partition(".")
        found.setdefault(group, []).append(value)
    return found


def _positions(answers: Answers, rows: slice) -> slice:
    """Positions of some samples, which lie end to end."""
    width = answers.kept.shape[0] // answers.samples
    return slice(rows.start * width, rows.stop * width)


def _tokens(
    answers: Answers,
    nll: Tensor,
    rows: slice,
    batch: Batch,
    *,
    numbers: Numbers,
    reference: Reference | None,
    aids: Aids,
) -> AnswerTokens:
    """The positions of one group, with what is known of its samples. `nll` is [positions] of all groups."""
    where = _positions(answers, rows)
    kept = answers.kept[where]
    width = answers.kept.shape[0] // answers.samples
    return AnswerTokens(
        logits=answers.logits[where],
        targets=answers.targets[where],
        nll=nll[where],
        kept=kept,
        first=torch.arange(len(kept), device=kept.device) % width == 0,
        numbers=numbers,
        teacher=teacher_of(batch, width=width, reference=reference, aids=aids, numbers=numbers),
        banned=None if aids.banned is None else aids.banned.to(kept.device),
        unwanted=aids.unwanted_of(batch, kept),
    )


def kl_everywhere(network: nn.Module, batch: Batch) -> Tensor:
    """[samples]: KL to the model with its adapter off, summed over every position, padding too (published KL)."""
    model: nn.Module = bare(network)
    now = model(**batch.inputs, use_cache=False).logits  # [batch, time, vocab]
    training = model.training
    model.eval()
    with adapter_off(network):
        before = model(**batch.inputs, use_cache=False).logits
    model.train(training)
    flat = now.reshape(-1, now.shape[-1])
    zeros = batch.labels.new_zeros(flat.shape[0])
    _, kl = nll_and_kl(flat, zeros, reference=before.reshape(flat.shape))
    return kl.reshape(len(batch), -1).sum(1)


def objective_for(
    method: Method,
    numbers: Numbers,
    *,
    reference: Reference | None,
    keep: Mapping[str, Tensor] | None,
    aids: Aids = NO_AIDS,
    retain_bound: float | None = None,
) -> Objective:
    """The method as the loop takes it. `keep` are the factors of the gradient of masked terms, by trained weight;
    `retain_bound` is what a method with a constraint holds the retain loss under, in nats per token.
    """
    if method.masked and keep is None:
        raise BadInput(
            f"method {method.name}", "needs a saliency mask", "take one with unlearn.methods.mmunlearner.take_mask"
        )
    terms = partial(loss_terms, method, numbers)
    return Objective(
        measure=partial(measure, method=method, numbers=numbers, reference=reference, aids=aids),
        terms=terms,
        mask=keep,
        masked_terms=method.masked,
        memory=None if retain_bound is None else constraint(numbers, terms, bound=retain_bound),
    )


def constraint(numbers: Numbers, terms: Terms, *, bound: float) -> Memory:
    """The weight of PDU's retain loss: m := max(0, m + step (loss - bound)) after each step that has a retain batch.

    It stands still in the warm-up. `bound` is in nats per token.
    """

    def after(held: Held, measured: Mapping[str, float]) -> Held:
        done = held["done"] + 1
        groups = [name for name in ("retain", "matched") if f"{name}.nll_sum" in measured]
        if done <= numbers.dual_warmup or not groups:
            return {"dual": held["dual"], "done": done}
        loss = sum(measured[f"{name}.nll_sum"] / measured[f"{name}.tokens"] for name in groups) / len(groups)
        return {"dual": max(0.0, held["dual"] + numbers.dual_step * (loss - bound)), "done": done}

    return Memory({"dual": numbers.dual_start, "done": 0.0}, after, terms)
