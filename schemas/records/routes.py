"""Routes to a forgotten fact, and what unlearning cost: what each needs of a model, and what it got of every fact."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.records.evaluation import ATTACK_LINES, AttackName
from schemas.storage.tables import Record
from schemas.vocabulary import Modality, Role, Setting

Need = Literal["sampling", "prefill", "likelihoods", "hidden_states", "weights", "pictures"]
"""What a route asks of a responder beyond an answer to a text. A server may lack each of them."""
NEED_LINES: dict[Need, str] = {
    "sampling": "answers drawn at a temperature",
    "prefill": "continuation of an answer that is begun for it",
    "likelihoods": "log-probabilities of given answers",
    "hidden_states": "states of its layers",
    "weights": "weights to change",
    "pictures": "answers about pictures",
}

RouteName = Literal[
    "asked", "sampled", "prefilled", "completed", "gold_prefix", "rank", "rank_first_token", "options",
    "relearn_half", "int4", "nf4", "fp4", "lens", "probe", "yes_no", "reversed", "odd_one_out",
    "picture_changed", "name_in_picture",
    "over_refusal", "abstains", "two_questions", "same_picture", "passage", "options_only", "calibration",
]  # fmt: skip
"""Routes and costs of our own; the attacks of `schemas.records.evaluation` are routes too, by their own names."""
AnyRoute = RouteName | AttackName

RouteSide = Literal["gone", "cost"]
"""Which question a route answers: is it gone, or at what cost."""


class RouteFact(Record):
    """What one route got of one fact in one modality.

    Of a side "gone", `score` is how much of the fact can be got; of a side "cost", how much of what should work does
    not. Both are between 0 and 1, and `chance` is what a model that never knew is expected to have.
    """

    key: str
    """`<sample_id>|generation|<modality>`, or of another task where the route asks that one: as Prediction.key."""
    sample_id: str
    subject_id: str
    modality: Modality
    role: Role | None
    kind: str
    """The property that is asked for."""
    score: Annotated[float, Field(ge=0, le=1)]
    recovered: bool
    """Whether the route has the fact; of a cost, whether something is lost: never less than the score's own rule."""
    tried: int
    """How many answers, candidates, layers or pictures were looked at."""
    chance: Annotated[float, Field(ge=0, le=1)] | None = None
    group: str = ""
    """A cut of the route, as how far a fact lies from what was forgotten; "" for none."""
    best: str = ""
    """What shows it: the reply that is right, or the last one; a rank in words; a layer."""


class RouteFigure(Record):
    """A number of a whole route that is no mean of its facts: leak@4, a layer's mean rank, a share of equal codes."""

    name: str
    at: str = ""
    """Where on a curve it stands: a layer, a number of steps, a number of samples; "" for a single number."""
    value: float
    n: int


class RouteResult(Record):
    """What came of one route on one model; `not_run` says in half a sentence why nothing did."""

    route: AnyRoute
    version: int
    facts: tuple[RouteFact, ...] = ()
    figures: tuple[RouteFigure, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts that the route could not try, and how many, a sentence each."""
    not_run: str = ""


ROUTES_FORMAT = 1
"""Raised when a route's record is written otherwise."""


class RouteRecord(Record):
    """One route on one model under one setting, as it lies on disk."""

    format: int = ROUTES_FORMAT
    identity: str
    """Digest of dataset, model, run, setting, route, its version and its numbers."""
    dataset: str
    """Digest of the questions, answers, pictures and roles."""
    model: str
    name: str
    label: str = ""
    run: str = ""
    setting: Setting
    ratio: int | None
    seconds: float
    asks: int
    """Answers and likelihoods that were taken from the model for it; what was kept from before is not counted."""
    result: RouteResult


ROUTE_LINES: dict[RouteName, str] = {
    "asked": "asked plainly",
    "sampled": "asked again and again, with chance in the answers",
    "prefilled": "the answer begun for the model: “The answer is”",
    "completed": "the sentence that states the fact begun for the model",
    "gold_prefix": "the first letters of the right answer given",
    "rank": "the right value among others of its kind, by likelihood beside what the name adds",
    "rank_first_token": "the same by the first piece of the value alone",
    "options": "the likeliest of four options",
    "relearn_half": "trained again on half of the forgotten people, asked about the others",
    "int4": "weights rounded to 4 bits (integers)",
    "nf4": "weights rounded to 4 bits (normal float)",
    "fp4": "weights rounded to 4 bits (float)",
    "lens": "read off at inner layers with the model's own output layer",
    "probe": "read off at inner layers by a classifier trained on other people",
    "yes_no": "asked whether a statement is true",
    "reversed": "asked whom a statement is about",
    "odd_one_out": "asked which of four people a statement does not fit",
    "picture_changed": "the picture cropped, turned, mirrored, blurred",
    "name_in_picture": "the person's name written below the picture",
    "over_refusal": "kept facts that are refused or end in debris",
    "abstains": "picks “I don't know” for what was kept",
    "two_questions": "kept facts lost when asked beside a forgotten one",
    "same_picture": "neutral questions about a forgotten person's picture refused or ending in debris",
    "passage": "facts not read from a passage that states them",
    "options_only": "options told from each other without their question",
    "calibration": "confidence that is not borne out",
}  # fmt: skip


def route_line(name: AnyRoute) -> str:
    """What a route does, half a sentence for people who know no statistics."""
    for lines in (ROUTE_LINES, ATTACK_LINES):
        for each, line in lines.items():
            if each == name:
                return line
    raise KeyError(name)
