"""`ppubench report BUILD`: where it writes, what it says of stages, and what it refuses."""

import json
from pathlib import Path

import pytest
from filelock import FileLock

from flows.building.build import _claim
from flows.building.explorer import explore, is_build
from flows.pipeline.build_identity import LOCK, identity_of
from schemas.errors import BadInput
from schemas.recipes.build_recipe import read_build_recipe
from schemas.vocabulary import Stage
from tests.documents import ROOT
from tests.servers.forked import run_ppubench
from tests.worlds.explorer_world import write_build

RECIPE = """
name = "small"
[source]
kind = "sandbox"
people = 4
[facts]
gated = "open"
[probe]
responder = "openai:http://127.0.0.1:9/v1#none"
[export]
target = "small"
"""


def claimed(folder: Path, *, until: Stage = "export") -> Path:
    """A folder that ppubench takes for a build of its own, with made-up artifacts."""
    (folder / "small.toml").write_text(RECIPE)
    build = folder / "build"
    build.mkdir()
    _claim(build, identity_of(read_build_recipe(folder / "small.toml")), RECIPE, None)
    return write_build(build, until=until)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return claimed(tmp_path)


def test_the_report_of_a_build_is_its_explorer(build: Path) -> None:
    done = run_ppubench("report", str(build), "--json", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"html": f"{build}/explorer.html", "funnel": f"{build}/funnel.svg"}
    assert "Build small" in (build / "explorer.html").read_text()


def test_a_build_is_reported_alone_and_in_its_own_folder(build: Path, tmp_path: Path) -> None:
    for more in (["--out", str(tmp_path / "out")], [str(tmp_path)]):
        done = run_ppubench("report", str(build), *more, cwd=ROOT)
        assert done.returncode == 2
        assert done.stderr == (
            f"ppubench: {build}: is a build, whose explorer lies in it and shows nothing else; "
            "report it alone, without --out\n"
        )
    assert not (build / "explorer.html").exists()


def test_exploring_changes_nothing_but_its_two_files(build: Path) -> None:
    before = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    explore(build)
    after = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    new = {path.name for path in after.keys() - before.keys()}
    assert new <= {"explorer.html", "funnel.svg", LOCK}
    assert {path: after[path] for path in before} == before


def test_an_unfinished_build_says_how_to_go_on(tmp_path: Path) -> None:
    build = claimed(tmp_path, until="facts")
    page = explore(build).html.read_text()
    assert f"ppubench export {build}" in page
    assert page.count("<td>missing</td>") == 7


def test_a_stage_made_from_something_else_is_stale(build: Path) -> None:
    assert "<td>stale</td>" in explore(build).html.read_text()


def test_a_build_at_which_another_process_works_is_refused(build: Path) -> None:
    with FileLock(build / LOCK), pytest.raises(BadInput, match="another ppubench is at work"):
        explore(build)


def test_a_folder_that_is_no_build_is_not_taken_for_one(tmp_path: Path) -> None:
    assert not is_build(tmp_path)
    with pytest.raises(BadInput, match="is not a build"):
        explore(tmp_path)
