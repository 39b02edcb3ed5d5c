"""Write a release: every config of the published layout, the split files, the credits and the card, in one swap.

A later batch adds data files of its own beside those of the earlier ones, which stay as they are.
"""

import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curation.card.attribution import CreditsFile
from curation.card.card import CardFacts, read_card
from curation.card.metadata_files import README, ReleaseFile, release_texts
from curation.export.batch_parts import (
    CREDITS,
    SPLITS,
    EarlierBatch,
    join_credits,
    join_summaries,
    link_data,
    read_summary,
    write_summary,
)
from curation.export.counts import ReleaseTally
from curation.export.parquet import HubTable
from curation.export.rows import SubjectBundle, SubjectIndex, index_subject, subject_rows
from curation.export.split_lists import SplitLists
from schemas.dataset.layout import config_records, config_split
from schemas.dataset.release import Part, ReleaseSummary
from schemas.dataset.samples import ImageCredit
from schemas.errors import BadInput
from schemas.records.build_rows import Assignment
from schemas.vocabulary import Sensitivity

log = logging.getLogger(__name__)

OLD = ".old"
"""Ending of the name that a release bears while the next one is put in its place."""


@dataclass(frozen=True)
class ReleaseRequest:
    """What is wanted of a release: which facts, under which settings, in files of which size."""

    target: str
    """Short name, as in `train_pair_<target>`."""
    ratios: Sequence[int]
    """Percent of subjects forgotten in the complete setting."""
    sensitive: Collection[Sensitivity]
    part: Part = "all"
    rows_per_file: int = 20_000
    rows_per_group: int = 100


def export_release(
    folder: Path,
    bundles: Iterable[SubjectBundle],
    wanted: ReleaseRequest,
    *,
    card: CardFacts,
    piece: Path | None = None,
    earlier: Sequence[EarlierBatch] = (),
) -> ReleaseSummary:
    """Write the wanted release of one part into `folder`, replacing what is there only once all of it is written.

    `bundles` are the subjects of the newest batch, of which `piece` (a folder) keeps what later batches need of it;
    `earlier` are the batches before, whose data files stay the same files. The counts returned are those of all.

    `bundles` come by rising subject id; one is in memory at a time, besides the rows kept back for open row groups. A
    part without any known fact leaves no folder (`gated`) or raises BadInput (`all`, `open`); a config without rows has
    no files and is not in the card, since `datasets` cannot load it; a subject of whom nothing is known has no rows.
    The README of an earlier release in `folder` keeps what stands outside its generated part. The same bundles give the
    same bytes.
    """
    _finish_swap(folder)
    work, scratch = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".pieces.part")
    for left in (work, scratch):
        shutil.rmtree(left, ignore_errors=True)
    cut = partial(_write, work, wanted=wanted)
    try:
        pieces: list[Path] = []
        summaries: list[ReleaseSummary] = []
        for batch, before in enumerate(earlier):
            kept = read_summary(before.piece)
            if kept is None or not link_data(kept, folder, work):
                kept = cut(before.bundles(), batch=batch, piece=scratch / str(batch))
            pieces.append(before.piece if read_summary(before.piece) is not None else scratch / str(batch))
            summaries.append(kept)
        pieces.append(piece if piece is not None else scratch / str(len(earlier)))
        summaries.append(cut(bundles, batch=len(earlier), piece=pieces[-1]))
        summary = join_summaries(summaries, configs=list(config_records(target=wanted.target, ratios=wanted.ratios)))
        if summary.samples == 0:
            if wanted.part != "gated":
                raise BadInput(
                    str(folder), "there is no known fact to export", "look at `ppubench status` for the drops"
                )
            shutil.rmtree(folder, ignore_errors=True)
            return summary
        splits = SplitLists(wanted.ratios)
        for own in pieces:
            splits.take(own / SPLITS)
        splits.write(work / "data" / "split")
        join_credits(work / CREDITS, pieces)
        previous = read_card(folder / README)
        for name, text in release_texts(work, ReleaseFile(summary=summary, card=card), previous=previous).items():
            (work / name).write_text(text, encoding="utf-8")
        _swap(work, folder)
    finally:
        for left in (work, scratch):
            shutil.rmtree(left, ignore_errors=True)
    log.info("%s: %d samples of %d subjects", folder.name, summary.samples, summary.subjects)
    return summary


def _write(
    work: Path,
    bundles: Iterable[SubjectBundle],
    *,
    wanted: ReleaseRequest,
    batch: int,
    piece: Path,
) -> ReleaseSummary:
    """Write the data files of one batch into `work` and its piece into `piece`; the counts of the batch."""
    shutil.rmtree(piece, ignore_errors=True)
    splits, tally = SplitLists(wanted.ratios), ReleaseTally()
    samples: set[str] = set()
    last = -1
    with (
        _open_tables(work, wanted, batch=batch) as tables,
        CreditsFile(piece / CREDITS) as credits_file,
    ):
        for bundle in bundles:
            number = int(bundle.subject.subject_id)
            if number <= last:
                raise BadInput(
                    f"subject {bundle.subject.subject_id}", f"comes after subject {last:03d}", "sort by subject id"
                )
            last = number
            index = index_subject(bundle, part=wanted.part, sensitive=wanted.sensitive)
            if not index.known:
                continue
            _refuse_repeats(index, samples)
            for config, row in subject_rows(index, target=wanted.target, ratios=wanted.ratios):
                tables[config].add(row)
                if isinstance(row, ImageCredit):
                    credits_file.add(row)
            for table in tables.values():
                table.end_subject()
            own = _own_roles(index, bundle.assignments)
            splits.add(own)
            tally.add(index, own)
        configs = [summary for summary in (table.close() for table in tables.values()) if summary.rows]
    splits.write(piece / SPLITS)
    summary = tally.summary(wanted.part, configs)
    write_summary(piece, summary)
    return summary


def _own_roles(index: SubjectIndex, assignments: Iterable[Assignment]) -> list[Assignment]:
    """The roles of the subject's known facts in this part, by slot."""
    order = {fact.sample_id: fact.slot for fact in index.known}
    return sorted(
        (row for row in assignments if row.sample_id in order), key=lambda row: (order[row.sample_id], row.ratio or 0)
    )


def _refuse_repeats(index: SubjectIndex, samples: set[str]) -> None:
    for fact in index.candidates:
        if fact.sample_id in samples:
            raise BadInput(
                f"sample {fact.sample_id}",
                f"of subject {fact.subject_id} bears the id of another sample",
                "give one of the two subjects another name in the roster",
            )
        samples.add(fact.sample_id)


@contextmanager
def _open_tables(work: Path, wanted: ReleaseRequest, *, batch: int) -> Iterator[dict[str, HubTable]]:
    tables = {
        config: HubTable(
            work,
            config,
            config_split(config),
            record,
            rows_per_file=wanted.rows_per_file,
            rows_per_group=wanted.rows_per_group,
            batch=batch,
        )
        for config, record in config_records(target=wanted.target, ratios=wanted.ratios).items()
    }
    try:
        yield tables
    finally:
        for table in tables.values():
            table.abandon()


def _finish_swap(folder: Path) -> None:
    """Take back the release that a swap had moved away when it was killed: its card may hold text written by hand."""
    old = folder.with_name(folder.name + OLD)
    if old.is_dir() and not folder.exists():
        old.replace(folder)


def _swap(work: Path, folder: Path) -> None:
    """Put the finished folder in place; a reader finds the old release or the new one."""
    old = folder.with_name(folder.name + OLD)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    work.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
