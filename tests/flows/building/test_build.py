"""Whole builds through the command line: determinism, kill and go on, locks, and every way to hold it wrong."""

import hashlib
import json
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

from flows.building import build as building
from flows.pipeline.stage import run_stage
from schemas.storage.artifacts import MANIFEST
from schemas.vocabulary import STAGES
from sources.sandbox.server.server import serve
from sources.sandbox.world import make_world
from tests.documents import ROOT
from tests.servers.forked import Forked, ppubench_main, start_ppubench
from tests.servers.live_hosts import live_routes
from tests.servers.waiting import patient, wait_for, wait_while_running
from tests.worlds.small_build import environment, ppubench, recipe_file

SLOW_SOURCE = """
name = "slow"
[source]
kind = "wikidata"
contact = "tests@ppubench.example"
[source.routes]
{routes}
[source.limits]
media = {{ per_minute = 1, burst = 1 }}
[select]
min_sitelinks = 10
[probe]
responder = "openai:http://127.0.0.1:9/v1#none"
"""


def hashes(build: Path) -> dict[str, str]:
    return {
        path.relative_to(build).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(build.rglob("*"))
        if path.suffix in (".parquet", ".json", ".md")
    }


@pytest.mark.slow
def test_a_build_reports_every_stage_as_one_json_object(made: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    assert [stage["stage"] for stage in report["stages"]] == list(STAGES)
    assert {stage["state"] for stage in report["stages"]} == {"made"}
    assert report["dataset"] == str(made / "build" / "hub")


@pytest.mark.slow
def test_statements_are_facts_or_drops_and_the_counts_add_up(finished: tuple[Path, Path]) -> None:
    manifest = json.loads((finished[0] / "facts" / "0" / MANIFEST).read_text())
    assert manifest["rows_in"] > 0
    # Facts of qualifiers come on top of the statements, so there are more rows than statements, never fewer.
    assert manifest["rows_out"]["facts"] + sum(manifest["drops"].values()) >= manifest["rows_in"]


@pytest.mark.slow
def test_the_dataset_loads_with_datasets(finished: tuple[Path, Path], tmp_path: Path) -> None:
    from datasets import load_dataset

    rows = load_dataset(str(finished[0] / "hub"), "train_pair_small", split="train", cache_dir=str(tmp_path))
    assert rows.num_rows > 20
    assert rows[0]["image"].size == (330, 412)
    assert rows.column_names[:7] == [
        "sample_id", "subject_id", "subject", "image_path", "image", "question", "generated_answer",
    ]  # fmt: skip


@pytest.mark.slow
def test_prefect_shows_the_runs_by_name_with_counts_and_links(made: Path) -> None:
    with sqlite3.connect(f"file:{made / 'prefect' / 'prefect.db'}?mode=ro", uri=True) as database:
        artifacts = {key for (key,) in database.execute("select key from artifact")}
        runs = {name for (name,) in database.execute("select name from flow_run")}
    assert {"small-counts", "small-drops", "small-build", "small-card"} <= artifacts
    assert {"build-small", "small-facts", "small-export"} <= runs


@pytest.mark.slow
def test_a_second_run_does_nothing(home: Path, finished: tuple[Path, Path]) -> None:
    build, recipe = finished
    before = {path: path.stat().st_mtime_ns for path in build.rglob("*.parquet")}
    again = ppubench(home, "build", str(recipe), "--out", str(build), "--json")
    assert again.returncode == 0, again.stderr
    assert {stage["state"] for stage in json.loads(again.stdout)["stages"]} == {"stood"}
    assert {path: path.stat().st_mtime_ns for path in build.rglob("*.parquet")} == before


@pytest.mark.slow
def test_a_build_killed_in_any_stage_ends_with_the_same_bytes(
    home: Path, lone_home: Path, finished: tuple[Path, Path], tmp_path: Path
) -> None:
    build, recipe = finished
    cut = tmp_path / "build"
    killed = 0
    for stage in ("select", "facts", "images", "screen", "questions", "probe", "split", "attack", "export"):
        at = lone_home if stage == "probe" else home  # once with a server of its own, which is to end with it
        process = started(at, "build", str(recipe), "--out", str(cut))
        wait_while_running(process, (cut / stage / "0").exists)
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert bool(children) == (at == lone_home)
        psutil.wait_procs(children, timeout=patient(20))
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert killed >= 8
    last = ppubench(home, "build", str(recipe), "--out", str(cut))
    assert last.returncode == 0, last.stderr
    assert hashes(cut) == hashes(build)
    assert not list(cut.rglob("*.part"))


def heed_interrupts() -> None:
    """Take SIGINT in the child, even where the tests run in a shell's background, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(home: Path, *words: str) -> Forked:
    """A command at work."""
    return start_ppubench(*words, env=environment(home), cwd=ROOT)


@pytest.mark.slow
def test_an_interrupted_build_says_how_to_go_on(lone_home: Path, finished: tuple[Path, Path], tmp_path: Path) -> None:
    process = started(lone_home, "build", str(finished[1]), "--out", str(tmp_path / "b"))
    wait_while_running(process, (tmp_path / "b" / "images").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=patient(60))
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ppubench: interrupted; run the same command again to go on"


@pytest.mark.slow
def test_an_interrupted_build_does_not_wait_for_what_it_would_still_fetch(home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "slow.toml"
    with serve(make_world(people=6, seed=0)) as running:
        routes = "\n".join(f'"{host}" = "{base}"' for host, base in live_routes(running).items())
        recipe.write_text(SLOW_SOURCE.format(routes=routes))
        process = started(home, "build", str(recipe), "--out", str(tmp_path / "b"), "--until", "images")
        wait_for(lambda: running.count("/wikipedia/commons/") > 0, limit_s=120)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=patient(30))  # the pictures would take their hour
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ppubench: interrupted; run the same command again to go on"
    assert running.count("/wikipedia/commons/") == 1
    assert not list((tmp_path / "b" / "images").rglob("*.parquet"))


def test_an_interrupt_that_python_drops_is_given_again() -> None:
    script = """
import signal, time
from flows.commands.interrupts import heed_lost_interrupts
class Dying:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
heed_lost_interrupts()
dying = Dying()
del dying
print("not yet interrupted", flush=True)
time.sleep(600)
print("never interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patient(50),
        check=False,
        preexec_fn=heed_interrupts,
    )
    assert done.returncode == -signal.SIGINT
    assert done.stdout == "not yet interrupted\n"
    assert "Exception ignored" not in done.stderr


@pytest.mark.slow
def test_from_makes_a_stage_and_what_follows_again(home: Path, finished: tuple[Path, Path]) -> None:
    build, recipe = finished
    before = hashes(build)
    done = ppubench(home, "build", str(recipe), "--out", str(build), "--from", "split", "--json")
    states = {stage["stage"]: stage["state"] for stage in json.loads(done.stdout)["stages"]}
    assert states["probe"] == "stood"
    assert states["split"] == states["attack"] == states["export"] == "made"
    assert hashes(build) == before


@pytest.mark.slow
def test_from_with_until_leaves_the_later_stages_alone(home: Path, finished: tuple[Path, Path]) -> None:
    build, recipe = finished
    before = hashes(build)
    done = ppubench(home, "build", str(recipe), "--out", str(build), "--from", "select", "--until", "facts", "--json")
    states = {stage["stage"]: stage["state"] for stage in json.loads(done.stdout)["stages"]}
    assert states["select"] == states["facts"] == "made"
    assert states["probe"] == states["export"] == "stood"
    assert hashes(build) == before


@pytest.mark.slow
def test_a_lost_dataset_file_is_made_again(home: Path, finished: tuple[Path, Path]) -> None:
    build, recipe = finished
    before = hashes(build)
    next((build / "hub" / "data").rglob("*.parquet")).unlink()
    done = ppubench(home, "build", str(recipe), "--out", str(build), "--json")
    states = {stage["stage"]: stage["state"] for stage in json.loads(done.stdout)["stages"]}
    assert states["attack"] == "stood"
    assert states["export"] == "made"
    assert hashes(build) == before


def refused(home: Path, *words: str) -> str:
    done = ppubench(home, *words)
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ppubench: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["buidl", "x"], "No such command 'buidl'.* \\(see ppubench --help\\)"),
        (["build"], "Missing argument .* \\(see ppubench build --help\\)"),
        (["status", "--nope", "x"], "No such option: --nope \\(see ppubench status --help\\)"),
        (["report", "nothere"], "nothere: is not a folder; name one that ppubench build, study, "),
    ],
)
def test_wrong_words_are_refused_with_one_line(home: Path, words: list[str], line: str) -> None:
    done = ppubench(home, *words)
    assert done.returncode == 2
    assert re.fullmatch(f"ppubench: {line}.*\n", done.stderr)


def test_the_help_tells_what_every_command_does_in_whole_sentences(home: Path) -> None:
    lines = ppubench(home, "--help").stdout.partition("Commands:\n")[2].splitlines()
    assert len(lines) >= 15
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_the_hubs_client_does_not_tell_of_its_retries(home: Path) -> None:
    code = (
        "from flows.cli import main\n"
        "try: main(['stages'])\n"
        "except SystemExit: pass\n"
        "import logging, huggingface_hub.utils.logging\n"
        "print(logging.getLogger('huggingface_hub').getEffectiveLevel() >= logging.ERROR)\n"
    )
    unset = {name: value for name, value in environment(home).items() if name != "HF_HUB_VERBOSITY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=unset, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_a_missing_recipe_is_refused(home: Path) -> None:
    assert "nothere.toml: no such file" in refused(home, "build", "nothere.toml")


def test_a_folder_of_another_recipe_is_refused(home: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "build.json").write_text('{"format": 1, "name": "other", "source": "kind=sandbox"}')
    assert "holds a build of recipe 'other'" in refused(home, "build", str(recipe), "--out", str(tmp_path / "b"))


def test_a_folder_of_a_newer_version_is_refused(home: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "build.json").write_text('{"format": 99, "name": "small", "source": "kind=sandbox"}')
    assert "layout 99 is newer" in refused(home, "build", str(recipe), "--out", str(tmp_path / "b"))


def test_a_folder_with_other_things_in_it_is_refused(home: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    assert "is not empty and not a build" in refused(home, "build", str(recipe), "--out", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock") == ["small.toml"]


def test_a_folder_in_which_the_first_file_was_cut_off_is_taken(home: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "recipe.toml.0123456789ab.part").write_text("name =")  # killed while it claimed the folder
    done = ppubench(home, "build", str(recipe), "--out", str(tmp_path / "b"), "--until", "select")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "b").rglob("*.part"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "holiday.mp4.part").write_bytes(b"of a browser")
    assert "is not empty and not a build" in refused(home, "build", str(recipe), "--out", str(tmp_path / "c"))


def test_two_builds_on_one_folder_are_refused(home: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    (tmp_path / "b").mkdir()
    with FileLock(tmp_path / "b" / ".lock"):
        assert "another ppubench is at work" in refused(home, "build", str(recipe), "--out", str(tmp_path / "b"))


def test_an_unknown_stage_is_refused(home: Path, tmp_path: Path) -> None:
    assert "stage 'lunch': is not a stage" in refused(home, "build", str(recipe_file(tmp_path)), "--until", "lunch")


def test_from_after_until_is_refused(home: Path, tmp_path: Path) -> None:
    line = refused(home, "build", str(recipe_file(tmp_path)), "--from", "probe", "--until", "facts")
    assert "probe comes after facts" in line


def test_status_of_something_else_is_refused(home: Path, tmp_path: Path) -> None:
    assert "is not a build" in refused(home, "status", str(tmp_path))


def build_on_a_full_disk(recipe: str, out: str) -> None:
    """In a process of its own, whose files may not grow beyond 200 kB: what a full disk looks like to who writes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    run_flow = building._run_flow

    def run(*given: Any, **options: Any) -> None:
        import flows.runners.prefect_flows

        def go(name: str, build: Any, specs: Any, table: Any, *further: object) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            for spec in specs:
                run_stage(build, spec, table)

        flows.runners.prefect_flows.build_flow = go  # type: ignore[assignment]
        run_flow(*given, **options)

    building._run_flow = run
    ppubench_main(["build", recipe, "--out", out])


@pytest.mark.slow
def test_a_disk_that_takes_no_more_fails_with_one_line_and_the_build_goes_on_later(
    home: Path, finished: tuple[Path, Path], tmp_path: Path
) -> None:
    build, recipe = finished
    full = tmp_path / "b"
    failed = Forked(build_on_a_full_disk, str(recipe), str(full), env=environment(home), cwd=ROOT)
    _, said = failed.communicate()
    assert failed.returncode == 1, said
    assert "File too large" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (full / "images" / "0" / MANIFEST).exists()
    done = ppubench(home, "build", str(recipe), "--out", str(full))
    assert done.returncode == 0, done.stderr
    assert hashes(full) == hashes(build)
