"""Commands in processes of their own that begin with everything imported: forks of one process that did so once.

They have what a process of its own is for: an exit status, output, signals, kill -9 and an environment. What libraries
read from the environment while they are imported (HF_…) is this process's; a command that needs others is started anew.
"""

import atexit
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers.waiting import patient

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.servers.forked_imports"])


def _begin(
    call: Callable[..., object],
    arguments: tuple[object, ...],
    environment: dict[str, str],
    folder: Path,
    output: Path,
    group: bool,
) -> None:
    """In the fork: become the process that was asked for, and call."""
    if group:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    time.tzset()
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        call(*arguments)
    finally:
        atexit._run_exitfuncs()


class Forked:
    """A process at work, with the words of subprocess.Popen."""

    def __init__(
        self,
        call: Callable[..., object],
        *arguments: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        group: bool = False,
    ) -> None:
        """The call must be found by its name: a function of a module. With `group` it leads a process group."""
        environment = dict(os.environ if env is None else env)
        differing = [
            name
            for name in {*environment, *os.environ}
            if name.startswith("HF_") and environment.get(name) != os.environ.get(name)
        ]
        assert not differing, f"{differing} have been read by libraries already; start a process anew"
        self._folder = tempfile.TemporaryDirectory(prefix="forked-")
        self._output = Path(self._folder.name)
        given = (call, arguments, environment, cwd or Path.cwd(), self._output, group)
        self._process = _FORKS.Process(target=_begin, args=given, daemon=False)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit status, -N for signal N, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; ends a process that takes longer (600 s on a quiet machine where nothing is said)."""
        limit = patient(600) if timeout is None else timeout
        self._process.join(limit)
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
            raise subprocess.TimeoutExpired(str(self._process), limit, *self._said())
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said on stdout and stderr, once it has ended."""
        self.wait(timeout)
        return self._said()

    def _said(self) -> tuple[str, str]:
        files = (self._output / name for name in ("stdout", "stderr"))
        out, err = (path.read_text("utf-8", "replace") if path.exists() else "" for path in files)
        return out, err


def ppubench_main(words: list[str]) -> None:
    """`ppubench` with these words, as in a process of its own."""
    from flows.cli import main

    sys.argv = ["ppubench", *words]
    main()


def start_ppubench(
    *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, group: bool = False
) -> Forked:
    """The command at work."""
    return Forked(ppubench_main, list(words), env=env, cwd=cwd, group=group)


def run_ppubench(
    *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, limit_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """The command's exit status and what it said."""
    process = start_ppubench(*words, env=env, cwd=cwd)
    out, err = process.communicate(patient(limit_s))
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(words), process.returncode, out, err)


@pytest.fixture(scope="session", autouse=True)
def end_forks() -> Iterator[None]:
    """The process that forks ends with the tests, not after them."""
    yield
    multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]
