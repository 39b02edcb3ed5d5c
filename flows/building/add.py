"""New subjects for a finished build: a batch of their own, beside which nothing that stands is made again."""

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.subjects.roster import read_roster
from flows.building.batch_guard import refuse_remaking
from flows.building.build import bring_up_to_date
from flows.building.status import BuildReport, stands
from flows.pipeline.batches import BatchRequest, batches_of, fates_of, forget_request, read_requests, write_request
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.build_identity import locked, open_build
from flows.pipeline.stage import StageSpec
from flows.resources.resources import Resources
from flows.stages.roster_names import BLOCK, blocks
from flows.stages.select_subjects import find_people
from flows.stages.stage_table import stage_table
from flows.stages.versions import changed_since
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.protocols.responder import Responder
from schemas.protocols.source import Source
from schemas.records.build_rows import Subject
from schemas.records.drop_reasons import explain
from schemas.records.entities import Entity
from schemas.storage.artifacts import read_manifest
from schemas.storage.tables import read_records
from schemas.vocabulary import STAGES, Stage


def add(
    folder: Path,
    asked: Sequence[str],
    *,
    progress: Progress = silent,
    source: Source | None = None,
    responders: Mapping[str, Responder] | None = None,
) -> BuildReport:
    """Add people to a finished build, by name or QID, as its next batch; go on with the batch if it was cut off.

    Raises BadInput, with nothing written, for a build that is not finished, not up to date or cannot be written to, for
    somebody who was taken up already or is named twice, and where nobody who was asked for can be a subject.
    """
    asked = [word.strip() for word in asked if word.strip()]
    if not asked:
        raise BadInput("ppubench add", "names nobody", "name people or QIDs, or a --roster FILE of them")
    found = open_build(folder)
    _refuse_read_only(found.path)
    with locked(found.path), Resources(found.path, found.recipe, source=source, responders=responders) as resources:
        table, batches = stage_table(resources), batches_of(found.path, found.recipe)
        refuse_remaking(batches, table)
        _require_finished(batches[:-1], table)
        number = batches[-1].batch
        if not _goes_on(batches[-1], asked):
            _require_finished(batches[-1:], table)
            number += 1
            subjects = _resolve(asked, batches, resources.source())
            write_request(found.path, BatchRequest(batch=number, asked=tuple(asked), subjects=subjects))
            batches = batches_of(found.path, found.recipe)
        try:
            return bring_up_to_date(batches, table, resources, progress=progress)
        except BadInput:
            if read_manifest(found.path / "select" / str(number)) is None:
                forget_request(found.path, number)
            raise


def read_asked(path: Path) -> list[str]:
    """Names and QIDs of a file in the form of a recipe's roster, in which a remark follows a # and a blank.

    Raises BadInput for a file that is no roster, and for ids and ranks in it: an added batch numbers on by itself.
    """
    lines = read_roster(path, remarks=True)
    for line in lines:
        if line.subject_id or line.complete_rank is not None:
            found = "gives a subject_id or a complete_rank, which added people get from the build"
            raise BadInput(f"{path}, line {line.line}", found, "leave these columns empty, or out")
    return [line.qid or line.name for line in lines]


def _refuse_read_only(folder: Path) -> None:
    """Nobody may write to it by its mode (which does not stop the superuser), or this user may not."""
    if not os.access(folder, os.W_OK) or not stat.S_IMODE(folder.stat().st_mode) & 0o222:
        raise BadInput(str(folder), "is read-only", "copy the build, or make it writable, and add to that")


def _goes_on(newest: BuildFolder, asked: Sequence[str]) -> bool:
    """Whether this is the command that was cut off; raises BadInput if it is another one."""
    if newest.batch == 0 or all(read_manifest(newest.artifact(stage)) is not None for stage in STAGES):
        return False
    pending = read_requests(newest.path)[newest.batch - 1].asked
    if set(pending) == set(asked):
        return True
    words = " ".join(f'"{word}"' if " " in word else word for word in pending)
    raise BadInput(
        str(newest.path), f"batch {newest.batch} is not finished", f"run `ppubench add {newest.path} {words}` first"
    )


def _require_finished(batches: Sequence[BuildFolder], table: Mapping[Stage, StageSpec]) -> None:
    for batch in batches:
        for stage in STAGES:
            if not stands(batch, table[stage], table):
                manifest = read_manifest(batch.artifact(stage))
                state = "not finished" if manifest is None else "not up to date"
                changed = changed_since(stage, manifest.version) if manifest is not None else ()
                why = f"; its rules have changed: {changed[0]}" if changed else ""
                advice = f"run `ppubench export {batch.path}` first"
                raise BadInput(str(batch.path), f"is {state} (stage {stage}{why})", advice)


@dataclass(frozen=True)
class _Standing:
    """Somebody whom the build has taken up, and in which batch."""

    subject: Subject
    batch: BuildFolder


def _resolve(asked: Sequence[str], batches: Sequence[BuildFolder], source: Source) -> tuple[str, ...]:
    """What the new batch selects; raises BadInput for people who stand already or come twice, or if nobody is left."""
    standing = {
        subject.qid: _Standing(subject, batch)
        for batch in batches
        for path in sorted(batch.artifact("select").glob("subjects-*.parquet"))
        for subject in read_records(path, Subject)
    }
    people, drops = find_people(asked, source)
    for person in people:
        if person.qid in standing:
            moved = f" ({person.requested_id} leads to {person.qid})" if person.requested_id != person.qid else ""
            raise _stands_already(standing[person.qid], moved)
    for drop in drops:
        if drop.reason == "duplicate_subject":
            raise BadInput(drop.item, f"is named twice ({drop.detail})", "name each person once")
    if not people:
        problems = "; ".join(f"{drop.item}: {drop.detail or explain(drop.reason)}" for drop in drops)
        raise BadInput("ppubench add", f"nobody can be added ({problems})", "name others, or QIDs")
    _refuse_merged([person.qid for person in people], standing, source)
    return (*(person.qid for person in people), *(drop.item for drop in drops))


def _refuse_merged(people: Collection[str], standing: Mapping[str, _Standing], source: Source) -> None:
    """Raise BadInput if the QID of somebody who stands leads to one of the new people by now.

    Every request names a new person beside those who stand, so that no cache answers from before that one was new.
    """
    beside = min(people)
    for block in blocks(sorted(standing), BLOCK - 1):
        for answer in source.leads([beside, *block]):
            if isinstance(answer, Entity) and answer.requested_id in standing and answer.qid in people:
                moved = f" ({answer.requested_id} leads to {answer.qid} now)"
                raise _stands_already(standing[answer.requested_id], moved)


def _stands_already(person: _Standing, moved: str) -> BadInput:
    """Who this is in the build; or at which gate they were left out, and that only another build tries them again."""
    subject, batch = person.subject, person.batch
    where = f"{subject.name} ({subject.qid})"
    fate = next(fate for fate in fates_of(batch) if fate.subject_id == subject.subject_id)
    if fate.state == "joined":
        found = f"is subject {subject.subject_id} of batch {batch.batch} already{moved}"
        return BadInput(where, found, "leave it out; for a namesake, name the QID")
    why = ": ".join(text for text in (fate.reason, fate.detail) if text) or "no sample"
    found = f"was left out of batch {batch.batch} at the stage {fate.stage} ({why}){moved}"
    advice = "leave it out; a build tries each person once, so to try again name them in the recipe of a new build"
    return BadInput(where, found, advice)
