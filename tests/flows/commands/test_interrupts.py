"""Ctrl-C: status 130 within seconds, whatever does not want to end, and a line that says how to go on."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flows.commands.interrupts import ending_soon
from tests.documents import ROOT
from tests.servers.waiting import wait_for
from tests.worlds.tiny_models import tiny_qwen
from tests.worlds.unlearn_world import write_world

SOON_S = 30.0
"""Far less than what would not end, and enough for a busy machine."""
STUBBORN = {
    "what handles it and takes its time": "time.sleep(3600)",
    "a thread of a pool": "ThreadPoolExecutor(1).submit(time.sleep, 3600).result()",
    "a call that Python does not interrupt": 'hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)',
}
SCRIPT = """
import hashlib, sys, time
from concurrent.futures import ThreadPoolExecutor
from flows.commands.interrupts import ending_soon

with ending_soon(lambda: print("last words", file=sys.stderr, flush=True)):
    try:
        print("begun", flush=True)
        {}
    except KeyboardInterrupt:
        time.sleep(3600)  # wherever it came, it is not over by itself
"""


def heed() -> None:
    """A shell without job control has background processes ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )


@pytest.mark.parametrize("work", STUBBORN.values(), ids=STUBBORN)
def test_ctrl_c_ends_what_does_not_want_to_end(work: str) -> None:
    process = started("-c", SCRIPT.format(work))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "last words"
    assert time.monotonic() - pressed < SOON_S


def test_a_command_that_ends_by_itself_leaves_no_watcher_behind() -> None:
    before = threading.active_count()
    with ending_soon(lambda: None):
        assert threading.active_count() == before + 1
    wait_for(lambda: threading.active_count() == before)
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.slow
def test_an_interrupted_run_says_resume_and_goes_on_with_it(tmp_path: Path) -> None:
    model, world, out = tiny_qwen(tmp_path / "model"), write_world(tmp_path / "world"), tmp_path / "run"
    words = ["-m", "flows", "unlearn", str(world), "--method", "gd", "--setting", "personalized"]
    words += ["--model", str(model), "--out", str(out)]
    process = started(*words, "--steps", "100000")
    wait_for(lambda: process.poll() is not None or (out / "log.jsonl").is_file(), limit_s=240)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert said.splitlines()[-1] == "ppubench: interrupted; run the same command with --resume to go on"
    assert process.returncode == 130
    assert time.monotonic() - pressed < SOON_S
    resumed = started(*words, "--steps", "100000", "--resume")
    wait_for(lambda: resumed.poll() is not None or (out / "log.jsonl").stat().st_size > 0, limit_s=240)
    assert resumed.poll() is None
    resumed.send_signal(signal.SIGINT)
    _, said = resumed.communicate(timeout=120)
    assert said.splitlines()[-1] == "ppubench: interrupted; run the same command again to go on"


@pytest.mark.slow
def test_what_is_no_terminal_hears_how_far_a_run_is(tmp_path: Path) -> None:
    """The lines come every half minute; here more often, by the same reporter."""
    model, world = tiny_qwen(tmp_path / "model"), write_world(tmp_path / "world")
    script = "import schemas.progress, sys; schemas.progress.EVERY_S = 0.2; from flows.cli import main; main()"
    words = ["unlearn", str(world), "--method", "gd", "--setting", "personalized", "--steps", "30"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--model", str(model), "--out", str(tmp_path / "run"), "--json"],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "unlearn: at work, 0 s so far\n" in done.stderr
    assert any(line.startswith("training: ") and " of 30, " in line for line in done.stderr.splitlines())
