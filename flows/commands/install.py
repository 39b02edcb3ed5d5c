"""The install: a virtual environment with what pyproject.toml names, in which nothing half installed passes for whole.

Runs on a bare Python, before anything is installed: standard library alone.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from schemas.progress import Lines

READY, UNFINISHED, LOG = "ready", "unfinished", "install.log"
"""In the environment: written last; there while pip is at work; what pip said."""


def steps(project: Path) -> list[list[str]]:
    """What pip is asked to install, one call after the other.

    torch first and alone, at its exact version, so that no other build of it is pulled in.
    """
    required = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    torch = next(each for each in required if each.startswith("torch=="))
    return [[torch], ["-e", f"{project}[dev]"]]


def install(folder: Path, wanted: Sequence[Sequence[str]], *, constraints: Path) -> str:
    """Make the environment, or bring it up to date; returns "" or, in a line, why it is not whole.

    pip leaves a package that it could not write to its end, and takes it for installed the next time: so what an
    install that did not end left behind is thrown away.
    """
    try:
        if (folder / UNFINISHED).exists():
            shutil.rmtree(folder)
        folder.mkdir(exist_ok=True)
        (folder / READY).unlink(missing_ok=True)
        (folder / UNFINISHED).touch()
        with (folder / LOG).open("wb") as log:
            calls = [["venv", str(folder)]]
            pip = ["pip", "install", "-q", "--disable-pip-version-check", "-c", str(constraints)]
            for call in [*calls, *([*pip, *each] for each in wanted)]:
                python = sys.executable if call[0] == "venv" else str(folder / "bin" / "python")
                done = subprocess.run([python, "-m", *call], stdout=log, stderr=log, check=False)  # noqa: S603 - ours
                if done.returncode != 0:
                    return _reason(folder / LOG)
        (folder / UNFINISHED).unlink()
        (folder / READY).touch()
    except OSError as problem:
        return problem.strerror or str(problem)
    return ""


def _reason(log: Path) -> str:
    """The line of the log that says why: the first error, or else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it says nothing"])[0]


def main() -> None:
    """`python -m flows.commands.install`: .venv of this checkout, which `make` runs where it is not there or out of
    date.
    """
    project = Path(__file__).resolve().parents[2]
    folder = Path(os.path.relpath(project / ".venv"))
    try:
        with Lines("install", lambda line: print(line, file=sys.stderr, flush=True)):
            problem = install(folder, steps(project), constraints=project / "constraints.txt")
    except KeyboardInterrupt:
        print("ppubench: interrupted; run make again, which begins the install anew", file=sys.stderr)
        raise SystemExit(130) from None
    if problem:
        advice = f"mend it (see {folder / LOG}; docs/machines.md) and run make again"
        print(f"ppubench: {folder}: the install did not end ({problem}); {advice}", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
