"""Two releases side by side: subjects, facts, samples and roles that were added, removed or changed."""

from pathlib import Path

from curation.export.diff import compare_releases
from curation.export.release_contents import read_contents
from flows.resources.datasets import open_dataset
from schemas.dataset.release import ReleaseDiff


def compare(first: str | Path, second: str | Path) -> ReleaseDiff:
    """What differs from the first to the second; each is anything that BUILD_OR_DATASET takes."""
    return compare_releases(read_contents(open_dataset(first)), read_contents(open_dataset(second)))
