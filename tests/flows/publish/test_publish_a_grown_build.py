"""A real build that is published, grown by `ppubench add` and published again, all by the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.storage.tables import file_sha256
from sources.sandbox.world import FEW_VIEWS
from tests.documents import ROOT
from tests.servers.hub_server import OWNER, Hub, serve_hub
from tests.servers.oracle import oracle
from tests.servers.waiting import patient

REPO, GATED = "tester/grown", "tester/grown-gated"
RECIPE = """
name = "grown"
[source]
kind = "sandbox"
people = 12
[select]
limit = 5
min_sitelinks = 10
[facts]
gated = "separate"
[images]
width = 330
[probe]
responder = "openai:{address}#oracle"
[export]
target = "small"
contact = "takedown@example.org"
"""
TEXTS = {"README.md", "ATTRIBUTION.md", "croissant.json", "release.json"}
SPLITS = {f"data/split/{part}_split.json" for part in ("complete", "selective", "persona")}


@dataclass(frozen=True)
class Grown:
    """What three publications did, and what lay where between them."""

    build: Path
    hub: Hub
    said: dict[str, subprocess.CompletedProcess[str]]
    """By step: add, first, second, third, compared."""
    first_files: dict[str, dict[str, bytes]]
    """By repo: its files after the first publication."""
    earlier: dict[str, str]
    """sha256 of the dataset's files before the addition, by place in the build."""
    uploads: tuple[int, int, int]
    """Large files that had been sent after each publication."""

    def report(self, step: str, repo: str = REPO) -> dict[str, object]:
        done = json.loads(self.said[step].stdout)
        return next(each for each in done["repos"] if each["repo"] == repo)


def run(hub: Hub, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command with the owner's token, on the loopback Hub."""
    env = {
        **os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": OWNER,
        "HF_HOME": str(home / "hf"), "PREFECT_HOME": str(home),
    }  # fmt: skip
    command = [sys.executable, "-m", "flows", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=patient(300))


def dataset_hashes(build: Path) -> dict[str, str]:
    """sha256 of every file of both parts."""
    return {
        path.relative_to(build).as_posix(): file_sha256(path)
        for part in ("hub", "hub_gated")
        for path in sorted((build / part).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def grown(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    """Built, published, added to, published, published once more, and compared."""
    folder = tmp_path_factory.mktemp("publish_grown")
    build = folder / "build"
    publish = ("publish", str(build), "--repo", REPO, "--json")
    said: dict[str, subprocess.CompletedProcess[str]] = {}
    with oracle(build, batches=2) as address, serve_hub() as hub:
        (folder / "grown.toml").write_text(RECIPE.format(address=address))

        def step(name: str, *words: str) -> None:
            said[name] = run(hub, home, *words)
            assert said[name].returncode == 0, said[name].stderr

        step("build", "build", str(folder / "grown.toml"), "--out", str(build))
        step("first", *publish)
        uploads = [len(hub.uploaded)]
        first_files = {repo: hub.files(repo) for repo in (REPO, GATED)}
        earlier = dataset_hashes(build)
        step("add", "add", str(build), "Q900000006", "Luc D'Arvel", FEW_VIEWS, "--json")
        step("second", *publish)
        uploads.append(len(hub.uploaded))
        step("third", *publish)
        uploads.append(len(hub.uploaded))
        step("compared", "compare", f"{REPO}@v1.0.0", str(build), "--json")
        yield Grown(build, hub, said, first_files, earlier, (uploads[0], uploads[1], uploads[2]))


@pytest.mark.slow
@pytest.mark.parametrize(("repo", "part"), [(REPO, "hub"), (GATED, "hub_gated")])
def test_only_new_and_changed_files_travel_after_an_addition(grown: Grown, repo: str, part: str) -> None:
    second = grown.report("second", repo)
    new = {
        path.relative_to(grown.build / part).as_posix() for path in (grown.build / part).rglob("*-batch001-*.parquet")
    }
    assert set(second["added"]) == new  # type: ignore[call-overload]
    assert {"data/ppu_eval_cloze/test-batch001-00000-of-00001.parquet"} <= new
    assert set(second["changed"]) <= TEXTS | SPLITS  # type: ignore[call-overload]
    assert set(second["changed"]) >= {"README.md", "release.json", "croissant.json"}  # type: ignore[call-overload]
    assert second["removed"] == []


@pytest.mark.slow
def test_no_large_file_is_sent_but_the_new_ones(grown: Grown) -> None:
    new = {
        file_sha256(path)
        for part in ("hub", "hub_gated")
        for path in (grown.build / part).rglob("*-batch001-*.parquet")
    }
    assert {sha for sha, _ in grown.hub.uploaded[grown.uploads[0] :]} == new
    assert grown.uploads[2] == grown.uploads[1]


@pytest.mark.slow
def test_earlier_data_files_keep_their_names_and_bytes_here_and_on_the_hub(grown: Grown) -> None:
    now = dataset_hashes(grown.build)
    data = {name for name in grown.earlier if name.endswith(".parquet")}
    assert len(data) > 40
    assert {name: now[name] for name in data} == {name: grown.earlier[name] for name in data}
    for repo, files in grown.first_files.items():
        after = grown.hub.files(repo)
        assert all(after[name] == content for name, content in files.items() if name.endswith(".parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("repo", [REPO, GATED])
def test_the_second_release_is_read_back_and_tagged_one_minor_up(grown: Grown, repo: str) -> None:
    first, second = grown.report("first", repo), grown.report("second", repo)
    assert (first["version"], second["version"]) == ("1.0.0", "1.1.0")
    assert second["verified_rows"] == second["rows"] > first["rows"]  # type: ignore[operator]
    assert grown.hub.dataset(repo).tags == {"v1.0.0": first["revision"], "v1.1.0": second["revision"]}


@pytest.mark.slow
@pytest.mark.parametrize("repo", [REPO, GATED])
def test_a_third_publication_makes_no_commit(grown: Grown, repo: str) -> None:
    third = grown.report("third", repo)
    assert (third["status"], third["version"], third["verified_rows"]) == ("unchanged", "1.1.0", None)
    titles = ["initial commit", "Release v1.0.0, by ppubench", "Release v1.1.0, by ppubench"]
    assert grown.hub.dataset(repo).titles == titles


@pytest.mark.slow
def test_compare_lists_exactly_the_added_subjects(grown: Grown) -> None:
    (batch,) = json.loads(grown.said["add"].stdout)["batches"]
    joined = [one["subject_id"] for one in batch["people"] if one["state"] == "joined"]
    diff = json.loads(grown.said["compared"].stdout)
    assert len(joined) == 2
    assert diff["subjects"] == {"added": joined, "removed": [], "changed": []}
    assert (diff["samples"]["removed"], diff["samples"]["changed"], diff["roles"]) == ([], [], [])
    assert {name.rpartition("_")[0] for name in diff["samples"]["added"]}


@pytest.mark.slow
def test_the_token_is_in_no_output_and_in_no_file_of_the_build(grown: Grown) -> None:
    assert not [name for name, done in grown.said.items() if OWNER in done.stdout + done.stderr]
    files = [path for path in sorted(grown.build.rglob("*")) if path.is_file()]
    assert not [path for path in files if OWNER.encode() in path.read_bytes()]


@pytest.mark.slow
def test_each_command_prints_one_json_object(grown: Grown) -> None:
    for name in ("first", "add", "second", "third", "compared"):
        assert len(grown.said[name].stdout.splitlines()) == 1
