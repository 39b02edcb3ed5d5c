"""The batches of a build: what each later one was asked for, and what became of every subject that was added."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from flows.pipeline.build_folder import BuildFolder
from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe
from schemas.recipes.source_recipe import SelectConfig
from schemas.records.build_rows import Assignment, Drop, Subject
from schemas.storage.artifacts import read_manifest, write_json
from schemas.storage.tables import Record, read_columns, read_records
from schemas.vocabulary import STAGES, Stage

BATCHES = "batches"
"""Folder of the requests, one file a batch; batch 0 is the recipe's own selection and has none."""
GATES: dict[Stage, frozenset[str]] = {
    "facts": frozenset({"no_facts", "entity_missing", "malformed_entity"}),
    "screen": frozenset({"too_few_views"}),
    "probe": frozenset({"no_known_fact"}),
}
"""Drop reasons that end a subject, by stage; those of `select` end someone before they are one."""


class BatchRequest(Record):
    """`batches/<N>.json`: what a later batch was asked for."""

    batch: Annotated[int, Field(ge=1)]
    asked: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names and QIDs as they were typed."""
    subjects: tuple[str, ...]
    """What the stage select is given: the QIDs that were found, and the words for which there was none."""


class Fate(Record):
    """What became of one person of a batch."""

    asked: str
    """QID, or the words that were asked."""
    subject_id: str
    name: str
    state: Literal["joined", "left out", "unfinished"]
    samples: int
    """Known facts: samples of the benchmark."""
    stage: str = ""
    """Where somebody was left out, and why."""
    reason: str = ""
    detail: str = ""


def batches_of(folder: Path, recipe: BuildRecipe) -> tuple[BuildFolder, ...]:
    """Every batch of a build folder, from batch 0, each with its own selection."""
    requests = read_requests(folder)
    found: list[BuildFolder] = []
    for number in range(len(requests) + 1):
        own = recipe if number == 0 else _recipe_of(requests[number - 1], recipe)
        found.append(BuildFolder(folder, own, number, tuple(found), followed=number < len(requests)))
    return tuple(found)


def _recipe_of(request: BatchRequest, recipe: BuildRecipe) -> BuildRecipe:
    named = SelectConfig(subjects=request.subjects, limit=len(request.subjects), year=recipe.select.year)
    return recipe.model_copy(update={"select": named})


def read_requests(folder: Path) -> list[BatchRequest]:
    """The requests of the later batches in order; raises BadInput for a file that is damaged or a number that lacks."""
    requests: list[BatchRequest] = []
    while (path := request_path(folder, len(requests) + 1)).exists():
        try:
            request = BatchRequest.model_validate_json(path.read_text())
        except (ValidationError, UnicodeDecodeError) as error:
            advice = f"delete it to give up batch {len(requests) + 1} and those after it, or put it back"
            raise BadInput(str(path), "is damaged", advice) from error
        requests.append(request)
    return requests


def request_path(folder: Path, batch: int) -> Path:
    """Where the request of a batch is kept."""
    return folder / BATCHES / f"{batch}.json"


def write_request(folder: Path, request: BatchRequest) -> None:
    """Begin a batch: from here on it is to be finished."""
    write_json(request_path(folder, request.batch), request.model_dump(mode="json"))


def forget_request(folder: Path, batch: int) -> None:
    """Give up a batch that has selected nobody: its request and its folders go."""
    for stage in STAGES:
        shutil.rmtree(folder / stage / str(batch), ignore_errors=True)
    request_path(folder, batch).unlink(missing_ok=True)


def fates_of(build: BuildFolder) -> tuple[Fate, ...]:
    """What became of everyone whom a batch was asked for, as far as it has come."""
    drops = {stage: _drops(build, stage) for stage in GATES}
    samples = _samples(build)
    done = read_manifest(build.artifact("split")) is not None
    fates = list(never_subjects(build))
    for path in sorted(build.artifact("select").glob("subjects-*.parquet")):
        fates += [_fate(subject, drops, samples, done=done) for subject in read_records(path, Subject)]
    return tuple(fates)


def never_subjects(build: BuildFolder) -> tuple[Fate, ...]:
    """Everyone of a batch whom the stage select left out."""
    return tuple(
        Fate(
            asked=drop.item, subject_id="", name="", state="left out", samples=0,
            stage="select", reason=drop.reason, detail=drop.detail,
        )
        for drop in _drops(build, "select")
    )  # fmt: skip


def _fate(subject: Subject, drops: dict[Stage, list[Drop]], samples: Counter[str], *, done: bool) -> Fate:
    known = samples[subject.subject_id]
    ended = [
        (stage, drop)
        for stage, reasons in GATES.items()
        for drop in drops[stage]
        if drop.subject_id == subject.subject_id and drop.reason in reasons
    ]
    state: Literal["joined", "left out", "unfinished"] = "joined" if known else "left out" if ended else "unfinished"
    fate = Fate(asked=subject.qid, subject_id=subject.subject_id, name=subject.name, state=state, samples=known)
    if state == "left out":
        stage, drop = ended[0]
        return fate.model_copy(update={"stage": stage, "reason": drop.reason, "detail": drop.detail})
    return fate if state == "joined" or not done else fate.model_copy(update={"state": "left out", "stage": "split"})


def _drops(build: BuildFolder, stage: Stage) -> list[Drop]:
    return [row for path in sorted(build.artifact(stage).glob("drops-*.parquet")) for row in read_records(path, Drop)]


def _samples(build: BuildFolder) -> Counter[str]:
    """Known facts by subject, once the roles are assigned."""
    pairs: set[tuple[str, str]] = set()
    for path in sorted(build.artifact("split").glob("assignments-*.parquet")):
        columns = read_columns(path, Assignment, ["subject_id", "sample_id"])
        pairs.update(zip(columns["subject_id"].to_pylist(), columns["sample_id"].to_pylist(), strict=True))
    return Counter(subject_id for subject_id, _ in pairs)
