"""Publishing a real build by the command line: what the gate says of the build behind a release, and exit statuses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.pipeline.build_identity import open_build
from flows.publish.build_gate import build_faults, loading_faults
from tests.documents import ROOT
from tests.servers.hub_server import OWNER, Hub, serve_hub
from tests.servers.waiting import patient
from tests.worlds.release_world import CONTACT, as_published, linked_copy, replace_text, write_release
from tests.worlds.tiny_models import tiny_qwen


@pytest.fixture
def build(finished: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "build", ignore=shutil.ignore_patterns(".lock")))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as running:
        yield running


def run(
    hub: Hub,
    home: Path,
    *words: str,
    token: str | None = OWNER,
) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    env |= {
        "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home / "hf"),
        "PREFECT_HOME": str(home),
    }  # fmt: skip
    env |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "flows", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=patient(300))


def manifest(build: Path, stage: str) -> Path:
    return build / stage / "0" / "manifest.json"


def edit_manifest(build: Path, stage: str, **changes: object) -> None:
    content = json.loads(manifest(build, stage).read_text())
    manifest(build, stage).write_text(json.dumps({**content, **changes}))


def rules(build: Path) -> set[str]:
    return {fault.rule for fault in build_faults(open_build(build))}


@pytest.mark.slow
def test_a_sound_build_has_no_fault_even_with_a_card_edited_by_hand(build: Path) -> None:
    replace_text(build / "hub" / "README.md", "None yet.", "Looked at by hand.")
    assert list(build_faults(open_build(build))) == []


@pytest.mark.slow
def test_an_unfinished_stage_is_a_fault(build: Path) -> None:
    manifest(build, "probe").unlink()
    found = [fault.line() for fault in build_faults(open_build(build)) if fault.rule == "build-unfinished"]
    assert any(line.startswith("build-unfinished: probe/0: the stage has not finished") for line in found)


@pytest.mark.slow
def test_a_stale_stage_is_a_fault(build: Path) -> None:
    edit_manifest(build, "export", key="0" * 32)
    (found,) = [fault.line() for fault in build_faults(open_build(build)) if fault.rule == "build-stale"]
    assert found.startswith("build-stale: export/0: is stale")
    assert found.endswith(f"run `ppubench export {build}`")


@pytest.mark.slow
def test_a_stage_of_a_newer_version_is_a_fault(build: Path) -> None:
    edit_manifest(build, "split", version=99)
    [fault] = [fault for fault in build_faults(open_build(build)) if fault.rule == "build-version"]
    assert fault.where == "split/0"
    assert "newer ppubench (version 99 of the stage, this one has" in fault.found


@pytest.mark.slow
def test_a_drop_without_an_explained_reason_is_a_fault_with_its_row(build: Path) -> None:
    path = next(
        path for path in sorted((build / "facts" / "0").glob("drops-*.parquet")) if pq.read_metadata(path).num_rows
    )
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["reason"] = "because"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    found = [fault.line() for fault in build_faults(open_build(build)) if fault.rule == "build-drop"]
    assert any(f"facts/0, {path.name}, row 0" in line and "'because'" in line for line in found)


@pytest.mark.slow
def test_drop_counts_that_do_not_add_up_are_a_fault(build: Path) -> None:
    drops = json.loads(manifest(build, "facts").read_text())["drops"]
    reason = sorted(drops)[0]
    edit_manifest(build, "facts", drops={**drops, reason: drops[reason] + 1})
    assert "build-drop-count" in rules(build)


@pytest.mark.slow
def test_a_file_that_changed_since_the_export_is_a_fault(build: Path) -> None:
    path = next((build / "hub" / "data" / "ppu_eval_cloze").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = [fault.where for fault in build_faults(open_build(build)) if fault.rule == "build-bytes"]
    assert any("ppu_eval_cloze" in where for where in found)


def test_a_config_that_datasets_does_not_load_is_a_fault(tmp_path: Path) -> None:
    hub = write_release(tmp_path / "hub", people=2)
    release = as_published(hub)
    assert list(loading_faults(hub, release)) == []
    replace_text(hub / "README.md", "path: data/ppu_eval_cloze/test-*.parquet", "path: data/nowhere/*.parquet")
    [fault] = loading_faults(hub, release)
    assert (fault.rule, fault.where) == ("datasets-load", "config ppu_eval_cloze")


def test_a_config_of_which_not_every_row_loads_is_a_fault(tmp_path: Path) -> None:
    hub = write_release(tmp_path / "hub", people=2)
    release = as_published(hub)
    [path] = (hub / "data" / "ppu_eval_cloze").glob("*.parquet")
    whole = pq.read_table(path)
    pq.write_table(whole.slice(1), path)
    [fault] = loading_faults(hub, release)
    assert (fault.rule, fault.where) == ("datasets-load", "config ppu_eval_cloze")
    assert fault.found == f"loads {whole.num_rows - 1} rows, and release.json counts {whole.num_rows}"


@pytest.mark.slow
def test_a_build_is_published_compared_and_unlearned_on_by_commands(
    build: Path,
    hub: Hub,
    home: Path,
    tmp_path: Path,
) -> None:
    where = ("publish", str(build), "--repo", "tester/ppu")
    dry = run(hub, home, *where, "--contact", CONTACT, "--dry-run", token=None)
    assert (dry.returncode, "would be published" in dry.stdout) == (0, True), dry.stderr
    assert hub.repos == {}

    refused = run(hub, home, *where, "--contact", "")
    assert refused.returncode == 2
    assert "card-contact: hub/README.md: names no take-down contact" in refused.stdout
    assert refused.stderr.strip().endswith("and nothing was published; mend what the lines name and run again")

    done = run(hub, home, *where, "--contact", CONTACT, "--private", "--json")
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["repos"][0]
    assert (first["status"], first["version"], first["rows"]) == ("new", "1.0.0", first["verified_rows"])
    again = run(hub, home, *where, "--contact", CONTACT)
    assert "holds this release already" in again.stdout
    assert OWNER not in dry.stdout + done.stdout + done.stderr + again.stdout + again.stderr

    compared = run(hub, home, "compare", "tester/ppu@v1.0.0", str(build))
    assert "The two hold the same subjects, facts, samples and roles." in compared.stdout, compared.stderr

    target = tiny_qwen(tmp_path / "target")
    words = ("--method", "gd-joint", "--setting", "personalized", "--model", str(target), "--steps", "2")
    learned = run(hub, home, "unlearn", "tester/ppu@v1.0.0", *words, "--out", str(tmp_path / "run"))
    assert learned.returncode == 0, learned.stderr


@pytest.mark.slow
def test_without_a_token_the_command_says_where_to_put_one(build: Path, hub: Hub, home: Path) -> None:
    done = run(hub, home, "publish", str(build), "--repo", "tester/ppu", "--contact", CONTACT, token=None)
    assert done.returncode == 2
    assert "no token was found; set HF_TOKEN, or log in with `hf auth login`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_build_is_not_published(tmp_path: Path, hub: Hub) -> None:
    write_release(tmp_path / "hub", people=2)
    done = run(
        hub, tmp_path / "home", "publish", str(linked_copy(tmp_path / "hub", tmp_path / "x")), "--repo", "tester/ppu"
    )
    assert done.returncode == 2
    assert "is not a build" in done.stderr
