"""Where builds keep what they share: at home, where the user says, or beside the work where there is no home."""

from pathlib import Path

import pytest

from schemas.storage.artifacts import cache_folder


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PPUBENCH_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_cache_is_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "a home with blanks"))
    assert cache_folder() == tmp_path / "a home with blanks" / ".cache" / "ppubench"


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PPUBENCH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.mark.parametrize("home", ["/proc", "/nonexistent-under-proc/../proc/self", "/dev/null"])
def test_without_a_home_that_takes_files_the_cache_is_beside_the_work(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", home)
    assert cache_folder() == tmp_path / ".cache" / "ppubench"


def test_a_user_without_a_name_and_home_has_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 987_654)
    assert cache_folder() == tmp_path / ".cache" / "ppubench"
