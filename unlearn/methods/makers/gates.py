"""Gates made of forget prompts: states of the untouched target, held to a rate of false fires on retain prompts."""

import logging

import torch
from torch import Tensor

from schemas.records.interventions import GateRecord
from unlearn.interventions.gates import calibrated, scores, share
from unlearn.interventions.text_gates import text_gate
from unlearn.losses.bao import matched_subjects
from unlearn.methods.hidden_states import unanswerable
from unlearn.methods.makers.maker import Gate, Given
from unlearn.methods.makers.states import prompt_means

log = logging.getLogger(__name__)


def gate_layer(given: Given) -> int:
    """The layer whose states gates read: the middle one, which has seen picture and question."""
    return given.depth(0.5)


def forget_gate(given: Given, states: tuple[Tensor, Tensor], *, false_fire: float | None = None) -> Gate:
    """The gate and its tensors. `states` are those of forget and retain prompts, [n, hidden] each, by sorted keys.

    Every forget prompt is stored. The threshold lets at most `false_fire` of the retain prompts fire, those of the
    forgotten subjects among them; none of them is stored.
    """
    forget, retain = states
    mean = retain.mean(0)
    positives, negatives = (scores(each, forget, mean).max(1).values for each in states)
    rate = given.numbers.false_fire if false_fire is None else false_fire
    gate = calibrated(
        GateRecord(source="hidden", layer=gate_layer(given), pool="mean"), positives, negatives, false_fire=rate
    )
    matched = _matched(given)
    fires = dict(gate.fires)
    if bool(matched.any()):
        fires["matched"] = share(negatives[matched], gate.threshold)
    layer = gate_layer(given)
    strangers = prompt_means(given, unanswerable(), [layer])[layer]
    fires["strangers"] = share(scores(strangers, forget, mean).max(1).values, gate.threshold)
    log.info("gate: fires on %s", ", ".join(f"{100 * rate:.1f} %% of {name}" for name, rate in fires.items()))
    parts = {"gate.centroids": forget.float(), "gate.mean": mean.float()}
    return gate.model_copy(update={"fires": fires}), parts


def gate_states(given: Given) -> tuple[Tensor, Tensor]:
    """States of forget and of retain prompts that a gate reads, means over each prompt, [n, hidden] each."""
    layer = gate_layer(given)
    forget, retain = (prompt_means(given, each, [layer])[layer] for each in (given.data.forget, given.data.retain))
    return forget, retain


def words_gate(given: Given, *, false_fire: float) -> Gate:
    """A gate by the words of prompts alone, as published gates are: it is blind to who is in a picture.

    Prompts whose words retain prompts have too, such as a question about "this person", it does not know.
    """
    texts = [[each.prompt for _, each in sorted(samples.items())] for samples in (given.data.forget, given.data.retain)]
    matched = [text for text, same in zip(texts[1], _matched(given).tolist(), strict=True) if same]
    others = {"matched": matched, "strangers": [each.prompt for each in unanswerable().values()]}
    salt = f"{given.seed}:{given.data.digest}"
    gate, parts = text_gate(*texts, salt=salt, false_fire=false_fire, others=others)
    log.info("gate: fires on %s", ", ".join(f"{100 * rate:.1f} %% of {name}" for name, rate in gate.fires.items()))
    return gate, parts


def _matched(given: Given) -> Tensor:
    """[retain samples] bool, by sorted keys: of subjects that have forget samples too."""
    subjects = [sample.subject_id for sample in given.data.forget.values()]
    both = matched_subjects(subjects, [sample.subject_id for sample in given.data.retain.values()])
    rows = [given.data.retain[key].subject_id in both for key in sorted(given.data.retain)]
    return torch.tensor(rows, dtype=torch.bool)
