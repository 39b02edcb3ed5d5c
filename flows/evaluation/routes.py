"""Routes to a fact, run: one after the other on one model, each kept in a file of its own so that none is run twice."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from curation.probing.prompt import probe_prompt
from eval.routes.asking import RouteInput
from eval.routes.relearning import LADDER
from eval.routes.rounding import ROUNDINGS
from eval.routes.table import ROUTES, Route, lacking
from eval.scores.outcome import values_of
from eval.tasks.questions import questions_digest
from flows.evaluation.evaluate import GROUPED_BATCHES, settle
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.inference import Asking, prompt_of
from flows.evaluation.kept_model import KeptModel, abilities_of
from flows.evaluation.model import CHECKS, Overlay, open_evaluated
from flows.evaluation.relearn_half import relearn_half
from flows.evaluation.settled_request import Request, modalities_under, with_questions
from flows.evaluation.weight_attacks import attack_key, code_survival, weight_attack
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.protocols.responder import Decoding
from schemas.records.evaluation import PROMPT_ATTACKS, VIEW_ATTACKS, AttackName
from schemas.records.routes import ROUTES_FORMAT, AnyRoute, RouteFigure, RouteRecord, RouteResult
from schemas.storage.artifacts import digest, write_json
from schemas.vocabulary import TASKS, Setting

QUESTION_ATTACKS: tuple[AttackName, ...] = (*PROMPT_ATTACKS, *VIEW_ATTACKS)


def routes_named(names: Sequence[str]) -> tuple[Route, ...]:
    """The routes of these names, each once, as they are ordered. Raises BadInput for a name that is none."""
    known = {str(name): route for name, route in ROUTES.items()}
    for name in names:
        if name not in known:
            raise BadInput(f"route {name!r}", "is not a route", f"choose among {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


def run_routes(
    wanted: EvaluateRequest,
    names: Sequence[str],
    out: Path,
    *,
    fits: Callable[[Route], bool] = lambda route: True,
    progress: Progress = silent,
) -> Iterator[RouteRecord]:
    """Run routes on one model, in the order named, each record as soon as it is written.

    A route that has been run on the same model, questions and version is read again. One that the model, or the
    dataset, does not allow comes with the reason (`not_run`) instead of figures. All tasks and both modalities are
    asked, whatever `wanted` says of them. What is still to be run and does not fit is left out. Raises BadInput before
    anything is asked for wrong use.
    """
    routes = routes_named(names)
    every = wanted.model_copy(update={"attack": None, "tasks": TASKS, "utility": 0, "identity": 0})
    _, request = settle(every, out)
    bench = _Bench(request, every, out, progress)
    with FileLock(bench.home / ".lock"):
        for route in routes:
            found = bench.standing(route)
            if found is not None or fits(route):
                yield found or bench.record(route)


def folder_of(record: RouteRecord) -> str:
    """Where a model's records of a setting stand, below the folder of all evaluations."""
    return f"{record.name}-{digest(record.model)[:8]}/{_cut_folder(record.setting, record.ratio)}"


def read_routes(folder: Path) -> dict[AnyRoute, RouteRecord]:
    """All records of a model under a setting, in the order of the table of routes."""
    found = {name: read_route(folder / f"{name}.json") for name in ROUTES if (folder / f"{name}.json").is_file()}
    return {name: record for name, record in found.items() if record is not None}


def _cut_folder(setting: Setting, ratio: int | None) -> str:
    return "_".join(filter(None, (f"routes-{setting}", f"r{ratio}" if ratio else "")))


class _Unable(Exception):
    """The dataset does not allow a route: half a sentence."""


class _Bench:
    """A live resource: one model on which routes are run, and the folder where all of it is kept."""

    def __init__(self, request: Request, wanted: EvaluateRequest, out: Path, progress: Progress) -> None:
        self.request, self.wanted, self.progress = request, wanted, progress
        evaluated = request.evaluated
        self.home = out / evaluated.folder
        self.home.mkdir(parents=True, exist_ok=True)
        self.dataset = questions_digest(request.questions)
        self.folder = self.home / _cut_folder(request.cut.setting, request.cut.ratio)
        self.values = values_of(request.facts.values())
        self.model = self.kept(digest([evaluated.identity, ""]), None)

    def kept(self, weights: str, overlay: Overlay | None) -> KeptModel:
        """The model, with an attack on its weights or without."""
        wanted, evaluated = self.wanted, self.request.evaluated
        opening = cache(
            partial(
                open_evaluated, evaluated, batch=wanted.batch, device=wanted.device, attack=overlay,
                trust_remote_code=wanted.trust_remote_code, checks=self.home / CHECKS,
            )
        )  # fmt: skip
        asking = Asking(
            open=opening,
            scores=True,
            prompts=wanted.prompts,
            decoding=self.decoding,
            together=GROUPED_BATCHES * wanted.batch if evaluated.local else 0,
            progress=self.progress,
        )
        able = partial(abilities_of, opening, local=evaluated.local, thinking=wanted.thinking)
        return KeptModel(self.home, weights, asking, able, opening.cache_clear)

    @property
    def decoding(self) -> Decoding:
        """Greedy, as an evaluation asks."""
        return Decoding(max_new_tokens=self.request.max_new_tokens, thinking=self.request.thinking)

    def given(self, model: KeptModel, request: Request) -> RouteInput:
        """What a route is run on."""
        return RouteInput(
            questions=request.questions,
            facts=request.facts,
            values=self.values,
            model=model,
            prompt=partial(prompt_of, prompts=self.wanted.prompts),
            instruct=probe_prompt,
            decoding=self.decoding,
        )

    def identity(self, route: Route) -> str:
        """Digest of all that a route's record follows from."""
        request, evaluated = self.request, self.request.evaluated
        return digest(
            [route.name, route.version, evaluated.identity, evaluated.run.identity if evaluated.run else "",
             self.dataset, request.cut.setting, request.cut.ratio, self.wanted.prompts,
             self.decoding.model_dump(mode="json"), request.target]
        )  # fmt: skip

    def standing(self, route: Route) -> RouteRecord | None:
        """The record of a route that has been run, from its file."""
        path = self.folder / f"{route.name}.json"
        found = read_route(path) if path.exists() else None
        whole = found is not None and found.identity == self.identity(route) and not found.result.not_run
        return found if whole else None

    def record(self, route: Route) -> RouteRecord:
        """What comes of a route now."""
        request, evaluated = self.request, self.request.evaluated
        began, before = time.monotonic(), self.model.taken
        result, taken = self.run(route)
        record = RouteRecord(
            identity=self.identity(route), dataset=self.dataset, model=evaluated.identity, name=evaluated.name,
            label=evaluated.label, run=evaluated.run.identity if evaluated.run else "", setting=request.cut.setting,
            ratio=request.cut.ratio, seconds=round(time.monotonic() - began, 3),
            asks=self.model.taken - before + taken,
            result=result.model_copy(update={"route": route.name, "version": route.version}),
        )  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / f"{route.name}.json", record.model_dump(mode="json"))
        return record

    def run(self, route: Route) -> tuple[RouteResult, int]:
        """The result of a route, and what a changed model was asked for it."""
        not_run = partial(RouteResult, route=route.name, version=route.version)
        if why := lacking(route, self.model.can):
            return not_run(not_run=why), 0
        try:
            if "weights" in route.needs:
                return self.changed(route)
            request = self.request
            if attack := next((each for each in QUESTION_ATTACKS if each == route.name), None):
                request = self.attacked(attack)
            return route.run(self.given(self.model, request)), 0
        except _Unable as unable:
            return not_run(not_run=str(unable)), 0
        except BadInput as problem:
            if not route.needs & {"hidden_states", "weights"}:
                raise
            return not_run(not_run=f"{problem.where} {problem.found}"), 0

    def attacked(self, attack: AttackName) -> Request:
        """The questions under an attack on them. Raises _Unable where the dataset has none."""
        modalities = modalities_under(attack, self.request.modalities)
        wanted = replace(self.request, attack=attack, tasks=("generation",), modalities=modalities)
        try:
            return with_questions(wanted, allow_missing=True)
        except BadInput as problem:
            raise _Unable(f"the dataset {problem.found}") from problem

    def changed(self, route: Route) -> tuple[RouteResult, int]:
        """The result of a route on the model with changed weights, and how much that was asked.

        The unchanged model is let go of first, and the changed one before codes are compared: memory holds few.
        """
        self.model.release()
        request, wanted, evaluated = self.request, self.wanted, self.request.evaluated
        if route.name == "relearn_half":
            result = relearn_half(self.given(self.model, request), request, wanted)
            return result, len(LADDER) * len(result.facts)
        overlay = weight_attack(route.name, request.hub, request.cut.setting, request.cut.ratio, request.target)
        model = self.kept(digest([evaluated.identity, attack_key(route.name, self.dataset)]), overlay)
        result = route.run(self.given(model, request))
        model.release()
        how = next((each for each in ROUNDINGS if each == route.name), None)
        if how and evaluated.overlay is not None:
            remote = wanted.trust_remote_code
            kept, moved = code_survival(evaluated, how, device=wanted.device, trust_remote_code=remote)
            figure = RouteFigure(name="codes_kept", value=kept / moved if moved else 1.0, n=moved)
            result = result.model_copy(update={"figures": (*result.figures, figure)})
        return result, model.taken


def read_route(path: Path) -> RouteRecord | None:
    """A route's record; None, so that it is run again, where the file is cut off or of an older version.

    Raises BadInput for one that a newer ppubench wrote.
    """
    try:
        found = json.loads(path.read_text())
        if isinstance(found, dict) and isinstance(number := found.get("format"), int) and number > ROUTES_FORMAT:
            said = f"has format {number}, newer than this ppubench reads ({ROUTES_FORMAT})"
            raise BadInput(str(path), said, "install the newer ppubench")
        return RouteRecord.model_validate(found)
    except (json.JSONDecodeError, ValidationError, UnicodeDecodeError):
        return None
