"""What a batch says about itself in a release, kept beside the batch: counts, split lists and credits to be joined.

A release of several batches is made of their data files, which never change, and of these pieces: adding five subjects
to five hundred reads nothing of the five hundred again.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from curation.card.attribution import HEADING
from curation.export.counts import named
from curation.export.rows import SubjectBundle
from schemas.dataset.release import ConfigSummary, NamedCount, ReleaseSummary, RoleCount
from schemas.storage.artifacts import write_json
from schemas.vocabulary import SETTINGS, Role, Setting

SUMMARY, CREDITS, SPLITS = "summary.json", "ATTRIBUTION.md", "split"


@dataclass(frozen=True)
class EarlierBatch:
    """A batch that was exported before: its piece, and its rows for the case that its data files are lost."""

    piece: Path
    bundles: Callable[[], Iterable[SubjectBundle]]


def write_summary(piece: Path, summary: ReleaseSummary) -> None:
    """Finish a piece: without a summary it is unfinished."""
    write_json(piece / SUMMARY, summary.model_dump(mode="json"))


def read_summary(piece: Path) -> ReleaseSummary | None:
    """The counts of a piece, or None if it is missing, unfinished or damaged."""
    try:
        summary = ReleaseSummary.model_validate_json((piece / SUMMARY).read_text())
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return summary if (piece / CREDITS).is_file() and (piece / SPLITS).is_dir() else None


def link_data(summary: ReleaseSummary, release: Path, work: Path) -> bool:
    """Put the data files of a batch from one release folder into another, as hard links where the disk can.

    False, and nothing is done, if a file is missing or the files of a config are not as large as the summary says.
    """
    for config in summary.configs:
        files = [release / name for name in config.files]
        if not all(file.is_file() for file in files) or sum(file.stat().st_size for file in files) != config.bytes:
            return False
    for config in summary.configs:
        for name in config.files:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(release / name, work / name)
            except OSError:  # a file system without links
                shutil.copyfile(release / name, work / name)
    return True


def join_credits(path: Path, pieces: Sequence[Path]) -> None:
    """One ATTRIBUTION.md of the pieces' own, in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as joined:
        joined.write(HEADING)
        for piece in pieces:
            joined.write((piece / CREDITS).read_text(encoding="utf-8").removeprefix(HEADING))


def join_summaries(summaries: Sequence[ReleaseSummary], *, configs: Sequence[str]) -> ReleaseSummary:
    """The counts of all batches together; `configs` gives the order of the configs."""
    every = {name: [one for each in summaries for one in each.configs if one.name == name] for name in configs}
    return ReleaseSummary(
        part=summaries[0].part,
        subjects=sum(one.subjects for one in summaries),
        living=sum(one.living for one in summaries),
        candidates=sum(one.candidates for one in summaries),
        samples=sum(one.samples for one in summaries),
        picture_samples=sum(one.picture_samples for one in summaries),
        images=sum(one.images for one in summaries),
        subjects_without_views=sum(one.subjects_without_views for one in summaries),
        configs=tuple(_joined_config(found) for found in every.values() if found),
        roles=_joined_roles(summaries),
        properties=_joined(one.properties for one in summaries),
        sensitivities=_joined(one.sensitivities for one in summaries),
        occupation_groups=_joined(one.occupation_groups for one in summaries),
        licences=_joined(one.licences for one in summaries),
        attacks=_joined(one.attacks for one in summaries),
    )


def _joined_config(found: Sequence[ConfigSummary]) -> ConfigSummary:
    rows, size = sum(one.rows for one in found), sum(one.bytes for one in found)
    files = tuple(file for one in found for file in one.files)
    return ConfigSummary(name=found[0].name, split=found[0].split, rows=rows, files=files, bytes=size)


def _joined(counts: Iterable[Sequence[NamedCount]]) -> tuple[NamedCount, ...]:
    total: Counter[str] = Counter()
    for batch in counts:
        total.update({row.name: row.count for row in batch})
    return named(total)


def _joined_roles(summaries: Sequence[ReleaseSummary]) -> tuple[RoleCount, ...]:
    samples: Counter[tuple[Setting, int | None, Role]] = Counter()
    subjects: Counter[tuple[Setting, int | None, Role]] = Counter()
    for row in (row for one in summaries for row in one.roles):
        samples[row.setting, row.ratio, row.role] += row.samples
        subjects[row.setting, row.ratio, row.role] += row.subjects
    order = sorted(samples, key=lambda key: (SETTINGS.index(key[0]), key[1] or 0, key[2]))
    return tuple(
        RoleCount(setting=key[0], ratio=key[1], role=key[2], samples=samples[key], subjects=subjects[key])
        for key in order
    )
