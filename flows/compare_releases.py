"""Two releases side by side: subjects, facts, samples and roles that were added, removed or changed."""

from pathlib import Path

from curation.release_contents import read_contents
from curation.release_diff import compare_releases
from flows.datasets import open_dataset
from schemas.releases import ReleaseDiff


def compare(first: str | Path, second: str | Path) -> ReleaseDiff:
    """What differs from the first to the second; each is anything that BUILD_OR_DATASET takes."""
    return compare_releases(read_contents(open_dataset(first)), read_contents(open_dataset(second)))
