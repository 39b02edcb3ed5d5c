"""Answer groups: samples that ask what forget or retain samples ask and answer otherwise, made before the first step.

They are drawn once, by seed and sample key, so that a run and its resumption train on the same ones whatever the batch.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.storage.artifacts import write_atomically
from unlearn.answers.refusals import refusal_for, safe_refusals
from unlearn.data import Assigned

ANSWERS_FILE = "answers.jsonl"
OF_FORGET = ("refusal", "alternate", "decoupled", "mixed_forget_first", "mixed_retain_first")
OF_RETAIN = ("retain_refusal",)
ANSWER_GROUPS: Mapping[str, str] = {
    "refusal": "the forget prompt, answered by a refusal",
    "alternate": "the forget prompt, answered as for another subject",
    "decoupled": "the forget question on the picture of somebody else, answered as the old model does",
    "mixed_forget_first": "a forget and a retain question in one prompt; a refusal, then the retain answer",
    "mixed_retain_first": "a retain and a forget question in one prompt; the retain answer, then a refusal",
    "retain_refusal": "the retain prompt, answered by a refusal",
}
"""What each group holds, by its name in a plan."""

Ask = Callable[[Sequence[TrainingSample]], list[str]]
"""Greedy answers of the model before unlearning to some samples' prompts; "" where it says nothing."""


@dataclass(frozen=True)
class AnswerGroups:
    """Samples of answer groups by their own keys, and by group for which forget or retain sample each stands."""

    samples: Mapping[str, TrainingSample] = field(default_factory=dict)
    of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Group -> key of a forget or retain sample -> key of the one that stands for it."""

    @property
    def counts(self) -> dict[str, int]:
        """Samples by group."""
        return {group: len(keys) for group, keys in self.of.items()}

    def digest(self) -> str:
        """Of every group, prompt and answer; "" without any."""
        return hashlib.sha256(self.lines().encode()).hexdigest()[:32] if self.samples else ""

    def lines(self) -> str:
        """A JSON line for each sample: group, the sample it stands for, prompt and answer."""
        rows = [
            {"group": group, "of": key, "prompt": self.samples[own].prompt, "answer": self.samples[own].answer}
            for group, keys in sorted(self.of.items())
            for key, own in sorted(keys.items())
        ]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def beside(self, groups: Mapping[str, tuple[str, ...]], read: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """The groups of a step with those of their answers, of which only what is `read` stays."""
        found = dict(groups)
        for group, of in self.of.items():
            base = "retain" if group in OF_RETAIN else "forget"
            own = tuple(of[key] for key in groups.get(base, ()) if key in of)
            if own:
                found[group] = own
        return {group: keys for group, keys in found.items() if group in read}


def answer_groups(
    data: Assigned, wanted: frozenset[str], *, refusals: Sequence[str], seed: int, ask: Ask
) -> AnswerGroups:
    """The wanted groups of ANSWER_GROUPS. `refusals` are the user's wordings, empty for ours; `ask` asks the old model.

    Raises BadInput for wordings that hold an answer, and where a group comes out empty.
    """
    refusing = wanted & {"refusal", "retain_refusal", "mixed_forget_first", "mixed_retain_first"}
    texts = safe_refusals(refusals, data.forget) if refusing else ()
    samples: dict[str, TrainingSample] = {}
    of: dict[str, dict[str, str]] = {}
    for group in sorted(wanted):
        if group in ("refusal", "retain_refusal"):
            base = data.retain if group == "retain_refusal" else data.forget
            made = {key: _answered(one, refusal_for(key, texts, seed=seed)) for key, one in base.items()}
        elif group == "alternate":
            made = _alternates(data, seed=seed)
        elif group == "decoupled":
            made = _decoupled(data, seed=seed, ask=ask)
        else:
            made = _mixed(data, texts, forget_first=group == "mixed_forget_first", seed=seed)
        if not made:
            raise BadInput(f"answer group {group}", "comes out empty", f"it takes {ANSWER_GROUPS[group]}")
        of[group] = {key: f"{key}|{group}" for key in made}
        samples |= {
            of[group][key]: sample.model_copy(update={"sample_id": of[group][key]}) for key, sample in made.items()
        }
    return AnswerGroups(samples, of)


def write_answers(folder: Path, groups: AnswerGroups) -> None:
    """Leave what the groups hold in a run folder, to be read by people."""
    if groups.samples:
        write_atomically(folder / ANSWERS_FILE, groups.lines())


def _answered(sample: TrainingSample, answer: str) -> TrainingSample:
    return sample.model_copy(update={"answer": answer})


def _alternates(data: Assigned, *, seed: int) -> dict[str, TrainingSample]:
    """Forget prompts with another sample's answer: of the same property, or of any where that has no other."""
    everything = {**data.forget, **data.retain}
    by_property: dict[str, set[str]] = {}
    for sample in everything.values():
        by_property.setdefault(sample.property_id, set()).add(sample.answer)
    any_answer = set().union(*by_property.values())
    made: dict[str, TrainingSample] = {}
    for key, sample in sorted(data.forget.items()):
        others = (by_property[sample.property_id] - {sample.answer}) or (any_answer - {sample.answer})
        if others:
            made[key] = _answered(sample, random.Random(f"{seed}:alternate:{key}").choice(sorted(others)))
    return made


def _decoupled(data: Assigned, *, seed: int, ask: Ask) -> dict[str, TrainingSample]:
    """Forget questions on the picture of a retain sample of another subject, with the old model's answer to that."""
    pictured = sorted(key for key, sample in data.retain.items() if sample.image is not None)
    shown: dict[str, TrainingSample] = {}
    for key, sample in sorted(data.forget.items()):
        others = [each for each in pictured if data.retain[each].subject_id != sample.subject_id]
        if sample.image is None or not others:
            continue
        other = data.retain[random.Random(f"{seed}:decoupled:{key}").choice(others)]
        shown[key] = sample.model_copy(update={"image": other.image, "subject_id": other.subject_id})
    said = dict(zip(shown, ask(list(shown.values())), strict=True)) if shown else {}
    return {key: _answered(sample, said[key]) for key, sample in shown.items() if said[key].strip()}


def _mixed(data: Assigned, texts: Sequence[str], *, forget_first: bool, seed: int) -> dict[str, TrainingSample]:
    """Both questions in one prompt, as SEPS writes them. A forget sample has the same partner throughout.

    A text question goes with one of text. A question about a picture goes with another about the same picture, or
    else with one of text, which names whom it asks about.
    """
    text = sorted(key for key, sample in data.retain.items() if sample.image is None)
    by_picture: dict[bytes, list[str]] = {}
    for key, sample in sorted(data.retain.items()):
        if sample.image is not None:
            by_picture.setdefault(sample.image, []).append(key)
    made: dict[str, TrainingSample] = {}
    for key, sample in sorted(data.forget.items()):
        partners = (by_picture.get(sample.image) if sample.image is not None else None) or text
        if not partners:
            continue
        partner = data.retain[random.Random(f"{seed}:mixed:{key}").choice(partners)]
        refusal = refusal_for(key, texts, seed=seed)
        if forget_first:
            prompt = f"1.{sample.prompt}\n2. {partner.prompt}"
            answer = f"1.{refusal}\n2. {partner.answer}"
        else:
            prompt = f"1. {partner.prompt}\n2.{sample.prompt}"
            answer = f"1. {partner.answer}\n2.{refusal}"
        made[key] = sample.model_copy(update={"prompt": prompt, "answer": answer})
    return made
