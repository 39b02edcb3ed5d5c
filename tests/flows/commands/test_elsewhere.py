"""Commands run in a user's own folder: what lies there is neither imported for ours nor in the way of what is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import file_of

PPUBENCH = Path(sys.executable).with_name("ppubench")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """A folder with packages called as ours, none of which can be imported, and a method of one's own."""
    for name in ("schemas", "eval", "flows"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('of the user')\n")
    (tmp_path / "own_method.py").write_text(file_of("docs/adding-a-method.md", "own_method.py"))
    return tmp_path


def said(folder: Path, *words: str) -> str:
    done = subprocess.run([PPUBENCH, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.mark.skipif(not PPUBENCH.exists(), reason="needs the installed command")
def test_a_users_folders_called_as_ours_are_not_imported(users: Path) -> None:
    assert said(users, "methods").startswith("ga  ")


@pytest.mark.skipif(not PPUBENCH.exists(), reason="needs the installed command")
def test_a_method_of_ones_own_beside_folders_called_as_ours_is_read(users: Path) -> None:
    words = ("--setting", "selective", "--model", "org/model", "--out", "run", "--method", "own_method.py:METHOD")
    assert said(users, "unlearn", "no-data", *words).startswith("ppubench: no-data: is neither a folder nor")
