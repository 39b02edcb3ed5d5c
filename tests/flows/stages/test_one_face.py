"""A build that asks for exactly one face a picture, on the drawn pictures of the embedded world."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.building import build as building
from schemas.records.build_rows import Drop, Portrait
from schemas.storage.tables import read_records
from tests.worlds.growing_build import without_prefect

pytest.importorskip("cv2", reason="needs the extra `faces`")
RECIPE = """
name = "faces"
[source]
kind = "sandbox"
people = 4
[select]
min_sitelinks = 10
[images]
width = 330
[screen]
faces = "one"
min_views = 0
"""


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("faces")
    (folder / "faces.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        building.build(folder / "faces.toml", folder / "build", until="screen")
        yield folder / "build" / "screen" / "0"


def test_some_pictures_are_kept_and_each_other_has_its_reason(screened: Path) -> None:
    kept = [row for path in screened.glob("portraits-*.parquet") for row in read_records(path, Portrait)]
    drops = [row for path in screened.glob("drops-*.parquet") for row in read_records(path, Drop)]
    reasons = Counter(row.reason for row in drops)
    assert kept
    assert reasons["no_face"] > 0
    assert {row.image_id for row in kept}.isdisjoint(row.item for row in drops)
