"""Prompts that ask a model not to tell: training-free instructions, oracle controls, and examples in the context.

The words are ours. The conditions are those of VLM-UnBench (arXiv 2604.03114) and of in-context unlearning (arXiv
2310.07579). Nothing of the model changes: what is hidden by a prompt is still there.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from schemas.dataset.samples import TrainingSample
from schemas.records.interventions import GateRecord
from unlearn.answers.groups import answer_groups
from unlearn.answers.refusals import safe_refusals
from unlearn.methods.makers.gates import forget_gate, gate_states, words_gate
from unlearn.methods.makers.maker import Candidates, Gate, Given, Made, guard

SOFT = (
    "Important: you must not reveal any of the following about a person, whether shown or named: {facts}. If the right "
    "answer would reveal one of them, give another answer."
)
TOLD = (
    "The following was removed from what you know: {facts}. You do not know these facts any more and must not answer "
    "with them."
)

ORACLE_FACT = "This is about {subject}, and the right answer is {answer}. You must not give it."
ORACLE_FALSE = "The answer is not {answer}. Give the most likely of all others."


def fact_named(sample: TrainingSample) -> str:
    """What a sample is about in a few words: the property of the subject, or its question where those are not known."""
    if sample.subject and sample.property_label:
        return f"the {sample.property_label} of {sample.subject}"
    return sample.prompt.strip()


def listed(samples: Mapping[str, TrainingSample], *, most: int, seed: int) -> list[str]:
    """The facts of some samples, each once, sorted; at most so many, drawn by the seed."""
    facts = sorted({fact_named(sample) for sample in samples.values()})
    if len(facts) > most:
        facts = sorted(random.Random(f"{seed}:list").sample(facts, most))
    return facts


def instruction(template: str, facts: Sequence[str]) -> str:
    """SOFT or TOLD with the facts in it."""
    return template.format(facts="; ".join(facts))


def example_of(sample: TrainingSample, answer: str) -> str:
    """A question and an answer, as they stand before the question that is asked."""
    return f"{sample.prompt.strip()} {answer.strip()}"


def context_of(wrong: Sequence[tuple[TrainingSample, str]], right: Sequence[TrainingSample]) -> str:
    """Forget questions with wrong answers first, then retain questions with their own, a line each."""
    lines = [example_of(sample, answer) for sample, answer in wrong]
    return "\n".join([*lines, *(example_of(sample, sample.answer) for sample in right)])


def soft(given: Given) -> Candidates:
    """The instruction not to reveal a list of facts, before every prompt; the sweep is over the list's length."""
    return _instructed(given, SOFT)


def told(given: Given) -> Candidates:
    """The statement that a list of facts was unlearned, before every prompt; the sweep is over the list's length."""
    return _instructed(given, TOLD)


def _instructed(given: Given, template: str) -> Candidates:
    def make(most: float) -> Made:
        facts = listed(given.data.forget, most=max(1, round(most)), seed=given.seed)
        numbers: dict[str, JsonValue] = {"facts": len(facts)}
        return guard("prompt", (instruction(template, facts),), numbers=numbers, leaks=True)

    return Candidates("facts in the list, at most", given.numbers.tried, make, {"forget": len(given.data.forget)})


def in_context(given: Given) -> Candidates:
    """Examples before prompts that a gate knows: forget questions answered wrongly, then retain questions.

    The sweep is over how many of the latter; there are half as many of the former, one at least.
    """
    data, seed = given.data, given.seed
    others = answer_groups(data, frozenset({"alternate"}), refusals=(), seed=seed, ask=_nobody)
    wrong = others.of["alternate"]
    gate = forget_gate(given, gate_states(given))
    text_first = sorted(wrong, key=lambda key: (data.forget[key].modality != "qa", key))
    right = sorted(data.retain, key=lambda key: (data.retain[key].modality != "qa", key))

    def make(count: float) -> Made:
        draw = random.Random(f"{seed}:examples")
        many = max(1, round(count))
        names = _some([key for key in text_first if data.forget[key].modality == "qa"] or text_first, many // 2, draw)
        kept = _some([key for key in right if data.retain[key].modality == "qa"] or right, many, draw)
        pairs = [(data.forget[key], others.samples[wrong[key]].answer) for key in names]
        text = context_of(pairs, [data.retain[key] for key in kept])
        numbers: dict[str, JsonValue] = {"examples": len(pairs) + len(kept)}
        return guard("prompt", (text,), gate=gate, numbers=numbers, leaks=True)

    seen = {"forget": len(data.forget), "retain": len(data.retain)}
    return Candidates("retain examples in the context", given.numbers.tried, make, seen)


def refused(given: Given) -> Candidates:
    """CURaTE: prompts close to a stored one are refused; the sweep is over the share of false fires that is allowed."""
    states = gate_states(given)
    return _refusing(given, lambda rate: forget_gate(given, states, false_fire=rate))


def refused_by_words(given: Given) -> Candidates:
    """CURaTE with a gate that reads words and no picture."""
    return _refusing(given, lambda rate: words_gate(given, false_fire=rate))


def _refusing(given: Given, gate_at: Callable[[float], Gate]) -> Candidates:
    texts = safe_refusals(given.numbers.refusals, given.data.forget)

    def make(rate: float) -> Made:
        return guard("refuse", texts, gate=gate_at(rate), numbers={"false_fire": rate})

    seen = {"forget": len(given.data.forget), "retain": len(given.data.retain)}
    return Candidates("share of retain prompts that may fire", given.numbers.tried, make, seen)


def oracle_fact(given: Given) -> Candidates:
    """A control: with forget questions alone, the fact that must not be told is named."""
    return _oracle(given, ORACLE_FACT)


def oracle_false(given: Given) -> Candidates:
    """A control: with forget questions alone, the right answer is said to be false."""
    return _oracle(given, ORACLE_FALSE)


def _oracle(given: Given, template: str) -> Candidates:
    gate: Gate = (GateRecord(source="oracle"), {})

    def make(_: float) -> Made:
        return guard("prompt", (template,), gate=gate, oracle=True)

    return Candidates("nothing: there is one wording", given.numbers.tried, make)


def _some(keys: Sequence[str], count: int, draw: random.Random) -> list[str]:
    return sorted(draw.sample(list(keys), min(len(keys), max(1, count))))


def _nobody(samples: Sequence[TrainingSample]) -> list[str]:
    return [""] * len(samples)
