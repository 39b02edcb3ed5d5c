"""Probe and attack on Dask workers that share nothing but a store, one of which is killed on the way."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.instant import InstantResponder
from tests.documents import ROOT
from tests.flows.building.test_build import hashes
from tests.flows.runners.test_dask import scheduler, wait_for_workers, worker
from tests.servers.oracle import oracle
from tests.servers.waiting import patient, wait_while_running
from tests.worlds.growing_build import RECIPE
from tests.worlds.small_build import environment, ppubench

pytest.importorskip("prefect_dask")


def know_all_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let instant responders answer about any shard at any time, since workers do several at once."""
    load = InstantResponder._load

    def load_all(self: InstantResponder, shard: int) -> None:
        answers: dict[tuple[str, bytes], str] = {}
        for number in range(len(list((self._build / "questions" / self._batch).glob("questions-*.parquet")))):
            load(self, number)
            answers |= self._answers
        self._answers = answers
        if shard > 0:
            raise LookupError("no shard has the prompt")

    monkeypatch.setattr(InstantResponder, "_load", load_all)


@pytest.mark.slow
def test_a_worker_killed_while_it_probes_from_a_store_loses_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_all_shards(monkeypatch)
    here, there = tmp_path / "here", tmp_path / "there"
    recipe = tmp_path / "grow.toml"
    with oracle(here) as server, scheduler() as address, worker(address) as first, worker(address):
        text = RECIPE.replace("shard = 5", "shard = 1").replace("limit = 8", "limit = 3")
        recipe.write_text(f'{text}\n[probe]\nparaphrased = 1\nresponder = "openai:{server}#oracle"\n')
        done = ppubench(home, "build", str(recipe), "--out", str(here), "--until", "attack")
        assert done.returncode == 0, done.stderr
        shutil.copytree(here, there, ignore=shutil.ignore_patterns("probe", "split", "attack", "answers"))
        wait_for_workers(address, 2)
        words = ["build", str(recipe), "--out", str(there), "--until", "attack", "--runner", "dask"]
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", *words, "--address", address, "--store", f"file://{tmp_path}/store"],
            cwd=ROOT,
            env=environment(home),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_while_running(process, lambda: list((there / "probe").glob("0/unfinished/answers-*.json")))
        first.send_signal(signal.SIGKILL)
        assert process.poll() is None, "the build ended before its worker could be killed"
        _, said = process.communicate(timeout=patient(300))
        assert process.returncode == 0, said
    assert hashes(there) == hashes(here)
    assert list((there / "attack/0").glob("attacks-*.parquet"))
