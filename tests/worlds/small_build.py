"""A finished build of six people, made by the command line, and a PREFECT_HOME whose server runs for all of a worker's
tests: each build that starts a server of its own takes four seconds of processor time, and ten with a new database.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runners.prefect_server import running_server
from flows.runners.prefect_ui import RUNNING
from schemas.storage.artifacts import write_json
from tests.documents import ROOT
from tests.servers.forked import run_ppubench
from tests.servers.made_once import made_once
from tests.servers.oracle import oracle

RECIPE = """
name = "small"
[source]
kind = "sandbox"
people = 6
[select]
min_sitelinks = 10
[facts]
gated = "open"
[images]
width = 330
[probe]
responder = "{responder}"
[export]
target = "small"
"""


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PREFECT_HOME": str(home)}


def ppubench(home: Path, *words: str, limit_s: float = 300) -> subprocess.CompletedProcess[str]:
    return run_ppubench(*words, env=environment(home), cwd=ROOT, limit_s=limit_s)


def recipe_file(folder: Path, responder: str = "hf:sandbox") -> Path:
    path = folder / "small.toml"
    path.write_text(RECIPE.format(responder=responder))
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """$PPUBENCH_CACHE of all workers, so that the embedded world's faces are settled once; never the user's own."""
    return made_once(tmp_path_factory, "cache", lambda folder: None)


@pytest.fixture(scope="session", autouse=True)
def use_cache(cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPUBENCH_CACHE", str(cache))
        yield


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PREFECT_HOME in which a server has been once, so that its database stands."""

    def make(folder: Path) -> None:
        with running_server(folder):
            pass

    return made_once(tmp_path_factory, "prefect", make)


@pytest.fixture(scope="session")
def lone_home(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PREFECT_HOME without a server: each build starts its own."""
    return Path(shutil.copytree(prefect_database, tmp_path_factory.mktemp("lone") / "prefect"))


@pytest.fixture(scope="session")
def home(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PREFECT_HOME whose server runs, as with `make ui`: builds find it."""
    folder = Path(shutil.copytree(prefect_database, tmp_path_factory.mktemp("shared") / "prefect"))
    with running_server(folder) as settings:
        write_json(folder / RUNNING, {"api": settings["PREFECT_API_URL"]})
        yield folder


@pytest.fixture(scope="session")
def made(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For all workers: `build`, its `prefect` with the build's runs, and what the command said in `report.json`."""

    def make(folder: Path) -> None:
        home = Path(shutil.copytree(prefect_database, folder / "prefect"))
        with oracle(folder / "build") as address:
            recipe = recipe_file(folder, f"openai:{address}#oracle")
            done = ppubench(home, "build", str(recipe), "--out", str(folder / "build"), "--json")
        assert done.returncode == 0, done.stderr
        (folder / "report.json").write_text(done.stdout)

    return made_once(tmp_path_factory, "small", make)


@pytest.fixture(scope="session")
def finished(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """This worker's copy of the finished build, and its recipe with the address of a server to probe."""
    folder = tmp_path_factory.mktemp("finished")
    build = Path(shutil.copytree(made / "build", folder / "build"))
    with oracle(build) as address:
        recipe = recipe_file(folder, f"openai:{address}#oracle")
        (build / "recipe.toml").write_text(recipe.read_text())
        yield build, recipe
