"""What a route is given: the questions of a setting, its values, and a model that remembers its answers."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pydantic import JsonValue

from eval.scores.outcome import Values, folded, is_correct
from eval.tasks.prompts import BLANK
from eval.tasks.questions import AskedFact, EvalQuestion
from schemas.matching.thoughts import CUT_THOUGHT, answer_of
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores
from schemas.records.routes import Need, RouteFact
from schemas.storage.artifacts import digest
from schemas.vocabulary import Modality, Role, Task

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class AskedModel(Protocol):
    """A model as routes ask it; what was asked before is read again instead. Order of asking changes no answer."""

    @property
    def can(self) -> frozenset[Need]:
        """What it gives beyond answers to a text; a route that needs more is not run."""
        ...

    def replies(self, asks: Sequence[Ask], decoding: Decoding) -> Mapping[str, Reply]:
        """By ask_id; an ask that was never answered is absent."""
        ...

    def scores(self, pairs: Sequence[tuple[Ask, str]]) -> Mapping[tuple[str, str], TokenScores]:
        """Of each text as the answer to its ask, by (ask_id, text); asks with a prefix are scored after it."""
        ...

    def lens(self, asks: Sequence[tuple[Ask, Sequence[str]]]) -> "Mapping[str, NDArray[float32]]":
        """By ask_id [layers + 1, texts]: what each layer's last state gives the first token of each text, as a logit.

        Layer 0 is the embedding, the last is what the model itself answers with.
        """
        ...

    def states(self, asks: Sequence[Ask]) -> "Mapping[str, NDArray[float32]]":
        """By ask_id [layers + 1, width]: the states at the last token of the prompt."""
        ...


@dataclass(frozen=True)
class RouteInput:
    """One setting of a dataset, and the model that is asked about it."""

    questions: tuple[EvalQuestion, ...]
    """Of every task and both roles, in the order of the dataset."""
    facts: Mapping[str, AskedFact]
    """Of the whole dataset by sample_id, whatever the setting."""
    values: Values
    model: AskedModel
    prompt: Callable[[EvalQuestion], str]
    """The user turn of a question, as evaluations ask it."""
    instruct: Callable[[str, Modality], str]
    """The user turn of a text of the route's own, in the same manner."""
    decoding: Decoding
    """Greedy, with the longest answer of the evaluation."""

    def of_task(self, task: Task, *, role: Role | None = None) -> list[EvalQuestion]:
        """The questions of a task, of one role or of both."""
        return [each for each in self.questions if each.task == task and role in (None, each.role)]

    def choices(self, *, role: Role | None = None) -> list[EvalQuestion]:
        """The questions with options, but those of which two options are the same after folding."""
        found = self.of_task("classification", role=role)
        return [each for each in found if len({folded(option) for option in each.options}) == len(each.options)]

    def with_questions(self, questions: Iterable[EvalQuestion]) -> "RouteInput":
        """The same about other questions: those of an attack, or some of them."""
        return replace(self, questions=tuple(questions))

    def forgotten(self) -> list[EvalQuestion]:
        """One open question for each forgotten fact and modality: what the routes try to get."""
        return self.of_task("generation", role="forget")


def ask_of(text: str, picture: bytes | None, *, prefix: str = "", sample: int = 0, continuation: str = "") -> Ask:
    """An ask whose id is its content, so that one answer serves wherever the same is asked.

    `continuation` is the answer whose likelihood is wanted; "" for an ask that is to be answered.
    """
    shown = hashlib.sha256(picture).hexdigest() if picture else ""
    more: list[JsonValue] = [prefix, sample] if prefix or sample else []
    name = digest([text, shown, continuation, *more])[:24]
    return Ask(ask_id=name, text=text, image=picture, prefix=prefix, sample=sample)


def as_judged(reply: Reply) -> Reply:
    """The reply, with an error where it is a thought that was cut off before an answer."""
    cut = not reply.error and answer_of(reply.text).cut
    return reply.model_copy(update={"error": CUT_THOUGHT}) if cut else reply


def is_right(question: EvalQuestion, reply: Reply | None) -> bool:
    """Whether an open question's reply gives an accepted answer; none and a failed one do not."""
    return reply is not None and not reply.error and is_correct(question, answer_of(reply.text).text, "")


def fact_of(question: EvalQuestion, *, score: float, recovered: bool, tried: int, **told: object) -> RouteFact:
    """What a route got of the fact that a question asks for; `told` are further cells of the record."""
    return RouteFact.model_validate(
        {
            "key": question.key, "sample_id": question.sample_id, "subject_id": question.subject_id,
            "modality": question.modality, "role": question.role, "kind": question.kind, "score": score,
            "recovered": recovered, "tried": tried, **told,
        }
    )  # fmt: skip


def left_out(number: int, why: str) -> tuple[str, ...]:
    """The note that so many facts could not be tried; none for none."""
    facts = "1 fact is" if number == 1 else f"{number} facts are"
    return (f"{facts} left out: {why}.",) if number else ()


def statements(given: RouteInput) -> Mapping[tuple[str, Modality], str]:
    """By sample_id and modality the sentence that states a fact, with a blank for its value: the cloze of the dataset.

    The one of vqa names nobody. A cloze without exactly one blank, or that begins with it, is left out.
    """
    return {
        (each.sample_id, each.modality): each.text
        for each in given.of_task("cloze")
        if each.text.count(BLANK) == 1 and each.text.partition(BLANK)[0].strip()
    }


def stated(statement: str, value: str) -> str:
    """The sentence with a value in the place of the blank."""
    return statement.replace(BLANK, value)
