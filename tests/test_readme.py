"""The commands and the Python of the README are run as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_flows_build import finished, home, ppubench  # noqa: F401 - fixtures
from tiny_models import tiny_qwen

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [
    line.split("   #")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("ppubench ")
]
MAKE = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]


def test_the_readme_shows_exactly_two_make_commands_in_its_first_block() -> None:
    assert MAKE[:2] == ["make demo", "make test"]
    assert blocks("sh")[0].count("make ") == 2


@pytest.mark.parametrize("command", MAKE)
def test_every_make_target_of_the_readme_exists(command: str) -> None:
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_commands_of_the_readme_run(home: Path, finished: tuple[Path, Path, str], tmp_path: Path) -> None:  # noqa: F811
    """On a small build: the recipe, the build and the target are put in the place of the demo's."""
    build, recipe, _ = finished
    target = tiny_qwen(tmp_path / "target")
    study = (ROOT / "flows" / "recipes" / "demo_study.toml").read_text()
    study = study.replace('"builds/demo"', f'"{build}"').replace('"builds/demo/target"', f'"{target}"')
    study = re.sub(r"methods = \[.*?\]", 'methods = ["gd-joint"]', study)
    (tmp_path / "study.toml").write_text(study.replace("[evaluate]", "numbers = { steps = 2 }\n\n[evaluate]", 1))
    places = {
        "flows/recipes/demo_study.toml": tmp_path / "study.toml",
        "flows/recipes/demo.toml": recipe,
        "builds/demo/target": target,
        "builds/demo": build,
        "studies/demo": tmp_path / "study",
        "runs/bao": tmp_path / "run",
        "evaluations": tmp_path / "evaluations",
    }
    assert len(COMMANDS) >= 11
    for command in COMMANDS:
        words = [str(places.get(word, word)) for word in shlex.split(command)[1:]]
        words += ["--steps", "2"] if words[0] == "unlearn" else []
        done = ppubench(home, *words)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


@pytest.mark.slow
def test_the_python_of_the_readme_runs(finished: tuple[Path, Path, str], tmp_path: Path) -> None:  # noqa: F811
    (code,) = blocks("python")
    code = code.replace("builds/demo", str(finished[0]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
