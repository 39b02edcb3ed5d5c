"""The suite collects the same everywhere: no id comes from a clock, an address, a set's order, a folder or chance."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.waiting import patient

ELSEWHERE = {"PYTHONHASHSEED": "4", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
"""Another order of sets, another day and another language; another clock and other addresses come by themselves."""


@pytest.mark.slow
def test_a_later_process_elsewhere_collects_what_this_one_did(
    collected: list[str], pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    words = ["--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *pytestconfig.args],
        cwd=pytestconfig.invocation_params.dir,
        env={**os.environ, **ELSEWHERE, "TMPDIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=patient(300),
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    # pytest brings tests of one parametrised fixture together after that was remembered; xdist compares their order.
    assert sorted(line for line in done.stdout.splitlines() if "::" in line) == sorted(collected)
