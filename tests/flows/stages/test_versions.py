"""No stage changes in silence: the tables of a small build against the digests that its version is known by."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.building.status import report_of
from flows.commands.printing import print_status
from flows.pipeline.build_folder import BuildFolder
from flows.stages.stage_table import READS
from flows.stages.versions import CHANGES, VERSIONS, changed_since
from schemas.storage.artifacts import MANIFEST
from schemas.vocabulary import STAGES, Stage
from tests.worlds.growing_build import make_build, without_prefect

DIGESTS = Path(__file__).with_name("stage_digests.toml")
RAISE = "if that is meant, add a sentence for it to CHANGES in flows/stages/versions.py, and run this test again"
WRITE = "look at what it makes, and put this line under [{}] in tests/{}: {}"
_OF_PICTURES = re.compile(r"[0-9a-f]{16}|[0-9a-f]{40}|\d{3,}-[0-9a-f]{12}")
"""Hashes of pictures, and ids made of them: the last bit of a drawn picture is the processor's."""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch)
        yield make_build(tmp_path_factory.mktemp("rules"))


def plain(value: object) -> object:
    """A cell without what a processor may round otherwise: pictures and their hashes."""
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, str):
        return _OF_PICTURES.sub("#", value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def digest_of(folder: Path) -> str:
    """Of the columns, their types and the rows of all Parquet files below a folder, by place."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        rows = [json.dumps(plain(row), sort_keys=True) for row in table.to_pylist()]
        # Rows of a picture stand in the order of its hash in places; what they say counts, not their order.
        content = [path.relative_to(folder).as_posix(), *(f"{each.name} {each.type}" for each in table.schema)]
        found.update("\n".join([*content, *sorted(rows)]).encode())
    return found.hexdigest()[:32]


@cache
def known() -> dict[str, dict[str, str]]:
    return tomllib.loads(DIGESTS.read_text())


def versions_of(stage: Stage) -> str:
    """The versions of a stage and of all that it is made from: "screen 1, images 1, select 2"."""
    found: dict[Stage, int] = {}
    layer: tuple[Stage, ...] = (stage,)
    while layer:
        found |= {each: VERSIONS[each] for each in layer}
        layer = tuple(each for made in layer for each in READS[made] if each not in found)
    return ", ".join(f"{each} {found[each]}" for each in reversed(STAGES) if each in found)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_makes_what_its_version_is_known_by(stage: Stage, build: Path) -> None:
    folder = build / "hub" if stage == "export" else build / stage / "0"
    versions, found = versions_of(stage), digest_of(folder)
    wanted = known().get(stage, {}).get(versions)
    assert wanted is not None, f"{versions}: new; " + WRITE.format(stage, DIGESTS.name, f'"{versions}" = "{found}"')
    assert found == wanted, f"stage {stage} makes other tables than version {VERSIONS[stage]} did; {RAISE}"


def test_the_digest_sees_another_word_in_a_table(build: Path, tmp_path: Path) -> None:
    before = digest_of(build / "select" / "0")
    (path,) = sorted((build / "select" / "0").glob("drops-*.parquet"))
    table = pq.read_table(path)
    other = table.set_column(table.schema.get_field_index("reason"), "reason", [["minor"] * table.num_rows])
    for each in (build / "select" / "0").glob("*.parquet"):
        (tmp_path / each.name).write_bytes(each.read_bytes())
    pq.write_table(other, tmp_path / path.name)
    assert digest_of(tmp_path) != before


def test_every_version_after_the_first_has_its_sentence() -> None:
    assert {stage: VERSIONS[stage] for stage in STAGES} == {stage: 1 + len(CHANGES.get(stage, ())) for stage in STAGES}


def test_versions_in_between_are_told_one_line_each() -> None:
    assert [line.split(":")[0] for line in changed_since("questions", 1)] == [
        f"questions {number}" for number in range(2, VERSIONS["questions"] + 1)
    ]


def test_nothing_is_told_of_the_version_that_stands() -> None:
    assert changed_since("questions", VERSIONS["questions"]) == ()


def test_status_of_an_old_build_says_which_rules_changed(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.pipeline.build_identity import open_build
    from flows.resources.resources import Resources
    from flows.stages.stage_table import stage_table

    for stage in STAGES:
        (tmp_path / stage / "0").mkdir(parents=True)
        manifest = json.loads((build / stage / "0" / MANIFEST).read_text()) | {"version": 1}
        (tmp_path / stage / "0" / MANIFEST).write_text(json.dumps(manifest))
    recipe = open_build(build).recipe
    with Resources(build, recipe) as resources:
        report = report_of([BuildFolder(tmp_path, recipe)], stage_table(resources), made=set())
    assert {line.split(" ")[0] for line in report.rules_changed} == set(CHANGES)
    print_status(report)
    assert f"changed   {report.rules_changed[0]}" in capsys.readouterr().out
