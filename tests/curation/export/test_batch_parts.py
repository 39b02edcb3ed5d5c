"""A release of several batches: the files of the earlier ones stay, and together they say what one batch would say."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from curation.export.batch_parts import EarlierBatch, read_summary
from curation.export.export import ReleaseRequest, export_release
from curation.export.rows import SubjectBundle
from schemas.dataset.release import ReleaseSummary
from schemas.storage.artifacts import file_sha256
from schemas.vocabulary import RATIOS
from tests.curation.export.test_export import CARD, table
from tests.worlds.synthetic_build import SENSITIVE, make_bundles

Bundles = list[SubjectBundle]


@pytest.fixture(scope="module")
def bundles() -> Bundles:
    return make_bundles(6, unknown_slots=(2,))


def export(
    folder: Path, bundles: Bundles, *, piece: Path | None = None, earlier: Sequence[EarlierBatch] = ()
) -> ReleaseSummary:
    wanted = ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=SENSITIVE)
    return export_release(folder, bundles, wanted, card=CARD, piece=piece, earlier=earlier)


def two_batches(folder: Path, bundles: Bundles) -> ReleaseSummary:
    """The first four subjects, then the other two; nothing of the first four is read for that."""
    export(folder / "hub", bundles[:4], piece=folder / "0")
    never = EarlierBatch(folder / "0", lambda: pytest.fail("the earlier subjects were read again"))
    return export(folder / "hub", bundles[4:], piece=folder / "1", earlier=[never])


def digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_a_second_batch_leaves_the_first_ones_files_as_they_are(tmp_path: Path, bundles: Bundles) -> None:
    export(tmp_path / "hub", bundles[:4], piece=tmp_path / "0")
    before = {name: digest for name, digest in digests(tmp_path / "hub").items() if name.endswith(".parquet")}
    two_batches(tmp_path, bundles)
    after = digests(tmp_path / "hub")
    assert {name: after.get(name) for name in before} == before
    added = [name for name in after if name.endswith(".parquet") and name not in before]
    assert added
    assert all("-batch001-" in name for name in added)


def test_two_batches_have_the_rows_and_the_counts_of_one(tmp_path: Path, bundles: Bundles) -> None:
    whole = export(tmp_path / "one" / "hub", bundles)
    both = two_batches(tmp_path, bundles)
    without_files = {"configs": {"__all__": {"files", "bytes"}}}
    assert both.model_dump(exclude=without_files) == whole.model_dump(exclude=without_files)
    for config in whole.configs:
        assert table(tmp_path / "hub", config.name) == table(tmp_path / "one" / "hub", config.name)


def test_two_batches_have_the_split_files_and_credits_of_one(tmp_path: Path, bundles: Bundles) -> None:
    export(tmp_path / "one" / "hub", bundles)
    two_batches(tmp_path, bundles)
    for name in ("ATTRIBUTION.md", *(f"data/split/{part}_split.json" for part in ("complete", "selective", "persona"))):
        assert (tmp_path / "hub" / name).read_text() == (tmp_path / "one/hub" / name).read_text(), name


def test_lost_files_of_the_first_batch_are_made_again(tmp_path: Path, bundles: Bundles) -> None:
    two_batches(tmp_path, bundles)
    before = digests(tmp_path / "hub")
    (tmp_path / "hub/data/ppu_eval_cloze/test-00000-of-00001.parquet").unlink()
    export(
        tmp_path / "hub", bundles[4:], piece=tmp_path / "1", earlier=[EarlierBatch(tmp_path / "0", lambda: bundles[:4])]
    )
    assert digests(tmp_path / "hub") == before


def test_a_lost_piece_is_made_again_without_touching_the_first_batch(tmp_path: Path, bundles: Bundles) -> None:
    two_batches(tmp_path, bundles)
    before = digests(tmp_path / "hub")
    shutil.rmtree(tmp_path / "0")
    export(
        tmp_path / "hub", bundles[4:], piece=tmp_path / "1", earlier=[EarlierBatch(tmp_path / "0", lambda: bundles[:4])]
    )
    assert digests(tmp_path / "hub") == before
    assert not (tmp_path / "0").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_batch_of_which_nothing_is_known_changes_no_rows(tmp_path: Path, bundles: Bundles) -> None:
    export(tmp_path / "hub", bundles[:4], piece=tmp_path / "0")
    before = digests(tmp_path / "hub")
    unknown = make_bundles(5, unknown_slots=range(1, 51))[4]
    export(tmp_path / "hub", [unknown], piece=tmp_path / "1", earlier=[EarlierBatch(tmp_path / "0", lambda: [])])
    assert digests(tmp_path / "hub") == before
    summary = read_summary(tmp_path / "1")
    assert summary is not None
    assert (summary.subjects, summary.samples, summary.configs) == (0, 0, ())


def test_a_piece_without_its_summary_is_unfinished(tmp_path: Path, bundles: Bundles) -> None:
    export(tmp_path / "hub", bundles[:1], piece=tmp_path / "0")
    assert read_summary(tmp_path / "0") is not None
    (tmp_path / "0" / "summary.json").write_text(json.dumps({"part": "all"}))
    assert read_summary(tmp_path / "0") is None
