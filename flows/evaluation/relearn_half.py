"""Relearning on half of the forgotten facts: trained on some people's answers, asked about the others by a ladder."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from curation.probing.prompt import probe_prompt
from eval.routes.asking import RouteInput, as_judged, ask_of, fact_of, is_right, left_out
from eval.routes.relearning import LADDER, SEED, halved, recovered_share
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.model import load_evaluated
from flows.evaluation.settled_request import Request
from flows.evaluation.weight_attacks import descend, with_adapter
from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.records.routes import RouteFact, RouteFigure, RouteResult

if TYPE_CHECKING:
    from eval.responders.local import LocalResponder
    from unlearn.training.loop import Moment

HELD_OUT = 10
"""Every so manieth sample that could be trained on is kept back, and its loss chooses the step."""

KNOWN = 1.0
"""What the target has of a dataset's facts: it was asked, and others were left out."""


@dataclass(frozen=True)
class Rung:
    """What the model gives after some steps: the loss of what was kept back, and each tested fact."""

    steps: int
    loss: float
    facts: tuple[RouteFact, ...]


def relearn_half(given: RouteInput, request: Request, wanted: EvaluateRequest) -> RouteResult:
    """Train an adapter on half of the forgotten people's facts and as many kept ones; ask about the others' facts.

    The step is chosen by the loss of trained-on facts that were held out, never by those that are tested. With what was
    forgotten of one person alone, or where every value of the others is trained on too, it is not run.
    """
    from torch import nn

    from eval.responders.local import LocalResponder
    from flows.resources.responders import as_local

    split = halved(given.forgotten())
    if not split.trained or not split.tested:
        return _not_run("what is forgotten is of one person, or has no values but shared ones: nothing is left to test")
    try:
        taught, kept = _samples(request, {f"{each.sample_id}|{each.modality}" for each in split.trained})
    except BadInput as problem:
        return _not_run(f"the dataset has no answers to train on: {problem.found}")
    if not taught:
        return _not_run("the dataset has no answers of the forgotten facts to train on")
    held = taught[::HELD_OUT] if len(taught) >= HELD_OUT else taught
    rest = [each for each in taught if each not in held] or taught
    loaded = load_evaluated(request.evaluated, device=wanted.device, trust_remote_code=wanted.trust_remote_code)
    local = as_local(loaded, request.evaluated.identity)
    adapted = with_adapter(loaded)
    responder = LocalResponder(replace(local, model=adapted.model), batch=wanted.batch)
    asked = given.with_questions(split.tested)
    nn.Module.eval(adapted.model)
    rungs = [_rung(0, responder, asked, held)]

    def look(moment: "Moment") -> None:
        if (steps := moment.step + 1) in LADDER:
            nn.Module.eval(adapted.model)
            rungs.append(_rung(steps, responder, asked, held))

    descend(adapted, [*rest, *_as_many(kept, len(rest))], steps=LADDER[-1], callbacks=[look])
    best = min(rungs, key=lambda rung: (rung.loss, rung.steps))
    figures = [
        RouteFigure(name=name, at=str(rung.steps), value=value, n=len(rung.facts))
        for rung in rungs
        for name, value in (("right_after_steps", fmean(fact.score for fact in rung.facts)), ("held_loss", rung.loss))
        if rung.facts
    ]
    figures.append(RouteFigure(name="chosen_steps", value=best.steps, n=len(held)))
    before, after = (fmean(fact.score for fact in rung.facts) if rung.facts else 0.0 for rung in (rungs[0], best))
    share = recovered_share(before, after, KNOWN)
    figures += [] if share is None else [RouteFigure(name="share_back", value=share, n=len(best.facts))]
    notes = left_out(split.shared, "their value is true of somebody who is trained on")
    return RouteResult(route="relearn_half", version=1, facts=best.facts, figures=tuple(figures), notes=notes)


def _not_run(why: str) -> RouteResult:
    return RouteResult(route="relearn_half", version=1, not_run=why)


def _samples(request: Request, trained: set[str]) -> tuple[list[TrainingSample], list[TrainingSample]]:
    """The forgotten samples that are trained on, and the kept ones, in the words of the probe."""
    from unlearn.data import read_samples, reword

    cut = request.cut
    target = request.target or None
    pairs = read_samples(request.hub, setting=cut.setting, ratio=cut.ratio, target=target, allow_missing=True)
    data = reword(pairs, probe_prompt)
    return [one for key, one in sorted(data.forget.items()) if key in trained], list(data.retain.values())


def _as_many(kept: Sequence[TrainingSample], number: int) -> list[TrainingSample]:
    return random.Random(f"{SEED}:relearn_half").sample(kept, min(number, len(kept)))


def _rung(steps: int, responder: "LocalResponder", given: RouteInput, held: Sequence[TrainingSample]) -> Rung:
    pairs = [(ask_of(each.prompt, each.image), each.answer) for each in held]
    loss = fmean(-scores.mean for _, scores in responder.token_scores(pairs))
    asks = {each.key: ask_of(given.prompt(each), each.picture) for each in given.questions}
    distinct = {ask.ask_id: ask for ask in asks.values()}
    replies = {reply.ask_id: as_judged(reply) for reply in responder.answer(distinct.values(), given.decoding)}
    facts = []
    for question in given.questions:
        reply = replies[asks[question.key].ask_id]
        if not reply.error:
            right = is_right(question, reply)
            facts.append(fact_of(question, score=float(right), recovered=right, tried=1, best=reply.text))
    return Rung(steps, loss, tuple(facts))
