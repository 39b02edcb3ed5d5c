"""Invented people with two properties, and a model whose answers and likelihoods are functions, for tests of routes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from curation.probing.prompt import probe_prompt
from eval.routes.asking import RouteInput
from eval.scores.outcome import values_of
from eval.tasks.dataset_rows import accepted_answers
from eval.tasks.questions import AskedFact, EvalQuestion
from flows.evaluation.inference import prompt_of
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores
from schemas.records.evaluation import PredictionTask
from schemas.records.routes import Need
from schemas.vocabulary import MODALITIES, Modality, Role
from tests.worlds.tiny_models import picture

TRADES = (
    "baker", "carpenter", "dentist", "engineer", "farmer", "glazier", "hatter", "illustrator", "jeweller", "locksmith",
    "mason", "nurse", "optician", "plumber", "roofer", "saddler", "tailor", "upholsterer", "violinist", "weaver",
)  # fmt: skip
TOWNS = ("Aldermere", "Brackwater", "Copperfield", "Dunmarsh", "Eastfold", "Farrowhill", "Grenna", "Hollowby")
EVERY: frozenset[Need] = frozenset(("sampling", "prefill", "likelihoods", "hidden_states", "weights", "pictures"))
UNSURE = "I don't know."


@dataclass(frozen=True)
class Told:
    """One fact as the world holds it."""

    person: str
    kind: str
    value: str
    role: Role


@dataclass
class FunctionModel:
    """Answers by `say`, unless it `fails`; scores by `logs`, states by `inner`."""

    say: Callable[[Ask], str] = lambda ask: ""
    logs: Callable[[Ask, str], Sequence[float]] = lambda ask, text: (-1.0,)
    inner: Callable[[Ask], Sequence[Sequence[float]]] = lambda ask: ((0.0,),)
    fails: Callable[[Ask], bool] = lambda ask: False
    can: frozenset[Need] = EVERY
    asked: list[Ask] = field(default_factory=list)
    decodings: list[Decoding] = field(default_factory=list)

    def replies(self, asks: Sequence[Ask], decoding: Decoding) -> Mapping[str, Reply]:
        """Every ask is answered, or has an error."""
        self.asked += asks
        self.decodings.append(decoding)
        failed = {ask.ask_id: Reply(ask_id=ask.ask_id, text="", error="HTTP 500") for ask in asks if self.fails(ask)}
        return {ask.ask_id: Reply(ask_id=ask.ask_id, text=self.say(ask)) for ask in asks} | failed

    def scores(self, pairs: Sequence[tuple[Ask, str]]) -> Mapping[tuple[str, str], TokenScores]:
        """As `logs` says."""
        told = {(ask.ask_id, text): tuple(self.logs(ask, text)) for ask, text in pairs}
        return {name: TokenScores(logs=own, greedy=(False,) * len(own)) for name, own in told.items()}

    def lens(self, asks: Sequence[tuple[Ask, Sequence[str]]]) -> Mapping[str, NDArray[np.float32]]:
        """A first layer that tells nothing, and a second as `logs` says."""
        return {
            ask.ask_id: np.array([[0.0] * len(texts), [self.logs(ask, text)[0] for text in texts]], np.float32)
            for ask, texts in asks
        }

    def states(self, asks: Sequence[Ask]) -> Mapping[str, NDArray[np.float32]]:
        """As `inner` says."""
        return {ask.ask_id: np.array(self.inner(ask), np.float32) for ask in asks}


def name_of(number: int) -> str:
    """A name that no other one is part of."""
    letters = chr(97 + number // 26) + chr(97 + number % 26)
    return f"Ada{letters} Brand{letters}"


@cache
def portrait(person: str) -> bytes:
    """The picture of a person."""
    return picture(sum(map(ord, person)), side=32)


def facts_told(people: int, *, forgotten: int) -> list[Told]:
    """A trade and one of eight towns of each person; of the first so many people the trade is forgotten."""
    return [
        Told(name_of(number), kind, value, "forget" if kind == "trade" and number < forgotten else "retain")
        for number in range(people)
        for kind, value in (("trade", TRADES[number % len(TRADES)]), ("town", TOWNS[number % len(TOWNS)]))
    ]


def given(told: Sequence[Told], model: FunctionModel) -> RouteInput:
    """The facts as a setting of a dataset, with open, cloze and choice questions in both modalities."""
    facts = {
        f"s{number}": AskedFact(
            f"s{number}", fact.person, fact.kind, fact.kind, accepted_answers([fact.value], fact.kind), ()
        )
        for number, fact in enumerate(told)
    }
    return RouteInput(
        questions=tuple(each for number, fact in enumerate(told) for each in _questions(number, fact)),
        facts=facts,
        values=values_of(facts.values()),
        model=model,
        prompt=partial(prompt_of, prompts="probe"),
        instruct=probe_prompt,
        decoding=Decoding(max_new_tokens=8),
    )


def _questions(number: int, fact: Told) -> list[EvalQuestion]:
    return [
        _question(number, fact, task, modality)
        for modality in MODALITIES
        for task in ("generation", "cloze", "classification")
    ]


def _question(number: int, fact: Told, task: PredictionTask, modality: Modality) -> EvalQuestion:
    who = fact.person if modality == "qa" else "this person"
    others = [each for each in (TRADES if fact.kind == "trade" else TOWNS) if each != fact.value][:3]
    chosen = task == "classification"
    return EvalQuestion(
        key=f"s{number}|{task}|{modality}", sample_id=f"s{number}", subject_id=fact.person, subject=fact.person,
        task=task, modality=modality, role=fact.role,
        text=f"The {fact.kind} of {who} is ___." if task == "cloze" else f"What is the {fact.kind} of {who}?",
        options=(fact.value, *others) if chosen else (), label="A" if chosen else "", answer=fact.value,
        accepted=accepted_answers([fact.value], fact.kind), kind=fact.kind, answer_type=fact.kind,
        picture=portrait(fact.person) if modality == "vqa" else None,
    )  # fmt: skip


def about(told: Sequence[Told], ask: Ask) -> Told | None:
    """The fact that an ask is about: its person by name or portrait, its property by name."""
    for fact in told:
        shown = ask.image == portrait(fact.person) if ask.image else fact.person in ask.text
        if shown and f"{fact.kind} of" in ask.text:
            return fact
    return None


def knowing(told: Sequence[Told]) -> Callable[[Ask], str]:
    """Answers open questions as somebody who knows these facts and nothing else."""

    def say(ask: Ask) -> str:
        fact = about(told, ask)
        return fact.value if fact else UNSURE

    return say


def preferring(told: Sequence[Told], *, by: float = 1.0) -> Callable[[Ask, str], Sequence[float]]:
    """Gives the value of these facts so many nats more than any other text."""

    def logs(ask: Ask, text: str) -> Sequence[float]:
        fact = about(told, ask)
        return (-3.0 + by * (fact is not None and fact.value == text),)

    return logs
