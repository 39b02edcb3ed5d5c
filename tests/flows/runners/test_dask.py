"""Builds on Dask workers: the same bytes, a worker killed on the way, and clusters that cannot do the work."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from flows.runners.dask_cluster import project_version
from tests.documents import ROOT
from tests.flows.building.test_build import hashes, refused
from tests.servers.ports import own_port
from tests.servers.waiting import patient, wait_while_running
from tests.worlds.growing_build import RECIPE
from tests.worlds.small_build import environment, ppubench

pytest.importorskip("prefect_dask")
pytest_plugins = ("tests.servers.s3_server",)
UNTIL = ("--until", "questions")


@contextmanager
def scheduler() -> Iterator[str]:
    """Address of a Dask scheduler without workers."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(found[0] for line in process.stderr if (found := re.search(r"tcp://127[\d.]*:\d+", line)))
        try:
            yield address
        finally:
            process.terminate()


@contextmanager
def worker(address: str, *, code: Path = ROOT) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of that scheduler with the ppubench of a checkout."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    process = subprocess.Popen(
        [*command, "--no-dashboard"],
        cwd=code,
        env={**os.environ, "PYTHONPATH": str(code)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=patient(30), set_as_default=False) as client:
        client.wait_for_workers(count, timeout=patient(120))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "grow.toml"
    path.write_text(RECIPE.replace("shard = 5", "shard = 2"))
    return path


@pytest.fixture(scope="module")
def local(home: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bytes of the build on this machine."""
    build = tmp_path_factory.mktemp("local") / "build"
    done = ppubench(home, "build", str(recipe), "--out", str(build), *UNTIL)
    assert done.returncode == 0, done.stderr
    return hashes(build)


@pytest.mark.slow
def test_workers_of_this_machine_give_the_same_bytes(
    home: Path,
    recipe: Path,
    local: dict[str, str],
    tmp_path: Path,
) -> None:
    done = ppubench(home, "build", str(recipe), "--out", str(tmp_path / "b"), *UNTIL, "--runner", "dask")
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "b") == local


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(
    home: Path,
    recipe: Path,
    local: dict[str, str],
    tmp_path: Path,
) -> None:
    build = tmp_path / "b"
    with scheduler() as address, worker(address) as first, worker(address):
        wait_for_workers(address, 2)
        words = [sys.executable, "-m", "flows", "build", str(recipe), "--out", str(build), *UNTIL, "--runner", "dask"]
        process = subprocess.Popen(
            [*words, "--address", address],
            cwd=ROOT,
            env=environment(home),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_while_running(process, lambda: list((build / "images").glob("0/unfinished/images-*.json")))
        first.send_signal(signal.SIGKILL)
        assert process.poll() is None, "the build ended before its worker could be killed"
        _, said = process.communicate(timeout=patient(300))
        assert process.returncode == 0, said
    assert hashes(build) == local


@pytest.mark.slow
def test_workers_without_a_common_folder_share_a_bucket(
    home: Path,
    recipe: Path,
    local: dict[str, str],
    tmp_path: Path,
    s3_bucket: str,
) -> None:
    url = f"s3://{s3_bucket}/{uuid4().hex}/build"
    done = ppubench(
        home, "build", str(recipe), "--out", str(tmp_path / "b"), *UNTIL, "--runner", "dask", "--store", url
    )
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "b") == local


def test_an_address_where_nothing_listens_is_refused(home: Path, recipe: Path, tmp_path: Path) -> None:
    words = ("--out", str(tmp_path / "b"), "--runner", "dask", "--address")
    with own_port() as port:
        address = f"tcp://127.0.0.1:{port}"
        line = refused(home, "build", str(recipe), *words, address)
    assert f"--address {address}: no Dask scheduler answers there" in line
    assert "start `dask scheduler`" in line


def test_an_address_without_dask_is_refused(home: Path, recipe: Path) -> None:
    assert "is of no use to --runner local" in refused(home, "build", str(recipe), "--address", "tcp://127.0.0.1:1")


def test_an_unknown_runner_is_refused(home: Path, recipe: Path) -> None:
    assert "--runner ray: is not a runner" in refused(home, "build", str(recipe), "--runner", "ray")


@pytest.mark.slow
def test_a_scheduler_without_workers_is_refused(home: Path, recipe: Path, tmp_path: Path) -> None:
    with scheduler() as address:
        words = ("--out", str(tmp_path / "b"), "--runner", "dask", "--address", address)
        assert "the scheduler has no worker" in refused(home, "build", str(recipe), *words)


@pytest.mark.slow
def test_a_worker_of_another_version_is_refused_with_both_versions(
    home: Path,
    recipe: Path,
    tmp_path: Path,
) -> None:
    other = tmp_path / "checkout"
    for package in ("schemas", "sources", "curation", "unlearn", "eval", "flows"):
        shutil.copytree(ROOT / package, other / package, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "curation" / "views.py").open("a").write("\n# another version\n")
    words = ("--out", str(tmp_path / "b"), "--runner", "dask", "--address")
    with scheduler() as address, worker(address, code=other):
        wait_for_workers(address, 1)
        line = refused(home, "build", str(recipe), *words, address)
    assert re.search(r"worker tcp://\S+: runs ppubench 0\.1\.0\+\w{12}, and this is ppubench 0\.1\.0\+\w{12};", line)
    assert project_version() in line
    assert not (tmp_path / "b" / "facts").exists()
