"""Review of a build: a sample drawn and written for a reader, and their verdicts read back."""

import base64
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.review.review_file import read_marks
from curation.review.sample import draw_sample, review_row, shown_digest
from curation.review.verdicts import ReviewedFact, read_verdicts, settle, write_verdicts
from flows.building.explorer import source_page
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.build_identity import identity_of, locked, open_build
from flows.pipeline.verdicts import VERDICTS, review_figures
from schemas.errors import BadInput
from schemas.progress import Progress, silent
from schemas.records.build_rows import Fact, Knowledge, Portrait, Question, Subject
from schemas.records.review import Population, ReviewFigures, ReviewRow, ReviewSample
from schemas.storage.artifacts import digest
from schemas.storage.tables import Record
from schemas.vocabulary import VIEWS, Stage

if TYPE_CHECKING:
    from eval.explorer.build_reader import BuildTables
    from eval.review.review_page import ReviewFiles

READS: tuple[Stage, ...] = ("select", "facts", "screen", "questions")
PICTURE_SIZE = (360, 480)
"""Pixels (width, height) that a picture on the page has at most."""


@dataclass(frozen=True)
class Shown:
    """A fact with what a reader is shown of it."""

    batch: int
    subject: Subject
    fact: Fact
    questions: list[Question]
    picture: Portrait | None


class ReadBack(Record):
    """What reading a review file did."""

    folder: str
    file: str
    judged: int
    """Facts with a verdict in the file."""
    open: int
    """Lines without one."""
    repeated: int
    """Lines that say again what another line says."""
    new: int
    again: int
    """Verdicts that the build had already."""
    turned: int
    """Verdicts that take the place of another one."""
    aside: tuple[str, ...]
    """Facts that read otherwise now than when they were judged; their verdicts count for nothing."""
    figures: ReviewFigures
    to_do: str
    """What brings the dataset up to date; "" if it follows from the same verdicts."""


def draw(
    folder: Path, *, size: int, seed: int | None = None, out: Path | None = None, progress: Progress = silent
) -> "ReviewFiles":
    """Write the page and the CSV of a sample into `out` (BUILD/review); the recipe's seed unless another is given.

    Drawn is from the facts that the target knows or, while the probe has not finished, from all that are asked. Raises
    BadInput for a build whose questions are not finished.
    """
    from eval.explorer.build_reader import BuildTables
    from eval.review.review_page import write_review

    if size < 1:
        raise BadInput(f"--sample {size}", "is no size of a sample", "name a number of facts, such as 150")
    found = open_build(folder)
    out = out if out is not None else folder / "review"
    if out.exists() and not out.is_dir():
        raise BadInput(str(out), "is a file", "choose another --out")
    with locked(folder):
        tables = BuildTables(folder)
        _require_questions(tables, folder)
        names, drawn_from = _population(tables)
        if not names:
            raise BadInput(str(folder), "has no fact to review", "look at `ppubench status` for the drops")
        seed = seed if seed is not None else found.recipe.seed
        chosen = draw_sample(names, seed=seed, size=size)
        sample = ReviewSample(
            build=build_name(found), seed=seed, size=len(chosen), of=len(names), drawn_from=drawn_from
        )
        rows, pictures = _rows(tables, chosen, sample, source_page(found.recipe), progress)
        out.mkdir(parents=True, exist_ok=True)
        stem = f"sample_seed{seed}_{len(chosen)}"
        command = f"ppubench review {folder} --read {stem}.csv"
        return write_review(rows, pictures, sample, name=found.recipe.name, command=command, out=out, stem=stem)


def _rows(
    tables: "BuildTables", chosen: Sequence[str], sample: ReviewSample, source: str, progress: Progress
) -> tuple[list[ReviewRow], dict[str, str]]:
    """The lines of the chosen facts in their order, and the thumbnails of their pictures (base64) by sample_id."""
    from eval.explorer.thumbnails import thumbnail

    places = {name: place for place, name in enumerate(chosen, start=1)}
    rows: list[ReviewRow] = []
    pictures: dict[str, str] = {}
    small: dict[str, str] = {}
    for one in _shown(tables, places.keys(), progress):
        name, picture = one.fact.sample_id, one.picture
        place = places[name]
        rows.append(
            review_row(one.subject, one.fact, one.questions, picture, place=place, sample=sample, source=source)
        )
        if picture is not None and picture.image_id not in small:
            content = thumbnail(picture.content, width=PICTURE_SIZE[0], height=PICTURE_SIZE[1])
            small[picture.image_id] = base64.b64encode(content or b"").decode()
        if picture is not None and small[picture.image_id]:
            pictures[name] = small[picture.image_id]
    return sorted(rows, key=lambda row: row.place), pictures


def read_back(folder: Path, file: Path) -> ReadBack:
    """Keep the verdicts of a review file in the build, beside those kept already; a later word replaces an earlier one.

    Raises BadInput, with nothing written, for a file that is no review of this build as it is.
    """
    from eval.explorer.build_reader import BuildTables

    found = open_build(folder)
    marks = read_marks(file)
    if not marks.judged:
        raise BadInput(
            str(file), f"judges nothing ({marks.open} lines without a verdict)", "fill in its column verdict"
        )
    with locked(folder):
        tables, path = BuildTables(folder), folder / VERDICTS
        _require_questions(tables, folder)
        facts = {
            one.fact.sample_id: ReviewedFact(
                one.batch,
                one.fact.property_id,
                one.fact.statement_id,
                shown_digest(one.fact, one.questions, one.picture.image_id if one.picture is not None else ""),
            )
            for one in _shown(tables, {mark.sample_id for mark in marks.judged}, silent)
        }
        settled = settle(marks.judged, read_verdicts(path), facts, build=build_name(found), where=str(file))
        write_verdicts(path, settled.verdicts)
    figures = review_figures(settled.verdicts)
    assert figures is not None  # noqa: S101 - there is at least one verdict now
    changed = settled.new or settled.turned
    return ReadBack(
        folder=str(folder),
        file=str(file),
        judged=len(marks.judged),
        open=marks.open,
        repeated=marks.repeated,
        new=settled.new,
        again=settled.again,
        turned=settled.turned,
        aside=settled.aside,
        figures=figures,
        to_do=f"ppubench export {folder}" if changed and not tables.missing() else "",
    )


def build_name(build: BuildFolder) -> str:
    """What a review calls the build: the recipe's name, and a digest of what names its source."""
    identity = identity_of(build.recipe)
    return f"{identity.name}.x{digest({'name': identity.name, 'source': identity.source})[:8]}"


def _require_questions(tables: "BuildTables", folder: Path) -> None:
    missing = [stage for stage in tables.missing() if stage in READS]
    if missing:
        found = f"has no finished stage {missing[0]}, and a review shows questions"
        raise BadInput(str(folder), found, "build it up to the stage questions first (--until questions)")


def _population(tables: "BuildTables") -> tuple[list[str], Population]:
    """The facts to draw from: those that the target knows in both modalities, if it has been asked."""
    if "probe" in tables.missing():
        asked = {
            name
            for part in tables.columns("questions", "questions", Question, ["sample_id"])
            for name in part["sample_id"].to_pylist()
        }
        return sorted(asked), "asked"
    known: dict[str, int] = {}
    for part in tables.columns("probe", "knowledge", Knowledge, ["sample_id", "known"]):
        for name, knows in zip(part["sample_id"].to_pylist(), part["known"].to_pylist(), strict=True):
            known[name] = known.get(name, 0) + knows
    return sorted(name for name, modalities in known.items() if modalities == 2), "known"


def _shown(tables: "BuildTables", wanted: Collection[str], progress: Progress) -> Iterator[Shown]:
    """The wanted facts as far as the build asks them, a shard in memory at a time."""
    shards = tables.shards()
    for number, shard in enumerate(shards):
        progress("read", number, len(shards))
        asked: dict[str, list[Question]] = {}
        for question in tables.rows("questions", "questions", Question, shard):
            if question.sample_id in wanted:
                asked.setdefault(question.sample_id, []).append(question)
        if not asked:
            continue
        facts = [row for row in tables.rows("facts", "facts", Fact, shard) if row.sample_id in asked]
        people = {row.subject_id: row for row in tables.rows("screen", "subjects", Subject, shard)}
        whose = {fact.subject_id for fact in facts}
        pictures = {
            row.subject_id: row
            for row in tables.rows("screen", "portraits", Portrait, shard)
            if row.view == VIEWS[0] and row.subject_id in whose
        }
        for fact in facts:
            picture = pictures.get(fact.subject_id)
            yield Shown(shard.batch, people[fact.subject_id], fact, asked[fact.sample_id], picture)
    progress("read", len(shards), len(shards))
