"""Verdicts of a review: settled with those that a build keeps already, written, read and counted."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from curation.review.review_file import Mark
from schemas.errors import BadInput
from schemas.records.review import ReviewSample, SampleCount, Verdict
from schemas.storage.artifacts import write_atomically
from schemas.storage.csv_text import cell_text, csv_text

SEPARATOR = "; "


@dataclass(frozen=True)
class ReviewedFact:
    """A fact of the build as far as a verdict names it."""

    batch: int
    property_id: str
    statement_id: str
    shown: str


@dataclass(frozen=True)
class Settled:
    """All verdicts by now, and what became of the marks of one file."""

    verdicts: tuple[Verdict, ...]
    new: int
    again: int
    """Said before in the same way."""
    turned: int
    """Said before the other way round: the later word counts."""
    aside: tuple[str, ...]
    """Facts that read otherwise now than when they were judged: these marks count for nothing."""


def settle(
    marks: Sequence[Mark], kept: Sequence[Verdict], facts: Mapping[str, ReviewedFact], *, build: str, where: str
) -> Settled:
    """The kept verdicts with the marks of a file among them, by sample_id.

    `facts` are those that the build asks now; one that was rejected before is known by its kept verdict. Raises
    BadInput for marks of another build, for facts that this one does not have, and where no mark is of use.
    """
    for mark in marks:
        if mark.sample.build != build:
            found = f"is of a review of the build {mark.sample.build}, and this build is {build}"
            raise BadInput(f"{where}, line {mark.line}", found, "name the build that was reviewed")
    verdicts = {verdict.sample_id: verdict for verdict in kept}
    unknown = [mark for mark in marks if mark.sample_id not in facts and mark.sample_id not in verdicts]
    if unknown:
        more = f", and {len(unknown) - 1} more that are not there" if len(unknown) > 1 else ""
        found = f"names the sample {unknown[0].sample_id[:80]!r}, which this build does not ask{more}"
        raise BadInput(
            f"{where}, line {unknown[0].line}", found, "take such lines out, or review the build as it is now"
        )
    new = again = turned = 0
    aside: list[str] = []
    for mark in marks:
        before = verdicts.get(mark.sample_id)
        fact = facts.get(mark.sample_id) or _as_kept(before)
        if fact is None or fact.shown != mark.shown:
            aside.append(mark.sample_id)
            continue
        same = before is not None and before.verdict == mark.verdict and before.shown == mark.shown
        new, again = new + (before is None), again + same
        turned += before is not None and not same
        verdicts[mark.sample_id] = Verdict(
            sample_id=mark.sample_id,
            batch=fact.batch,
            property_id=fact.property_id,
            statement_id=fact.statement_id,
            verdict=mark.verdict,
            reason=mark.reason or (before.reason if before is not None and same else ""),
            shown=mark.shown,
            samples=_samples(before, mark.sample),
        )
    if aside and len(aside) == len(marks):
        found = f"judges {len(aside)} facts that all read otherwise now, first {aside[0]}"
        raise BadInput(where, found, "review the build as it is now")
    return Settled(tuple(verdicts[name] for name in sorted(verdicts)), new, again, turned, tuple(aside))


def _as_kept(verdict: Verdict | None) -> ReviewedFact | None:
    if verdict is None:
        return None
    return ReviewedFact(verdict.batch, verdict.property_id, verdict.statement_id, verdict.shown)


def _samples(before: Verdict | None, sample: ReviewSample) -> str:
    known = before.samples.split(SEPARATOR) if before is not None else []
    return SEPARATOR.join(dict.fromkeys((*known, sample.text())))


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Keep verdicts: the old file or the new one is there, never half of one."""
    write_atomically(path, csv_text(verdicts))


def read_verdicts(path: Path) -> tuple[Verdict, ...]:
    """The kept verdicts by sample_id, none where there is no file; raises BadInput for a file that is damaged."""
    advice = "put it back as it was, or delete it and read the review files again"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise BadInput(str(path), f"is damaged (byte {error.start} is no text)", advice) from error
    found: dict[str, Verdict] = {}
    for number, cells in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=2):
        try:
            verdict = Verdict.model_validate({name: cell_text(cell or "") for name, cell in cells.items() if name})
            samples_of(verdict)
        except (ValidationError, BadInput) as error:
            raise BadInput(f"{path}, row {number}", "is damaged", advice) from error
        if verdict.sample_id in found:
            raise BadInput(f"{path}, row {number}", f"has {verdict.sample_id} twice", advice)
        found[verdict.sample_id] = verdict
    return tuple(found[name] for name in sorted(found))


def samples_of(verdict: Verdict) -> list[ReviewSample]:
    """The samples in which the fact was judged."""
    return [ReviewSample.parse(text) for text in verdict.samples.split(SEPARATOR)]


def sample_counts(verdicts: Collection[Verdict]) -> tuple[SampleCount, ...]:
    """How every sample came out, by seed and size."""
    members: dict[ReviewSample, list[Verdict]] = {}
    for verdict in verdicts:
        for sample in samples_of(verdict):
            members.setdefault(sample, []).append(verdict)
    return tuple(
        SampleCount(
            seed=sample.seed,
            size=sample.size,
            of=sample.of,
            drawn_from=sample.drawn_from,
            judged=len(own),
            accepted=sum(verdict.verdict == "accept" for verdict in own),
        )
        for sample, own in sorted(members.items(), key=lambda pair: (pair[0].seed, pair[0].size, pair[0].text()))
    )
