"""Sequence study: requests one after another, in order and reversed, against one batch of all at equal steps."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from eval.evaluation_folder import read_evaluation
from eval.metrics.sequence import SequenceFigures, sequence_figures
from eval.report.sequence_page import Sequences, Served, write_sequence_page
from flows.evaluation.evaluate import run_evaluation
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.experiments.requests.draw import draw_requests, request_text
from flows.experiments.requests.known_facts import KnownFact, facts_digest, read_known_facts
from flows.experiments.requests.resolution import read_request, resolve
from flows.experiments.requests.serve import serve
from flows.experiments.study_plan import check_named
from flows.experiments.unlearn_run import UnlearnRequest
from flows.pipeline.build_identity import locked
from flows.resources.datasets import open_dataset
from schemas.errors import BadInput
from schemas.progress import Progress, report, silent
from schemas.recipes.build_recipe import read_recipe
from schemas.records.requests import RemovalRequest
from schemas.records.sequences import Order, RequestAsked, SequenceStep
from schemas.records.study import RequestsConfig, StudyRecipe
from schemas.storage.artifacts import digest, write_atomically, write_json
from schemas.storage.tables import Record

log = logging.getLogger(__name__)

RECORD, PAGE = "sequences.json", "sequences.html"


@dataclass(frozen=True)
class _Study:
    """All that one step needs."""

    recipe: StudyRecipe
    config: RequestsConfig
    hub: Path
    requests: tuple[RequestAsked, ...]
    key: str
    out: Path

    @property
    def split(self) -> Path:
        """Folder of the split that all steps are evaluated by."""
        return self.out / "split"


class _Kept(Record):
    """`steps/<name>.json`: what a finished step left, and the key by which a later call knows it again."""

    key: str
    step: SequenceStep


def run_sequences(recipe_path: Path, out: Path, *, progress: Progress = silent) -> Sequences:
    """Do what is left of a recipe's sequences and write their record and page. A step that stands is not done again.

    Raises BadInput for what a study would refuse, and for requests that cannot be served one after another.
    """
    recipe = read_recipe(recipe_path, StudyRecipe)
    if recipe.requests is None:
        raise BadInput(str(recipe_path), "has no [requests]", "add that section, or run it as a plain study")
    check_named(recipe)
    hub = open_dataset(recipe.dataset, revision=recipe.revision, splits=recipe.splits)
    facts = read_known_facts(hub, recipe.target)
    study = _Study(recipe, recipe.requests, hub, asked_in_turn(recipe.requests, facts), _key(recipe, facts), out)
    with locked(out):
        _write_inputs(study, facts)
        return _run(study, progress)


def report_sequences(folder: Path, out: Path) -> Path:
    """Write the page of a study that stands anew into `out`. Raises BadInput where its record cannot be read."""
    path = folder / RECORD
    try:
        found = Sequences.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(str(path), "is no record of a sequence study", "run the study again") from error
    write_sequence_page(found, out / PAGE)
    return out / PAGE


def asked_in_turn(config: RequestsConfig, facts: Mapping[str, KnownFact]) -> tuple[RequestAsked, ...]:
    """The requests with the samples that none before them asked for, so that they can be served in any order.

    Raises BadInput for one that is left without any, for two of one id, and where nothing would be kept.
    """
    wanted = [read_request(path) for path in config.files] or draw_requests(facts, config.draw, seed=config.seed)
    found: list[RequestAsked] = []
    gone: set[str] = set()
    for request in wanted:
        served = resolve(request, facts, where=f"request {request.id}")
        own = tuple(each for each in served.samples if each not in gone)
        if any(each.id == request.id for each in found):
            raise BadInput(f"request {request.id}", "is there twice", "give each file a name of its own")
        if not own:
            raise BadInput(f"request {request.id}", "asks only for what those before it ask for", "leave it out")
        gone |= set(own)
        found.append(RequestAsked(id=request.id, person=served.person, samples=own))
    if len(gone) == len(facts):
        raise BadInput("requests", "name every fact together, so nothing would be kept", "leave some out")
    return tuple(found)


def _run(study: _Study, progress: Progress) -> Sequences:
    recipe, config = study.recipe, study.config
    total = len(recipe.methods) * len(recipe.seeds) * (len(config.orders) * len(study.requests) + config.batch)
    done = 0
    target = _step(study, "target", "", None, None)
    found: list[Served] = []
    for method in recipe.methods:
        for seed in recipe.seeds:
            batch: SequenceStep | None = None
            chains: list[tuple[Order, list[SequenceStep]]] = []
            for order in config.orders:
                requests = study.requests if order == "given" else study.requests[::-1]
                steps: list[SequenceStep] = []
                after: Path | None = None
                for number, request in enumerate(requests, start=1):
                    name = f"{_plain(method)}_seed{seed}_{order}/{number:03d}-{request.id}"
                    steps.append(_step(study, name, method, seed, request.id, after=after))
                    after = study.out / "runs" / name
                    done += 1
                    progress("requests", done, total)
                chains.append((order, steps))
            if config.batch:
                together = sum(each.steps for each in chains[0][1])
                batch = _step(study, f"{_plain(method)}_seed{seed}_batch", method, seed, "batch", steps=together)
                done += 1
                progress("requests", done, total)
            found += [_served(method, seed, order, target, steps, batch) for order, steps in chains]
    record = Sequences(recipe=recipe.name, access=config.access, requests=study.requests, target=target,
                       sequences=tuple(found))  # fmt: skip
    write_json(study.out / RECORD, record.model_dump(mode="json"))
    write_sequence_page(record, study.out / PAGE)
    return record


def _served(
    method: str,
    seed: int,
    order: Order,
    target: SequenceStep,
    steps: Sequence[SequenceStep],
    batch: SequenceStep | None,
) -> Served:
    ids = [each.request for each in steps]
    matrix = [[step.accuracy[each] for each in ids[: at + 1]] for at, step in enumerate(steps)]
    figures: SequenceFigures = sequence_figures(
        matrix, [target.kept, *(step.kept for step in steps)], batch_retain=None if batch is None else batch.kept
    )
    return Served(method=method, seed=seed, order=order, steps=tuple(steps), batch=batch, figures=figures)


def _step(
    study: _Study,
    name: str,
    method: str,
    seed: int | None,
    request: str | None,
    *,
    after: Path | None = None,
    steps: int | None = None,
) -> SequenceStep:
    """One run and its evaluation, unless they stand; the untouched target where no method is named."""
    recipe, kept = study.recipe, study.out / "steps" / f"{name.replace('/', '_')}.json"
    run, key = study.out / "runs" / name, digest([study.key, name, steps])
    found = _standing(kept, key, run if method else None)
    if found is not None:
        return found
    identity, taken = "", 0
    if method and seed is not None and request is not None:
        asked = UnlearnRequest(
            dataset=study.hub, method=method, setting="personalized", model=recipe.model, preset=recipe.preset,
            modality=recipe.modality, target=recipe.target, seed=seed, overrides=recipe.numbers, device=recipe.device,
            after=after, steps=steps or None, lr=next(iter(recipe.learning_rates), None),
        )  # fmt: skip
        file = study.out / "requests" / f"{request}.toml"
        served = serve(asked, run, request=file, access=study.config.access, resume=True)
        if served.record.broke_down:
            raise BadInput(str(run), served.record.ending, "take a smaller learning rate")
        identity, taken = served.record.identity, served.record.planned_steps
    wanted = EvaluateRequest(
        dataset=study.hub, splits=study.split, model=recipe.model, adapter=run if method else None,
        setting="personalized", tasks=recipe.evaluate.tasks, modalities=recipe.evaluate.modalities,
        batch=recipe.evaluate.batch, max_new_tokens=recipe.evaluate.max_new_tokens, target=recipe.target,
        likelihood=False, utility=0, device=recipe.device, allow_missing=True,
    )  # fmt: skip
    evaluated = run_evaluation(wanted, study.out / "evaluations", progress=report)
    _, rows = read_evaluation(study.out / "evaluations" / evaluated.folder)
    right: dict[str, list[bool]] = {}
    owner = {sample: each.id for each in study.requests for sample in each.samples}
    for row in rows:
        if row.outcome != "failed":
            right.setdefault(owner.get(row.sample_id, ""), []).append(row.correct)
    if lacking := sorted({"", *owner.values()} - right.keys()):
        raise BadInput(f"request {lacking[0] or '(kept)'}", "has no question in the dataset", "name other tasks")
    shares = {name: sum(values) / len(values) for name, values in right.items()}
    step = SequenceStep(
        request=request or "", run=identity, folder=evaluated.folder, steps=taken,
        accuracy={name: shares[name] for name in sorted(shares) if name}, kept=shares[""],
    )  # fmt: skip
    write_json(kept, _Kept(key=key, step=step).model_dump(mode="json"))
    return step


def _standing(kept: Path, key: str, run: Path | None) -> SequenceStep | None:
    """What an earlier call kept of a step, if it is the same step and its run is still there."""
    try:
        found = _Kept.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    whole = run is None or (run / "request.json").is_file()
    return found.step if found.key == key and whole else None


def _write_inputs(study: _Study, facts: Mapping[str, KnownFact]) -> None:
    """The requests as files, the batch of all, and the split by which every step is evaluated."""
    everything = tuple(sorted(sample for each in study.requests for sample in each.samples))
    batch = RequestAsked(id="batch", person=study.requests[0].person, samples=everything)
    for each in (*study.requests, batch):
        request = RemovalRequest(id=each.id, person=each.person, facts=each.samples, on_behalf=True)
        write_atomically(study.out / "requests" / f"{each.id}.toml", request_text(request))
    keep = sorted(facts.keys() - set(everything))
    write_json(study.split / "persona_split.json", {"delete_ids": list(everything), "keep_ids": list(keep)})


def _key(recipe: StudyRecipe, facts: Mapping[str, KnownFact]) -> str:
    """Digest of all that every step follows from."""
    from unlearn.models.model_folder import base_digest

    shared = recipe.model_dump(mode="json", exclude={"name", "compare", "jobs", "dataset", "settings", "device"})
    return digest([shared, facts_digest(facts), base_digest(recipe.model)])


def _plain(method: str) -> str:
    return Path(method.partition(":")[0]).stem if ":" in method else method
