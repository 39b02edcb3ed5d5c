"""What a run finds out before its first step: other answers, the reference, a second teacher, roles of tokens."""

import hashlib
import json
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.storage.artifacts import digest
from unlearn.answers.factors import factors
from unlearn.answers.greedy import greedy_answers
from unlearn.answers.groups import ANSWER_GROUPS, AnswerGroups, answer_groups
from unlearn.answers.token_roles import banned_words, unwanted_tokens
from unlearn.methods.aids import Aids
from unlearn.methods.hidden_states import layer_of, reads_states, take_old_states, with_states
from unlearn.methods.mmunlearner import Mask
from unlearn.methods.objective import objective_for, wanted_values
from unlearn.methods.phases import phase_of
from unlearn.methods.reference_model import Reference, measure_reference
from unlearn.methods.rows.method import Method
from unlearn.models.forward import bare, core_model
from unlearn.presets import Numbers, numbers_at_default
from unlearn.runs.prepare import Prepared
from unlearn.runs.record import TEACHER
from unlearn.schedules import turns
from unlearn.training.checkpoints import trainable
from unlearn.training.combiners import Combiner
from unlearn.training.fsdp import fsdp_wanted
from unlearn.training.gradients import Objective
from unlearn.training.loop import Step, train
from unlearn.training.optimisers import Optimisation
from unlearn.training.processes import processes
from unlearn.weights.penalties import penalties_of
from unlearn.weights.starts import Start

_DESCENT = Method("teacher", "Descent on the forget set, as the second teacher is made", ("descent",))
_ROLES = frozenset({"unwanted", "unwanted_logit", "unwanted_logit_before", "general_nll"})


def answers_of(ready: Prepared) -> AnswerGroups:
    """The answer groups that the method reads; the old model is asked for those that take its own answers."""
    ask = partial(
        greedy_answers,
        ready.network,
        ready.encoder,
        ready.loaded.processor,
        max_new_tokens=ready.numbers.decoupled_tokens,
    )
    wanted = ready.method.groups & ANSWER_GROUPS.keys()
    return answer_groups(ready.data, wanted, refusals=ready.numbers.refusals, seed=ready.seed, ask=ask)


def known_digest(ready: Prepared, answers: AnswerGroups) -> str:
    """Of what is known of samples beside the data's own digest; "" where the method reads nothing of the kind."""
    told: dict[str, object] = {}
    if answers.samples:
        told["answers"] = answers.digest()
    if ready.numbers.factors != "none":
        told["factors"] = factors(ready.data.forget, ready.numbers.factors)
    if _reads(ready.method, _ROLES | {"banned"}):
        told["values"] = {key: sample.value for key, sample in ready.data.forget.items()}
    if _reads(ready.method, frozenset({"banned"})):  # words of retain values are spared
        told["spared"] = {key: sample.value for key, sample in ready.data.retain.items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32] if told else ""


def _reads(method: Method, values: frozenset[str]) -> bool:
    return any(values.intersection(names) for names in wanted_values(method).values())


def objective_of(ready: Prepared, answers: AnswerGroups, mask: Mask | None, start: Start | None = None) -> Objective:
    """The run's objective. The model is asked as it is now, so this comes before a checkpoint is restored."""
    method, numbers = ready.method, ready.numbers
    if "kl" in method.terms and numbers.kl_positions == "all" and fsdp_wanted(processes()):
        found = "asks the model as often as a piece has groups, and under FSDP all processes must ask alike"
        raise BadInput("kl_positions = all", found, 'take kl_positions = "answer", or a configuration without FSDP')
    check_whole_weights(numbers)
    reference = _reference(ready, answers)
    aids = Aids(
        factors=factors(ready.data.forget, numbers.factors),
        unwanted=unwanted_tokens(ready.encoder, ready.data.forget) if _reads(method, _ROLES) else {},
        banned=_banned(ready) if _reads(method, frozenset({"banned"})) else None,
        second=_second_teacher(ready) if method.teacher == "second" else None,
    )
    keep = None if mask is None else mask.for_weights(bare(ready.network))
    bound = _retain_bound(ready) if "dual" in method.terms else None
    objective = objective_for(method, numbers, reference=reference, keep=keep, aids=aids, retain_bound=bound)
    if reads_states(method):
        layer = layer_of(numbers, ready.loaded.model, ready.loaded.family)
        data = ready.data
        old = take_old_states(
            ready.network, ready.encoder, data.forget, data.retain, numbers, layer=layer, seed=ready.seed
        )
        objective = with_states(objective, old)
    basis = {} if start is None else start.basis
    penalties = penalties_of(bare(ready.network), numbers, basis=basis, seed=ready.seed)
    return replace(objective, combiner=combiner_of(method, numbers), penalties=penalties)


def check_whole_weights(numbers: Numbers) -> None:
    """Raise BadInput for what looks at whole weights where FSDP cuts them up."""
    wanted = {
        f"optimiser = {numbers.optimiser}": numbers.optimiser in ("zeroth", "adam-zeroth"),
        "transport_weight": numbers.transport_weight > 0,
        "overlap_weight": numbers.overlap_weight > 0,
        "group_weight": numbers.group_weight > 0,
        "group_drop": numbers.group_drop > 0,
    }
    for name, asked in wanted.items():
        if asked and fsdp_wanted(processes()):
            raise BadInput(name, "needs whole weights, and FSDP cuts them up", "take a configuration without FSDP")


def combiner_of(method: Method, numbers: Numbers) -> Combiner | None:
    """What makes one gradient of the method's phases, or None where all terms are summed."""
    if numbers.combine == "sum":
        return None
    return Combiner(numbers.combine, phase_of(method), numbers.combine_forget, numbers.combine_retain)


def _reference(ready: Prepared, answers: AnswerGroups) -> Reference | None:
    """What the old model says of all that the terms compare with it."""
    method, data = ready.method, ready.data
    found: Reference | None = None
    if "kl" in method.terms and ready.numbers.kl_positions == "answer":
        found = measure_reference(ready.network, ready.encoder, data.retain, keep_hidden=True)
    samples = dict(data.forget) if "forget" in method.compared or method.teacher else {}
    for group in sorted(method.compared - {"forget"}):
        samples |= {key: answers.samples[key] for key in answers.of[group].values()}
    if samples:
        also = measure_reference(ready.network, ready.encoder, samples, keep_hidden=bool(method.teacher))
        found = also if found is None else found.joined(also)
    return found


def _retain_bound(ready: Prepared) -> float:
    """Nats per token: the old model's retain loss and the slack above it."""
    before = measure_reference(ready.network, ready.encoder, ready.data.retain, keep_hidden=False)
    return sum(before.nll_sum.values()) / sum(before.tokens.values()) + ready.numbers.dual_slack


def _banned(ready: Prepared) -> Tensor:
    head: nn.Linear = core_model(bare(ready.network)).get_output_embeddings()  # type: ignore[no-untyped-call]
    return banned_words(ready.encoder, ready.data.forget, ready.data.retain, vocab=head.weight.shape[0])


def _second_teacher(ready: Prepared) -> Reference:
    """The forget answers under the model taught them once more; afterwards the weights are what they were.

    The teaching is kept in the run folder, so that a resumed run does not do it again; that of another base, data or
    numbers is refused.
    """
    numbers = ready.numbers
    weights = trainable(bare(ready.network))
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    subjects = {key: sample.subject_id for key, sample in ready.data.forget.items()}
    plan = [
        Step({"retain": turn.forget})
        for turn in turns(
            subjects, {}, schedule="forget_only", batch=numbers.batch, retain_batch=numbers.batch,
            epochs=numbers.teacher_epochs, seed=ready.seed,
        )
    ]  # fmt: skip
    told = numbers.model_dump(mode="json", exclude=set(numbers_at_default(numbers)))  # later versions have more numbers
    identity = digest({"base": ready.base, "data": ready.data.digest, "numbers": told, "seed": ready.seed})
    train(
        ready.network,
        ready.encoder,
        ready.data.forget,
        plan,
        objective_for(_DESCENT, numbers.model_copy(update={"retain_weight": 1.0}), reference=None, keep=None),
        optimisation=Optimisation(
            lr=numbers.lr, weight_decay=numbers.weight_decay, clip_norm=numbers.clip_norm,
            accumulate=numbers.accumulate, memory=ready.memory, seed=ready.seed,
        ),
        folder=ready.out / TEACHER,
        identity=identity,
        keep=1,
        resume=True,
    )  # fmt: skip
    taught = measure_reference(ready.network, ready.encoder, ready.data.forget, keep_hidden=True, adapter=True)
    for name, weight in weights.items():
        weight.data.copy_(before[name])
    return taught
