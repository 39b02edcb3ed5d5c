"""Write a release: every config of the published layout, the split files, the credits and the card, in one swap."""

import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curation.bundles import SubjectBundle
from curation.card import CardFacts, render_card
from curation.credits import CreditsFile
from curation.hub_files import HubTable
from curation.hub_layout import config_records, config_split
from curation.hub_rows import SubjectIndex, index_subject, subject_rows
from curation.release_tally import ReleaseTally
from curation.split_files import SplitLists
from schemas.problems import BadInput
from schemas.records import Assignment
from schemas.releases import Part, ReleaseSummary
from schemas.samples import ImageCredit
from schemas.words import Sensitivity

logger = logging.getLogger(__name__)


def export_release(
    folder: Path,
    bundles: Iterable[SubjectBundle],
    *,
    card: CardFacts,
    target: str,
    ratios: Sequence[int],
    sensitive: Collection[Sensitivity],
    part: Part = "all",
    rows_per_file: int = 20_000,
    rows_per_group: int = 100,
) -> ReleaseSummary:
    """Write the release of one part into `folder`, replacing what is there only once all of it is written.

    `bundles` come by rising subject id; one is in memory at a time, besides the rows kept back for open row groups. A
    part without any known fact leaves no folder (`gated`) or raises BadInput (`all`, `open`); a config without rows has
    no files and is not in the card, since `datasets` cannot load it. The README of an earlier release in `folder` keeps
    what stands outside its generated part. The same bundles give the same bytes.
    """
    work = folder.with_name(folder.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    try:
        summary = _write(
            work,
            bundles,
            target=target,
            ratios=ratios,
            sensitive=sensitive,
            part=part,
            rows_per_file=rows_per_file,
            rows_per_group=rows_per_group,
        )
        if summary.samples == 0:
            if part != "gated":
                raise BadInput(
                    str(folder), "there is no known fact to export", "look at `ppubench status` for the drops"
                )
            shutil.rmtree(folder, ignore_errors=True)
            return summary
        before = folder / "README.md"
        previous = before.read_text() if before.is_file() else None
        (work / "README.md").write_text(render_card(summary, card, previous=previous))
        _swap(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    logger.info("%s: %d samples of %d subjects", folder.name, summary.samples, summary.subjects)
    return summary


def _write(
    work: Path,
    bundles: Iterable[SubjectBundle],
    *,
    target: str,
    ratios: Sequence[int],
    sensitive: Collection[Sensitivity],
    part: Part,
    rows_per_file: int,
    rows_per_group: int,
) -> ReleaseSummary:
    splits, tally = SplitLists(ratios), ReleaseTally()
    samples: set[str] = set()
    last = -1
    with (
        _open_tables(
            work, target=target, ratios=ratios, rows_per_file=rows_per_file, rows_per_group=rows_per_group
        ) as tables,
        CreditsFile(work / "ATTRIBUTION.md") as credits_file,
    ):
        for bundle in bundles:
            number = int(bundle.subject.subject_id)
            if number <= last:
                raise BadInput(
                    f"subject {bundle.subject.subject_id}", f"comes after subject {last:03d}", "sort by subject id"
                )
            last = number
            index = index_subject(bundle, part=part, sensitive=sensitive)
            if not index.candidates:
                continue
            _refuse_repeats(index, samples)
            for config, row in subject_rows(index, target=target, ratios=ratios):
                tables[config].add(row)
                if isinstance(row, ImageCredit):
                    credits_file.add(row)
            for table in tables.values():
                table.end_subject()
            own = _own_roles(index, bundle.assignments)
            splits.add(own)
            tally.add(index, own)
        configs = [summary for summary in (table.close() for table in tables.values()) if summary.rows]
    splits.write(work / "data" / "split")
    return tally.summary(part, configs)


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
def _open_tables(
    work: Path, *, target: str, ratios: Sequence[int], rows_per_file: int, rows_per_group: int
) -> Iterator[dict[str, HubTable]]:
    tables = {
        config: HubTable(
            work,
            config,
            config_split(config),
            record,
            rows_per_file=rows_per_file,
            rows_per_group=rows_per_group,
        )
        for config, record in config_records(target=target, ratios=ratios).items()
    }
    try:
        yield tables
    finally:
        for table in tables.values():
            table.abandon()


def _swap(work: Path, folder: Path) -> None:
    """Put the finished folder in place; a reader finds the old release or the new one."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    work.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
