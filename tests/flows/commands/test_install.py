"""The install: whole or thrown away, one line about what is wrong, on a bare Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.commands.install import READY, UNFINISHED, install, steps
from tests.documents import ROOT


@pytest.fixture
def constraints(tmp_path: Path) -> Path:
    path = tmp_path / "constraints.txt"
    path.write_text("")
    return path


def test_torch_comes_first_at_its_exact_version() -> None:
    first, rest = steps(ROOT)
    assert len(first) == 1
    assert first[0].startswith("torch==")
    assert rest == ["-e", f"{ROOT}[dev]"]


@pytest.mark.slow
def test_a_whole_install_is_ready_and_not_unfinished(tmp_path: Path, constraints: Path) -> None:
    folder = tmp_path / "with blank and ü"
    assert install(folder, [["pip"]], constraints=constraints) == ""
    assert (folder / READY).exists()
    assert not (folder / UNFINISHED).exists()


@pytest.mark.slow
def test_what_cannot_be_installed_is_said_in_a_line_and_not_taken_for_whole(tmp_path: Path, constraints: Path) -> None:
    folder = tmp_path / "venv"
    problem = install(folder, [["--no-index", "no-such-package-at-all"]], constraints=constraints)
    assert "no-such-package-at-all" in problem
    assert "\n" not in problem
    assert not (folder / READY).exists()
    (folder / "half").write_text("of a package")
    install(folder, [["pip"]], constraints=constraints)
    assert not (folder / "half").exists()
    assert (folder / READY).exists()


@pytest.mark.slow
def test_an_install_that_is_brought_up_to_date_keeps_what_is_there(tmp_path: Path, constraints: Path) -> None:
    folder = tmp_path / "venv"
    install(folder, [["pip"]], constraints=constraints)
    (folder / "kept").write_text("")
    install(folder, [["pip"]], constraints=constraints)
    assert (folder / "kept").exists()


def test_a_place_that_cannot_be_written_is_said(constraints: Path) -> None:
    assert install(Path("/proc/venv"), [], constraints=constraints) == "No such file or directory"


def test_the_install_needs_no_package() -> None:
    script = (
        "import sys, flows.commands.install; print([name for name in ('pydantic', 'typer') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
